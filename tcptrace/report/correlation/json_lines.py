"""JSON Lines: one connection a line."""

from typing import TYPE_CHECKING, TextIO

from tcptrace.correlation_json import connection_batches
from tcptrace.report.json_lines import write_lines
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """The connections as JSON has them."""
    write_lines(out, connection_batches(correlation))
