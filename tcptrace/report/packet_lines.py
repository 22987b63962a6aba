"""Packets for people: a line a TCP frame, as tcpdump prints them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from tcptrace.report.packet_columns import Chunk, batches
from tcptrace.report.segment_marks import marks
from tcptrace.report.segment_words import segments, told
from tcptrace.report.terminal import GAP, Piece, Screen, widest, wrapped
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
    segment: list[Piece]
    """Words and labels."""


_TITLES = [Piece(title, "dim") for title in ("frame", "time", "flow", "from → to", "segment")]
HEAD = Line(_TITLES[0], _TITLES[1], _TITLES[2], _TITLES[3], _TITLES[4:])


def write_packet_lines(screen: Screen, chunks: Iterable[Chunk], view: View) -> None:
    """All lines, the date where it changes; on a narrow terminal the segment stands below its addresses."""
    lines = chain([("", HEAD)], _lines(chunks, view))
    measured = list(islice(lines, MEASURED))
    widths = [widest(column) for column in zip(*(_texts(line) for _, line in measured), strict=True)]
    narrow = screen.width is not None and sum(widths) + len(GAP) * (len(widths) - 1) > screen.width
    write = _write_below if narrow else _write_beside
    today = ""
    for date, line in chain(measured, lines):
        if date and date != today:
            screen.line(Piece(date, "title"))
            today = date
        write(screen, line, widths)


def _texts(line: Line) -> list[str]:
    cells = (line.frame, line.time, line.flow, line.ends, *wrapped(line.segment, None)[0])
    return [*(cell.text for cell in cells[:4]), "".join(cell.text for cell in cells[4:])]


def _write_beside(screen: Screen, line: Line, widths: list[int]) -> None:
    frame, time, flow, ends, _ = widths
    screen.line(
        line.frame.padded(frame, right=True),
        Piece(GAP),
        line.time.padded(time),
        Piece(GAP),
        line.flow.padded(flow, right=True),
        Piece(GAP),
        line.ends.padded(ends),
        Piece(GAP),
        *wrapped(line.segment, None)[0],
    )


def _write_below(screen: Screen, line: Line, widths: list[int]) -> None:
    frame, time, flow, *_ = widths
    cells = (
        line.frame.padded(frame, right=True),
        line.time.padded(time),
        line.flow.padded(flow, right=True),
        Piece(""),
    )
    label = GAP.join(cell.text for cell in cells)
    screen.paragraph(line.ends.text, label=Piece(label), style=line.ends.style)
    space = " " * len(label)
    for pieces in wrapped(line.segment, max((screen.width or 0) - len(space), 20)):
        screen.line(Piece(space), *pieces)


def _lines(chunks: Iterable[Chunk], view: View) -> Iterator[tuple[str, Line]]:
    """Every frame's date and line."""
    for chunk in chunks:
        for packets, interpreted, book, _ in batches(chunk):
            columns = (packets.frame, packets.time_ns, interpreted.flow)
            ends = (packets.src, packets.sport, packets.dst, packets.dport)
            words = segments(packets, interpreted, raw=view.raw)
            for frame, time_ns, flow, src, sport, dst, dport, segment, marked in zip(
                *(column.tolist() for column in (*columns, *ends)), words, marks(interpreted), strict=True
            ):
                yield (
                    day(time_ns, utc=view.utc),
                    Line(
                        frame=Piece(str(frame), "dim"),
                        time=Piece(time_of_day(time_ns, utc=view.utc)),
                        flow=Piece(str(flow) if flow >= 0 else ""),
                        ends=Piece(f"{book.endpoint(src, sport)} → {book.endpoint(dst, dport)}"),
                        segment=[told(segment), *marked],
                    ),
                )
