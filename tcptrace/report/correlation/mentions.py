"""Connections and points, as findings and candidates refer to them."""

from typing import TYPE_CHECKING

from tcptrace.correlation.result import Candidate
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.findings import Place

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def place(correlation: "Correlation", finding: Finding) -> Place:
    """Between whom, and where: `connection 0 at lvs:eth0`."""
    ends = {one.connection: f"{one.client} → {one.server}" for one in correlation.connections}
    between = "" if finding.connection is None else ends.get(finding.connection, "")
    several = f"{len(finding.connections):,} connections" if finding.connections else ""
    number = several if finding.connection is None else f"connection {finding.connection}"
    at = f"at {finding.point}" if finding.point else ""
    return Place(between or ("all connections" if not number else ""), " ".join(filter(None, (number, at))))


def candidate_told(correlation: "Correlation", candidate: Candidate) -> str:
    """`connections 3 and 7 may be one, confidence 0.5: ...`."""
    of_stream = {part.stream: one.connection for one in correlation.connections for part in one.streams}
    numbers = dict.fromkeys(str(of_stream[stream]) for stream in candidate.streams if stream in of_stream)
    evidence = "; ".join(candidate.evidence)
    return f"connections {' and '.join(numbers)} may be one, confidence {candidate.confidence:.2g}: {evidence}"
