"""What speaks against two streams being one conversation through a proxy: what they say, and whom they name."""

from tcptrace.correlation.http_heads import statuses
from tcptrace.correlation.presence import LATEST
from tcptrace.correlation.proxy_evidence import PROMPT_NS, Meeting, forwarded_for, introduced, introduced_elsewhere

_HTTP_2 = b"PRI * HTTP/2.0"
"""What a client of HTTP/2 begins with (RFC 9113 section 3.4); a proxy may speak HTTP/1 upstream."""


def is_contradicted(m: Meeting) -> bool:
    """Whether what is said upstream cannot be what the client said, passed on.

    Requests of HTTP keep their method, whatever a proxy makes of paths and headers. Other bytes pass as they are, at
    least one way; where they are neither, nor begin where both streams do, nothing can be said.
    """
    if not _are_comparable(m):
        return False
    if m.down.heads and m.up.heads:
        is_all = len(m.up.words[0]) == m.up.words_bytes[0]
        return is_all and {_method(one.request) for one in m.down.heads}.isdisjoint(
            _method(one.request) for one in m.up.heads
        )
    return _is_alike(m, 0) is False and not _is_alike(m, 1)


def is_doubtful(m: Meeting) -> bool:
    """Whether it may be another's, however sure the evidence is by itself: requests and answers are not the same."""
    if not (m.down.heads and m.up.heads and _are_comparable(m)) or _is_alike(m, 1):
        return False
    told, answered = (set(statuses(party.words[1])) for party in (m.down, m.up))
    requests = {one.request for one in m.down.heads}
    is_another = requests.isdisjoint(one.request for one in m.up.heads)
    return is_another or bool(told and answered and told.isdisjoint(answered))


def names_another(m: Meeting) -> bool:
    """Whether the upstream names a client, and not this one."""
    is_named = any(head.forwarded_for for head in m.up.heads) or bool(m.up.header and m.up.header.client)
    return is_named and not (introduced(m) or introduced_elsewhere(m) or forwarded_for(m))


def is_reused(m: Meeting) -> bool:
    """Whether it carried more than the client's bytes after the client had ended: of others, maybe."""
    if m.client is None or m.upstream is None or m.up.words_bytes[0] == m.down.words_bytes[0]:
        return False
    return m.client.end_ns != LATEST and m.upstream.last_ns > m.client.end_ns + PROMPT_NS


def _are_comparable(m: Meeting) -> bool:
    """Whether both show what their clients began with, in one protocol as far as it is known."""
    return all(
        party.is_begun and party.words[0] and not party.is_encrypted and not party.words[0].startswith(_HTTP_2)
        for party in (m.down, m.up)
    )


def _is_alike(m: Meeting, side: int) -> bool | None:
    """Whether the first bytes of one side are the same; None where either has none."""
    here, there = m.down.words[side], m.up.words[side]
    common = min(len(here), len(there))
    return here[:common] == there[:common] if common else None


def _method(request: str) -> str:
    return request.partition(" ")[0]
