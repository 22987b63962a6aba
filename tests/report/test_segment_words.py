import pytest

from tcptrace.report.segment_words import flag_names, segments, told
from tests.report import samples


def words(text: str, *, raw: bool = False, **facts: object) -> str:
    packets, interpreted, *_ = samples.chunk(text, **facts)
    return told(next(segments(packets, interpreted, raw=raw))).text


@pytest.mark.parametrize(
    ("flags", "names"), [(0x012, "SYN+ACK"), (0x018, "PSH+ACK"), (0, "no flags"), (-1, "?"), (0x0C2, "SYN+ECE+CWR")]
)
def test_flags_by_name(flags: int, names: str) -> None:
    assert flag_names(flags) == names


@pytest.mark.parametrize(
    ("segment", "facts", "expected"),
    [
        ("1 0 C 0x018 1 77 1 6", {}, "77 bytes   1:78 ack 1 win 3,072"),
        ("1 0 C 0x018 1 1 1 6", {}, "1 byte     1:2 ack 1 win 3,072"),
        ("1 0 C 0x011 78 0 1 6", {}, "FIN        seq 78 ack 1 win 3,072"),
        ("1 0 C 0x019 1 77 1 6", {}, "FIN 77 bytes 1:78 ack 1 win 3,072"),
        ("1 0 C 0x014 1 0 1 6", {"window": 0, "window_bytes": 0}, "RST+ACK    seq 1 ack 1 win 0"),
        ("1 0 C 0x004 1 0 -1 0", {}, "RST        seq 1 win 0"),
        ("1 0 C 0x008 1 0 1 6", {}, "PSH        win 3,072"),
        ("1 0 C 0x010 1 0 1 6", {"window_bytes": -1}, "ACK        ack 1 win 6 unscaled"),
        ("1 0 C 0x010 1 0 1 6", {"sack_count": 1, "sack": [1101, 1201]}, "ACK        ack 1 sack 101:201 win 3,072"),
        ("1 0 C 0x010 1 0 1 6", {"option_kinds": 30}, "ACK        ack 1 win 3,072 mptcp"),
        ("1 0 C 0x010 1 -1 1 6", {"flags": -1, "window": -1, "window_bytes": -1, "seq_relative": -1}, "cut short"),
    ],
)
def test_a_segment_in_words(segment: str, facts: dict[str, object], expected: str) -> None:
    assert words(segment, **facts) == expected


def test_sack_blocks_are_in_the_numbers_of_the_acknowledgement() -> None:
    facts = {"sack_count": 1, "sack": [1101, 1201]}
    assert "ack 1001 sack 1101:1201" in words("1 0 C 0x010 1 0 1 6", raw=True, **facts)
