"""IEEE 802.11 data frames and the capture headers in front of them (part of the long tail, in Python)."""

from collections.abc import Callable
from typing import Any

from tcptrace.capture import cursor as c

Step = Callable[[Any, Any], int]
"""A step of the long tail: frame bytes and cursor, both as memoryviews, to the kind of what follows."""

_DATA = 2
_TO_AND_FROM_DS = 3
_PROTECTED = 0x40
_ORDER = 0x80
_RADIOTAP_FCS = 0x10
_RADIOTAP_PADDED = 0x20


def wlan(buffer: Any, cursor: Any, padded: bool = False) -> int:
    """IEEE 802.11: a data frame's LLC header; `padded`: the driver aligned it to four bytes."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 24 > limit:
        return c.NO_DATA_WLAN
    return _data(buffer, cursor, buffer[at], buffer[at + 1], padded)


def _data(buffer: Any, cursor: Any, control: int, flags: int, padded: bool) -> int:
    """What follows the header of a frame whose frame control field holds those two bytes."""
    at = cursor[c.AT]
    subtype = control >> 4
    if control >> 2 & 3 != _DATA or subtype & 4:
        return c.NO_DATA_WLAN
    if flags & _PROTECTED:
        return c.ENCRYPTED
    length = 30 if flags & 3 == _TO_AND_FROM_DS else 24
    aggregate = False
    if subtype & 8 and at + length + 2 <= cursor[c.LIMIT]:
        aggregate = bool(buffer[at + length] & 0x80)
        length += 6 if flags & _ORDER else 2
    if padded:
        length += -length % 4
    return c.skip(cursor, length + 14, c.LLC) if aggregate else c.skip(cursor, length, c.LLC)


def radiotap(buffer: Any, cursor: Any) -> int:
    """Radiotap (www.radiotap.org): of its fields only the flags matter here."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = int.from_bytes(buffer[at + 2 : at + 4], "little")
    if length < 8 or at + length > cursor[c.LIMIT]:
        return c.CUT_SHORT
    flags = _radiotap_flags(bytes(buffer[at : at + length]))
    if flags & _RADIOTAP_FCS:
        c.shorten(cursor, cursor[c.END] - 4)
    cursor[c.AT] = at + length
    return wlan(buffer, cursor, bool(flags & _RADIOTAP_PADDED))


def _radiotap_flags(header: bytes) -> int:
    """The flags field: behind all presence words and, if it is there, the 64-bit TSFT (aligned)."""
    present = int.from_bytes(header[4:8], "little")
    if not present & 2:
        return 0
    at = 8
    while int.from_bytes(header[at - 4 : at], "little") >> 31 and at < len(header):
        at += 4
    if present & 1:
        at += -at % 8 + 8
    return header[at] if at < len(header) else 0


def prism(buffer: Any, cursor: Any) -> int:
    """Prism header, or the AVS header that took its place; both say their length."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    if int.from_bytes(buffer[at : at + 4], "big") & 0xFFFFF000 == 0x80211000:
        return avs(buffer, cursor)
    length = min(int.from_bytes(buffer[at + 4 : at + 8], order) for order in ("little", "big"))
    return c.skip(cursor, max(length, 8), c.WLAN)


def avs(buffer: Any, cursor: Any) -> int:
    """AVS WLAN capture header."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    return c.skip(cursor, max(int.from_bytes(buffer[at + 4 : at + 8], "big"), 8), c.WLAN)


def capwap(buffer: Any, cursor: Any) -> int:
    """CAPWAP data (RFC 5415), whose 802.11 frames come with their frame control bytes swapped."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT] or buffer[at] & 15:
        return c.IP_PROTOCOL - 17
    if buffer[at + 3] & 0x80:
        return c.LATER_FRAGMENT
    native = buffer[at + 2] & 1
    at += (buffer[at + 1] >> 3) * 4
    cursor[c.AT] = at
    if not native:
        return c.ETHERNET
    if at + 24 > cursor[c.LIMIT]:
        return c.NO_DATA_WLAN
    return _data(buffer, cursor, buffer[at + 1], buffer[at], False)


WIRELESS_LINKS: dict[int, Step] = {
    105: wlan,
    119: prism,
    127: radiotap,
    163: avs,
}
