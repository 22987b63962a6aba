"""DNS answers (RFC 1035): which addresses the name that was asked for has.

Written for hostile input: no more than ANSWERS_MAX records and LABELS_MAX labels of a name are looked at.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator

ANSWERS_MAX = 16
LABELS_MAX = 64
"""And jumps of its compression (section 4.1.4)."""

_HEADER_LEN = 12
_IS_ANSWER = 0x80
_POINTER = 0xC0
_A, _CNAME, _AAAA = 1, 5, 28
_INTERNET = 1
_UNUSUAL = re.compile(rb"[^A-Za-z0-9_-]")


def addresses(message: bytes) -> Iterator[tuple[str, str]]:
    """Address and name, of every A and AAAA record that answers the question, aliases (CNAME) followed.

    Ends where the message does, or where it makes no sense.
    """
    try:
        yield from _addresses(message)
    except (IndexError, struct.error):
        return


def _addresses(message: bytes) -> Iterator[tuple[str, str]]:
    questions, answers = struct.unpack_from(">HH", message, 4)
    if questions != 1 or not message[2] & _IS_ANSWER:
        return
    asked, at = _name(message, _HEADER_LEN)
    at += 4
    aliases = {asked}
    for _ in range(min(answers, ANSWERS_MAX)):
        owner, at = _name(message, at)
        kind, network, _, length = struct.unpack_from(">HHIH", message, at)
        at += 10
        if owner in aliases and network == _INTERNET:
            if kind == _CNAME:
                aliases.add(_name(message, at)[0])
            elif (kind, length) in ((_A, 4), (_AAAA, 16)) and at + length <= len(message):
                yield str(ipaddress.ip_address(message[at : at + length])), asked
        at += length


def _name(message: bytes, at: int) -> tuple[str, int]:
    """The name that begins at a place, in lower case and without the last dot, and the place behind it."""
    labels: list[str] = []
    after = 0
    for _ in range(LABELS_MAX):
        length = message[at]
        if length >= _POINTER:
            after = after or at + 2
            at = (length & 0x3F) << 8 | message[at + 1]
        elif length == 0:
            return ".".join(labels), after or at + 1
        else:
            labels.append(_UNUSUAL.sub(_escaped, message[at + 1 : at + 1 + length]).decode().lower())
            at += 1 + length
    raise IndexError("a name without an end")


def _escaped(byte: re.Match[bytes]) -> bytes:
    r"""As in a master file (section 5.1): `\032` for a space."""
    return b"\\%03d" % byte[0][0]
