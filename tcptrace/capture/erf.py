"""Endace ERF files: known only by how their first records read, as they have no magic number."""

import struct

import numpy as np

from tcptrace.capture.chunks import Window
from tcptrace.capture.container import Walk
from tcptrace.capture.link_types import link_type_name
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.walk_erf import BAD_LENGTH, HEADER_BYTES, PADDING
from tcptrace.kernels import Kernels
from tcptrace.schema import Records

ETHERNET, IPV4, IPV6, ERF = 1, 228, 229, 197
LINK_TYPES = np.full(128, ERF, np.uint8)
LINK_TYPES[[2, 11, 16, 20]] = ETHERNET  # plain, and coloured in three ways
LINK_TYPES[22], LINK_TYPES[23] = IPV4, IPV6

TYPE_MAX = 48
RECORDS_TRIED = 20
RECORDS_SURE = 3
YEAR_S = 366 * 86400


def looks_like_erf(head: bytes) -> bool:
    """Whether the first records have known types, lengths that lead to each other, and times that agree."""
    place = tried = 0
    before = None
    while tried < RECORDS_TRIED and place + HEADER_BYTES <= len(head):
        (second,) = struct.unpack_from("<I", head, place + 4)
        kind, _, length = struct.unpack_from(">BBH", head, place + 8)
        if length < HEADER_BYTES or not 0 < kind & 0x7F <= TYPE_MAX:
            return False
        if kind & 0x7F != PADDING:
            if before is not None and not -1 <= second - before <= YEAR_S:
                return False
            before = second
        place += length
        tried += place <= len(head)
    return tried >= RECORDS_SURE or (tried > 0 and place == len(head))


class Erf:
    """An open ERF file."""

    format = "ERF"

    def __init__(self, summary: CaptureSummary) -> None:
        self._summary = summary
        summary.interfaces.append("")

    def walk(self, window: Window, place: int, records: Records, kernels: Kernels) -> Walk:
        """Fill `records` with those that lie in the window from `place` on."""
        data, link_types, table = kernels.view_bytes(window.buffer), kernels.view(LINK_TYPES), kernels.view(records)
        place, filled, status = kernels["capture.walk_erf"].walk(data, place, window.end, link_types, table)
        records.interface[:filled] = 0
        for number in np.unique(records.link_type[:filled]).tolist():
            if link_type_name(number) not in self._summary.link_types:
                self._summary.link_types.append(link_type_name(number))
        return Walk(place, filled, "a record shorter than its own headers" if status == BAD_LENGTH else "")

    def bytes_needed(self, window: Window, place: int) -> int:
        """Length of the record at `place`; 0 when its header is cut."""
        if window.end - place < HEADER_BYTES:
            return 0
        length: int = struct.unpack_from(">H", window.buffer, place + 10)[0]
        return length
