"""Packets for people: a line a TCP frame, as tcpdump prints them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from tcptrace.report.packet_columns import Chunk, batches
from tcptrace.report.segment_words import segments, told
from tcptrace.report.terminal import GAP, Piece, Screen, widest
from tcptrace.report.units import day, time_of_day
from tcptrace.report.view import View

MEASURED = 1000
"""Lines looked at to find the widths; later ones may be wider."""


class Line(NamedTuple):
    """One TCP frame before it is laid out."""

    frame: Piece
    time: Piece
    flow: Piece
    ends: Piece
    segment: Piece
    day: str
    """The date, shown where it changes."""


RIGHT = ("frame", "flow")
HEAD = Line(
    Piece("frame", "dim"),
    Piece("time", "dim"),
    Piece("flow", "dim"),
    Piece("from → to", "dim"),
    Piece("segment", "dim"),
    "",
)


def write_packet_lines(screen: Screen, chunks: Iterable[Chunk], view: View) -> None:
    """All lines, the segment below its addresses where a terminal is too narrow for both."""
    lines = chain([HEAD], _lines(chunks, view))
    measured = list(islice(lines, MEASURED))
    widths = {name: widest(getattr(line, name).text for line in measured) for name in HEAD._fields[:-1]}
    beside = sum(widths.values()) + len(GAP) * 4
    indent = " " * (widths["frame"] + widths["time"] + 2 * len(GAP))
    narrow = screen.width is not None and beside > screen.width
    today = ""
    for line in chain(measured, lines):
        if line.day != today and line.day:
            screen.line(Piece(line.day, "title"))
        today = line.day or today
        pieces = [getattr(line, name).padded(widths[name], right=name in RIGHT) for name in HEAD._fields[:-2]]
        spaced = [part for piece in pieces for part in (piece, Piece(GAP))]
        if narrow:
            screen.line(*spaced)
            screen.paragraph(line.segment.text, label=Piece(indent), style=line.segment.style)
        else:
            screen.line(*spaced, line.segment)


def _lines(chunks: Iterable[Chunk], view: View) -> Iterator[Line]:
    for chunk in chunks:
        for packets, interpreted, book in batches(chunk):
            columns = (
                packets.frame,
                packets.time_ns,
                interpreted.flow,
                packets.src,
                packets.sport,
                packets.dst,
                packets.dport,
            )
            said = segments(packets, interpreted, raw=view.raw)
            rows = zip(*(column.tolist() for column in columns), said, strict=True)
            for frame, time_ns, flow, src, sport, dst, dport, segment in rows:
                yield Line(
                    frame=Piece(str(frame), "dim"),
                    time=Piece(time_of_day(time_ns, utc=view.utc)),
                    flow=Piece(str(flow)),
                    ends=Piece(f"{book.endpoint(src, sport)} → {book.endpoint(dst, dport)}"),
                    segment=told(segment),
                    day=day(time_ns, utc=view.utc),
                )
