"""Frames without TCP that say something of it, each found by its verdict: ICMP errors, ARP, DNS answers."""

import ipaddress
from collections.abc import Collection, Iterator
from mmap import mmap
from typing import Any

import numpy as np

from tcptrace.capture import cursor as c
from tcptrace.capture.context import ARP_FRAMES, DNS_ANSWERS, ICMP_ERRORS, AddressClaim, Context, IcmpError
from tcptrace.capture.dissect import step
from tcptrace.capture.dns import addresses
from tcptrace.capture.link_layer import of_link_type
from tcptrace.capture.walk import begin, walk
from tcptrace.schema import I32, UNKNOWN, Packets, Records

ICMP_VERDICT, ICMPV6_VERDICT = c.IP_PROTOCOL - 1, c.IP_PROTOCOL - 58
ARP_VERDICT = c.ETHERTYPE - 0x0806
TELLING = frozenset((ICMP_VERDICT, ICMPV6_VERDICT, ARP_VERDICT, c.DNS))
"""Verdicts on frames that may say something."""

_ETHERNET_IPV4 = bytes.fromhex("000108000604")
"""How an ARP message about such addresses begins."""
_ARP_LEN = 28
_REQUEST, _REPLY = 1, 2
_UDP_LEN = 8

QUOTED = ("src", "sport", "dst", "dport", "flags", "seq")
"""Columns of Packets that tell what an error quotes."""


class Found:
    """Some records of a chunk, and how to stand at the end of the walk through each."""

    def __init__(self, view: Any, chunk: Records, first_frame: int) -> None:
        self.view, self.chunk, self.first_frame = view, chunk, first_frame

    def walked(self, record: int) -> list[int]:
        """The cursor where the walk through a record's headers ended; a list is as good as an array there."""
        chunk, cursor = self.chunk, [0] * c.CURSOR_SIZE
        array: Any = cursor
        begin(array, *(int(column[record]) for column in (chunk.offset, chunk.captured_len, chunk.original_len)))
        kind = of_link_type(int(chunk.link_type[record]))
        while kind > c.TCP:
            kind = step(self.view, array, kind) if kind >= c.LONG_TAIL else walk(self.view, array, kind)
        return cursor


def read_context(
    buffer: bytearray | mmap,
    chunk: Records,
    first_frame: int,
    verdicts: I32,
    met: Collection[int],
    rows: Packets,
    context: Context,
) -> None:
    """Keep what a chunk's frames say.

    `met` holds every verdict there is but IS_TCP, `rows` what became of the chunk; record 0 is `first_frame`.
    """
    with memoryview(buffer) as view:
        found = Found(view, chunk, first_frame)
        if ICMP_VERDICT in met or ICMPV6_VERDICT in met:
            context.icmp += _errors(found, rows, context)
        if ARP_VERDICT in met:
            places = np.flatnonzero(verdicts == ARP_VERDICT)
            context.arp += _claims(found, places[: context.take(ARP_FRAMES, len(places))].tolist())
        if c.DNS in met:
            places = np.flatnonzero(verdicts == c.DNS)
            for record in places[: context.take(DNS_ANSWERS, len(places))].tolist():
                cursor = found.walked(record)
                for address, name in addresses(bytes(view[cursor[c.AT] + _UDP_LEN : cursor[c.LIMIT]])):
                    context.name(address, name)


def _errors(found: Found, rows: Packets, context: Context) -> Iterator[IcmpError]:
    """The ICMP errors that quote TCP: their quotes are rows."""
    places = np.flatnonzero(rows.quoted)
    for row in places[: context.take(ICMP_ERRORS, len(places))].tolist():
        frame, view = int(rows.frame[row]), found.view
        record = frame - found.first_frame
        cursor = found.walked(record)
        at, version = cursor[c.ICMP_AT], 4 if cursor[c.QUOTED] == ICMP_VERDICT else 6
        error = IcmpError(
            frame,
            int(found.chunk.time_ns[record]),
            version,
            view[at],
            view[at + 1],
            UNKNOWN,
            _sender(view, cursor[c.REPORTER_AT]),
            *(int(getattr(rows, name)[row]) for name in QUOTED),
        )
        if error.is_too_big:
            error = error._replace(mtu=int.from_bytes(view[at + (6 if version == 4 else 4) : at + 8]))
        yield error


def _claims(found: Found, places: list[int]) -> Iterator[AddressClaim]:
    """Answers and announcements among these records of ARP."""
    for record in places:
        cursor = found.walked(record)
        at = cursor[c.AT]
        message = bytes(found.view[at : min(at + _ARP_LEN, cursor[c.LIMIT])])
        if len(message) < _ARP_LEN or not message.startswith(_ETHERNET_IPV4):
            continue
        operation, owner, asked = int.from_bytes(message[6:8]), message[14:18], message[24:28]
        if operation == _REPLY or (operation == _REQUEST and owner == asked):
            yield AddressClaim(
                found.first_frame + record,
                int(found.chunk.time_ns[record]),
                int(found.chunk.interface[record]),
                str(ipaddress.IPv4Address(owner)),
                message[8:14].hex(":"),
                is_answer=operation == _REPLY and owner != asked,
            )


def _sender(view: Any, ip: int) -> str:
    """The source address of the IP header at a place."""
    start, length = (12, 4) if view[ip] >> 4 == 4 else (8, 16)
    return str(ipaddress.ip_address(bytes(view[ip + start : ip + start + length])))
