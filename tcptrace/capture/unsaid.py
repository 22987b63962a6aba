"""What a row of Packets holds where its frame does not say (a kernel module)."""

from tcptrace.schema import UNKNOWN, Packets


def clear(packets: Packets, row: int) -> None:
    """Fill the columns of which a frame may say nothing, but `sack`, with what they hold then."""
    packets.if_index[row] = UNKNOWN
    packets.direction[row] = UNKNOWN
    packets.quoted[row] = 0
    packets.ip_id[row] = UNKNOWN
    packets.payload_at[row] = UNKNOWN
    packets.flags[row] = UNKNOWN
    packets.seq[row] = UNKNOWN
    packets.ack[row] = UNKNOWN
    packets.window[row] = UNKNOWN
    packets.len[row] = UNKNOWN
    packets.len_cut[row] = 0
    packets.urgent[row] = UNKNOWN
    packets.rfb[row] = 0
    packets.alert[row] = 0
    packets.announced[row] = UNKNOWN
    packets.inferred[row] = 0
    packets.mss[row] = UNKNOWN
    packets.window_scale[row] = UNKNOWN
    packets.sack_permitted[row] = 0
    packets.tsval[row] = UNKNOWN
    packets.tsecr[row] = UNKNOWN
    packets.toa_port[row] = UNKNOWN
    packets.toa_src[row] = UNKNOWN
    packets.option_kinds[row] = 0
    packets.options_cut[row] = 0
    packets.sack_count[row] = 0
