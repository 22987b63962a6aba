"""The decode kernels against a naive decoder on dpkt, each other, and frames made to break them."""

import ipaddress
from typing import Any

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.test_stacks import STACKS
from tests.frames import Decoded, ethernet, ipv4, ipv6, tcp

LINK_TYPES = sorted({link_type for link_type, _ in STACKS.values()})


def naive(frame: bytes) -> dict[str, Any]:
    """The columns of a whole Ethernet frame with TCP, by dpkt."""
    ip = dpkt.ethernet.Ethernet(frame).data
    segment = ip.data
    options = [(kind, value) for kind, value in dpkt.tcp.parse_opts(segment.opts) if kind > 1]
    values = dict(options)
    stamps = values.get(8, b"")
    kinds = int.from_bytes(bytes(kind for kind, _ in options), "little")
    is_ipv4 = isinstance(ip, dpkt.ip.IP)
    return {
        "src": ip.src,
        "dst": ip.dst,
        "sport": segment.sport,
        "dport": segment.dport,
        "ttl": ip.ttl if is_ipv4 else ip.hlim,
        "ip_id": ip.id if is_ipv4 else -1,
        "flags": int.from_bytes(bytes(segment)[12:14]) & 0xFFF,
        "seq": segment.seq,
        "ack": segment.ack,
        "window": segment.win,
        "len": len(segment.data),
        "mss": int.from_bytes(values[2]) if 2 in values else -1,
        "window_scale": values[3][0] if 3 in values else -1,
        "sack_permitted": int(4 in values),
        "tsval": int.from_bytes(stamps[:4]) if stamps else -1,
        "tsecr": int.from_bytes(stamps[4:]) if stamps else -1,
        "option_kinds": kinds,
        "options_cut": 0,
        "sack_count": len(values.get(5, b"")) // 8,
    }


def option(kind: int, length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length).map(lambda value: bytes([kind, length + 2]) + value)


OPTIONS = st.lists(
    st.one_of(
        st.just(b"\1"),
        option(2, 2),
        option(3, 1),
        option(4, 0),
        option(5, 8),
        option(5, 16),
        option(8, 8),
        option(30, 3),
    ),
    max_size=6,
    unique_by=lambda value: value[0] if value != b"\1" else object(),
).map(b"".join)
SEGMENTS = st.builds(
    tcp,
    st.binary(max_size=20),
    OPTIONS.filter(lambda data: len(data) <= 40),
    st.integers(0, 0xFFF),
    st.integers(0, 2**32 - 1),
)
FRAMES = SEGMENTS.flatmap(lambda segment: st.sampled_from([ethernet(ipv4(segment)), ethernet(ipv6(segment), 0x86DD)]))


@given(FRAMES, st.binary(max_size=30))
def test_whole_frames_as_dpkt_reads_them(frame: bytes, padding: bytes):
    decoded = Decoded([frame + padding])
    row = {name: values[0] for name, values in decoded.columns.items() if name != "sack"}
    row |= {name: ipaddress.ip_address(decoded.book.text(row[name])).packed for name in ("src", "dst")}
    twin = naive(frame)
    assert {name: row[name] for name in twin} == twin
    edges = b"".join(edge.to_bytes(4) for edge in decoded.columns["sack"][: 2 * twin["sack_count"]])
    assert edges == dict(dpkt.tcp.parse_opts(tcp_options(frame))).get(5, b"")


def tcp_options(frame: bytes) -> bytes:
    return bytes(dpkt.ethernet.Ethernet(frame).data.data.opts)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[int, bytes]:
    """A frame of some stack with some bytes changed, cut or repeated; or bytes without meaning."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(LINK_TYPES)), draw(st.binary(max_size=120))
    link_type, frame = STACKS[draw(st.sampled_from(sorted(STACKS)))]
    changed = bytearray(frame)
    for _ in range(draw(st.integers(0, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.sampled_from([0, 1, 4, 6, 8, 0x45, 0x60, 0x81, 0xFF]))
    if draw(st.booleans()):
        del changed[draw(st.integers(0, len(changed))) :]
    return link_type, bytes(changed)


@given(mutated(), st.binary(min_size=1, max_size=4), st.integers(0, 70000))
def test_nothing_beyond_a_frame_is_read(made: tuple[int, bytes], around: bytes, original: int):
    """What a frame says does not depend on the bytes before and behind it."""
    link_type, frame = made
    alone = Decoded([frame], link_type, original)
    among = Decoded([frame], link_type, original, between=around * 100)
    assert among.columns == alone.columns
    assert among.summary.other_frames == alone.summary.other_frames


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_plain_and_compiled_agree(link_type: int):
    """On every cut of every stack, and on each with each of its first bytes changed."""
    frames = []
    for of_type, frame in STACKS.values():
        if of_type == link_type:
            frames += [frame[:there] for there in range(len(frame))]
            frames += [
                frame[:place] + bytes([value]) + frame[place + 1 :]
                for place in range(min(len(frame), 90))
                for value in (0, 6, 0x45, 0xFF)
            ]
    plain = Decoded(frames, link_type, original=300)
    compiled = Decoded(frames, link_type, original=300, compiled=True)
    assert compiled.columns == plain.columns
    assert compiled.summary == plain.summary
    assert [compiled.book.text(number) for number in range(len(compiled.book))] == [
        plain.book.text(number) for number in range(len(plain.book))
    ]


@given(st.lists(mutated(), min_size=1, max_size=5))
def test_frames_do_not_touch_each_other(made: list[tuple[int, bytes]]):
    """A frame's row is the same whatever was decoded before it."""
    link_type = made[0][0]
    frames = [frame for of_type, frame in made if of_type == link_type]
    together = Decoded(frames, link_type)
    alone = [Decoded([frame], link_type) for frame in frames]
    for name in ("sport", "seq", "len", "ttl", "mss", "tsval", "option_kinds", "quoted", "direction", "if_index"):
        assert together.columns[name] == [value for one in alone for value in one.columns[name]]
