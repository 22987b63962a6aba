"""Which flow a segment belongs to, numbered as tshark's `tcp.stream` (a kernel module).

A flow is one lifetime of one 4-tuple. `slots` is an open-addressing hash table from the tuple to
its newest flow; a flow row holds WIDTH values, named below. Side 0 is the sender of the flow's
first frame, side 1 the other; who is client is decided when the whole flow is known.

A bare SYN begins a new lifetime when its sequence number is not the one this side started with
(Wireshark 4.0, packet-tcp.c, dissect_tcp). One more thing begins a number there: what follows a VNC
version message on an unusual port, because the dissector that recognises it opens a conversation of
its own (packet-vnc.c). Such a flow goes on where the one before it stood.

Of a data connection that FTP announces Wireshark opens the conversation at once (packet-ftp.c), so that
its first segment, which completes the announcement, finds it and is not taken for a connection's first.
"""

from tcptrace.capture.ftp import FTP
from tcptrace.schema import NO_TIME, FlowRows, Packets, Segments

KEY_0 = 0  # address number << 16 | port of side 0
KEY_1 = 1
BASE_0 = 2  # raw sequence number side 0 started from: its SYN's, else one before its first; -1 unknown
BASE_1 = 3
FRAMES_0 = 4
FRAMES_1 = 5
START_NS = 6
END_NS = 7
SEEN = 8  # bits below, those of side 1 shifted by SIDE_SHIFT
PREVIOUS = 9  # the lifetime before this one on the same tuple, -1 for none
HANDSHAKE_ACK_NS = 10  # when the SYN's sender acknowledged the SYN-ACK; NO_TIME before
FIRST_FRAME = 11
WIDTH = 12

SEEN_SYN = 1
SEEN_SYN_ACK = 2
SIDE_SHIFT = 8
SEEN_HANDSHAKE = SEEN_SYN | SEEN_SYN_ACK
SEEN_RFB = 1 << 16  # a VNC version message: the next segment begins a new number
CONTINUES = 1 << 17  # the same connection as PREVIOUS
ANNOUNCED = 1 << 18  # by FTP, before its first segment

ANNOUNCED_MAX = 64  # data connections that are kept until they begin, the last ones
FTP_DATA = 20  # port from which a server connects to the end that a client names

FIN = 1
SYN = 2
RST = 4
ACK = 16

_MULTIPLIER = 0x5BD1E995
_MASK_31 = 0x7FFFFFFF


def hash_tuple(low: int, high: int, seed: int) -> int:
    """A 31-bit hash of the two ends of a tuple, the smaller key first; nobody can collide what a seed scatters."""
    h = ((low & _MASK_31 ^ seed) * _MULTIPLIER ^ (low >> 31)) & _MASK_31
    h = ((h ^ (h >> 15) ^ seed >> 3) * _MULTIPLIER) & _MASK_31
    h = ((h ^ (h >> 15) ^ high) * _MULTIPLIER ^ (high >> 31)) & _MASK_31
    return h ^ (h >> 13)


def find_slot(flows: FlowRows, low: int, high: int) -> int:
    """The slot of a tuple: the one that holds it, or the empty one where it belongs."""
    rows, slots = flows.rows, flows.slots
    mask = len(slots) - 1
    slot = hash_tuple(low, high, flows.used[1]) & mask
    while slots[slot] != 0:
        row = (slots[slot] - 1) * WIDTH
        a, b = rows[row + KEY_0], rows[row + KEY_1]
        if (a == low and b == high) or (a == high and b == low):
            break
        slot = (slot + 1) & mask
    return slot


def rehash(flows: FlowRows) -> None:
    """Fill empty `slots` (after growth) from `rows`; of one tuple's lifetimes the newest stays."""
    rows, slots = flows.rows, flows.slots
    for flow in range(int(flows.used[0])):
        a, b = rows[flow * WIDTH + KEY_0], rows[flow * WIDTH + KEY_1]
        slots[find_slot(flows, min(a, b), max(a, b))] = flow + 1


def announce(flows: FlowRows, src_key: int, dst_key: int, end: int) -> None:
    """Keep a data connection that FTP announced by naming one of its ends: the end known with its port, and the peer.

    `announced` holds how many there were, then a ring of these pairs; a pair that was taken begins with -1.
    """
    kept = flows.announced
    at = 1 + kept[0] % ANNOUNCED_MAX * 2
    kept[0] += 1
    if dst_key & 0xFFFF == FTP:
        kept[at] = dst_key - FTP + FTP_DATA
        kept[at + 1] = end >> 16
    else:
        kept[at] = end
        kept[at + 1] = dst_key >> 16


def take_announced(flows: FlowRows, src_key: int, dst_key: int) -> int:
    """ANNOUNCED for a tuple that was, else 0; the announcement, of several the last one, is then done with."""
    kept = flows.announced
    for back in range(1, min(kept[0], ANNOUNCED_MAX) + 1):
        at = 1 + (kept[0] - back) % ANNOUNCED_MAX * 2
        end, peer = kept[at], kept[at + 1]
        if (end == dst_key and peer == src_key >> 16) or (end == src_key and peer == dst_key >> 16):
            kept[at] = -1
            return ANNOUNCED
    return 0


def begin_flow(flows: FlowRows, slot: int, src_key: int, dst_key: int, frame: int) -> int:
    """A new flow row in a slot; the flow that held the slot is its PREVIOUS."""
    rows, slots = flows.rows, flows.slots
    flow = int(flows.used[0])
    row = flow * WIDTH
    rows[row + KEY_0] = src_key
    rows[row + KEY_1] = dst_key
    rows[row + BASE_0] = -1
    rows[row + BASE_1] = -1
    rows[row + FRAMES_0] = 0
    rows[row + FRAMES_1] = 0
    rows[row + START_NS] = NO_TIME
    rows[row + END_NS] = NO_TIME
    rows[row + SEEN] = take_announced(flows, src_key, dst_key) if slots[slot] == 0 and flows.announced[0] != 0 else 0
    rows[row + PREVIOUS] = slots[slot] - 1
    rows[row + HANDSHAKE_ACK_NS] = NO_TIME
    rows[row + FIRST_FRAME] = frame
    slots[slot] = flow + 1
    flows.used[0] = flow + 1
    return flow


def continue_flow(flows: FlowRows, slot: int, src_key: int, dst_key: int, frame: int) -> int:
    """A new number for the rest of the connection in a slot; who opened it is kept."""
    rows = flows.rows
    flow = begin_flow(flows, slot, src_key, dst_key, frame)
    row, previous = flow * WIDTH, rows[flow * WIDTH + PREVIOUS] * WIDTH
    seen = rows[previous + SEEN]
    same, other = seen & SEEN_HANDSHAKE, seen >> SIDE_SHIFT & SEEN_HANDSHAKE
    if rows[previous + KEY_0] != src_key:
        same, other = other, same
    rows[row + SEEN] = CONTINUES | same | other << SIDE_SHIFT
    return flow


def flow_in(flows: FlowRows, slot: int, src_key: int, dst_key: int, flags: int, frame: int) -> int:
    """The flow of the tuple in a slot, a new one where the slot is empty or a VNC version message ended its number."""
    flow = flows.slots[slot] - 1
    if flow >= 0 and flows.rows[flow * WIDTH + SEEN] & SEEN_RFB == 0:
        return flow
    if flow < 0 or (flags >= 0 and flags & (SYN | ACK) == SYN):
        return begin_flow(flows, slot, src_key, dst_key, frame)
    return continue_flow(flows, slot, src_key, dst_key, frame)


def is_vnc_port(key: int) -> bool:
    """Whether the VNC dissector takes an end's port by number, and need not recognise the payload."""
    port = key & 0xFFFF
    return 5500 <= port <= 5501 or 5900 <= port <= 5901


def note_segment(
    flows: FlowRows, flow: int, side: int, flags: int, seq: int, ack: int, length: int, time_ns: int
) -> None:
    """Keep what a flow row keeps of one segment; numbers count from none whose length is unknown, as in Wireshark."""
    rows = flows.rows
    row = flow * WIDTH
    rows[row + FRAMES_0 + side] += 1
    if time_ns != NO_TIME:
        if rows[row + START_NS] == NO_TIME or time_ns < rows[row + START_NS]:
            rows[row + START_NS] = time_ns
        if time_ns > rows[row + END_NS]:
            rows[row + END_NS] = time_ns
    if flags < 0:
        return
    if length >= 0 and seq >= 0 and (rows[row + BASE_0 + side] < 0 or flags & (SYN | ACK) == SYN | ACK):
        rows[row + BASE_0 + side] = seq if flags & SYN else (seq - 1) & 0xFFFFFFFF
    if length >= 0 and rows[row + BASE_1 - side] < 0 and flags & ACK:
        rows[row + BASE_1 - side] = (ack - 1) & 0xFFFFFFFF
    if flags & SYN and flags & RST == 0:
        bit = SEEN_SYN_ACK if flags & ACK else SEEN_SYN
        rows[row + SEEN] |= bit << (SIDE_SHIFT * side)


def is_only_quoted(flows: FlowRows, flow: int) -> bool:
    """Whether all there was of a connection is a header that an ICMP error quoted: who sends first is not told yet."""
    rows, row = flows.rows, flow * WIDTH
    return rows[row + FRAMES_0] + rows[row + FRAMES_1] == 0 and rows[row + SEEN] & CONTINUES == 0


def assign(packets: Packets, count: int, segments: Segments, flows: FlowRows) -> None:
    """Give each of `count` rows its flow and side (-1: too little of the header is there).

    The caller has room for `count` further flows and keeps `slots` at most half full.
    """
    src, sport, dst, dport = packets.src, packets.sport, packets.dst, packets.dport
    flags_of, seq_of, ack_of, time_of, quoted = packets.flags, packets.seq, packets.ack, packets.time_ns, packets.quoted
    flow_of, side_of, len_of = segments.flow, segments.side, packets.len
    rows, rfb, window, announced = flows.rows, packets.rfb, packets.window, packets.announced
    for i in range(count):
        flags, seq = flags_of[i], seq_of[i]
        if flags < 0 and window[i] < 0:
            flow_of[i] = -1
            side_of[i] = -1
            continue
        src_key = src[i] << 16 | sport[i]
        dst_key = dst[i] << 16 | dport[i]
        slot = find_slot(flows, min(src_key, dst_key), max(src_key, dst_key))
        flow = flow_in(flows, slot, src_key, dst_key, flags, packets.frame[i])
        side = 0 if rows[flow * WIDTH + KEY_0] == src_key else 1
        base = rows[flow * WIDTH + BASE_0 + side]
        if flags > 0 and flags & (SYN | ACK) == SYN and base >= 0 and base != seq:
            flow = begin_flow(flows, slot, src_key, dst_key, packets.frame[i])
            side = 0
        if quoted[i] == 0:
            if side == 1 and is_only_quoted(flows, flow):
                rows[flow * WIDTH + KEY_0] = src_key
                rows[flow * WIDTH + KEY_1] = dst_key
                side = 0
            note_segment(flows, flow, side, flags, seq, ack_of[i], len_of[i], time_of[i])
            if rfb[i] != 0 and not is_vnc_port(src_key) and not is_vnc_port(dst_key):
                rows[flow * WIDTH + SEEN] |= SEEN_RFB if rows[flow * WIDTH + SEEN] & CONTINUES == 0 else 0
            if announced[i] >= 0:
                announce(flows, src_key, dst_key, announced[i])
        flow_of[i] = flow
        side_of[i] = side
