"""What a segment turned out to be, beside its words: Wireshark's labels, why it was sent again, its times."""

from collections.abc import Iterator
from functools import cache

from tcptrace.report.label_names import label_names
from tcptrace.report.terminal import Piece
from tcptrace.report.units import duration
from tcptrace.schema import REPEATS, Segments

QUIET = set("duplicate_ack window_update keep_alive keep_alive_ack zero_window_probe_ack".split())
"""Labels of what belongs to a connection that is well; the others are odd."""

NO_REPEAT, COPY, REORDERED = REPEATS.index("none"), REPEATS.index("copy"), REPEATS.index("reordered")

Marks = tuple[Piece, ...]


@cache
def labels(bits: int) -> Marks:
    """`[retransmission]`; where a retransmission is of a kind that has a name, only that is said."""
    names = label_names(bits)
    if any(name.endswith("_retransmission") for name in names):
        names = tuple(name for name in names if name != "retransmission")
    return tuple(Piece(f"[{name}]", "dim" if name in QUIET else "odd") for name in names)


def verdict(repeat: int, original: int, reordered_by: int) -> Piece:
    """`repeats frame 12, timeout`, `copy of frame 12`, `overtaken by 3`; an original that is not known goes unsaid."""
    if repeat == COPY:
        return Piece(f"copy of frame {original}" if original else "copy", "dim")
    if repeat == REORDERED:
        return Piece(f"overtaken by {reordered_by}" if reordered_by else "overtaken", "odd")
    what = f"repeats frame {original}" if original else "repeats"
    return Piece(f"{what}, {REPEATS[repeat].replace('_', ' ')}", "odd")


def marks(segments: Segments) -> Iterator[Marks]:
    """Row for row the labels and our own verdict."""
    columns = (segments.labels, segments.repeat, segments.original, segments.reordered_by)
    for bits, repeat, original, reordered_by in zip(*(column.tolist() for column in columns), strict=True):
        told = labels(bits)
        yield told if repeat == NO_REPEAT else (*told, verdict(repeat, original, reordered_by))


def measures(segments: Segments) -> Iterator[Piece]:
    """Row for row `in flight 77` after data, `rtt 193 µs` where something is acknowledged."""
    for in_flight, rtt_ns in zip(segments.bytes_in_flight.tolist(), segments.rtt_ns.tolist(), strict=True):
        words = [f"in flight {in_flight:,}"] * (in_flight >= 0) + [f"rtt {duration(rtt_ns)}"] * (rtt_ns >= 0)
        yield Piece(", ".join(words), "dim")
