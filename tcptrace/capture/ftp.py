"""Where FTP says its next data connection will end (a kernel module).

A client names its own end in `PORT h1,h2,h3,h4,p1,p2`, a server its own in `227 ... h1,h2,h3,h4,p1,p2`
(RFC 959 section 4) or `229 ... (|||port|)` (RFC 2428 section 3). Only the first line of a payload is
looked at, as in Wireshark 4.0 (packet-ftp.c), and as far as the capture kept it.
"""

from tcptrace.capture.addresses import intern
from tcptrace.capture.words import BIG, u32
from tcptrace.schema import U8, Addresses

FTP = 21
"""The port of the server's control connection."""

NONE = -1

_COMMAND = 0x504F5254  # PORT
_PASSIVE = 0x323237  # 227
_EXTENDED_PASSIVE = 0x323239
_CODE_LEN = 4
"""A command or code and the character that follows; what it announces comes behind."""

_LINE_FEED = 10
_CARRIAGE_RETURN = 13
_SPACE = 32
_BRACKET = 40
_COMMA = 44
_ZERO = 48


def announced(buffer: U8, at: int, limit: int, is_command: bool, src: int, addresses: Addresses) -> int:
    """Address number << 16 | port announced between `at` and `limit` by `src`, NONE without; adds one address at most.

    A `PORT` counts in a command only, the replies in a reply only.
    """
    if at + _CODE_LEN >= limit:
        return NONE
    code = u32(buffer, at, BIG)
    at += _CODE_LEN
    if is_command:
        listed = _listed(buffer, at + 1, limit) if code == _COMMAND and buffer[at] == _SPACE else NONE
    elif code // 0x100 == _PASSIVE:
        listed = _listed(buffer, at, limit)
    else:
        port = _extended(buffer, at, limit) if code // 0x100 == _EXTENDED_PASSIVE else NONE
        return src << 16 | port if port >= 0 else NONE
    if listed < 0:
        return NONE
    return intern(addresses, 4, 0, 0, 0, listed >> 16) << 16 | listed & 0xFFFF


def _listed(buffer: U8, at: int, limit: int) -> int:
    """IPv4 address << 16 | port out of the line's first six numbers below 256 with commas between; else NONE."""
    known, count, value = 0, 0, NONE
    while at < limit:
        byte = buffer[at]
        at += 1
        if _ZERO <= byte <= _ZERO + 9:
            value = min(max(value, 0) * 10 + byte - _ZERO, 0x100)
            continue
        if byte == _SPACE and value < 0:
            continue
        if 0 <= value < 0x100 and count == 5:
            return known * 0x100 + value
        if 0 <= value < 0x100 and byte == _COMMA:
            known, count = known * 0x100 + value, count + 1
        else:
            known, count = 0, 0
        value = NONE
        if byte in (_LINE_FEED, _CARRIAGE_RETURN):
            return NONE
    return known * 0x100 + value if 0 <= value < 0x100 and count == 5 else NONE


def _extended(buffer: U8, at: int, limit: int) -> int:
    """The port in the line's first brackets, between delimiters (three and one of any character); else NONE."""
    while at < limit and buffer[at] != _BRACKET:
        if buffer[at] in (_LINE_FEED, _CARRIAGE_RETURN):
            return NONE
        at += 1
    if at + 4 >= limit:
        return NONE
    delimiter = buffer[at + 1]
    if buffer[at + 2] != delimiter or buffer[at + 3] != delimiter:
        return NONE
    at += 4
    port = NONE
    while at < limit and _ZERO <= buffer[at] <= _ZERO + 9:
        port = min(max(port, 0) * 10 + buffer[at] - _ZERO, 0x10000)
        at += 1
    closed = at + 1 < limit and buffer[at] == delimiter and buffer[at + 1] == _BRACKET + 1
    return port if closed and port < 0x10000 else NONE
