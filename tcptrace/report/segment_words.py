"""A segment in words, as people are shown it: `77 bytes   1:78 ack 1 win 65,536`."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.report.terminal import Piece
from tcptrace.schema import I64, SACK_BLOCKS_MAX, Packets, Segments

FIN, SYN, RST, PSH, ACK = 0x001, 0x002, 0x004, 0x008, 0x010

FLAG_NAMES = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (0x020, "URG"),
    (0x040, "ECE"),
    (0x080, "CWR"),
    (0x100, "AE"),
)
"""RFC 9293 section 3.1, RFC 3168 section 6.1, RFC 9768 section 2.1; in the order in which they are said."""

SPAN = 2 * SACK_BLOCKS_MAX
KIND_WIDTH = 10
_MPTCP = 30
_SEQUENCE = 0xFFFFFFFF


class Segment(NamedTuple):
    """What is said of one segment; -1 where the frame does not say."""

    flags: int
    seq: int
    ack: int
    len: int
    window: int
    window_bytes: int
    mss: int
    window_scale: int
    sack_permitted: int
    tsval: int
    toa_src: int
    toa_port: int
    option_kinds: int
    sack: list[int]
    """Left and right edges, in the numbers `ack` is given in."""


def segments(packets: Packets, interpreted: Segments, *, raw: bool) -> Iterator[Segment]:
    """Row for row; sequence numbers relative to where each side began, or as on the wire."""
    seq, ack, shift = packets.seq, packets.ack, np.zeros(1, np.int64)
    if not raw:
        shift = np.where(interpreted.ack_relative < 0, 0, packets.ack - interpreted.ack_relative)
        seq, ack = interpreted.seq_relative, interpreted.ack_relative
    edges: I64 = (packets.sack.reshape(-1, SPAN) - shift[:, None]) & _SEQUENCE
    sacks = [row[: 2 * used] for row, used in zip(edges.tolist(), packets.sack_count.tolist(), strict=True)]
    names = "mss window_scale sack_permitted tsval toa_src toa_port option_kinds".split()
    columns: list[npt.NDArray[Any]] = [packets.flags, seq, ack, packets.len, packets.window, interpreted.window_bytes]
    columns += [getattr(packets, name) for name in names]
    return map(Segment._make, zip(*(column.tolist() for column in columns), sacks, strict=True))


def flag_names(flags: int) -> str:
    """`SYN+ACK`; `?` when the frame does not say."""
    if flags < 0:
        return "?"
    return "+".join(name for bit, name in FLAG_NAMES if flags & bit) or "no flags"


def kind(segment: Segment) -> str:
    """What it is for: `SYN+ACK`, `77 bytes`, `FIN`, `ACK`. PSH, and ACK where it is no news, go unsaid."""
    flags, length = segment.flags, segment.len
    if flags < 0:
        return "cut short"
    unsaid = PSH | (ACK if length > 0 or flags & FIN else 0)
    names = flag_names(flags & ~unsaid) if flags & ~unsaid else ""
    data = f"{length} byte{'' if length == 1 else 's'}" if length > 0 else ""
    return " ".join(filter(None, (names, data))) or flag_names(flags)


def numbers(segment: Segment) -> str:
    """Its place in the sender's bytes: `1:78`, `seq 0`; nothing for a pure ACK or when unknown."""
    if segment.seq < 0:
        return ""
    if segment.len > 0:
        return f"{segment.seq}:{segment.seq + segment.len & _SEQUENCE}"
    return f"seq {segment.seq}" if segment.flags & (SYN | FIN | RST) else ""


def acknowledgement(segment: Segment) -> str:
    """`ack 78`, with SACK blocks as `ack 78 sack 100:200`."""
    blocks = " ".join(f"{left}:{right}" for left, right in zip(segment.sack[::2], segment.sack[1::2], strict=True))
    text = f"ack {segment.ack}" if segment.flags & ACK and segment.flags > 0 and segment.ack >= 0 else ""
    return f"{text} sack {blocks}".strip() if blocks else text


def window(segment: Segment) -> str:
    """`win 65,536` in bytes; `win 512 unscaled` when the scale is not known."""
    if segment.window_bytes >= 0 or segment.window == 0:
        return f"win {max(segment.window_bytes, 0):,}"
    return f"win {segment.window:,} unscaled" if segment.window >= 0 else ""


def options(segment: Segment) -> str:
    """What a SYN offers, `mss 1460 ws 9 sack ts`, and what is rare enough to be told of any segment."""
    found = []
    if segment.flags > 0 and segment.flags & SYN:
        found += [f"mss {segment.mss}"] * (segment.mss >= 0)
        found += [f"ws {segment.window_scale}"] * (segment.window_scale >= 0)
        found += ["sack"] * (segment.sack_permitted == 1)
        found += ["ts"] * (segment.tsval >= 0)
    found += ["mptcp"] * (_MPTCP in segment.option_kinds.to_bytes(8, "little", signed=True))
    found += ["toa"] * (segment.toa_port >= 0)
    return " ".join(found)


def told(segment: Segment, before: Segment | None = None, place: str = "") -> Piece:
    """The segment in one line. After the one `before` it from that side, only what is news is told."""
    news = (numbers(segment), acknowledgement(segment), window(segment), options(segment))
    if before is not None and not segment.flags & (SYN | RST) and segment.flags > 0:
        repeats = segment.ack == before.ack and not segment.sack and (segment.len > 0 or segment.flags & FIN)
        opens = 0 in (segment.window, before.window) and segment.window != before.window
        news = (news[0], "" if repeats else news[1], news[2] if opens or before.flags & SYN else "", news[3])
    text = f"{kind(segment):<{KIND_WIDTH}} " + " ".join(filter(None, (*news, place and f"on {place}")))
    return Piece(text.rstrip(), _style(segment))


def _style(segment: Segment) -> str:
    if segment.flags > 0 and segment.flags & RST:
        return "bad"
    if segment.window == 0 or segment.flags < 0:
        return "odd"
    return "title" if segment.flags & (SYN | FIN) else ""
