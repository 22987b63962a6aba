"""The shapes of a ladder: where a segment was seen, and how it went on from there."""

from typing import NamedTuple

from tcptrace.report.correlation.html.geometry import SMALL
from tcptrace.report.correlation.html.markup import NOTHING, Markup, element, group, text
from tcptrace.report.correlation.rungs import Sight, Stop
from tcptrace.report.terminal import text_width

HEAD = 7
"""Length of an arrow's head."""
CROSS = 5
LOST_MOST = 48
"""How far at most what was lost goes on, so that it ends before the next lifeline."""
STUB = 14
"""An arrow where only one point saw the segment."""
PILL = 8
"""Half the height of a frame's number with its border."""


class Place(NamedTuple):
    """A stop in the drawing."""

    x: float
    y: float
    stop: Stop

    @property
    def half(self) -> float:
        """Half of the width that its mark takes."""
        if self.stop.sight is Sight.LOST:
            return 0
        return 5 if self.stop.sight is Sight.MISSED else len(node_text(self.stop)) * SMALL / 2 + 5


def node_text(stop: Stop) -> str:
    """`7`, `~7` where its bytes came in segments of other sizes."""
    return f"~{stop.frame}" if stop.sight is Sight.PARTLY else str(stop.frame)


def node(place: Place, named: str) -> Markup:
    """The frame's number, framed by the severity of what names it; a ring where it passed without being captured."""
    x, y, stop = place
    if stop.sight is Sight.LOST:
        return NOTHING
    if stop.sight is Sight.MISSED:
        return element("circle", cx=x, cy=y, r=place.half, class_="missed")
    classes = " ".join(filter(None, ("node", stop.sight.value, named)))
    pill = element("rect", x=x - place.half, y=y - PILL, width=2 * place.half, height=2 * PILL, rx=PILL, class_=classes)
    return group(pill, element("text", text(node_text(stop)), x=x, y=y + 3.5, class_="frame"))


def arrow(source: Place, target: Place, delay: str) -> Markup:
    """From one stop to the next, with the time it took where there is room; not all the way to where it was lost."""
    sign = 1 if target.x > source.x else -1
    lost = target.stop.sight is Sight.LOST
    begin, end = source.x + sign * source.half, target.x - sign * target.half
    end = begin + sign * min(abs(end - begin) / 2, LOST_MOST) if lost else end
    slope = (target.y - source.y) / (target.x - source.x)
    y1, y2 = (source.y + slope * (x - source.x) for x in (begin, end))
    tip = _cross(end, y2) if lost else _head(end, y2, sign)
    room = abs(end - begin) - HEAD - 10 >= text_width(delay) * SMALL
    middle, above = (begin + end) / 2, (y1 + y2) / 2 - 4
    told = element("text", text(delay), x=middle, y=above, class_="delay") if delay and room else NOTHING
    return group(_line(begin, y1, end if lost else end - sign * HEAD, y2), tip, told)


def stub(place: Place, sign: int) -> Markup:
    """Which way a segment went that no other point saw."""
    begin = place.x + sign * place.half
    end = begin + sign * STUB
    return group(_line(begin, place.y, end - sign * HEAD, place.y), _head(end, place.y, sign))


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element("line", x1=_short(x1), y1=_short(y1), x2=_short(x2), y2=_short(y2), class_="shaft")


def _head(x: float, y: float, sign: int) -> Markup:
    back = x - sign * HEAD
    points = ((x, y), (back, y - HEAD / 2), (back, y + HEAD / 2))
    return element("polygon", points=" ".join(f"{_short(px):g},{_short(py):g}" for px, py in points), class_="head")


def _cross(x: float, y: float) -> Markup:
    x, y = _short(x), _short(y)
    low, high = f"M{x - CROSS:g} {y - CROSS:g}l{2 * CROSS} {2 * CROSS}", f"m0 {-2 * CROSS}l{-2 * CROSS} {2 * CROSS}"
    return element("path", d=low + high, class_="cross")


def _short(value: float) -> float:
    return round(value, 1)
