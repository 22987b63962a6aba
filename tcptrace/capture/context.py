"""What a capture says beside TCP that helps to understand it: ICMP errors, who answers for an address, names."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from tcptrace.schema import UNKNOWN

READ_MAX = 2048
"""Frames of a kind that are looked into: the first ones; the rest is counted."""

NAMES_MAX = 4096
"""Addresses whose names are kept."""

ICMP_ERRORS, ARP_FRAMES, DNS_ANSWERS = "ICMP errors", "ARP frames", "DNS answers"
"""The kinds."""


class IcmpError(NamedTuple):
    """An ICMP error about a TCP segment; -1 where the frame, or the line of text, does not say."""

    frame: int
    time_ns: int
    version: int
    """4: ICMP (RFC 792), 6: ICMPv6 (RFC 4443)."""
    type: int
    code: int
    mtu: int
    """Of the next hop, where the packet was too big."""
    reporter: str
    """Address of who sent the error."""
    src: int
    """The quoted segment's sender, index into the capture's addresses."""
    sport: int
    dst: int
    dport: int
    flags: int
    """TCP flags of the quoted segment; many quote too little of it."""
    seq: int
    """Its sequence number: raw, and from its sender's ISN once it is joined to a flow."""
    flow: int = UNKNOWN
    """The flow it belongs to, once that is known."""
    side: int = UNKNOWN
    """Who sent the quoted segment: 0 the flow's client, 1 its server."""

    @property
    def is_too_big(self) -> bool:
        """The packet did not fit the next hop's MTU (RFC 1191, RFC 8201)."""
        return (self.type, self.code) == (3, 4) if self.version == 4 else self.type == 2

    @property
    def is_unreachable(self) -> bool:
        """Nobody will get the packet: no route, no host, no port, or it is prohibited."""
        return self.type == 3 and self.code != 4 if self.version == 4 else self.type == 1

    @property
    def is_expired(self) -> bool:
        """Its TTL ran out on the way."""
        return (self.type, self.code) == ((11, 0) if self.version == 4 else (3, 0))


class AddressClaim(NamedTuple):
    """Someone says by ARP that an address is theirs (RFC 826)."""

    frame: int
    time_ns: int
    interface: int
    """Index into the capture's interfaces."""
    address: str
    mac: str
    """`02:00:00:00:00:01`."""
    is_answer: bool
    """False: said without having been asked (RFC 5227 section 1.1, an announcement)."""


@dataclass
class Context:
    """All of it, of one capture."""

    icmp: list[IcmpError] = field(default_factory=list)
    arp: list[AddressClaim] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Address → the name somebody asked DNS for and got this address; of several names the first."""
    met: Counter[str] = field(default_factory=Counter)
    """Frames by kind; at most READ_MAX of each were looked into."""

    def take(self, kind: str, count: int) -> int:
        """Count further frames of a kind; how many of them are to be looked into."""
        room = max(0, READ_MAX - self.met[kind])
        self.met[kind] += count
        return min(room, count)

    def name(self, address: str, name: str) -> None:
        """Keep what an address is called."""
        if name and len(self.names) < NAMES_MAX:
            self.names.setdefault(address, name)

    def unread(self, kind: str) -> int:
        """Frames of a kind that were only counted."""
        return max(0, self.met[kind] - READ_MAX)
