"""What a rule is and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("error", "warning", "info")
FAMILIES = ("handshake", "reset", "close", "transfer", "capture", "path")

Thresholds = Mapping[str, float]
"""The thresholds of one rule by name, as they are set for a run."""


@dataclass(frozen=True)
class Threshold:
    """A number a rule decides by; its name ends with its unit where it has one."""

    value: float
    unit: str
    meaning: str

    @property
    def least(self) -> int:
        """The smallest value it may have: what is counted begins at 1."""
        return 1 if not self.unit and self.value >= 1 else 0


@dataclass(frozen=True)
class Finding:
    """One diagnosis of one flow, of several that are alike, or of a whole capture."""

    rule: str
    severity: str
    confidence: float
    """0 to 1; it falls where only one side was seen, or where the wire cannot tell causes apart."""
    summary: str
    """Who did what to whom and when, in a sentence or two."""
    cause: str
    """Why: the mechanism, or the candidates."""
    evidence: tuple[str, ...]
    """What was seen, one observation a line."""
    disproof: str
    """What would show that this is wrong."""
    confirm: str
    """How to see it: a display filter for Wireshark, a command for the live system."""
    fix: str
    frames: tuple[int, ...] = ()
    """The frames that show it, those that tell most first; of several flows, of the first ones."""
    flows: Sequence[int] = ()
    """Numbers of the flows it is about; empty: the whole capture. An array where there may be millions."""
    capture: int = 0
    """Index into the captures."""
    number: int = 0
    """From 1 within its capture, whichever findings are asked for; 0: not of one capture alone."""
    point: str | None = None
    """Where its frames were seen, of findings about connections over several points; None: at several, or none."""
    connections: Sequence[int] = ()
    """Numbers of the connections it is about; empty where they are not told, or it is about whole captures."""
    evidence_frames: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Point and frames there, where it takes several points to show it."""
    symptoms: tuple[str, ...] = ()
    """Other rules that saw the same event; their findings are part of this one."""
    application: tuple[str, ...] = ()
    """What the application said in its flows, where that was asked for."""
    alike: str = field(default="", compare=False)
    """Findings of one rule that say the same here are told as one."""

    sender: int | None = field(default=None, compare=False)
    """Whose segments it is about, 0 the client's, 1 the server's; None: both sides'. Findings about different ones are
    no symptoms of each other."""

    @property
    def flow(self) -> int | None:
        """The one flow it is about; None for several or the whole capture."""
        return self.flows[0] if len(self.flows) == 1 else None

    @property
    def connection(self) -> int | None:
        """The one connection it is about; None for several or none."""
        return self.connections[0] if len(self.connections) == 1 else None


@dataclass(frozen=True)
class Rule:
    """What is known of a rule before it is asked."""

    name: str
    family: str
    severity: str
    """The worst it gives; a finding may have a lower one."""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    explains: Sequence[str] = ()
    """Rules whose findings about the same flow are symptoms of this one's."""

    def finding(self, **facts: Any) -> Finding:
        """A finding of this rule; its severity unless given."""
        return Finding(**{"rule": self.name, "severity": self.severity, **facts})
