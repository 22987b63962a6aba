"""Relative and raw sequence numbers: whatever tcpdump prints of a conversation reads back as it was."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tcpdump_reading import Reading, read

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
LETTERS = {FIN: "F", SYN: "S", RST: "R", PSH: "P", ACK: "."}
MASK_32 = 0xFFFFFFFF


class Sent(NamedTuple):
    """A segment as it was on the wire."""

    side: int
    flags: int
    seq: int
    ack: int
    length: int
    blocks: tuple[tuple[int, int], ...] = ()


class Printer:
    """What tcpdump prints of segments between two endpoints: the rule of print-tcp.c, said plainly."""

    def __init__(self, absolute: bool, second: bool) -> None:
        self.absolute, self.second = absolute, second
        self.base: dict[int, int] = {}

    def line(self, sent: Sent) -> str:
        """One line, without -v or (`second`) with -vv, which prints every sequence number."""
        seq, ack, blocks = sent.seq, sent.ack, sent.blocks
        if not self.absolute and sent.flags & ACK:
            if not self.base or sent.flags & SYN:
                self.base = {sent.side: seq, 1 - sent.side: ack - 1}
            else:
                seq, ack = seq - self.base[sent.side], ack - self.base[1 - sent.side]
            blocks = tuple(
                (left - self.base[1 - sent.side], right - self.base[1 - sent.side]) for left, right in blocks
            )
        ends = ["10.0.0.1.5000", "10.0.0.2.80"]
        fields = [f"{ends[sent.side]} > {ends[1 - sent.side]}: Flags [{letters(sent.flags)}]"]
        if sent.length or sent.flags & (SYN | FIN | RST) or self.second:
            end = f":{(seq + sent.length) & MASK_32}" if sent.length else ""
            fields.append(f"seq {seq & MASK_32}{end}")
        if sent.flags & ACK:
            fields.append(f"ack {ack & MASK_32}")
        fields.append("win 100")
        if blocks:
            edges = "".join(f"{{{left & MASK_32}:{right & MASK_32}}}" for left, right in blocks)
            fields.append(f"options [nop,nop,sack {len(blocks)} {edges}]")
        return f"12:10:30.083284 IP {', '.join(fields)}, length {sent.length}"


def letters(flags: int) -> str:
    """The flags as tcpdump spells them."""
    return "".join(letter for bit, letter in LETTERS.items() if flags & bit) or "none"


def printed(segments: list[Sent], absolute: bool, second: bool = False) -> Reading:
    """The segments printed by tcpdump and read back."""
    printer = Printer(absolute, second)
    return read("\n".join(printer.line(sent) for sent in segments))


class Turn(NamedTuple):
    """What happens next in a conversation."""

    side: int
    length: int
    lost: bool
    again: bool
    sack: bool


TURNS = st.lists(
    st.builds(
        Turn,
        st.integers(0, 1),
        st.sampled_from([0, 0, 1, 77, 1448, 60_000]),
        *[st.integers(0, 3).map(lambda n: n == 3)] * 3,
    ),
    max_size=12,
)
NUMBERS = st.integers(0, MASK_32)
FAR = st.integers(1 << 24, MASK_32 - (1 << 24))


def conversation(first: tuple[int, int], turns: list[Turn]) -> list[Sent]:
    """A handshake, data both ways, some of it repeated or missing in the text, and a close."""
    following = [(first[0] + 1) & MASK_32, (first[1] + 1) & MASK_32]
    sent = [
        Sent(0, SYN, first[0], 0, 0),
        Sent(1, SYN | ACK, first[1], following[0], 0),
        Sent(0, ACK, following[0], following[1], 0),
    ]
    for turn in turns:
        flags, ack = ACK | (PSH if turn.length else 0), following[1 - turn.side]
        blocks = (((ack + 10) & MASK_32, (ack + 20) & MASK_32),) if turn.sack and not turn.length else ()
        segment = Sent(turn.side, flags, following[turn.side], ack, turn.length, blocks)
        following[turn.side] = (following[turn.side] + turn.length) & MASK_32
        sent += [] if turn.lost else [segment] * (1 + turn.again)
    for side in (0, 1):
        sent.append(Sent(side, FIN | ACK, following[side], following[1 - side], 0))
        following[side] = (following[side] + 1) & MASK_32
    return [*sent, Sent(0, ACK, following[0], following[1], 0), Sent(1, RST, following[1], 0, 0)]


def holds(reading: Reading, segments: list[Sent]) -> None:
    """Every number that was printed is the one that was sent."""
    assert len(reading.rows) == len(segments)
    for row, sent in zip(reading.rows, segments, strict=True):
        assert row["len"] == sent.length
        assert row["ack"] == (sent.ack if sent.flags & ACK else -1)
        assert row["sack"] == [edge for block in sent.blocks for edge in block]
        if not row["inferred"]:
            assert row["seq"] == sent.seq


@given(st.tuples(NUMBERS, NUMBERS), TURNS, st.booleans())
def test_relative_numbers_read_back_as_sent(first: tuple[int, int], turns: list[Turn], second: bool) -> None:
    segments = conversation(first, [turn._replace(lost=False) for turn in turns])
    holds(printed(segments, absolute=False, second=second), segments)


@given(st.tuples(FAR, FAR), TURNS, st.booleans())
def test_relative_numbers_read_back_where_some_are_missing(
    first: tuple[int, int], turns: list[Turn], second: bool
) -> None:
    """Nearer to 0 a number that is missed makes both readings of the next one as likely."""
    segments = conversation(first, turns)
    holds(printed(segments, absolute=False, second=second), segments)


@given(st.tuples(FAR, FAR), TURNS, st.booleans())
def test_raw_numbers_read_back_as_sent(first: tuple[int, int], turns: list[Turn], second: bool) -> None:
    segments = conversation(first, turns)
    holds(printed(segments, absolute=True, second=second), segments)


@given(st.tuples(FAR, FAR), TURNS, st.booleans())
def test_a_text_that_begins_midstream(first: tuple[int, int], turns: list[Turn], absolute: bool) -> None:
    segments = [Sent(0, PSH | ACK, first[0], first[1], 10), *conversation(first, turns)[3:]]
    segments = [segments[0], *(sent for sent in segments[1:] if not sent.blocks)]
    reading = printed(segments, absolute)
    holds(reading, segments)


@given(st.tuples(FAR, FAR), st.tuples(FAR, FAR), TURNS)
def test_a_port_used_again(first: tuple[int, int], second: tuple[int, int], turns: list[Turn]) -> None:
    segments = [*conversation(first, turns), *conversation(second, turns)]
    holds(printed(segments, absolute=False), segments)


@given(st.tuples(FAR, FAR), TURNS, st.integers(0, 1), st.booleans())
def test_one_direction_alone(first: tuple[int, int], turns: list[Turn], side: int, absolute: bool) -> None:
    segments = [
        sent for sent in conversation(first, [turn._replace(lost=False) for turn in turns]) if sent.side == side
    ]
    holds(printed(segments, absolute), segments)


def test_a_pure_acknowledgement_is_inferred_from_what_its_sender_sent() -> None:
    segments = conversation((1000, 2_000_000_000), [Turn(0, 77, False, False, False), Turn(1, 0, False, False, False)])
    reading = printed(segments, absolute=False)
    assert reading.column("seq", "inferred") == [
        (1000, 0),
        (2_000_000_000, 0),
        (1001, 1),
        (1001, 0),
        (2_000_000_001, 1),
        (1078, 0),
        (2_000_000_001, 0),
        (1079, 1),
        (2_000_000_002, 0),
    ]


def test_an_unknown_number_stays_unknown() -> None:
    reading = read("12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [.], ack 155010109, win 6, length 0")
    assert reading.column("seq", "ack", "inferred") == [(-1, 155010109, 1)]


def test_where_the_base_is_unknown_numbers_stay_as_printed() -> None:
    """The first segment sets its sender's base but does not print it; the other side's is known."""
    segments = [
        Sent(0, ACK, 1_756_339_373, 155_010_109, 0),
        Sent(1, PSH | ACK, 155_010_109, 1_756_339_373, 100),
        Sent(0, PSH | ACK, 1_756_339_373, 155_010_209, 50),
        Sent(0, RST, 1_756_339_423, 0, 0),
    ]
    reading = printed(segments, absolute=False)
    assert reading.column("seq", "ack", "inferred") == [
        (-1, 155_010_109, 1),
        (155_010_109, 0, 0),
        (0, 155_010_209, 0),
        (50, -1, 1),
    ]


@pytest.mark.parametrize("start", [1, 1 << 31])
def test_an_excerpt_whose_first_numbers_are_relative_already(start: int) -> None:
    reading = read(
        f"12:10:30.1 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [P.], seq {start}:{start + 76}, ack 1, win 6, length 76\n"
        f"12:10:30.2 IP 10.0.0.2.80 > 10.0.0.1.5000: Flags [.], ack {start + 76}, win 6, length 0\n"
        f"12:10:30.3 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [F.], seq {start + 76}, ack 1, win 6, length 0\n"
    )
    assert reading.column("seq", "ack") == [(start, 1), (1, start + 76), (start + 76, 1)]


def test_the_form_is_found_for_each_flow() -> None:
    relative = conversation((3_000_000_000, 1_000_000_000), [Turn(0, 77, False, False, False)])
    text = "\n".join(Printer(False, False).line(sent) for sent in relative)
    raw = "\n".join(Printer(True, False).line(sent) for sent in relative).replace(".5000", ".5001")
    reading = read(f"{text}\n{raw}")
    assert reading.column("seq", "ack")[: len(relative)] == reading.column("seq", "ack")[len(relative) :]
