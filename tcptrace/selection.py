"""What of a capture a user wants to see: one flow, a host, a port, a span of time."""

from dataclasses import dataclass

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.schema import I64, NO_TIME, UNKNOWN, Flows, Packets, Segments
from tcptrace.times import Moment, resolve


@dataclass(frozen=True)
class Selection:
    """All that is given must hold. States and numbers do not depend on it: everything is read."""

    flow: int | None = None
    host: str | None = None
    """An address, or a host's name in tcpdump text."""
    port: int | None = None
    since: Moment | None = None
    until: Moment | None = None

    def flow_rows(self, flows: Flows, book: AddressBook, first_ns: int | None) -> I64:
        """Indices of the flows that match; of those in time, all that have a part in the span."""
        keep = np.ones(len(flows.flow), np.bool_)
        if self.flow is not None:
            keep &= flows.flow == self.flow
        if self.host is not None:
            host = self._host(book)
            keep &= (flows.client == host) | (flows.server == host)
        if self.port is not None:
            keep &= (flows.client_port == self.port) | (flows.server_port == self.port)
        since, until = self._span(first_ns)
        return np.flatnonzero(keep & (flows.end_ns >= since) & (flows.start_ns <= until))

    def packet_rows(self, packets: Packets, segments: Segments, book: AddressBook, first_ns: int | None) -> I64:
        """Indices of the segments that match; headers quoted in ICMP never do."""
        keep = packets.quoted == 0
        if self.flow is not None:
            keep &= segments.flow == self.flow
        if self.host is not None:
            host = self._host(book)
            keep &= (packets.src == host) | (packets.dst == host)
        if self.port is not None:
            keep &= (packets.sport == self.port) | (packets.dport == self.port)
        since, until = self._span(first_ns)
        return np.flatnonzero(keep & (packets.time_ns >= since) & (packets.time_ns <= until))

    def _span(self, first_ns: int | None) -> tuple[int, int]:
        first_ns = first_ns or 0
        since, until = resolve(self.since, first_ns), resolve(self.until, first_ns)
        return NO_TIME if since is None else since, np.iinfo(np.int64).max if until is None else until

    def unknown_host(self, book: AddressBook) -> str:
        """A message when the host is no address and no name in a capture that has been read; else empty."""
        try:
            if self.host is not None:
                book.find(self.host)
        except ValueError:
            return f"{self.host!r} is no address\n  write 10.0.0.1 or 2001:db8::1"
        return ""

    def _host(self, book: AddressBook) -> int:
        """The number of the wanted host in one capture, or one that no host has."""
        try:
            number = book.find(str(self.host))
        except ValueError:  # a name that another capture may know, or a later part of this one
            number = None
        return UNKNOWN if number is None else number


EVERYTHING = Selection()
