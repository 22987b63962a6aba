"""A RST as rules read it: in whose name it came, what form it has, and whether it fits its sender.

The form is evidence. A kernel that knows no such connection answers a segment by a bare RST whose
sequence number is what that segment acknowledged (RFC 9293 section 3.5.2); Linux gives it IP ID 0.
A socket that is aborted sends RST+ACK from where its sender stands, and on Linux its IP ID goes on
counting. What comes from a third party has that party's TTL and IP ID.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.story import CLIENT, SERVER, SYN, Story, Told
from tcptrace.schema import Bools

RST_SEEN = 32
"""In FlowMeasures.completeness."""

COUNTS_ON = 64
"""Largest step of IP IDs between two notable segments of a socket that counts them."""

NEAR = 4096
"""An IP ID no further than this from the last one may come from the same counter."""

DEFAULT_TTL = 64
"""Of Linux and most others."""

UNASKED_NS = 1_000_000_000
"""Longer than any answer takes."""


@dataclass(frozen=True)
class Reset:
    """One RST of a flow."""

    story: Story
    rst: Told

    @property
    def side(self) -> int:
        """In whose name it came."""
        return self.rst.side

    @property
    def peer(self) -> int:
        """The side that got it."""
        return 1 - self.rst.side

    @property
    def is_bare(self) -> bool:
        """Without ACK: what a kernel answers that has no socket for a segment."""
        return not self.rst.has_ack

    @property
    def has_payload(self) -> bool:
        """Whether it carries bytes: RFC 9293 section 3.5.3 allows a text, which no common kernel sends."""
        return self.rst.len > 0

    @property
    def form(self) -> str:
        """As evidence: `bare RST, TTL 64, IP ID 0`."""
        ip = [f"{name} {value}" for name, value in (("TTL", self.rst.ttl), ("IP ID", self.rst.ip_id)) if value >= 0]
        payload = [f"{self.rst.len} bytes of payload"] * self.has_payload
        return ", ".join(["bare RST" if self.is_bare else "RST+ACK", *ip, *payload])

    @cached_property
    def others(self) -> list[Told]:
        """What else the claimed sender sent, of what is notable."""
        return [told for told in self.story.of(self.side) if not told.is_rst]

    @cached_property
    def ttls(self) -> list[int]:
        """TTLs of the claimed sender's other segments, in order; of its SYN only where there are no others.

        Something in between may open a connection in its name (SYN proxy).
        """
        later = {told.ttl for told in self.others if not told.flags & SYN}
        known = {int(self.story.sides[self.side].ttl), *(later or {told.ttl for told in self.others})}
        return sorted(ttl for ttl in known if ttl >= 0)

    @property
    def fits_ttl(self) -> bool:
        """Whether its TTL is one its sender's segments had or its kernel gives, or nothing is known of them."""
        unknown = not self.ttls or self.rst.ttl < 0
        return unknown or self.ttls[0] <= self.rst.ttl <= self.ttls[-1] or self.has_kernels_ttl

    @property
    def has_kernels_ttl(self) -> bool:
        """Whether it may be the kernel's own for a program that set another TTL: 255, or 1, as routing protocols do.

        Linux answers by a socket of its own, with the default TTL and IP ID 0 (tcp_v4_send_reset).
        """
        if not self.is_bare or self.rst.ip_id > 0 or len(self.ttls) != 1:
            return False
        return self.ttls[0] - self.rst.ttl in (255 - DEFAULT_TTL, 1 - DEFAULT_TTL)

    @cached_property
    def fits_ip_id(self) -> bool:
        """Whether a RST+ACK's IP ID is 0, goes on from its sender's, or its sender's do not count.

        That of a bare RST proves nothing: Linux before 2018 drew it from another counter than the socket's (commit
        431280eebed9), others do still.
        """
        known = [told.ip_id for told in self.others if told.frame < self.rst.frame and told.ip_id > 0]
        steps = [(later - sooner) % 65536 for sooner, later in pairwise(known)]
        counts = len(steps) > 0 and all(1 <= step <= COUNTS_ON for step in steps)
        if not counts or self.rst.ip_id <= 0 or self.is_bare:
            return True
        return (self.rst.ip_id - known[-1]) % 65536 <= NEAR or (known[-1] - self.rst.ip_id) % 65536 <= NEAR

    @property
    def goes_on(self) -> bool:
        """Whether its claimed sender sent payload or a FIN after it and from there on, as if it knew nothing of it."""
        facts = self.story.sides[self.side]
        closed = any(told.is_fin for told in self.others if told.frame > self.rst.frame)
        return closed or (facts.last_data_frame > self.rst.frame and facts.sent > self.rst.seq)

    def sent_before(self, kind: str, side: int) -> Told | None:
        """The first segment of a kind, one of KINDS, that a side sent before it."""
        return next((told for told in self.story.kind(kind, side) if told.frame < self.rst.frame), None)

    @property
    def is_unasked(self) -> bool:
        """Whether it can be no answer: nothing came from the other side just before it."""
        own, peer = self.story.sides[self.side], self.story.sides[self.peer]
        spoke_last = peer.last_frame < own.last_data_frame < self.rst.frame
        return 0 < peer.last_frame < self.rst.frame and (spoke_last or self.rst.idle_ns >= UNASKED_NS)

    @property
    def was_open(self) -> bool:
        """Whether its sender had a connection to reset: the handshake was complete, or never seen."""
        seen = self.sent_before("first", self.side) or self.sent_before("first", self.peer)
        own = self.side == SERVER or self.story.flow.midstream == 1 or self.sent_before("first", self.side)
        return seen is not None and bool(own)

    @property
    def alert(self) -> int:
        """The frame by which the other side closed, or refused, at the level of TLS; 0 where it did not.

        That must have been its last word: what goes on after an alert was only warned (RFC 5246 section 7.2).
        """
        peer = self.story.sides[self.peer]
        return int(peer.alert_frame) if peer.alert_frame == peer.last_data_frame < self.rst.frame else 0

    @property
    def is_first(self) -> bool:
        """Whether the other side had not reset the connection before."""
        return all(told.frame > self.rst.frame for told in self.story.endings(self.peer))

    @property
    def was_over(self) -> bool:
        """Whether both sides had closed in order before it."""
        return all(self.sent_before("fin", side) for side in (CLIENT, SERVER))

    @property
    def is_stale(self) -> bool:
        """Whether it stands below what its receiver had acknowledged, and so is ignored."""
        return self.rst.seq < max((told.ack for told in self.story.before(self.rst, self.peer)), default=-1)


def flows_with_reset(evidence: Evidence) -> Bools:
    """A mask beside `evidence.flows`."""
    found: Bools = evidence.measures.completeness & RST_SEEN != 0
    return found


def resets(story: Story, side: int | None = None) -> Iterator[Reset]:
    """The notable RSTs of a flow, in order, of one side or both."""
    return (Reset(story, told) for told in story.kind("rst", side))


def endings(story: Story, side: int | None = None) -> Iterator[Reset]:
    """Those of them that ended something."""
    return (Reset(story, told) for told in story.endings(side))
