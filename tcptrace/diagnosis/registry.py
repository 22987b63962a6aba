"""Every rule, in the order in which they are asked: causes before the symptoms they explain.

RULES look at one capture, PATH_RULES at what several points tell together; a rule may be in both.
"""

from collections.abc import Iterator
from typing import Protocol

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.rules import (
    abortive_close,
    accept_queue_overflow,
    asymmetric_path,
    backend_down,
    capture_loss,
    challenge_ack,
    clock_step,
    clock_unaligned,
    close_wait_stuck,
    connection_refused,
    director_timeout,
    duplicate_frames,
    empty_reply,
    field_rewritten,
    fin_retransmission,
    first_data_reset,
    half_close,
    half_open,
    handshake_slow,
    high_retransmission,
    icmp_rejected,
    idle_timeout,
    keepalive_timeout,
    lost_between,
    nagle_delayed_ack,
    offloaded_segments,
    one_sided_capture,
    paws_nat_drop,
    pmtu_black_hole,
    port_exhaustion,
    port_reuse,
    reordering,
    reset_injected,
    routing_loop,
    rto_stall,
    sidecar_reset,
    simultaneous_close,
    simultaneous_open,
    spurious_retransmission,
    stale_connection,
    syn_cookies,
    syn_dropped_by_server,
    syn_flood,
    syn_unanswered,
    synack_source_mismatch,
    truncated_file,
    truncated_frames,
    untranslated_reply,
    upstream_refused,
    vanished_in_host,
    vip_arp_conflict,
    write_after_close,
    zero_window,
)


class Page(Protocol):
    """What each file in rules/ has, beside the docstring that is its page of the handbook."""

    RULE: Rule


class RuleModule(Page, Protocol):
    """A rule that looks at one capture."""

    def check(self, evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
        """What the rule finds in one capture."""


class PathRuleModule(Page, Protocol):
    """A rule that looks at what several points tell together."""

    def check_path(self, evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
        """What the rule finds on the paths of connections."""


RULES: tuple[RuleModule, ...] = (
    # capture: what it lacks or distorts, others take for something that happened
    truncated_file,
    capture_loss,
    clock_step,
    duplicate_frames,
    one_sided_capture,
    truncated_frames,
    offloaded_segments,
    # handshake
    synack_source_mismatch,
    syn_flood,
    stale_connection,
    icmp_rejected,
    paws_nat_drop,
    syn_dropped_by_server,
    accept_queue_overflow,
    half_open,
    connection_refused,
    syn_unanswered,
    handshake_slow,
    simultaneous_open,
    port_exhaustion,
    port_reuse,
    syn_cookies,
    # reset
    idle_timeout,
    reset_injected,
    sidecar_reset,
    first_data_reset,
    write_after_close,
    abortive_close,
    challenge_ack,
    # close
    close_wait_stuck,
    empty_reply,
    fin_retransmission,
    simultaneous_close,
    half_close,
    # transfer
    pmtu_black_hole,
    zero_window,
    keepalive_timeout,
    nagle_delayed_ack,
    high_retransmission,
    rto_stall,
    spurious_retransmission,
    reordering,
    # path
    routing_loop,
)

PATH_RULES: tuple[PathRuleModule, ...] = (
    # the captures, and how they fit together
    clock_unaligned,
    clock_step,
    capture_loss,
    # what breaks connections
    untranslated_reply,
    upstream_refused,
    backend_down,
    director_timeout,
    vip_arp_conflict,
    vanished_in_host,
    lost_between,
    syn_dropped_by_server,
    # what is worth knowing
    asymmetric_path,
    field_rewritten,
)

ALL_RULES: tuple[Page, ...] = tuple(dict.fromkeys((*RULES, *PATH_RULES)))

BY_NAME = {module.RULE.name: module for module in ALL_RULES}
