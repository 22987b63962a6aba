"""What the marks of a ladder mean."""

from tcptrace.report.correlation.html.markup import Markup, element, group, text
from tcptrace.report.correlation.html.shapes import Place, arrow, node
from tcptrace.report.correlation.rungs import Sight, Stop
from tcptrace.schema import NO_TIME

WIDTH, HEIGHT = 62, 20

MARKS = (
    ("client", Sight.SEEN, "", "from the client; numbers are frames at that point"),
    ("server", Sight.SEEN, "", "from the server"),
    ("odd", Sight.SEEN, "", "sent again"),
    ("bad", Sight.SEEN, "", "reset"),
    ("client", Sight.LOST, "", "lost"),
    ("client", Sight.MISSED, "", "passed, not captured there"),
    ("client", Sight.PARTLY, "", "its bytes in segments of other sizes"),
    ("client", Sight.SEEN, "error", "named by a finding"),
)
"""Style of the arrow, what the far point had, the severity of what names it, the meaning."""


def legend() -> Markup:
    """A list of marks beside their meanings."""
    items = (element("li", _sample(style, sight, named), text(meaning)) for style, sight, named, meaning in MARKS)
    said = element("li", text("times are of the reference clock; rows stand in order of time, not to scale"))
    return element("ul", *items, said, class_="legend")


def _sample(style: str, sight: Sight, named: str) -> Markup:
    source = Place(12, HEIGHT / 2, Stop(0, Sight.SEEN, 4, NO_TIME))
    target = Place(WIDTH - 12, HEIGHT / 2, Stop(1, sight, 7, NO_TIME))
    inside = group(arrow(source, target, ""), node(source, ""), node(target, named))
    drawn = element("g", inside, class_=f"rung {style}")
    return element(
        "svg",
        drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        aria_hidden="true",
    )
