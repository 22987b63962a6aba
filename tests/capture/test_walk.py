"""The walk kernels against naive twins that read the same bytes one record at a time."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.capture import walk_erf, walk_pcap, walk_pcapng
from tcptrace.capture.erf import LINK_TYPES
from tcptrace.capture.pcapng import resolution
from tcptrace.capture.words import BIG, LITTLE
from tcptrace.kernels import Kernels
from tcptrace.schema import NO_TIME, Records, SectionInterfaces, allocate
from tests.capture_files import Pcapng, erf, frames, pcap

ROOM = 12
ORDERS = {"<": LITTLE, ">": BIG}

both_sets = pytest.mark.parametrize("choose", [kernels.plain, kernels.compiled])


def taken(records: Records, filled: int) -> list[tuple[int, ...]]:
    """The rows written, without the columns a kernel leaves to its caller (they hold 77)."""
    return list(zip(*(column[:filled].tolist() for column in records), strict=True))


def empty_records() -> Records:
    table = allocate(Records, ROOM)
    for column in table:
        column[:] = 77
    return table


def mutated(files: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the files with some bytes changed, and perhaps cut."""
    change = st.tuples(st.integers(0, 10**6), st.sampled_from([0, 1, 4, 6, 28, 0x7F, 0x80, 0xFF]))

    def apply(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
        changed = bytearray(data)
        for place, value in changes:
            changed[place % len(changed)] = value
        return bytes(changed[: len(changed) - cut])

    return st.builds(apply, st.sampled_from(files), st.lists(change, max_size=4), st.integers(0, 100))


def pcap_twin(data: bytes, order: str, header_len: int, fraction_ns: int, longest: int, lengths: int) -> Iterator[Any]:
    place = 0
    while place + header_len <= len(data):
        second, fraction, captured, original = struct.unpack_from(f"{order}4I", data, place)
        if lengths == walk_pcap.SWAPPED or (lengths == walk_pcap.MAYBE_SWAPPED and captured > original):
            captured, original = original, captured
        if captured > longest:
            yield place, walk_pcap.BAD_LENGTH
            return
        body, kept = place + header_len, min(captured, walk_pcap.FRAME_BYTES_MAX)
        if body + kept > len(data):
            break
        yield body, kept, original, second * 10**9 + fraction * fraction_ns, 77, 77
        place = body + captured
    yield place, walk_pcap.MORE


def outcome(twin: Iterator[Any]) -> tuple[list[tuple[int, ...]], tuple[int, int] | None]:
    """The first ROOM rows, and how the walk ends if it gets that far."""
    rows: list[tuple[int, ...]] = []
    for row in twin:
        if len(row) == 2:
            return rows, row
        if len(rows) == ROOM:
            return rows, None
        rows.append(row)
    raise AssertionError("a twin ends with its place and status")


def check(result: tuple[int, int, int], records: Records, twin: Iterator[Any]) -> None:
    place, filled, status = result
    rows, end = outcome(twin)
    assert taken(records, filled) == rows
    if filled < ROOM:
        assert (place, status) == end


@both_sets
@settings(max_examples=150, deadline=None)
@given(
    data=mutated([pcap(frames(9), order)[24:] for order in "<>"] + [pcap(frames(20))[24:]]) | st.binary(max_size=100),
    order=st.sampled_from("<>"),
    header_len=st.sampled_from([16, 20, 24]),
    fraction_ns=st.sampled_from([1, 1000]),
    longest=st.sampled_from([262_144, 1 << 27]),
    lengths=st.sampled_from([0, 1, 2]),
)
def test_pcap(
    choose: Any, data: bytes, order: str, header_len: int, fraction_ns: int, longest: int, lengths: int
) -> None:
    kernel_set: Kernels = choose()
    records = empty_records()
    layout = ORDERS[order], header_len, fraction_ns, longest, lengths
    view = kernel_set.view_bytes(bytearray(data))
    walk = kernel_set["capture.walk_pcap"].walk
    result = walk(view, 0, len(data), layout, kernel_set.view(records))
    check(result, records, pcap_twin(data, order, header_len, fraction_ns, longest, lengths))


CODES = [0, 3, 6, 9, 10, 12, 28, 29, 90, 0x80, 0x81, 0x9F, 0xA0, 0xA1, 0xBF, 0xC0, 0xDE, 0xDF, 0xE0, 0xFF]
SHIFTS_S = [0, 1, -1, 1_700_000_000, -(8 * 10**9), 8 * 10**9, 2**63 - 1]


def interfaces(count: int = 3, codes: list[int] = CODES, shifts_s: list[int] = SHIFTS_S) -> SectionInterfaces:
    """Interfaces with every kind of clock."""
    table = allocate(SectionInterfaces, count)
    for i in range(count):
        clock = resolution(codes[i % len(codes)], shifts_s[i // len(codes) % len(shifts_s)])
        for column, value in zip(table, (100 + i, i, 40 * i, *clock), strict=True):
            column[i] = value  # type: ignore[index]
    return table


def exact_time_ns(ticks: int, code: int, shift_s: int) -> int:
    unit = Fraction(1, 2 ** (code & 0x7F)) if code & 0x80 else Fraction(1, 10**code)
    since_shift = int(ticks * unit * 10**9)
    time_ns = since_shift + shift_s * 10**9
    usable = since_shift // 10**9 <= 9_223_372_035 if code & 0x80 else since_shift < 2**63
    return time_ns if usable and time_ns < 2**63 and abs(shift_s) < 9 * 10**9 else NO_TIME


@settings(max_examples=200, deadline=None)
@given(
    ticks=st.integers(0, 2**64 - 3) | st.integers(0, 2**33) | st.integers(10**18, 2 * 10**18),
    code=st.sampled_from(CODES) | st.integers(0, 255),
    shift_s=st.sampled_from(SHIFTS_S) | st.integers(-(2**63), 2**63 - 1),
)
def test_time(ticks: int, code: int, shift_s: int) -> None:
    table = interfaces(1, [code], [shift_s])
    time_ns = walk_pcapng.time_ns(ticks >> 32, ticks & 0xFFFFFFFF, kernels.plain().view(table), 0)
    assert time_ns == exact_time_ns(ticks, code, shift_s)


def pcapng_twin(data: bytes, order: str, table: SectionInterfaces, count: int) -> Iterator[Any]:
    place = 0
    while place + 12 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, place)
        if kind == walk_pcapng.SECTION_HEADER:
            break
        if length < 12 or length > walk_pcapng.BLOCK_BYTES_MAX:
            yield place, walk_pcapng.BAD_LENGTH
            return
        block = data[place : place + (length + 3) // 4 * 4]
        if len(block) < length:
            yield place, walk_pcapng.MORE
            return
        if struct.unpack(f"{order}I", block[-4:])[0] != length:
            yield place, walk_pcapng.BAD_TRAILER
            return
        if kind == walk_pcapng.INTERFACE_DESCRIPTION:
            break
        if kind in (2, 3, 6):
            row = pcapng_row(block, place, kind, order, table, count)
            if isinstance(row, int):
                yield place, row
                return
            yield row
        elif kind in (9, 0xBAD, 0x40000BAD):
            yield place + 8, len(block) - 12, len(block) - 12, NO_TIME, 0, walk_pcapng.NO_PACKET
        place += len(block)
    yield place, walk_pcapng.STRUCTURE if place + 12 <= len(data) else walk_pcapng.MORE


def pcapng_row(
    block: bytes, place: int, kind: int, order: str, table: SectionInterfaces, count: int
) -> int | tuple[int, ...]:
    header = {2: "HHIIII", 3: "I", 6: "IIIII"}[kind]
    body = 8 + struct.calcsize(f"{order}{header}")
    if len(block) < body + 4:
        return walk_pcapng.BAD_FRAME_LENGTH
    fields = list(struct.unpack_from(f"{order}{header}", block, 8))
    number = 0 if kind == 3 else fields.pop(0)
    if number >= count:
        return walk_pcapng.BAD_INTERFACE
    if kind == 3:
        original = fields[0]
        captured, time_ns = min(original, len(block) - body - 4), NO_TIME
        captured = min(captured, int(table.snap_len[number]) or captured)
    else:
        high, low, captured, original = fields[-4:]
        time_ns = exact_time_ns(high << 32 | low, CODES[number], 0)
    if captured > len(block) - body - 4:
        return walk_pcapng.BAD_FRAME_LENGTH
    return place + body, captured, original, time_ns, int(table.interface[number]), int(table.link_type[number])


def blocks(order: str, count: int) -> bytes:
    file = Pcapng(order)
    for i, frame in enumerate(frames(count)):
        file.enhanced(frame, (10 + i) << 40 | i, interface=i % 4)
        file.simple(frame).obsolete(frame, 10**15 + i, interface=i % 3).block(5, bytes(i)).block(0xBAD, bytes(i))
    return file.data


@both_sets
@settings(max_examples=150, deadline=None)
@given(
    data=mutated([blocks("<", 2), blocks(">", 2), blocks("<", 5), blocks("<", 1) + Pcapng().interface().data])
    | st.binary(max_size=100),
    order=st.sampled_from("<>"),
    count=st.integers(0, 20),
)
def test_pcapng(choose: Any, data: bytes, order: str, count: int) -> None:
    kernel_set: Kernels = choose()
    records = empty_records()
    table = interfaces(len(CODES))
    view, described = kernel_set.view_bytes(bytearray(data)), kernel_set.view(table)
    walk = kernel_set["capture.walk_pcapng"].walk
    result = walk(view, 0, len(data), ORDERS[order], described, count, kernel_set.view(records))
    check(result, records, pcapng_twin(data, order, table, count))


def erf_twin(data: bytes) -> Iterator[Any]:
    place = 0
    while place + 16 <= len(data):
        fraction, second = struct.unpack_from("<II", data, place)
        kind, _, length, _, wire = struct.unpack_from(">BBHHH", data, place + 8)
        record = data[place : place + length]
        if length < 16:
            yield place, walk_erf.BAD_LENGTH
            return
        if len(record) < length:
            break
        if kind & 0x7F != 48:
            link_type = {2: 1, 11: 1, 16: 1, 20: 1, 22: 228, 23: 229}.get(kind & 0x7F, 197)
            body, more = 16, kind & 0x80
            while link_type != 197 and more and body + 8 <= length:
                more = record[body] & 0x80
                body += 8
            body = {1: body + 2, 197: 0}.get(link_type, body)
            if body > length:
                yield place, walk_erf.BAD_LENGTH
                return
            there = length - body
            time_ns = second * 10**9 + (fraction * 10**9 + 2**31) // 2**32
            yield place + body, min(there, wire or there), wire or there, time_ns, 77, link_type
        place += length
    yield place, walk_erf.MORE


@both_sets
@settings(max_examples=150, deadline=None)
@given(data=mutated([erf(frames(9)), erf(frames(20))]) | st.binary(max_size=100))
def test_erf(choose: Any, data: bytes) -> None:
    kernel_set: Kernels = choose()
    records = empty_records()
    view, link_types = kernel_set.view_bytes(bytearray(data)), kernel_set.view(LINK_TYPES)
    result = kernel_set["capture.walk_erf"].walk(view, 0, len(data), link_types, kernel_set.view(records))
    check(result, records, erf_twin(data))


def test_long_blocks_need_not_be_whole() -> None:
    data = Pcapng().enhanced(frames(1)[0], 1).block(9999, bytes(3_000_000)).data
    records, table = empty_records(), interfaces()
    plain = kernels.plain()
    view = memoryview(data)[: walk_pcapng.WHOLE_BYTES_MAX + 1000]
    place, filled, status = walk_pcapng.walk(
        plain.view_bytes(view), 0, len(view), LITTLE, plain.view(table), 3, plain.view(records)
    )
    assert (place, filled, status) == (len(data), 1, walk_pcapng.MORE)
