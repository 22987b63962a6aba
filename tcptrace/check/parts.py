"""The parts of a case.toml that can be brought up to date."""

from enum import StrEnum


class Part(StrEnum):
    """What `--part` takes."""

    FINDINGS = "findings"
    FLOWS = "flows"
    LIMITS = "limits"
