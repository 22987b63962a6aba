"""Ethernet frames as bytes: just enough to lose one, forge one, or tag one on a wire."""

import struct
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ETHERNET = 14
IPV4 = b"\x08\x00"
MACS = 12
SEQUENCE = 1 << 32
"""Sequence numbers begin anew here."""
NOP, TIMESTAMPS = 1, 8
"""Kinds of TCP options."""

DOT1Q, DOT1AD = 0x8100, 0x88A8


@dataclass(frozen=True)
class Segment:
    """A TCP segment in an untagged Ethernet frame over IPv4."""

    frame: bytes

    @property
    def tcp(self) -> int:
        return ETHERNET + (self.frame[ETHERNET] & 0x0F) * 4

    @property
    def flags(self) -> int:
        return self.frame[self.tcp + 13] & (FIN | SYN | RST | ACK)

    @property
    def len_bytes(self) -> int:
        total = int.from_bytes(self.frame[ETHERNET + 2 : ETHERNET + 4])
        return total - (self.tcp - ETHERNET) - (self.frame[self.tcp + 12] >> 4) * 4

    @property
    def seq(self) -> int:
        return int.from_bytes(self.frame[self.tcp + 4 : self.tcp + 8])

    @property
    def next_seq(self) -> int:
        return (self.seq + self.len_bytes + bool(self.flags & SYN) + bool(self.flags & FIN)) & 0xFFFFFFFF

    @property
    def source(self) -> bytes:
        return self.frame[ETHERNET + 12 : ETHERNET + 16]

    @property
    def ports(self) -> tuple[int, int]:
        return struct.unpack("!HH", self.frame[self.tcp : self.tcp + 4])

    @property
    def timestamps(self) -> int | None:
        """Where TSval and TSecr stand in the frame (RFC 7323), if they do."""
        at, end = self.tcp + 20, self.tcp + (self.frame[self.tcp + 12] >> 4) * 4
        while at < end and self.frame[at]:
            if self.frame[at] == TIMESTAMPS:
                return at + 2
            at += 1 if self.frame[at] == NOP else self.frame[at + 1]
        return None

    def retimed(self, tsval_by: int, tsecr_by: int) -> bytes:
        """The frame with its timestamps moved, as if the sender's, or its peer's, clock had started at another time."""
        at = self.timestamps
        if at is None:
            return self.frame
        frame = bytearray(self.frame)
        tsval, tsecr = struct.unpack("!II", frame[at : at + 8])
        moved = (tsval + tsval_by) & 0xFFFFFFFF, (tsecr + tsecr_by) & 0xFFFFFFFF if tsecr else 0
        frame[at : at + 8] = struct.pack("!II", *moved)
        end = self.tcp + (self.frame[self.tcp + 12] >> 4) * 4 + self.len_bytes
        frame[self.tcp + 16 : self.tcp + 18] = bytes(2)
        tcp = frame[self.tcp : end]
        pseudo = frame[ETHERNET + 12 : ETHERNET + 20] + struct.pack("!HH", 6, len(tcp))
        frame[self.tcp + 16 : self.tcp + 18] = checksum(pseudo + tcp + bytes(len(tcp) % 2))
        return bytes(frame)

    def forged_reset(self, seq_shift: int) -> bytes:
        """A bare RST in this segment's sender's name, `seq_shift` beyond its next sequence number."""
        seq = (self.next_seq + seq_shift) & 0xFFFFFFFF
        return forged(self.frame[:MACS], self.frame[ETHERNET + 12 : ETHERNET + 20], self.ports, seq, RST)


def forged(
    macs: bytes, addresses: bytes, ports: tuple[int, int], seq: int, flags: int, options: bytes = b"", ttl: int = 255
) -> bytes:
    """A segment without data that no kernel sent: from the first of the addresses and ports to the second."""
    offset = (20 + len(options)) // 4 << 4
    tcp = bytearray(struct.pack("!HHIIBBHHH", *ports, seq, 0, offset, flags, 0, 0, 0) + options)
    tcp[16:18] = checksum(addresses + struct.pack("!HH", 6, len(tcp)) + tcp)
    ip = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0x1234, 0, ttl, 6, 0) + addresses)
    ip[10:12] = checksum(ip)
    return macs + IPV4 + bytes(ip) + bytes(tcp)


def segment(frame: bytes) -> Segment | None:
    """The frame's TCP segment, or None when it has none."""
    is_tcp = frame[MACS:ETHERNET] == IPV4 and frame[ETHERNET + 9] == 6
    return Segment(frame) if is_tcp else None


def checksum(data: bytes | bytearray) -> bytes:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)


def tagged(frame: bytes, *tags: tuple[int, int]) -> bytes:
    """The frame with VLAN tags (TPID, VLAN id), outermost first (IEEE 802.1Q)."""
    return frame[:MACS] + b"".join(struct.pack("!HH", *tag) for tag in tags) + frame[MACS:]


def untagged(frame: bytes) -> bytes:
    while int.from_bytes(frame[MACS : MACS + 2]) in (DOT1Q, DOT1AD):
        frame = frame[:MACS] + frame[MACS + 4 :]
    return frame
