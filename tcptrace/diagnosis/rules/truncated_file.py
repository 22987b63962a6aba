"""The capture file ends, or is damaged, before its end: what came after is not known.

What it detects
---------------
A file that ends inside a record, whose records make no sense from some place on, or whose compression breaks off.
What stands before is read and diagnosed; the finding says where reading ended and how much was lost.

Why it happens
--------------
The recorder was killed (tcpdump writes through a buffer: kill -9, a crash or a container's end loses its last part),
the disk was full, the file was copied while it was written, or a transfer broke off. tcpdump ends well on SIGINT and
SIGTERM; tcpdump -U writes out every frame at once.

How to confirm
--------------
capinfos FILE says that the file appears to have been cut short; ls -l FILE beside the original; df at the recorder;
gzip -t, zstd -t or xz -t for a compressed one.
In Wireshark: opening the file warns; frame.number == LAST shows the last whole frame.

How to fix
----------
Copy the file again, or record again: end tcpdump by SIGINT, use -U, -C and -W (files in a ring) where the disk is
small, and wait for the recorder's end before copying.

When it stays silent
--------------------
The file ends with a whole record, even if its connections do not end in it. Frames that were cut one by one are
truncated-frames.

References
----------
tcpdump(1), -U, -C, -W; draft-ietf-opsawg-pcap; draft-ietf-opsawg-pcapng.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds

RULE = Rule(name="truncated-file", family="capture", severity="warning")

DAMAGED = "a record's header makes no sense: the file was overwritten, joined from pieces, or changed in transfer"


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A capture of which the reader says so."""
    summary = evidence.summary
    if not summary.truncated:
        return
    is_damaged = any(problem.startswith("damaged") for problem in summary.problems)
    ends = "is damaged" if is_damaged else "breaks off"
    last = f"after frame {summary.frames:,}" if summary.frames else "before its first frame"
    yield RULE.finding(
        confidence=1.0,
        frames=(summary.frames,) if summary.frames else (),
        summary=f"{summary.path} {ends} {last}: what happened then is not in it.",
        cause=DAMAGED if is_damaged else "the recorder was killed or its disk full, or the file was copied too early",
        evidence=tuple(summary.problems),
        disproof="the original at the recorder has the same length",
        confirm=f"capinfos {summary.path}   recorder: ls -l, df",
        fix="copy it again, or record again: end tcpdump by SIGINT, with -U",
    )
