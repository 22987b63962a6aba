"""Every rule, in the order in which they are asked: causes before the symptoms they explain."""

from collections.abc import Iterator
from typing import Protocol

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.rules import (
    connection_refused,
    paws_nat_drop,
    sidecar_reset,
    syn_dropped_by_server,
    syn_flood,
    syn_unanswered,
)


class RuleModule(Protocol):
    """What each file in rules/ has, beside the docstring that is its page of the handbook."""

    RULE: Rule

    def check(self, evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
        """What the rule finds in one capture."""


RULES: tuple[RuleModule, ...] = (
    # handshake
    syn_flood,
    paws_nat_drop,
    syn_dropped_by_server,
    connection_refused,
    syn_unanswered,
    # reset
    sidecar_reset,
)

BY_NAME = {module.RULE.name: module for module in RULES}
