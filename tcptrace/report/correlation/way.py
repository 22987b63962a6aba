"""The way over the points, drawn in a line: `client ──6──▶ lvs:eth0 ──5, 1 lost──▶ rs:bond1`."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from tcptrace.correlation.directions import DIRECTIONS, REPLY
from tcptrace.correlation.result import Connection, Hop, Point
from tcptrace.report.findings import frames_told
from tcptrace.report.terminal import GAP, LABEL, Piece, Screen, text_width
from tcptrace.report.units import count

PAST_THE_DIRECTOR = ("dr", "tun")
"""Modes in which replies do not come back through what forwarded the requests."""

INDENT = LABEL + 2


class Way(NamedTuple):
    """One direction, of a connection or of all that take the same way."""

    direction: int
    stops: Sequence[int]
    """Points in order."""
    back: Sequence[int]
    """Those of the other direction."""
    hops: Sequence[Hop]
    mode: str


def way(connection: Connection, direction: int) -> Way:
    """One direction of one connection."""
    hops = [hop for hop in connection.hops if hop.direction == direction]
    return Way(direction, connection.path[direction], connection.path[1 - direction], hops, connection.mode)


def write_way(screen: Screen, points: Sequence[Point], of: Way) -> None:
    """The points with what went over each hop, and what was lost; a line breaks after an arrow."""
    line, used = [Piece(f"  {DIRECTIONS[of.direction]}".ljust(INDENT), "dim")], INDENT
    for unit in drawn(points, of):
        width = sum(text_width(piece.text) for piece in unit)
        if screen.width is not None and len(line) > 1 and used + width > screen.width:
            screen.line(*line)
            line, used = [Piece(" " * INDENT)], INDENT
        line += unit
        used += width
    said = outcome(points, of)
    if screen.width is None or used + len(GAP) + text_width(said.text) <= screen.width:
        screen.line(*line, Piece(GAP), said)
    else:
        screen.line(*line)
        screen.paragraph(said.text, label=Piece(" " * INDENT), style=said.style)


def drawn(points: Sequence[Point], of: Way) -> Iterator[list[Piece]]:
    """Each point with the arrow that leaves it."""
    if not of.stops:
        yield [Piece("not seen at any point", "odd")]
    for point, after in zip_longest(of.stops, of.stops[1:]):
        name = Piece(points[point].name, "title")
        hops = [hop for hop in of.hops if (hop.source, hop.target) == (point, after)]
        yield [name] if after is None else [name, _arrow(hops)]


def outcome(points: Sequence[Point], of: Way) -> Piece:
    """`nothing lost`, or how much and where; and which hosts the replies bypass."""
    losing = [hop for hop in of.hops if hop.lost]
    places = list(dict.fromkeys((hop.source, hop.target) for hop in losing))
    told = "; ".join(_loss(points, [hop for hop in losing if (hop.source, hop.target) == place]) for place in places)
    if not of.stops:
        return Piece("")
    return Piece((told or "nothing lost") + _bypassed(points, of), "bad" if losing else "good")


def _arrow(between: Sequence[Hop]) -> Piece:
    """What went over a hop; without one, a connection ends here and another begins."""
    if not between:
        return Piece(" ══proxy══▶ ", "odd")
    frames, lost, missed = (sum(getattr(hop, name) for hop in between) for name in ("frames", "lost", "missed"))
    losses = f", {lost:,} lost" if lost else ""
    gaps = f", {missed:,} not captured" if missed else ""
    return Piece(f" ──{frames:,}{losses}{gaps}──▶ ", "bad" if lost else "odd" if missed else "dim")


def _loss(points: Sequence[Point], losing: Sequence[Hop]) -> str:
    """`2 segments lost between lvs:eth1 and rs:bond1 (frames 7, 9 at lvs:eth1)`; of many connections no frames."""
    source, target = points[losing[0].source].name, points[losing[0].target].name
    told = f"{count(sum(hop.lost for hop in losing), 'segment')} lost between {source} and {target}"
    if len(losing) > 1:
        return told
    frames = losing[0].lost_frames
    return f"{told} (frame{'' if len(frames) == 1 else 's'} {frames_told(frames)} at {source})"


def _bypassed(points: Sequence[Point], of: Way) -> str:
    """Of replies: `, bypasses lvs: right for DR`; where all of them were lost, they bypass nothing."""
    if of.direction != REPLY or any(hop.lost and not hop.frames for hop in of.hops):
        return ""
    back = {points[point].host for point in of.stops}
    missing = [host for host in dict.fromkeys(points[point].host for point in of.back) if host not in back]
    right = f": right for {of.mode.upper()}" if of.mode in PAST_THE_DIRECTOR else ""
    return f", bypasses {', '.join(missing)}{right}" if missing else ""
