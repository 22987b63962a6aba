"""From the records of a chunk to rows of Packets (a kernel module).

Ethernet with IPv4 and TCP is found where it stands; every other stack is walked header by header.
"""

from tcptrace.capture.addresses import WIDTH
from tcptrace.capture.cursor import (
    AT,
    CUT_SHORT,
    DIRECTION,
    DST_AT,
    END,
    FRAGMENT,
    IF_INDEX,
    IP_AT,
    IS_TCP,
    KIND,
    LIMIT,
    LONG_TAIL,
    NEXT_FRAME,
    QUOTED,
    TCP,
)
from tcptrace.capture.ftp import FTP, announced
from tcptrace.capture.link_layer import of_link_type
from tcptrace.capture.tcp_options import intern_at, options
from tcptrace.capture.tls import ALERT, HIDDEN_ALERT_LEN, is_alert
from tcptrace.capture.unsaid import clear
from tcptrace.capture.walk import begin, walk
from tcptrace.capture.words import BIG, fetch, u32
from tcptrace.schema import I32, I64, U8, Addresses, Packets, Records

ADDRESSES_MAX = 4
"""Addresses that one row can add: sender, receiver, the client of its first TOA option, what FTP announces."""

SHORTEST = 58
"""Ethernet, a VLAN tag, IPv4 and TCP without options: bytes in which the common stack is looked for."""

FETCHED_AHEAD = 6
"""Records from the one that is decoded to that whose headers are fetched meanwhile."""

FETCHED_LEN = 128
"""Bytes of each: the headers of the common stack, or those that come first."""

PORTS_LEN = 4
"""So much of a TCP header makes a row."""

RFB = 0x52464220
RFB_LEN = 12
"""A VNC version message: `RFB 003.008` and a line feed (RFC 6143 section 7.1.1)."""

URG = 32

FIXED_LEN = 16
"""Below so much of a TCP header only the ports are told, as in Wireshark."""


def decode(  # noqa: C901  one loop, so that rows are written in one place and without calls
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

    All columns of a row are filled but `sack`, of which only the blocks there are. Where it stops before `last`,
    cursor[KIND] says why: NEXT_FRAME for want of room for addresses, else the kind of a header of the long tail, at
    which the cursor stands. Called again with that record, it goes on with the kind that it then finds there.
    """
    offsets, captured_lens, original_lens = records.offset, records.captured_len, records.original_len
    link_types = records.link_type
    frames, srcs, dsts, ttls, ip_ids = packets.frame, packets.src, packets.dst, packets.ttl, packets.ip_id
    sports, dports, seqs, acks, all_flags = packets.sport, packets.dport, packets.seq, packets.ack, packets.flags
    windows, lens, option_kinds = packets.window, packets.len, packets.option_kinds
    tsvals, tsecrs = packets.tsval, packets.tsecr
    ip_ats, payload_ats = packets.ip_at, packets.payload_at
    room = len(addresses.words) // WIDTH - ADDRESSES_MAX
    used = addresses.used
    known_src, known_dst, src, dst = -1, -1, 0, 0
    kind = cursor[KIND]
    cursor[KIND] = NEXT_FRAME
    for record in range(first, last):
        if used[0] > room:
            return record, row
        at, captured_len, original_len = offsets[record], captured_lens[record], original_lens[record]
        if record + FETCHED_AHEAD < last:
            following = offsets[record + FETCHED_AHEAD]
            fetch(buffer, following, following + FETCHED_LEN)
        clear(packets, row)
        found = False
        ip = at + 14
        end = ip
        if captured_len >= SHORTEST and link_types[record] == 1:
            if buffer[at + 12] == 0x81 and buffer[at + 13] == 0:
                ip += 4
            if (
                buffer[ip + 9] == 6
                and buffer[ip] == 0x45
                and buffer[ip - 2] == 8
                and buffer[ip - 1] == 0
                and buffer[ip + 6] & 0x3F == 0
                and buffer[ip + 7] == 0
            ):
                end = ip + (buffer[ip + 2] * 0x100 + buffer[ip + 3])
                found = ip + 40 <= end <= at + original_len
        if found:
            tcp = ip + 20
            limit = min(end, at + captured_len)
            dst_at = ip + 16
        else:
            if kind == NEXT_FRAME:
                begin(cursor, at, captured_len, original_len)
                kind = of_link_type(link_types[record])
            kind = walk(buffer, cursor, kind)
            if kind >= LONG_TAIL:
                cursor[KIND] = kind
                return record, row
            tcp, limit, end, ip, dst_at = cursor[AT], cursor[LIMIT], cursor[END], cursor[IP_AT], cursor[DST_AT]
            verdict = kind
            if kind == TCP:
                verdict = IS_TCP if tcp + PORTS_LEN <= limit else CUT_SHORT
            verdicts[record] = verdict if cursor[QUOTED] == 0 else cursor[QUOTED]
            kind = NEXT_FRAME
            if verdict != IS_TCP:
                continue
            packets.if_index[row] = cursor[IF_INDEX]
            packets.direction[row] = cursor[DIRECTION]
            if cursor[FRAGMENT] == 1:
                end = -1
            if cursor[QUOTED] != 0:
                packets.quoted[row] = 1
                if tcp + 8 <= limit:
                    seqs[row] = u32(buffer, tcp + 4, BIG)

        frames[row] = first_frame + record
        packets.time_ns[row] = records.time_ns[record]
        packets.interface[row] = records.interface[record]
        ip_ats[row] = ip - offsets[record]
        version = buffer[ip] // 16
        if version == 4:
            ttls[row] = buffer[ip + 8]
            ip_ids[row] = buffer[ip + 4] * 0x100 + buffer[ip + 5]
            src_word = (buffer[ip + 12] * 0x100 + buffer[ip + 13]) * 0x10000 + buffer[ip + 14] * 0x100 + buffer[ip + 15]
            dst_word = u32(buffer, dst_at, BIG)
            if src_word == known_dst and dst_word == known_src:
                src, dst = dst, src
            elif src_word != known_src or dst_word != known_dst:
                src = intern_at(buffer, ip + 12, version, addresses)
                dst = intern_at(buffer, dst_at, version, addresses)
            known_src, known_dst = src_word, dst_word
            srcs[row] = src
            dsts[row] = dst
        else:
            ttls[row] = buffer[ip + 7]
            srcs[row] = intern_at(buffer, ip + 8, version, addresses)
            dsts[row] = intern_at(buffer, dst_at, version, addresses)
        sport = buffer[tcp] * 0x100 + buffer[tcp + 1]
        dport = buffer[tcp + 2] * 0x100 + buffer[tcp + 3]
        sports[row] = sport
        dports[row] = dport
        if tcp + FIXED_LEN <= limit:
            seqs[row] = (
                (buffer[tcp + 4] * 0x100 + buffer[tcp + 5]) * 0x10000 + buffer[tcp + 6] * 0x100 + buffer[tcp + 7]
            )
            windows[row] = buffer[tcp + 14] * 0x100 + buffer[tcp + 15]
            header_len = buffer[tcp + 12] // 16 * 4
            payload = tcp + header_len
            if payload <= end:
                lens[row] = end - payload
                payload_ats[row] = payload - offsets[record]
                if end > limit:
                    packets.len_cut[row] = end - max(payload, limit)
                if end - payload == RFB_LEN and end <= limit and u32(buffer, payload, BIG) == RFB:
                    packets.rfb[row] = 1
                if payload < limit and (buffer[payload] == ALERT or end - payload == HIDDEN_ALERT_LEN):
                    packets.alert[row] = is_alert(buffer, payload, limit)
            if header_len >= 20:
                acks[row] = (
                    buffer[tcp + 8] * 0x1000000
                    + buffer[tcp + 9] * 0x10000
                    + buffer[tcp + 10] * 0x100
                    + buffer[tcp + 11]
                )
                all_flags[row] = (buffer[tcp + 12] & 15) * 0x100 + buffer[tcp + 13]
                if (sport == FTP or dport == FTP) and lens[row] > 0:
                    packets.announced[row] = announced(buffer, payload, limit, dport == FTP, srcs[row], addresses)
                at = tcp + 20
                if buffer[tcp + 13] & URG and at <= limit:
                    packets.urgent[row] = buffer[tcp + 18] * 0x100 + buffer[tcp + 19]
                if (
                    header_len == 32
                    and payload <= limit
                    and buffer[at + 3] == 10
                    and buffer[at + 2] == 8
                    and buffer[at + 1] == 1
                    and buffer[at] == 1
                ):
                    option_kinds[row] = 8
                    tsvals[row] = (
                        (buffer[at + 4] * 0x100 + buffer[at + 5]) * 0x10000 + buffer[at + 6] * 0x100 + buffer[at + 7]
                    )
                    tsecrs[row] = (
                        buffer[at + 8] * 0x1000000
                        + buffer[at + 9] * 0x10000
                        + buffer[at + 10] * 0x100
                        + buffer[at + 11]
                    )
                elif header_len > 20:
                    if payload > limit:
                        packets.options_cut[row] = 1
                    options(buffer, at, min(payload, limit), packets, row, addresses)
        if found:
            verdicts[record] = IS_TCP
        row += 1
    return last, row
