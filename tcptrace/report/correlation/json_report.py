"""JSON: `tcptrace.correlation/1`, written in batches, never held as a whole."""

from typing import TYPE_CHECKING, TextIO

from tcptrace.correlation_json import connection_batches, head, tail
from tcptrace.report.json_report import write_document
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """All points, connections and findings."""
    write_document(out, head(correlation), "connections", connection_batches(correlation), tail(correlation))
