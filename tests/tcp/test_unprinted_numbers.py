"""tcpdump text of a flow met midstream, whose first segment is a pure ACK: printed without its sequence number."""

from pathlib import Path

import pytest

import tcptrace

A, B = "10.0.0.1.61556", "10.0.0.2.12345"
TEXT = f"""\
1509735974.998620 IP {A} > {B}: Flags [.], ack 204366509, win 8715, length 0
1509735974.998642 IP {B} > {A}: Flags [.], ack {{0}}, win 11416, length 0
1509735980.507811 IP {A} > {B}: Flags [P.], seq {{0}}:{{1}}, ack {{2}}, win 8715, length 1109
1509735980.507848 IP {B} > {A}: Flags [.], ack {{1}}, win 11382, length 0
1509735980.542888 IP {B} > {A}: Flags [P.], seq {{2}}:{{3}}, ack {{1}}, win 11382, length 2762
1509735980.542908 IP {A} > {B}: Flags [.], ack {{3}}, win 8628, length 0
"""
NUMBERS = {
    "raw, above 2**31": (3342177507, 3342178616, 204366509, 204369271),
    "raw, below 2**31": (1342177507, 1342178616, 204366509, 204369271),
    "raw, wrapping": (2**32 - 5, 1104, 204366509, 204369271),
    "relative": (1, 1110, 1, 2763),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "tcpdump.txt"
    path.write_text(text)
    return path


def relative(path: Path) -> list[tuple[int, int]]:
    """Sequence numbers and acknowledgements as they are shown."""
    shown: list[tuple[int, int]] = []
    for _, segments, *_ in tcptrace.packets(path):
        shown += zip(segments.seq_relative.tolist(), segments.ack_relative.tolist(), strict=True)
    return shown


@pytest.mark.parametrize("form", NUMBERS)
def test_payload_and_numbers_do_not_depend_on_what_is_not_printed(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, TEXT.format(*NUMBERS[form]))
    (flow,) = tcptrace.analyze(path).to_dict()["flows"]
    assert flow["payload_bytes"] == {"client": 1109, "server": 2762}
    assert flow["states"] == {"client": "ESTABLISHED", "server": "ESTABLISHED"}
    assert relative(path) == [(-1, 1), (1, 1), (1, 1), (1, 1110), (1, 1110), (1110, 2763)]


def test_the_sender_alone_tells_where_it_starts(tmp_path: Path) -> None:
    lines = TEXT.format(*NUMBERS["raw, above 2**31"]).splitlines(keepends=True)
    path = write(tmp_path, lines[0] + lines[2])
    (flow,) = tcptrace.analyze(path).to_dict()["flows"]
    assert flow["payload_bytes"] == {"client": 1109, "server": 0}
    assert relative(path) == [(-1, 1), (1, 1)]


def test_a_flow_without_any_number_is_a_flow(tmp_path: Path) -> None:
    line = f"12:00:00.00000{{}} IP {A} > {B}: Flags [{{}}], win 10, length {{}}\n"
    path = write(tmp_path, line.format(1, "none", 0) + line.format(2, "F", 0) + line.format(3, "R", 0))
    (flow,) = tcptrace.analyze(path).to_dict()["flows"]
    assert flow["frames"] == {"client": 3, "server": 0}
    assert relative(path) == [(-1, -1)] * 3
