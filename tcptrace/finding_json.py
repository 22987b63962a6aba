"""A finding as the dict of its JSON."""

from typing import Any

from tcptrace.diagnosis.rule import Finding


def finding_dict(finding: Finding, first_capture: int = 0) -> dict[str, Any]:
    """One entry of `findings`; `first_capture` is added to its index into `captures`."""
    several = {"flows": list(finding.flows)} if len(finding.flows) > 1 else {}
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "capture": finding.capture + first_capture,
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
