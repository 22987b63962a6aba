"""The formats of a correlation's report, each a module with the same function."""

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


class CorrelationFormat(StrEnum):
    """What `--format` of `correlate` takes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


MODULES = {
    CorrelationFormat.TABLE: "console",
    CorrelationFormat.JSON: "json_report",
    CorrelationFormat.JSONL: "json_lines",
    CorrelationFormat.CSV: "csv_report",
    CorrelationFormat.MARKDOWN: "markdown",
    CorrelationFormat.HTML: "html.page",
}


class CorrelationReport(Protocol):
    """What each format's module offers."""

    def write_correlation(self, correlation: "Correlation", out: TextIO, view: View) -> None:
        """Write what was found."""


def correlation_report(name: CorrelationFormat) -> CorrelationReport:
    """The module that writes a format; only that one is imported."""
    return cast(CorrelationReport, import_module(f"tcptrace.report.correlation.{MODULES[name]}"))
