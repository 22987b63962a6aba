"""What speaks for two streams being one conversation through a proxy: a table, the strongest first.

A proxy ends its client's connection and opens one of its own, its upstream. Their numbers have nothing in common;
what ties them is what a proxy says of its client, the bytes it passes on, and when it does so. The moments are
compared at the proxy's host, where one clock reads both.
"""

import ipaddress
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from tcptrace.correlation.http_heads import Head, heads, is_named
from tcptrace.correlation.presence import LATEST, Presence
from tcptrace.correlation.proxy_header import ProxyHeader, proxy_header

PROMPT_NS = 5_000_000
"""A proxy that has nothing to wait for goes on within this time."""
TELLING_BYTES = 8
"""Fewer equal bytes tell only if they are all there are."""

TRAIT_BYTES = 32
"""By so many first bytes streams are looked up that may have passed on each other's."""

_ISTIO_INBOUND = ipaddress.ip_address("::6")
"""What Istio's sidecar calls its application from over IPv6, as 127.0.0.6 over IPv4 (pilot's networking/util.go)."""

_TLS_HANDSHAKE = b"\x16\x03"


@dataclass(frozen=True)
class Party:
    """A stream as one of the two."""

    stream: int
    clients: frozenset[str]
    """What its client is called at its points: `10.0.0.1:40000`."""
    servers: frozenset[str]
    sent: tuple[bytes, bytes]
    """First bytes of the client and of the server, as far as captures hold them."""
    sent_bytes: tuple[int, int]
    """How many bytes they sent in all."""
    is_begun: bool = True
    """Whether its beginning was seen: what it sent first is what its ends said first."""
    is_within_host: bool = False
    """Whether it was seen at loopback interfaces only."""

    @cached_property
    def header(self) -> ProxyHeader | None:
        """What a proxy says before its client's bytes."""
        return proxy_header(self.sent[0])

    @cached_property
    def words(self) -> tuple[bytes, bytes]:
        """The same without the proxy's own header."""
        return self.sent[0][self.header.length if self.header else 0 :], self.sent[1]

    @cached_property
    def words_bytes(self) -> tuple[int, int]:
        """How many there are of these."""
        return self.sent_bytes[0] - (self.header.length if self.header else 0), self.sent_bytes[1]

    @cached_property
    def names(self) -> frozenset[str]:
        """What its client is called, by a proxy before it too."""
        return self.clients | self.named

    @cached_property
    def called_names(self) -> frozenset[str]:
        """What its client called, as a proxy before it tells too."""
        return self.servers | (frozenset((self.header.server,)) if self.header else frozenset())

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """HTTP requests."""
        return heads(self.words[0])

    @cached_property
    def ids(self) -> frozenset[str]:
        """What names its requests."""
        return frozenset().union(*(head.ids for head in self.heads))

    @cached_property
    def traits(self) -> Sequence[Collection[object]]:
        """What it may share with another stream of its conversation, the most telling first."""
        request, reply = ([data[:TRAIT_BYTES]] if data else [] for data in self.words)
        unseen = [] if self.is_legible else [self.words_bytes]
        return self.ids | self.names, request, [*reply, *unseen, *(head.request for head in self.heads)]

    @cached_property
    def named(self) -> frozenset[str]:
        """The client that the stream itself names."""
        return frozenset((self.header.client,)) if self.header and self.header.client else frozenset()

    @cached_property
    def client_addresses(self) -> frozenset[str]:
        """Of its client, without ports."""
        return frozenset(map(address_of, self.clients))

    @cached_property
    def called(self) -> frozenset[str]:
        """Addresses of its server."""
        return frozenset(map(address_of, self.servers))

    @property
    def service(self) -> tuple[str, str]:
        """Who calls which port: tries at several servers of a service are the same."""
        return min(self.client_addresses), min(server.rpartition(":")[2] for server in self.servers)

    @cached_property
    def is_legible(self) -> bool:
        """Whether captures hold what was sent, if anything was."""
        return all(bool(data) for data, count in zip(self.sent, self.sent_bytes, strict=True) if count > 0)

    @cached_property
    def is_encrypted(self) -> bool:
        """Whether its client begins TLS (RFC 8446 section 5.1)."""
        return self.words[0].startswith(_TLS_HANDSHAKE)

    @cached_property
    def is_from_loopback(self) -> bool:
        """Whether its client's address exists within a host only; what a host calls of its own, it calls from there."""
        is_odd = self.is_within_host and self.client_addresses.isdisjoint(self.called)
        return is_odd or any(map(is_loopback, self.client_addresses))


@dataclass(frozen=True)
class Meeting:
    """A client's stream and what may be its upstream, and when each was at the host they share."""

    down: Party
    up: Party
    client: Presence | None = None
    """The client's stream there; None without such a host."""
    upstream: Presence | None = None
    tries: Sequence[Presence] = ()
    """What was opened there for the same service while the client waited, in order of time, the upstream among it."""

    @property
    def wait(self) -> tuple[str, str, int] | None:
        """In which of the client's waits, and for which service, the upstream was opened."""
        if self.client is None or self.upstream is None:
            return None
        return *self.up.service, int(self.client.told_ns.searchsorted(self.upstream.begin_ns))


def address_of(end: str) -> str:
    """`10.0.0.1` of `10.0.0.1:80`, `2001:db8::1` of `[2001:db8::1]:80`."""
    return end.rpartition(":")[0].strip("[]")


def is_loopback(address: str) -> bool:
    """Whether an address exists within a host only; names, which text may have, do not tell."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return known.is_loopback or known == _ISTIO_INBOUND


def introduced(m: Meeting) -> str:
    """By the PROXY protocol: both ends of the client's connection."""
    header = m.up.header
    if header is None or header.client not in m.down.names or header.server not in m.down.called_names:
        return ""
    return f"its PROXY protocol header (version {header.version}) names the client {header.client}"


def introduced_elsewhere(m: Meeting) -> str:
    """By the PROXY protocol, but as one that called another: a translation before the proxy, or another network."""
    header = m.up.header
    if header is None or header.client not in m.down.names or header.server in m.down.called_names:
        return ""
    return (
        f"its PROXY protocol header (version {header.version}) names a client {header.client}"
        f" that called {header.server}"
    )


def _same_id(m: Meeting) -> str:
    shared = sorted(m.down.ids & m.up.ids)
    return f"the same {shared[0]} on both" if shared else ""


def forwarded_for(m: Meeting) -> str:
    """By a header of HTTP that proxies add."""
    for head in m.up.heads:
        if head.forwarded_for and any(is_named(head.forwarded_for[1], name) for name in m.down.names):
            return f"its {head.forwarded_for[0]} names the client {head.forwarded_for[1]}"
    return ""


def _same_bytes(side: int, told: str) -> Callable[[Meeting], str]:
    def same(m: Meeting) -> str:
        here, there = m.down.words[side], m.up.words[side]
        common = min(len(here), len(there))
        is_all = m.down.words_bytes[side] == m.up.words_bytes[side]
        if here[:common] != there[:common] or not (common >= TELLING_BYTES or (common and is_all)):
            return ""
        return told.format(f"first {common:,}" if common < m.up.words_bytes[side] else f"{common:,}")

    return same


def _same_sizes(m: Meeting) -> str:
    if (m.down.is_legible and m.up.is_legible) or m.down.words_bytes != m.up.words_bytes or not all(m.up.words_bytes):
        return ""
    return "as many bytes each way: {:,} and {:,}".format(*m.up.words_bytes)


def _same_request(m: Meeting) -> str:
    requests = {head.request for head in m.down.heads}
    return next((f"the same request {head.request}" for head in m.up.heads if head.request in requests), "")


def nested(m: Meeting) -> str:
    """In time: the upstream within the client's connection, its answer before the client's."""
    if m.client is None or not m.client.begin_ns <= m.tries[0].begin_ns <= m.client.end_ns:
        return ""
    answer_ns = m.tries[-1].answer_ns
    if answer_ns != LATEST and _told_from(m.client, m.tries[0].begin_ns) < answer_ns:
        return ""
    return "opened while the client was connected" + ("" if answer_ns == LATEST else " and answered before it was")


def _told_from(client: Presence, time_ns: int) -> int:
    """When the client was told something, from a moment on."""
    place = int(client.told_ns.searchsorted(time_ns))
    return int(client.told_ns[place]) if place < len(client.told_ns) else LATEST


def _begins_promptly(m: Meeting) -> str:
    if m.client is None:
        return ""
    place = int(m.client.asked_ns.searchsorted(m.tries[0].begin_ns, "right"))
    gap_ns = m.tries[0].begin_ns - int(m.client.asked_ns[place - 1]) if place else LATEST
    return f"opened {gap_ns / 1e3:,.0f} µs after a segment of the client" if gap_ns <= PROMPT_NS else ""


def _ends_promptly(m: Meeting) -> str:
    if m.client is None or m.tries[-1].outcome_ns == LATEST:
        return ""
    gap_ns = _told_from(m.client, m.tries[-1].outcome_ns) - m.tries[-1].outcome_ns
    what = "answer" if m.tries[-1].answer_ns != LATEST else "end"
    return f"its {what} {gap_ns / 1e3:,.0f} µs before the client was told" if gap_ns <= PROMPT_NS else ""


def _to_called_address(m: Meeting) -> str:
    shared = sorted(m.down.servers & m.up.servers)
    return f"goes to {shared[0]}, which the client called, from loopback" if shared and m.up.is_from_loopback else ""


def _from_called_address(m: Meeting) -> str:
    shared = sorted(m.down.called & m.up.client_addresses)
    return f"comes from {shared[0]}, which the client called" if shared else ""


def _tried_again(m: Meeting) -> str:
    return f"one of {len(m.tries)} tries in a row" if len(m.tries) > 1 else ""


@dataclass(frozen=True)
class Evidence:
    """A kind of evidence."""

    told: Callable[[Meeting], str]
    """In words; empty where it does not hold."""
    weight: float
    """How sure it alone makes."""
    of_payload: bool = False
    """Whether it rests on what was said; else on moments and addresses."""


same_words = _same_bytes(0, "the client's {} bytes are the same")

EVIDENCE = (
    Evidence(introduced, 0.99, of_payload=True),
    Evidence(_same_id, 0.95, of_payload=True),
    Evidence(introduced_elsewhere, 0.7, of_payload=True),
    Evidence(forwarded_for, 0.6, of_payload=True),
    Evidence(same_words, 0.6, of_payload=True),
    Evidence(_same_bytes(1, "the server's {} bytes are the same"), 0.5, of_payload=True),
    Evidence(_same_sizes, 0.5, of_payload=True),
    Evidence(_same_request, 0.4, of_payload=True),
    Evidence(_to_called_address, 0.6),
    Evidence(_begins_promptly, 0.5),
    Evidence(_ends_promptly, 0.5),
    Evidence(nested, 0.4),
    Evidence(_from_called_address, 0.4),
    Evidence(_tried_again, 0.4),
)
"""The strongest first, weights as far as nothing else is known: they add up as independent doubts do."""
