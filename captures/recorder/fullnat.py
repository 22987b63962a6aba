"""A director that rewrites both addresses, as DPVS's FULLNAT does; built here, as the real one needs DPDK.

It stands between two interfaces of a host without addresses of its own there. Of the client's segments
it rewrites addresses and ports, shifts the sequence numbers by a constant, overwrites the SYN's timestamp
option with NOPs, and puts the TOA option (kind 254, length 8, port, address) first wherever the server's
SYN-ACK is acknowledged. Of the server's it rewrites them back and lowers the MSS of the SYN-ACK by 8, so
that a full segment of the client's leaves room for TOA.
"""

import struct
from dataclasses import dataclass, field

from frames import ETHERNET, NOP, SEQUENCE, SYN, TIMESTAMPS, checksum, segment

TCP_HEADER = 20
MSS_KIND, TOA_KIND, TOA_BYTES = 2, 254, 8


@dataclass
class Tuple:
    """Source and destination of a segment: addresses of 4 bytes, and ports."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int


@dataclass
class Connection:
    """What the director knows of one: the client's tuple, its own towards the server, the shift, the server's ISN."""

    client: Tuple
    server: Tuple
    shift: int
    server_isn: int | None = None


@dataclass
class Director:
    """Rewrites frames between a client's side and a server's. MACs name the next hop and its own on each side."""

    service: tuple[bytes, int]
    server: tuple[bytes, int]
    local: bytes
    macs_to_server: bytes
    macs_to_client: bytes
    shift: int
    next_port: int = 1025
    connections: dict[tuple[bytes, int], Connection] = field(default_factory=dict)

    def to_server(self, frame: bytes) -> bytes | None:
        """A client's frame as the server gets it; None: not for the service."""
        parts = _parts(frame)
        if parts is None or (parts.ends.destination, parts.ends.destination_port) != self.service:
            return None
        connection = self._of_client(parts.ends)
        parts.ends = connection.server
        parts.seq = (parts.seq + connection.shift) % SEQUENCE
        if parts.flags & SYN:
            parts.options = _without_timestamps(parts.options)
        elif connection.server_isn is not None and parts.ack == (connection.server_isn + 1) % SEQUENCE:
            parts.options = _toa(connection.client) + parts.options
        return self.macs_to_server + parts.frame()

    def to_client(self, frame: bytes) -> bytes | None:
        """A server's frame as the client gets it; None: of no connection."""
        parts = _parts(frame)
        connection = parts and self.connections.get((parts.ends.destination, parts.ends.destination_port))
        if parts is None or not connection:
            return None
        client = connection.client
        parts.ends = Tuple(client.destination, client.destination_port, client.source, client.source_port)
        parts.ack = (parts.ack - connection.shift) % SEQUENCE
        if parts.flags & SYN:
            connection.server_isn = parts.seq
            parts.options = _with_lower_mss(parts.options)
        return self.macs_to_client + parts.frame()

    def _of_client(self, ends: Tuple) -> Connection:
        """The client's connection, made new when there is none."""
        for connection in self.connections.values():
            if connection.client == ends:
                return connection
        made = Connection(ends, Tuple(self.local, self.next_port, *self.server), self.shift)
        self.connections[self.local, self.next_port] = made
        self.next_port += 1
        return made


@dataclass
class Parts:
    """A TCP segment over IPv4, taken apart."""

    ip: bytes
    ends: Tuple
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes

    def frame(self) -> bytes:
        """From the type of Ethernet on, one hop further, with lengths and checksums as they must be."""
        length = TCP_HEADER + len(self.options)
        ports = self.ends.source_port, self.ends.destination_port
        tcp = bytearray(
            struct.pack("!HHIIBBHHH", *ports, self.seq, self.ack, length << 2, self.flags, self.window, 0, 0)
        )
        tcp += self.options + self.payload
        addresses = self.ends.source + self.ends.destination
        pseudo = addresses + struct.pack("!HH", 6, len(tcp))
        tcp[16:18] = checksum(pseudo + tcp + bytes(len(tcp) % 2))
        ip = bytearray(self.ip)
        ip[2:4] = (len(ip) + len(tcp)).to_bytes(2)
        ip[8] -= 1
        ip[10:12] = bytes(2)
        ip[12:20] = addresses
        ip[10:12] = checksum(ip)
        return b"\x08\x00" + bytes(ip + tcp)


def _parts(frame: bytes) -> Parts | None:
    found = segment(frame)
    if found is None:
        return None
    ip, tcp = (
        frame[ETHERNET : found.tcp],
        frame[found.tcp : ETHERNET + int.from_bytes(frame[ETHERNET + 2 : ETHERNET + 4])],
    )
    source_port, destination_port, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
    header = offset >> 4 << 2
    ends = Tuple(ip[12:16], source_port, ip[16:20], destination_port)
    return Parts(ip, ends, seq, ack, flags, window, tcp[TCP_HEADER:header], tcp[header:])


def _toa(client: Tuple) -> bytes:
    return struct.pack("!BBH", TOA_KIND, TOA_BYTES, client.source_port) + client.source


def _without_timestamps(options: bytes) -> bytes:
    return b"".join(bytes([NOP] * len(option)) if option[0] == TIMESTAMPS else option for option in _split(options))


def _with_lower_mss(options: bytes) -> bytes:
    return b"".join(
        option[:2] + (int.from_bytes(option[2:]) - TOA_BYTES).to_bytes(2) if option[0] == MSS_KIND else option
        for option in _split(options)
    )


def _split(options: bytes) -> list[bytes]:
    """The options one by one, kind first."""
    split = []
    while options:
        length = 1 if options[0] <= NOP else options[1]
        split.append(options[:length])
        options = options[length:]
    return split
