"""What a proxy's host records of its clients and of its own connections, written in a few words; and who is joined."""

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tcptrace.correlation.legs import legs_of
from tcptrace.correlation.passages import Passages, passages_of
from tcptrace.correlation.points import from_words, inputs_of
from tcptrace.correlation.proxies import Conversation, conversations
from tcptrace.correlation.proxy_hosts import Ends
from tcptrace.correlation.recording import Recording, read
from tcptrace.correlation.result import Candidate, Points, Stream
from tcptrace.correlation.streams import match
from tcptrace.schema import NO_TIME
from tests.capture_files import SECOND
from tests.correlation.in_words import one_clock

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
GET = b"GET /orders/17 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@dataclass(frozen=True)
class Dialogue:
    """One TCP connection; times in ms."""

    client: str
    server: str
    at: float
    request: bytes = GET
    asks: float = 1
    """When the request comes, after the handshake."""
    reply: bytes = OK
    answers: float = 20
    """When the reply comes, after the request."""
    ends: float = 50
    """When the client closes, after the beginning."""
    is_near_server: bool = True
    """Whether it was recorded at its server; else at its client."""
    more: bytes = b""
    """Another request, just before the end."""
    refused: bool = False
    silent: bool = False

    def at_ms(self, at: float) -> "Dialogue":
        """The same at another time."""
        return replace(self, at=at)

    def frames(self) -> list[tuple[float, bytes]]:
        """Its frames, each with its time."""
        server_half, client_half = (0.02, 1.0) if self.is_near_server else (1.0, 0.02)
        isn, peer_isn = crc32(self.client.encode()), crc32(f"{self.client} {self.server}".encode())
        there, back = (self.client, self.server), (self.server, self.client)
        syn = (self.at, tcp(*there, isn, 0, SYN))
        if self.silent:
            return [syn]
        if self.refused:
            return [syn, (self.at + server_half, tcp(*back, 0, isn + 1, RST | ACK))]
        ready = self.at + server_half + client_half
        asked = ready + self.asks
        answered = asked + self.answers
        end = self.at + self.ends
        asks, replies = isn + 1 + len(self.request), peer_isn + 1 + len(self.reply)
        closes = asks + len(self.more)
        said = [
            syn,
            (self.at + server_half, tcp(*back, peer_isn, isn + 1, SYN | ACK)),
            (ready, tcp(*there, isn + 1, peer_isn + 1, ACK)),
            (asked, tcp(*there, isn + 1, peer_isn + 1, PSH | ACK, self.request)),
            (asked + 0.1, tcp(*back, peer_isn + 1, asks, ACK)),
            (answered, tcp(*back, peer_isn + 1, asks, PSH | ACK, self.reply)),
            (end - 0.1, tcp(*there, asks, replies, PSH | ACK, self.more)),
            (end, tcp(*there, closes, replies, FIN | ACK)),
            (end + 0.2, tcp(*back, replies, closes + 1, FIN | ACK)),
            (end + 0.4, tcp(*there, closes + 1, replies + 1, ACK)),
        ]
        return said if self.more else [pair for pair in said if pair[0] != end - 0.1]


def client(number: int = 1, at: float = 0, **told: Any) -> Dialogue:
    """Of a client to the proxy, which is 10.0.0.254:80."""
    return Dialogue(f"10.0.0.{number}:40000", "10.0.0.254:80", at, **told)


def upstream(port: int, at: float, **told: Any) -> Dialogue:
    """Of the proxy to its application, 10.0.1.2:8080."""
    return Dialogue(f"10.0.1.254:{port}", "10.0.1.2:8080", at, is_near_server=False, **told)


def tcp(source: str, target: str, seq: int, ack: int, flags: int, payload: bytes = b"") -> bytes:
    """Ethernet, IPv4 and TCP."""
    (src, sport), (dst, dport) = (end.rsplit(":", 1) for end in (source, target))
    numbers = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    segment = struct.pack(">HHIIBBHHH", int(sport), int(dport), *numbers, 5 << 4, flags, 1000, 0, 0) + payload
    addresses = ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 7, 0, 64, 6, 0) + addresses
    return bytes(12) + b"\x08\0" + ip + segment


def write(path: Path, dialogues: Sequence[Dialogue]) -> Path:
    """A pcap of all of them, in order of time."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    frames = (pair for one in dialogues for pair in one.frames())
    for time_ms, frame in sorted(frames, key=lambda pair: pair[0]):
        parts += [struct.pack("<4I", SECOND, round(time_ms * 1e6), len(frame), len(frame)), frame]
    path.write_bytes(b"".join(parts))
    return path


class Joined(NamedTuple):
    """Who is joined with whom."""

    streams: Sequence[Stream]
    conversations: Sequence[Conversation]
    candidates: Sequence[Candidate]

    def clients(self) -> list[list[str]]:
        """Of every conversation the clients of its streams."""
        return [[self.client_of(stream) for stream in one.streams] for one in self.conversations]

    def maybe(self) -> list[list[str]]:
        """Of every candidate the same."""
        return [[self.client_of(stream) for stream in one.streams] for one in self.candidates]

    def client_of(self, stream: int) -> str:
        return self.streams[stream].legs[0].client


def at_points(folder: Path, **points: Sequence[Dialogue]) -> Joined:
    """Dialogues recorded at points, `proxy_eth0` for proxy:eth0."""
    captures = {
        name.replace("_", ":", 1): write(folder / f"{name}.pcap", dialogues) for name, dialogues in points.items()
    }
    return _joined(read(inputs_of(captures), lambda text: None))


def of_case(folder: Path) -> Joined:
    """A recorded case."""
    return _joined(read(inputs_of(from_words([str(folder)])), lambda text: None))


def _joined(recorded: tuple[Points, Sequence[Recording]]) -> Joined:
    points, recordings = recorded
    legs = legs_of(points, recordings)
    matched = match(legs)
    passages = passages_of(legs, matched.of_leg, points)
    ends = [_ends(passages, stream.stream) for stream in matched.streams]
    return Joined(matched.streams, *conversations(matched.streams, passages, ends, recordings, one_clock(passages)))


def _ends(passages: Passages, stream: int) -> Ends:
    """Where all clocks are one, a stream's first segment comes from its client's host and goes to its server's."""
    first = int(np.searchsorted(passages.stream, stream))
    times = passages.time_ns[first]
    seen = sorted(np.flatnonzero(times != NO_TIME).tolist(), key=times.__getitem__)
    return Ends(passages.points[seen[0]].host, passages.points[seen[-1]].host)
