"""From the records of a chunk to rows of Packets (a kernel module).

Ethernet with IPv4 and TCP is read where it stands; every other stack is walked header by header.
"""

from tcptrace.capture.addresses import WIDTH, intern
from tcptrace.capture.cursor import IS_TCP, KIND, LONG_TAIL, ROOM, VERDICT
from tcptrace.capture.link_layer import of_link_type
from tcptrace.capture.tcp_header import options, write
from tcptrace.capture.walk import begin, finish, walk
from tcptrace.schema import I32, I64, U8, Addresses, Packets, Records

ADDRESSES_MAX = 3
"""Addresses that one row can add: sender, receiver and the client of a TOA option."""

SHORTEST = 58
"""Ethernet, a VLAN tag, IPv4 and TCP without options: bytes that the fast path reads unasked."""


def decode(
    buffer: U8,
    records: Records,
    first: int,
    last: int,
    first_frame: int,
    packets: Packets,
    row: int,
    addresses: Addresses,
    verdicts: I32,
    cursor: I64,
) -> tuple[int, int]:
    """Decode records `first` to `last` into rows from `row` on; the record and the row where it stopped.

    It stops before `last` where cursor[KIND] says why: the kind of a header that only the long tail
    knows (the cursor stands there), or ROOM.
    """
    offsets, captured_lens, original_lens = records.offset, records.captured_len, records.original_len
    link_types = records.link_type
    frames, srcs, dsts, ttls, ip_ids = packets.frame, packets.src, packets.dst, packets.ttl, packets.ip_id
    room = len(addresses.words) // WIDTH - ADDRESSES_MAX
    used = addresses.used
    known_src, known_dst, src, dst = -1, -1, 0, 0
    for record in range(first, last):
        if used[0] > room:
            cursor[KIND] = ROOM
            return record, row
        at = offsets[record]
        captured_len = captured_lens[record]
        original_len = original_lens[record]
        link_type = link_types[record]
        if link_type == 1 and captured_len >= SHORTEST:
            ip = at + 18 if buffer[at + 12] == 0x81 and buffer[at + 13] == 0 else at + 14
            if (
                buffer[ip + 9] == 6
                and buffer[ip] == 0x45
                and buffer[ip - 2] == 8
                and buffer[ip - 1] == 0
                and buffer[ip + 6] & 0x3F == 0
                and buffer[ip + 7] == 0
            ):
                total_len = buffer[ip + 2] << 8 | buffer[ip + 3]
                end = ip + total_len
                if total_len >= 40 and end <= at + original_len:
                    limit = min(end, at + captured_len)
                    options_end = write(buffer, ip + 20, limit, end, packets, row)
                    if options_end:
                        options(buffer, ip + 40, options_end, packets, row, addresses)
                    word = buffer[ip + 12] << 24 | buffer[ip + 13] << 16 | buffer[ip + 14] << 8 | buffer[ip + 15]
                    dst_word = buffer[ip + 16] << 24 | buffer[ip + 17] << 16 | buffer[ip + 18] << 8 | buffer[ip + 19]
                    if word == known_dst and dst_word == known_src:
                        src, dst = dst, src
                    elif word != known_src or dst_word != known_dst:
                        src = intern(addresses, 4, 0, 0, 0, word)
                        dst = intern(addresses, 4, 0, 0, 0, dst_word)
                    known_src, known_dst = word, dst_word
                    srcs[row] = src
                    dsts[row] = dst
                    ttls[row] = buffer[ip + 8]
                    ip_ids[row] = buffer[ip + 4] << 8 | buffer[ip + 5]
                    frames[row] = first_frame + record
                    verdicts[record] = IS_TCP
                    row += 1
                    continue
        begin(cursor, at, captured_len, original_len)
        kind = walk(buffer, cursor, of_link_type(link_type))
        if kind >= LONG_TAIL:
            cursor[KIND] = kind
            return record, row
        frames[row] = first_frame + record
        row += finish(buffer, cursor, kind, packets, row, addresses)
        verdicts[record] = cursor[VERDICT]
    return last, row
