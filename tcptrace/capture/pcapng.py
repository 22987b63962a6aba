"""pcapng files: sections, interfaces and their clocks; the packet blocks are walked by a kernel.

A file is one or more sections, each with its own byte order and its own interfaces. The capture's
interfaces are numbered through all sections. Source: draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np

from tcptrace.capture.chunks import Window
from tcptrace.capture.container import Walk
from tcptrace.capture.link_types import link_type_name
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.walk_pcap import MORE
from tcptrace.capture.walk_pcapng import (
    BAD_FRAME_LENGTH,
    BAD_INTERFACE,
    BAD_LENGTH,
    BAD_TRAILER,
    BLOCK_BYTES_MAX,
    DATA_OFFSET,
    ENHANCED_PACKET,
    NO_PACKET,
    OBSOLETE_PACKET,
    SIMPLE_DATA_OFFSET,
    SIMPLE_PACKET,
    STRUCTURE,
    WHOLE_BYTES_MAX,
)
from tcptrace.capture.words import BIG, LITTLE
from tcptrace.errors import CaptureError
from tcptrace.kernels import Kernels
from tcptrace.rows import part
from tcptrace.schema import NO_TIME, Records, SectionInterfaces, allocate

MAGIC = b"\n\r\r\n"
BYTE_ORDER_MAGIC = 0x1A2B3C4D
SECTION_HEADER_BYTES = 28
INTERFACE_BYTES = 20
VERSIONS = {(1, 0), (1, 2)}
"""1.2 is written by some tools and means 1.0."""

INTERFACES_MAX = 1 << 16
NAME_BYTES_MAX = 256
"""Kept of an interface's name, which Linux lets have 15 bytes, and Windows some tens."""
LINK_TYPES_MAX = 64
"""Link types named in the summary; a capture has a few."""
SECTIONS_MAX = 1 << 16
PROBLEMS_MAX = 10
"""So many unusable blocks are named; further ones are counted."""

BEYOND_TIME = (
    "times beyond the year 2262 or before 1678 are left out: the recorder's clock, or the resolution it says, is wrong"
)

IF_NAME = 2
IF_TSRESOL = 9
IF_TSOFFSET = 14

_LARGEST_SHIFT_S = 9_000_000_000


class Clock(NamedTuple):
    """How an interface's ticks become nanoseconds; as in SectionInterfaces."""

    tick_ns: int = 1000
    half_ticks: int = 0
    binary_digits: int = -1
    shift_ns: int = 0

    @property
    def unit_ns(self) -> int:
        """Its tick in whole nanoseconds, at least one."""
        return max(self.tick_ns, -(-1_000_000_000 >> self.binary_digits) if self.binary_digits >= 0 else 1)


def resolution(code: int, shift_s: int) -> Clock:
    """The clock of an if_tsresol byte (10**-n, or 2**-n with the top bit) and an if_tsoffset in seconds."""
    shift_ns = shift_s * 1_000_000_000 if abs(shift_s) < _LARGEST_SHIFT_S else NO_TIME
    if code & 0x80:
        return Clock(0, 0, code & 0x7F, shift_ns)
    if code <= 9:
        return Clock(10 ** (9 - code), 0, -1, shift_ns)
    return Clock(0, min(10 ** (code - 9) // 2, 2**63 - 1), -1, shift_ns)


class Pcapng:
    """An open pcapng file. Raises CaptureError when its first section header cannot be used."""

    format = "pcapng"

    def __init__(self, head: bytes, summary: CaptureSummary) -> None:
        self._summary = summary
        self._order = "<"
        self._described = 0
        self._sections = 0
        self._unusable = 0
        self._interfaces = allocate(SectionInterfaces, 8)
        if len(head) < SECTION_HEADER_BYTES:
            problem = f"a pcapng file cut short in its header: {len(head)} of {SECTION_HEADER_BYTES} bytes"
            raise CaptureError(summary.path, problem, "record or copy it again")
        damage = self._section_fault(head, 0)
        if damage:
            raise CaptureError(summary.path, f"a pcapng file that cannot be used: {damage}", "record or copy it again")

    def walk(self, window: Window, place: int, records: Records, kernels: Kernels) -> Walk:
        """Fill `records` with the packet blocks in the window from `place` on, minding all other blocks."""
        data, filled = kernels.view_bytes(window.buffer), 0
        walk = kernels["capture.walk_pcapng"].walk
        while True:
            rest = part(records, filled, len(records.offset))
            interfaces = kernels.view(self._interfaces)
            flip = BIG if self._order == ">" else LITTLE
            place, more, status = walk(data, place, window.end, flip, interfaces, self._described, kernels.view(rest))
            filled += more
            self._note_times(window.buffer, part(rest, 0, more))
            if status == MORE:
                return Walk(place, filled)
            step, damage = self._structure(window, place) if status == STRUCTURE else self._fault(window, place, status)
            if damage or not step:
                return Walk(place, filled, damage)
            place += step

    def _note_times(self, buffer: bytearray | mmap, records: Records) -> None:
        """Say once if times are left out as 64 bits of nanoseconds do not hold them; simple packet blocks have none."""
        if BEYOND_TIME in self._summary.problems or not (records.time_ns == NO_TIME).any():
            return
        rows = np.flatnonzero((records.time_ns == NO_TIME) & (records.link_type != NO_PACKET))
        data, kind = np.frombuffer(buffer, np.uint8), records.offset[rows][:, None] + np.arange(4)
        is_simple = data[kind - SIMPLE_DATA_OFFSET].view(f"{self._order}u4") == SIMPLE_PACKET
        is_timed = np.isin(data[kind - DATA_OFFSET].view(f"{self._order}u4"), (ENHANCED_PACKET, OBSOLETE_PACKET))
        if (is_timed & ~is_simple).any():
            self._summary.problems.append(BEYOND_TIME)

    def bytes_needed(self, window: Window, place: int) -> int:
        """Length of the block at `place`; 0 when it is cut before its length."""
        return self._padded_length(window.buffer, place) if window.end - place >= 8 else 0

    def _padded_length(self, buffer: bytearray | mmap, place: int) -> int:
        length: int = struct.unpack_from(f"{self._order}I", buffer, place + 4)[0]
        return (length + 3) & ~3

    def _structure(self, window: Window, place: int) -> tuple[int, str]:
        """Take a section header or interface description; the step to the next block (0: cut) and damage."""
        buffer, end = window.buffer, window.end
        if buffer[place : place + 4] == MAGIC:
            if end - place < SECTION_HEADER_BYTES:
                return 0, ""
            damage = self._section_fault(buffer, place)
            if damage:
                return 0, damage
            step = self._padded_length(buffer, place)
            if place + step > end and step <= WHOLE_BYTES_MAX:
                return 0, ""
            self._described = 0
            self._sections += 1
            return step, "" if self._sections <= SECTIONS_MAX else f"more than {SECTIONS_MAX:,} sections"
        step = self._padded_length(buffer, place)
        if step < INTERFACE_BYTES:
            return 0, f"an interface description of {step} bytes"
        if len(self._summary.interfaces) >= INTERFACES_MAX:
            return 0, f"more than {INTERFACES_MAX:,} interfaces"
        self._describe(bytes(buffer[place : min(place + step, end)]))
        return step, ""

    def _section_fault(self, data: bytes | mmap, place: int) -> str:
        """Set the byte order by the section header at `place`; what is wrong with it, empty if nothing."""
        for order in "<>":
            if struct.unpack_from(f"{order}I", data, place + 8)[0] == BYTE_ORDER_MAGIC:
                self._order = order
                break
        else:
            return "a section header without a byte order"
        length, _, major, minor = struct.unpack_from(f"{self._order}IIHH", data, place + 4)
        if (major, minor) not in VERSIONS:
            return f"section version {major}.{minor} is not known"
        if length < SECTION_HEADER_BYTES or length > BLOCK_BYTES_MAX:
            return f"a section header that claims {length:,} bytes"
        return ""

    def _describe(self, block: bytes) -> None:
        """Take an interface description block (its options may be cut)."""
        link_type, snap_len = struct.unpack_from(f"{self._order}HxxI", block, 8)
        options = dict(self._options(block))
        name = options.get(IF_NAME, b"").split(b"\0")[0][:NAME_BYTES_MAX].decode(errors="replace")
        shift = options.get(IF_TSOFFSET, b"")
        shift_s = struct.unpack(f"{self._order}q", shift)[0] if len(shift) == 8 else 0
        clock = resolution((options.get(IF_TSRESOL) or b"\x06")[0], shift_s)
        if self._described == len(self._interfaces.interface):
            self._interfaces = SectionInterfaces._make(np.resize(c, 2 * len(c)) for c in self._interfaces)
        row = (len(self._summary.interfaces), link_type, snap_len, *clock)
        columns: tuple[Any, ...] = self._interfaces
        for column, value in zip(columns, row, strict=True):
            column[self._described] = value
        self._described += 1
        self._summary.tick_ns = max(self._summary.tick_ns, clock.unit_ns)
        self._summary.interfaces.append(name)
        met = self._summary.link_types
        if len(met) < LINK_TYPES_MAX and link_type_name(link_type) not in met:
            met.append(link_type_name(link_type))

    def _options(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Code and value of the options of an interface description, up to their end or damage."""
        place = INTERFACE_BYTES - 4
        while place + 4 <= len(block) - 4:
            code, length = struct.unpack_from(f"{self._order}HH", block, place)
            if code == 0 or place + 4 + length > len(block) - 4:
                return
            yield code, block[place + 4 : place + 4 + length]
            place += 4 + ((length + 3) & ~3)

    def _fault(self, window: Window, place: int, status: int) -> tuple[int, str]:
        """A block that the kernel would not take: the step beyond it, or damage that ends the reading."""
        kind, length = struct.unpack_from(f"{self._order}II", window.buffer, place)
        if status == BAD_LENGTH:
            return 0, f"a block of type {kind:#x} claims {length:,} bytes"
        if status == BAD_TRAILER:
            return 0, f"a block of type {kind:#x} says {length:,} bytes at its start and something else at its end"
        self._unusable += 1
        if self._unusable <= PROBLEMS_MAX:
            where = f"the packet block at byte {window.offset + place:,}"
            self._summary.problems.append(f"{where} {_WHY[status]}: left out, it has no frame number")
        elif self._unusable == PROBLEMS_MAX + 1:
            self._summary.problems.append("further packet blocks that cannot be used are left out")
        return self._padded_length(window.buffer, place), ""


_WHY = {
    BAD_INTERFACE: "names an interface that is not described",
    BAD_FRAME_LENGTH: "claims a frame longer than itself",
}
