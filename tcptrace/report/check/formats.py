"""The formats of a check's report, each a module with the same function."""

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.check.run import Check


class CheckFormat(StrEnum):
    """What `--format` of `check` takes."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"


MODULES = {
    CheckFormat.TABLE: "console",
    CheckFormat.JSON: "json_report",
    CheckFormat.JUNIT: "junit",
    CheckFormat.SARIF: "sarif",
    CheckFormat.GITHUB: "github",
    CheckFormat.MARKDOWN: "markdown",
}


class CheckReport(Protocol):
    """What each format's module offers."""

    def write_check(self, check: "Check", out: TextIO, view: View) -> None:
        """Write what a check came to."""


def check_report(name: CheckFormat) -> CheckReport:
    """The module that writes a format; only that one is imported."""
    return cast(CheckReport, import_module(f"tcptrace.report.check.{MODULES[name]}"))
