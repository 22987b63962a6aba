"""Which findings are wanted, and by which thresholds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.diagnosis.settings import Settings, nearest
from tcptrace.errors import UsageError


class Severity(StrEnum):
    """What `--severity` takes."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Wanted:
    """All that is given must hold. Raises UsageError for a rule that is not."""

    rules: tuple[str, ...] = ()
    """Empty: all."""
    severity: str = "info"
    """The least."""
    settings: Settings = field(default_factory=dict)
    decode: bool = False
    """With what the application said in their flows, by tshark."""

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule not in BY_NAME:
                raise UsageError(f"--rule {rule}: there is no such rule\n  {nearest(rule, BY_NAME)}")

    def chosen(self, found: Iterable[Finding]) -> tuple[Finding, ...]:
        """Those of the findings that are wanted."""
        least = SEVERITIES.index(self.severity)
        return tuple(
            finding
            for finding in found
            if SEVERITIES.index(finding.severity) <= least and (not self.rules or finding.rule in self.rules)
        )


ALL = Wanted()
