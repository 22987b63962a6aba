"""What ties a client's stream to an upstream one, weighed."""

from dataclasses import dataclass
from math import prod

from tcptrace.correlation.presence import LATEST
from tcptrace.correlation.proxy_doubts import is_contradicted, is_doubtful, is_reused, names_another
from tcptrace.correlation.proxy_evidence import (
    EVIDENCE,
    Meeting,
    forwarded_for,
    introduced,
    introduced_elsewhere,
    nested,
    same_words,
)

ALONE = 0.9
"""Evidence of this weight holds against moments: a connection may be kept open for several clients."""
UNSURE = 0.7
"""The most where something is not known that could speak against it."""
SUREST = 0.99


@dataclass(frozen=True)
class Link:
    """An upstream and the client's stream it was opened for."""

    down: int
    up: int
    evidence: tuple[str, ...]
    confidence: float
    names_client: bool
    """Whether the upstream itself names the client."""
    is_alone: bool
    """Whether one of its evidence is enough by itself, whatever the moments."""
    is_reused: bool
    """Whether the upstream went on to carry more after its client had ended."""
    is_retried: bool
    """Whether it rests on others of a row of tries."""
    is_passed_on: bool
    """Whether it carries the client's bytes and was answered: then no other upstream does."""
    wait: tuple[str, str, int] | None
    """In which of the client's waits, and for which service, the upstream was opened; None where no host saw both."""
    opened_ns: int
    """When that was, by the host's clock."""


def link(m: Meeting) -> Link | None:
    """What ties two streams; None where nothing does, or something speaks against it."""
    found = [] if is_contradicted(m) else [(kind, text) for kind in EVIDENCE if (text := kind.told(m))]
    if m.client is not None and not any(kind.told is nested for kind, _ in found):
        found = [(kind, text) for kind, text in found if kind.weight >= ALONE]
    is_said = any(kind.of_payload for kind, _ in found)
    if not found or not (is_said or _may_rest_on_moments(m)):
        return None
    is_alone = any(kind.weight >= ALONE for kind, _ in found)
    is_unsure = not is_alone and (is_reused(m) or names_another(m) or (not is_said and any(m.up.sent_bytes)))
    most = UNSURE if is_unsure or is_doubtful(m) else SUREST
    told = {kind.told for kind, _ in found}
    return Link(
        m.down.stream,
        m.up.stream,
        tuple(text for _, text in found),
        round(min(most, 1 - prod(1 - kind.weight for kind, _ in found)), 3),
        names_client=not told.isdisjoint((introduced, introduced_elsewhere, forwarded_for)),
        is_alone=is_alone,
        is_reused=is_reused(m),
        is_retried=len(m.tries) > 1,
        is_passed_on=same_words in told and m.up.sent_bytes[1] > 0,
        wait=m.wait,
        opened_ns=LATEST if m.upstream is None else m.upstream.begin_ns,
    )


def _may_rest_on_moments(m: Meeting) -> bool:
    """Whether what was said cannot speak for or against it: nothing was said upstream, or one of both is encrypted.

    What a server took without a word of the client's is a health check rather.
    """
    if m.upstream is None:
        return False
    if any(m.up.sent_bytes):
        return m.down.is_encrypted or m.up.is_encrypted
    is_taken = m.upstream.server_half_ns is not None and m.upstream.outcome_ns == LATEST
    return not is_taken or not any(m.down.sent_bytes)
