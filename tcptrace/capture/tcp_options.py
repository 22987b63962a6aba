"""TCP options into the columns of Packets (a kernel module).

The columns hold "absent" before. An option whose length is not the one its kind must have is
kept among the kinds, its value is not believed.
"""

from tcptrace.capture.addresses import intern
from tcptrace.capture.words import BIG, u16, u32
from tcptrace.schema import SACK_BLOCKS_MAX, U8, Addresses, Packets

KINDS_MAX = 8
"""Option kinds that fit into the column; of more, which 40 bytes can hold, the first ones are kept."""

_END = 0
_NOP = 1
_MSS = 2
_WINDOW_SCALE = 3
_SACK_PERMITTED = 4
_SACK = 5
_TIMESTAMPS = 8
_EXPERIMENT = 254

_TOA_IPV4_LEN = 8
_TOA_IPV6_LEN = 20
_FAST_OPEN = 0xF989
"""Fast open's experiment id (RFC 7413 appendix A), where TOA has its port."""


def options(buffer: U8, at: int, end: int, packets: Packets, row: int, addresses: Addresses) -> int:  # noqa: C901  a branch an option
    """Fill the option columns of `row` from the options between `at` and `end`; how many there are.

    Adds one address at most: of TOA options the first plausible one counts.
    """
    kinds = 0
    known = 0
    client = -1
    while at < end and buffer[at] != _END:
        kind = buffer[at]
        if kind == _NOP:
            at += 1
            continue
        length = buffer[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            packets.options_cut[row] = 1
            break
        if known < KINDS_MAX:  # the last byte holds the column's sign
            kinds |= (kind - 256 if known == KINDS_MAX - 1 and kind > 127 else kind) * (1 << 8 * known)
        known += 1
        if kind == _TIMESTAMPS and length == 10:
            packets.tsval[row] = u32(buffer, at + 2, BIG)
            packets.tsecr[row] = u32(buffer, at + 6, BIG)
        elif kind == _MSS and length == 4:
            packets.mss[row] = u16(buffer, at + 2, BIG)
        elif kind == _WINDOW_SCALE and length == 3:
            packets.window_scale[row] = buffer[at + 2]
        elif kind == _SACK_PERMITTED and length == 2:
            packets.sack_permitted[row] = 1
        elif kind == _SACK and length % 8 == 2:
            packets.sack_count[row] = length // 8
            for edge in range(length // 4):
                packets.sack[row * 2 * SACK_BLOCKS_MAX + edge] = u32(buffer, at + 2 + 4 * edge, BIG)
        elif kind == _EXPERIMENT and client < 0 and length in (_TOA_IPV4_LEN, _TOA_IPV6_LEN):
            client = _toa(buffer, at + 2, length, packets.flags[row], addresses)
            if client >= 0:
                packets.toa_port[row] = u16(buffer, at + 2, BIG)
                packets.toa_src[row] = client
        at += length
    packets.option_kinds[row] = kinds
    return known


def _toa(buffer: U8, at: int, length: int, flags: int, addresses: Addresses) -> int:
    """The client's address as a load balancer passes it on, behind its port; -1 where that is not plausible."""
    port = u16(buffer, at, BIG)
    first = buffer[at + 2]
    if port == 0 or first == 0 or (port == _FAST_OPEN and flags & 2):
        return -1
    version = 4 if length == _TOA_IPV4_LEN else 6
    if first == 0xFF or (version == 4 and (first == 127 or first > 223)):
        return -1
    return intern_at(buffer, at + 2, version, addresses)


def intern_at(buffer: U8, at: int, version: int, addresses: Addresses) -> int:
    """The number of the address at `at`, of that IP version."""
    a, b, c = 0, 0, 0
    if version == 6:
        a, b, c = u32(buffer, at, BIG), u32(buffer, at + 4, BIG), u32(buffer, at + 8, BIG)
        at += 12
    return intern(addresses, version, a, b, c, u32(buffer, at, BIG))
