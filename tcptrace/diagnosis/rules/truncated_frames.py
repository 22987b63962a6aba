"""Frames were cut when they were recorded: a snap length kept their beginning only.

What it detects
---------------
Segments of TCP whose payload is longer than what the file holds of it.

Why it happens
--------------
tcpdump -s 68 (once the default) or -s 96 keeps so many bytes of a frame, which saves disk and keeps payload out of
the file; libpcap's default today is 262144, all of it. Lengths, numbers and times are right; what is missing are
payloads (no application data, no checksum can be verified) and, below 74 or so, options of a SYN: whether it had
them is then unknown. Tunnels take more of the length.

How to confirm
--------------
capinfos FILE: packet size limit; tcpdump's own words at its start: snapshot length.
In Wireshark: frame.cap_len < frame.len

How to fix
----------
Record with tcpdump -s 0 where the payload matters, else with -s 128 at least, more in tunnels.

When it stays silent
--------------------
All frames are whole, though the file may not be (truncated-file); only frames without TCP were cut.

References
----------
tcpdump(1), -s; pcap_set_snaplen(3PCAP).
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds

RULE = Rule(name="truncated-frames", family="capture", severity="info")

SHORT_BYTES = 74
"""Ethernet, IPv4 and the TCP header of a SYN as Linux sends it; less keeps not all of its options."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A capture that holds cut segments."""
    summary = evidence.summary
    if not summary.cut_frames:
        return
    kept = summary.cut_to_bytes
    lost = "payloads, and options of SYNs," if kept < SHORT_BYTES else "payloads"
    yield RULE.finding(
        confidence=1.0,
        frames=tuple(summary.cut_examples),
        summary=(
            f"{summary.cut_frames:,} of {summary.tcp_frames:,} segments were cut when they were recorded, to"
            f" {kept:,} bytes or less: {lost} are not in the file."
        ),
        cause=f"a snap length (tcpdump -s) of about {kept:,}",
        evidence=(f"no cut frame has more than {kept:,} bytes",),
        disproof="",
        confirm="Wireshark: frame.cap_len < frame.len   capinfos: packet size limit",
        fix="nothing, unless the payload matters: then record with tcpdump -s 0",
    )
