"""Every rule, in the order in which they are asked: causes before the symptoms they explain."""

from collections.abc import Iterator
from typing import Protocol

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.rules import connection_refused, sidecar_reset, syn_flood


class RuleModule(Protocol):
    """What each file in rules/ has, beside the docstring that is its page of the handbook."""

    RULE: Rule

    def check(self, evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
        """What the rule finds in one capture."""


RULES: tuple[RuleModule, ...] = (
    # handshake
    syn_flood,
    connection_refused,
    # reset
    sidecar_reset,
)

BY_NAME = {module.RULE.name: module for module in RULES}
