"""What a capture holds: records, addresses, packets; facts as read, without judgement."""

from typing import Annotated, NamedTuple

from tcptrace.schema.column import I8, I32, I64, SACK_BLOCKS_MAX, U32, Column


class Records(NamedTuple):
    """The records of one chunk of a capture file: where each frame lies in the chunk's buffer."""

    offset: Annotated[I64, Column("bytes", "where the frame's first byte lies in the buffer")]
    captured_len: Annotated[I64, Column("bytes", "bytes of the frame that the capture kept")]
    original_len: Annotated[I64, Column("bytes", "bytes the frame had on the wire")]
    time_ns: Annotated[I64, Column("ns", "time of capture since the epoch; NO_TIME when not recorded")]
    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    link_type: Annotated[I32, Column("", "LINKTYPE_ number of the interface")]


class SectionInterfaces(NamedTuple):
    """The interfaces of one pcapng section, as its packet blocks number them, and how their clocks tick."""

    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    link_type: Annotated[I32, Column("", "LINKTYPE_ number")]
    snap_len: Annotated[I64, Column("bytes", "most bytes kept of a frame")]
    tick_ns: Annotated[I64, Column("ns", "a tick's length; 0 when shorter than 1 ns, or a power of two")]
    half_ticks: Annotated[I64, Column("", "half the ticks of 1 ns, decimal ticks shorter than that; else 0")]
    binary_digits: Annotated[I64, Column("", "a tick is 2**-n seconds; -1 for decimal ticks")]
    shift_ns: Annotated[I64, Column("ns", "added to every time")]


class Addresses(NamedTuple):
    """Every distinct address of a capture, once, by number; columns differ in length."""

    words: Annotated[U32, Column("", "family (4 or 6) and the address as four 32-bit words", per_row=5)]
    slots: Annotated[I32, Column("", "hash table of address number + 1; 0 is empty")]
    used: Annotated[I64, Column("", "two values: how many addresses there are, a seed of 31 bits for their hashes")]


class Packets(NamedTuple):
    """Facts as read, one row a TCP header that begins in a frame; nothing here is judged."""

    frame: Annotated[I64, Column("", "number of the frame in its file, from 1")]
    time_ns: Annotated[I64, Column("ns", "time of capture since the epoch; NO_TIME when not recorded")]
    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    if_index: Annotated[I32, Column("", "interface number inside a cooked (SLL2) header, else -1")]
    direction: Annotated[I8, Column("", "as the capture says: 0 in, 1 out, -1 unsaid")]
    quoted: Annotated[I8, Column("", "1: quoted in an ICMP error; uses up a flow number and makes no row")]
    src: Annotated[I32, Column("", "sender, index into the capture's addresses")]
    dst: Annotated[I32, Column("", "receiver, index into the capture's addresses")]
    sport: Annotated[I32, Column("", "sender's port")]
    dport: Annotated[I32, Column("", "receiver's port")]
    ttl: Annotated[I32, Column("hops", "TTL or hop limit of the innermost IP header")]
    ip_id: Annotated[I32, Column("", "IPv4 identification; -1 without")]
    ip_at: Annotated[I32, Column("bytes", "where the innermost IP header lies in the frame; in text as if of Ethernet")]
    payload_at: Annotated[I32, Column("bytes", "where the payload lies in the frame; -1 unknown")]
    flags: Annotated[I32, Column("", "the twelve bits after the data offset, reserved ones included")]
    seq: Annotated[I64, Column("", "raw 32-bit sequence number")]
    ack: Annotated[I64, Column("", "raw 32-bit acknowledgement number, also without the ACK flag")]
    window: Annotated[I32, Column("", "raw window field, not scaled")]
    len: Annotated[I64, Column("bytes", "TCP payload by the IP length; -1 in a fragment")]
    len_cut: Annotated[I64, Column("bytes", "payload that the capture did not keep")]
    urgent: Annotated[I32, Column("bytes", "urgent pointer; -1 without URG")]
    rfb: Annotated[I8, Column("", "1: the payload is an RFB version message; Wireshark numbers what follows anew")]
    alert: Annotated[I8, Column("", "1: the payload begins with a TLS alert, or, in TLS 1.3, with what must hide one")]
    announced: Annotated[
        I64, Column("", "end of a data connection that FTP names: index into addresses << 16 | port; -1 without")
    ]
    inferred: Annotated[I8, Column("", "1: seq is inferred (tcpdump prints none for a pure ACK)")]
    mss: Annotated[I32, Column("bytes", "maximum segment size option; -1 without")]
    window_scale: Annotated[I32, Column("bits", "window scale option; -1 without")]
    sack_permitted: Annotated[I8, Column("", "1: SACK permitted option present")]
    tsval: Annotated[I64, Column("ticks", "timestamp option's value; -1 without")]
    tsecr: Annotated[I64, Column("ticks", "timestamp option's echo; -1 without")]
    toa_port: Annotated[I32, Column("", "client port in a TOA option; -1 without")]
    toa_src: Annotated[I32, Column("", "client address in a TOA option, index into addresses; -1 without")]
    option_kinds: Annotated[I64, Column("", "option kinds in order, without NOP and EOL, a byte each, first lowest")]
    options_cut: Annotated[I8, Column("", "1: the option list is cut short or malformed; what is missing is unknown")]
    sack_count: Annotated[I8, Column("", "SACK blocks present")]
    sack: Annotated[I64, Column("", "SACK blocks: left and right edge, raw", per_row=2 * SACK_BLOCKS_MAX)]
