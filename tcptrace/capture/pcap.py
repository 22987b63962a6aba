"""pcap files: the file header, the variants of the record header, and the walk through the records.

Beside the format of draft-ietf-opsawg-pcap there are files of patched libpcaps (1999) whose records
have longer headers. Some say so by their magic number, some do not: those are known only by how the
first records read, as Wireshark knows them.
"""

import struct
from mmap import mmap
from typing import NamedTuple

from tcptrace.capture.chunks import Window
from tcptrace.capture.container import Walk
from tcptrace.capture.link_types import link_type_name
from tcptrace.capture.source import HEAD_BYTES
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.walk_pcap import BAD_LENGTH, FRAME_BYTES_MAX, IN_ORDER, MAYBE_SWAPPED, SWAPPED
from tcptrace.capture.words import BIG, LITTLE
from tcptrace.errors import CaptureError
from tcptrace.kernels import Kernels
from tcptrace.schema import Records

HEADER_BYTES = 24
RECORDS_TRIED = 3


class Variant(NamedTuple):
    """A record header: its name, its length and the unit of a time's fraction."""

    format: str
    header_len: int = 16
    fraction_ns: int = 1000
    file_header_len: int = HEADER_BYTES


PCAP = Variant("pcap")
NANOSECOND = Variant("nanosecond pcap", fraction_ns=1)
IXIA_HARDWARE = Variant("Ixia hardware pcap", fraction_ns=1, file_header_len=28)
IXIA_SOFTWARE = Variant("Ixia software pcap", file_header_len=28)
REDHAT = Variant("RedHat 6.1 pcap", header_len=24)
NOKIA = Variant("Nokia pcap", header_len=20)
MODIFIED = Variant("modified pcap", header_len=24)
SUSE = Variant("SuSE 6.3 pcap", header_len=28)

MAGIC = {
    0xA1B2C3D4: (PCAP, REDHAT, NOKIA),
    0xA1B23C4D: (NANOSECOND,),
    0xA1B2CD34: (MODIFIED, SUSE),
    0x1C0001AC: (IXIA_HARDWARE,),
    0x1C0001AB: (IXIA_SOFTWARE,),
}
"""Magic number → the variants that use it; the first that reads well is taken, the first of all when none does."""

LONG_FRAMES = {231: 1 << 27, 249: 1 << 27, 279: 1 << 25}
"""Link types (DBUS, USBPCAP, EBHSCR) whose frames may be longer than FRAME_BYTES_MAX."""

_NOKIA_MASK, _NOKIA_VALUE = 0x0FFF00F0, 0x0FBF0000
_ETHERTYPE_MIN = 0x0600
_ETHERNET_KINDS = {0x0060, 0x0200, 0x0400, *range(0x18)}


def byte_order(head: bytes) -> str:
    """`<` or `>` when the bytes begin with a magic number of pcap, else an empty string."""
    if len(head) < 4:
        return ""
    return next((order for order in "<>" if struct.unpack_from(f"{order}I", head)[0] in MAGIC), "")


class Pcap:
    """An open pcap file. Raises CaptureError when its header cannot be used."""

    def __init__(self, head: bytes, summary: CaptureSummary) -> None:
        self._order = byte_order(head)
        if len(head) < HEADER_BYTES:
            problem = f"a pcap file cut short in its header: {len(head)} of {HEADER_BYTES} bytes"
            raise CaptureError(summary.path, problem, "record or copy it again")
        fields = struct.unpack_from(f"{self._order}IHHiIII", head)
        magic, major, minor, _, _, self._snap_len, network = fields
        if major < 2:
            problem = f"a pcap file of the unknown version {major}.{minor}"
            raise CaptureError(summary.path, problem, "its header is damaged: copy it again")
        if network & 0x03FF0000:
            problem = f"a pcap file with reserved bits set in its link type ({network:#010x})"
            raise CaptureError(summary.path, problem, "its header is damaged: copy it again")
        self._link_type = network & 0xFFFF
        self._length_max = LONG_FRAMES.get(self._link_type, FRAME_BYTES_MAX)
        self._lengths = IN_ORDER
        if (major, minor) < (2, 3) or major == 543:  # 543: DG/UX
            self._lengths = SWAPPED
        elif (major, minor) == (2, 3):
            self._lengths = MAYBE_SWAPPED
        variants = MAGIC[magic] if self._lengths == IN_ORDER else MAGIC[magic][:1]
        self._variant = next((variant for variant in variants if self._reads_well(head, variant)), variants[0])
        self._past_header = False
        self.format = self._variant.format
        summary.link_types.append(link_type_name(self._link_type))
        summary.interfaces.append("")
        summary.tick_ns = self._variant.fraction_ns

    def walk(self, window: Window, place: int, records: Records, kernels: Kernels) -> Walk:
        """Fill `records` with those that lie in the window from `place` on."""
        if not self._past_header:
            place += self._variant.file_header_len
            self._past_header = True
        flip = BIG if self._order == ">" else LITTLE
        layout = (flip, self._variant.header_len, self._variant.fraction_ns, self._length_max, self._lengths)
        data, table = kernels.view_bytes(window.buffer), kernels.view(records)
        place, filled, status = kernels["capture.walk_pcap"].walk(data, place, window.end, layout, table)
        records.interface[:filled] = 0
        records.link_type[:filled] = self._link_type
        damage = ""
        if status == BAD_LENGTH:
            claimed = self._lengths_at(window.buffer, place)[0]
            damage = f"a record claims {claimed:,} bytes, more than the {self._length_max:,} a frame can have"
        return Walk(place, filled, damage)

    def bytes_needed(self, window: Window, place: int) -> int:
        """Length of the record at `place`, with its header; 0 when its header is cut."""
        if window.end - place < self._variant.header_len:
            return 0
        return self._variant.header_len + self._lengths_at(window.buffer, place)[0]

    def _lengths_at(self, data: bytes | mmap, place: int) -> tuple[int, int]:
        """Captured and original length of the record at `place`."""
        captured, original = struct.unpack_from(f"{self._order}II", data, place + 8)
        if self._lengths == SWAPPED or (self._lengths == MAYBE_SWAPPED and captured > original):
            return original, captured
        return captured, original

    def _reads_well(self, head: bytes, variant: Variant) -> bool:
        """Whether nothing is odd about the first records when read as this variant."""
        place = variant.file_header_len
        for _ in range(RECORDS_TRIED):
            if place + variant.header_len > len(head):
                break
            (fraction,) = struct.unpack_from(f"{self._order}I", head, place + 4)
            captured, original = self._lengths_at(head, place)
            if not 0 < captured <= min(self._length_max, self._snap_len, original) or original > 1 << 27:
                return False
            if variant.fraction_ns == 1000 and fraction >= 1_000_000:
                return False
            if not _extra_is_sane(variant, head[place + 16 : place + variant.header_len], self._order):
                return False
            place += variant.header_len + captured
        return place == len(head) or len(head) == HEAD_BYTES or place + variant.header_len <= len(head)


def _extra_is_sane(variant: Variant, extra: bytes, order: str) -> bool:
    """Whether the fields beyond the sixteen bytes of every record header hold what such systems wrote."""
    if variant is NOKIA:
        return bool(struct.unpack(f"{order}I", extra)[0] & _NOKIA_MASK == _NOKIA_VALUE)
    if not extra:
        return True
    if_index, protocol, packet_type = struct.unpack_from(f"{order}IHB", extra)
    return if_index <= 10_000 and packet_type <= 4 and (protocol >= _ETHERTYPE_MIN or protocol in _ETHERNET_KINDS)
