"""The formats of a report, each a module with the same three functions."""

from collections.abc import Iterable
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline
    from tcptrace.report.packet_columns import Chunk


class Format(StrEnum):
    """What `--format` takes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"


MODULES = {
    Format.TABLE: "console",
    Format.JSON: "json_report",
    Format.JSONL: "json_lines",
    Format.CSV: "csv_report",
    Format.MARKDOWN: "markdown",
}


class Report(Protocol):
    """What each format's module offers."""

    def write_analyses(self, analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
        """Write the flows of captures, in the order given."""

    def write_timeline(self, timeline: "Timeline", out: TextIO, view: View) -> None:
        """Write the segments of one flow with both ends' states."""

    def write_packets(self, path: str, chunks: Iterable["Chunk"], out: TextIO, view: View) -> None:
        """Write the TCP frames of one capture."""


def report(name: Format) -> Report:
    """The module that writes a format; only that one is imported."""
    return cast(Report, import_module(f"tcptrace.report.{MODULES[name]}"))
