"""Which findings name which frames: what a part of the page shows of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.report.correlation.chart import findings_of
from tcptrace.report.correlation.rungs import Rung, Stop
from tcptrace.report.correlation.telling import frames_of

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


class Marked:
    """The findings of one connection by the frames they name; `numbers` has their place among all, by identity."""

    def __init__(self, correlation: "Correlation", connection: Connection, numbers: dict[int, int]) -> None:
        points = {point.name: number for number, point in enumerate(correlation.points)}
        self.found = findings_of(correlation, connection)
        self.numbers = numbers
        self._by_frame: dict[tuple[int, int], list[Finding]] = {}
        for finding in self.found:
            for name, frames in frames_of(finding):
                for frame in frames if name in points else ():
                    self._by_frame.setdefault((points[name], frame), []).append(finding)

    def at(self, stop: Stop) -> list[Finding]:
        """Those that name this frame."""
        return self._by_frame.get((stop.point, stop.frame), [])

    def severity(self, stop: Stop) -> str:
        """The worst of those that name it, empty for none."""
        severities = [finding.severity for finding in self.at(stop)]
        return min(severities, key=SEVERITIES.index, default="")

    def of(self, rung: Rung) -> str:
        """What a segment shows."""
        return shown((finding for stop in rung.stops for finding in self.at(stop)), self.numbers)


def shown(found: Iterable[Finding], numbers: dict[int, int]) -> str:
    """`lost-between finding-3`: rules and findings by which the page can be filtered, each once."""
    told = dict.fromkeys(name for one in found for name in (one.rule, anchor(numbers[id(one)])))
    return " ".join(told)


def anchor(number: int) -> str:
    """Where a finding stands on the page."""
    return f"finding-{number}"
