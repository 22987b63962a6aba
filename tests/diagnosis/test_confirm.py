"""What stands behind `Wireshark: ` can be pasted whole into its filter line."""

import pytest

from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.diagnosed import ASKED, OPEN, of_rule

CALLS = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
"""Also those that offer ECN, by two flags more."""


def display_filter(finding: Finding) -> str:
    return finding.confirm.partition("Wireshark: ")[2].partition("   ")[0]


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (
            "capture-loss",
            f"{OPEN} 20 C P. 1:101 1\n 30 S . 1:1001 101\n 40 S . 3001:4001 101\n 50 C . 101 4001",
            "frame.number in {6, 7}",
        ),
        (
            "duplicate-frames",
            "0 C S 0 ip_id=1\n 0.01 C S 0 ip_id=1\n 1 S S. 0 1 ip_id=2\n 1.01 S S. 0 1 ip_id=2",
            "frame.number in {2, 4}",
        ),
        ("one-sided-capture", "0 C S 0\n 10 C . 1 1\n 20 C P. 1:101 1\n 30 C . 101 501", "ip.addr == 10.0.0.1"),
        ("reset-injected", f"{ASKED} 30 S R. 1 81 ttl=99", "frame.number in {5}"),
        (
            "syn-flood",
            "\n".join(f"{n} C S 0 src={n + 2}" for n in range(60)),
            f"{CALLS} && ip.dst == 10.0.0.2 && tcp.dstport == 80",
        ),
    ],
    ids=lambda value: value if "-" in value and " " not in value else "",
)
def test_what_is_to_be_pasted_is_a_filter(rule: str, text: str, expected: str) -> None:
    (finding,) = of_rule(rule, text, until_ms=5000)
    assert display_filter(finding) == expected
