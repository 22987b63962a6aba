"""Frames written, cut and changed: what points on the way of recorded or worded conversations would have seen."""

import ipaddress
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
START_NS = 1_700_000_000 * 10**9
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16}
TIMESTAMPS = 8
"""The kind of the option."""


class Frame(NamedTuple):
    time_ns: int
    data: bytes
    cut_from: int = 0
    """How long it was before a snap length cut it."""


class Tcp(NamedTuple):
    """A segment and the packet around it."""

    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    payload: bytes = b""
    ip_id: int = 0
    options: bytes = b""
    window: int = 1000
    ttl: int = 64

    def frame(self, time_ns: int = START_NS) -> Frame:
        """Ethernet, IP and TCP."""
        options = self.options + bytes(-len(self.options) % 4)
        numbers = self.seq % 2**32, self.ack % 2**32, (5 + len(options) // 4) << 12 | self.flags, self.window
        tcp = struct.pack(">HHIIHHHH", self.sport, self.dport, *numbers, 0, 0) + options + self.payload
        src, dst = ipaddress.ip_address(self.src), ipaddress.ip_address(self.dst)
        if src.version == 6:
            ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, self.ttl) + src.packed + dst.packed
            return Frame(time_ns, bytes(12) + b"\x86\xdd" + ip + tcp)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), self.ip_id, 0, self.ttl, 6, 0)
        return Frame(time_ns, bytes(12) + b"\x08\x00" + head + src.packed + dst.packed + tcp)

    @classmethod
    def of(cls, frame: bytes) -> "Tcp":
        """What an Ethernet frame of IPv4 without options carries."""
        length, ip_id, ttl = struct.unpack_from(">H", frame, 16)[0], struct.unpack_from(">H", frame, 18)[0], frame[22]
        src, dst = (str(ipaddress.ip_address(frame[at : at + 4])) for at in (26, 30))
        sport, dport, seq, ack, word, window = struct.unpack_from(">HHIIHH", frame, 34)
        payload_at = 34 + (word >> 12) * 4
        options, payload = frame[54:payload_at], frame[payload_at : 14 + length]
        return cls(src, dst, sport, dport, seq, ack, word & 0x1FF, payload, ip_id, options, window, ttl)

    @property
    def from_server(self) -> bool:
        return self.sport < self.dport


def say(
    text: str,
    client: str = "10.0.0.1:40000",
    server: str = "10.0.0.2:80",
    isn: tuple[int, int] = (1_000_000, 4_294_967_000),
    at_ms: float = 0,
) -> list[Frame]:
    """A conversation in lines `[ms] C|S FLAGS seq[:end] [ack] [id=IP ID] [ts=TSVAL]`, numbers from the ISNs."""
    frames = []
    now_ms = at_ms
    ends = {"C": _end(client), "S": _end(server)}
    numbers = {"C": isn[0], "S": isn[1]}
    for line in text.strip().splitlines():
        words = line.split()
        now_ms = at_ms + float(words.pop(0)) if words[0][0].isdigit() else now_ms + 1
        given = dict(word.split("=") for word in words if "=" in word)
        side, letters, place, *ack = [word for word in words if "=" not in word]
        peer = "S" if side == "C" else "C"
        start, _, end = place.partition(":")
        segment = Tcp(
            src=ends[side][0],
            dst=ends[peer][0],
            sport=ends[side][1],
            dport=ends[peer][1],
            seq=numbers[side] + int(start),
            ack=numbers[peer] + int(ack[0]) if ack else 0,
            flags=sum(BITS[letter] for letter in letters),
            payload=bytes(int(end or start) - int(start)),
            ip_id=int(given.get("id", 0)),
            options=struct.pack(">BBII", TIMESTAMPS, 10, int(given["ts"]), 0) if "ts" in given else b"",
        )
        frames.append(segment.frame(START_NS + round(now_ms * 1e6)))
    return frames


def _end(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def recorded(case: str, capture: str) -> list[Frame]:
    """The frames of a recorded pcap."""
    data = (CAPTURES / case / capture).read_bytes()
    found, at = [], 24
    while at < len(data):
        second, micros, captured, _ = struct.unpack_from("<4I", data, at)
        found.append(Frame(second * 10**9 + micros * 1000, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return found


def pcap(frames: Iterable[Frame]) -> bytes:
    """A pcap file of Ethernet, times in ns."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 1)]
    for time_ns, data, cut_from in frames:
        parts += [struct.pack("<4I", *divmod(time_ns, 10**9), len(data), max(cut_from, len(data))), data]
    return b"".join(parts)


def write(folder: Path, points: Mapping[str, Sequence[Frame]]) -> dict[str, str]:
    """A capture for every point, as `correlate` is told of them."""
    paths = {}
    for name, frames in points.items():
        path = folder / f"{name.replace(':', '-')}.pcap"
        path.write_bytes(pcap(frames))
        paths[name] = str(path)
    return paths


def changed(frames: Iterable[Frame], change: Callable[[Tcp], Tcp], later_ms: float = 0) -> list[Frame]:
    """Frames as they look behind something that changes them."""
    return [change(Tcp.of(frame.data)).frame(frame.time_ns + round(later_ms * 1e6)) for frame in frames]


def dnat(server: str) -> Callable[[Tcp], Tcp]:
    """Another address and port for the server."""
    address, port = _end(server)

    def change(one: Tcp) -> Tcp:
        if one.from_server:
            return one._replace(src=address, sport=port)
        return one._replace(dst=address, dport=port)

    return change


def fullnat(client: str, server: str, shift: int) -> Callable[[Tcp], Tcp]:
    """Other addresses and ports for both, and the client's numbers shifted; no timestamps either way."""
    (client_address, client_port), (server_address, server_port) = _end(client), _end(server)

    def change(one: Tcp) -> Tcp:
        there = one._replace(options=b"")
        if one.from_server:
            ends = there._replace(src=server_address, sport=server_port, dst=client_address, dport=client_port)
            return ends._replace(ack=one.ack + shift)
        ends = there._replace(src=client_address, sport=client_port, dst=server_address, dport=server_port)
        return ends._replace(seq=one.seq + shift)

    return change


def merged(frames: Sequence[Frame], most: int = 4) -> list[Frame]:
    """What a receiver with GRO captures: segments of one side that follow each other joined, up to so many."""
    found: list[tuple[int, Tcp]] = []
    count = 0
    for frame in frames:
        one = Tcp.of(frame.data)
        last = found[-1][1] if found else None
        follows = last is not None and last.payload and one.payload and last.src == one.src
        if last is not None and follows and one.seq == last.seq + len(last.payload) and count < most:
            found[-1] = frame.time_ns, last._replace(payload=last.payload + one.payload, flags=last.flags | one.flags)
            count += 1
        else:
            found.append((frame.time_ns, one))
            count = 1
    return [one.frame(time_ns) for time_ns, one in found]
