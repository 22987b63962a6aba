"""A finding as the dict of its JSON."""

from typing import Any

from tcptrace.diagnosis.rule import Finding


def finding_dict(finding: Finding, first_capture: int = 0) -> dict[str, Any]:
    """One entry of an analysis's `findings`; `first_capture` is added to its index into `captures`."""
    return {"number": finding.number, **_dict(finding, {"capture": finding.capture + first_capture})}


def correlated_finding_dict(finding: Finding) -> dict[str, Any]:
    """One entry of a correlation's `findings`: by point and connection, its frames at each point."""
    several = {"connections": list(finding.connections)} if len(finding.connections) > 1 else {}
    told = _dict(finding, {"point": finding.point, "connection": finding.connection, **several})
    if finding.evidence_frames:
        told["evidence_frames"] = [
            {"point": point, "frames": list(frames)} for point, frames in finding.evidence_frames
        ]
    return told


def _dict(finding: Finding, place: dict[str, Any]) -> dict[str, Any]:
    several = {"flows": list(finding.flows)} if len(finding.flows) > 1 else {}
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        **place,
        "flow": finding.flow,
        **several,
        "frames": list(finding.frames),
        "summary": finding.summary,
        "cause": finding.cause,
        "evidence": list(finding.evidence),
        "disproof": finding.disproof,
        "confirm": finding.confirm,
        "fix": finding.fix,
        "symptoms": list(finding.symptoms),
        "application": list(finding.application),
    }
