#!/usr/bin/env python3
"""Record the cases of captures/: what the kernel's own TCP did, in network namespaces, by tcpdump.

    sudo python3 captures/recorder/record.py                 all cases
    sudo python3 captures/recorder/record.py half-close      one, or several, by name

Needs root on Debian 12 or alike with iproute2, ethtool, tcpdump, and dumpcap (of tshark) for one
case; no network. A recording that lacks a frame or does not show what its case is about is made again.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import closing
import lifetimes
import links
import opening
import resets
from lab import CLIENT, Lab

CAPTURES = Path(__file__).resolve().parent.parent
ATTEMPTS = 5

SEGMENT = re.compile(r"\.(\d+) > \S+: Flags \[(\S+)\].* length (\d+)")
"""What tcpdump prints of a segment, be it inside tags or tunnels."""


@dataclass(frozen=True)
class Case:
    """A folder of captures/, what makes its captures, and what each of them must show.

    `shows` is a regular expression for all the segments in the order of capture, each `>` (from the
    client, whose port is 40000 or 40001) or `<`, then S, F, R for the flags, D for data, A for ACK alone:
    a handshake is `>S <SA >A`.
    """

    name: str
    record: Callable[[Lab], None]
    shows: str


HANDSHAKE = ">S <SA >A "
CLIENT_CLOSES = ">FA <A <FA >A"
TALK = "(>D |<D |>A |<A )+"
CONVERSATION = HANDSHAKE + TALK + CLIENT_CLOSES

CASES = (
    Case("simultaneous-open", opening.simultaneous_open, rf">S <S >SA <SA .*{CLIENT_CLOSES}"),
    Case("refused", opening.refused, r">S <RA"),
    Case("unanswered", opening.unanswered, r">S( >S)+"),
    Case("syn-retransmitted", opening.syn_retransmitted, rf">S {CONVERSATION}"),
    Case("synack-retransmitted", opening.synack_retransmitted, rf"{HANDSHAKE}<SA >A {TALK}{CLIENT_CLOSES}"),
    Case("close-client-first", closing.client_first, CONVERSATION),
    Case("close-server-first", closing.server_first, rf"{HANDSHAKE}{TALK}<FA >A >FA <A"),
    Case("three-segment-close", closing.three_segments, rf"{HANDSHAKE}{TALK}>FA <FA >A"),
    Case("simultaneous-close", closing.simultaneous, rf"{HANDSHAKE}{TALK}>FA <FA >A <A"),
    Case("half-close", closing.half, rf"{HANDSHAKE}{TALK}>FA <A (<D >A )+<FA >A"),
    Case("fin-retransmitted", closing.fin_retransmitted, rf"{HANDSHAKE}{TALK}>FA {CLIENT_CLOSES}"),
    Case("last-ack-lost", closing.last_ack_lost, rf"{CONVERSATION} <FA >A"),
    Case("ipv6-close", closing.over_ipv6, CONVERSATION),
    Case("rst-established", resets.established, rf"{HANDSHAKE}{TALK}>RA"),
    Case("rst-in-syn-rcvd", resets.in_syn_rcvd, r">S <SA >R"),
    Case("rst-out-of-window", resets.out_of_window, rf"{HANDSHAKE}{TALK}<R >D {TALK}{CLIENT_CLOSES}"),
    Case("challenge-ack", resets.challenge_ack, rf"{HANDSHAKE}{TALK}<R >A >D {TALK}{CLIENT_CLOSES}"),
    Case("midstream-open", lifetimes.midstream_open, f"{TALK}>A"),
    Case("midstream-close", lifetimes.midstream_close, rf"{TALK}{CLIENT_CLOSES}"),
    Case("time-wait-end", lifetimes.time_wait_end, rf"{CONVERSATION} {HANDSHAKE}{CLIENT_CLOSES}"),
    Case("port-reuse", lifetimes.port_reuse, rf"{HANDSHAKE}{TALK}>RA {CONVERSATION}"),
    Case("port-reuse-time-wait", lifetimes.port_reuse_in_time_wait, rf"({HANDSHAKE}{TALK}<FA >A >FA <A ?){{2}}"),
    Case("vlan", links.vlan, CONVERSATION),
    Case("qinq", links.qinq, CONVERSATION),
    Case("vxlan", links.vxlan, CONVERSATION),
    Case("any-sll2", links.any_sll2, rf"{CONVERSATION} {CONVERSATION}"),
    Case("any-sll", links.any_sll, rf"{CONVERSATION} {CONVERSATION}"),
    Case("loopback", links.loopback, CONVERSATION),
    Case("two-interfaces", links.two_interfaces, r"(?=.*>S .*>S )(?=.*>FA .*>FA ).*"),
    Case("nanoseconds", links.nanoseconds, CONVERSATION),
    Case("offload", links.offload, CONVERSATION),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[[], *(case.name for case in CASES)], metavar="CASE")
    wanted = parser.parse_args().case
    if os.geteuid() != 0:
        sys.exit("record.py: network namespaces and tcpdump need root")
    for case in CASES:
        if not wanted or case.name in wanted:
            record(case)


def record(case: Case) -> None:
    """Record a case until each capture shows it, then put the captures in place."""
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory() as folder:
            with Lab(Path(folder)) as lab:
                case.record(lab)
                complete = lab.stop_recording()
            shown = {capture: segments(capture) for capture in sorted(Path(folder).iterdir())}
            if complete and all(re.fullmatch(case.shows, text) for text in shown.values()):
                for capture in shown:
                    keep(capture, CAPTURES / case.name / capture.name)
                return
        print(f"{case.name}, attempt {attempt}: {', '.join(shown.values())}", file=sys.stderr)
    sys.exit(f"{case.name}: {ATTEMPTS} attempts did not show {case.shows}")


def segments(capture: Path) -> str:
    """The segments of a capture in the words of `Case.shows`."""
    text = subprocess.check_output(["tcpdump", "-nnr", str(capture)], text=True, stderr=subprocess.DEVNULL)
    return " ".join(_word(int(port), flags, int(length)) for port, flags, length in SEGMENT.findall(text))


def _word(port: int, flags: str, length: int) -> str:
    arrow = ">" if port >= CLIENT[1] else "<"
    controls = "".join(letter for letter in "SFR" if letter in flags)
    if not controls:
        return arrow + ("D" if length else "A")
    return arrow + controls + ("A" if "." in flags else "")


def keep(capture: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    shutil.copyfile(capture, place)
    print(f"{place.relative_to(CAPTURES.parent)}  {place.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
