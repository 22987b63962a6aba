"""Names of what small numbers in columns stand for, in their order."""

STATES = (
    "UNKNOWN CLOSED LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT"
).split()
LABELS = (
    "retransmission fast_retransmission spurious_retransmission out_of_order duplicate_ack lost_segment "
    "ack_lost_segment zero_window zero_window_probe zero_window_probe_ack window_full window_update keep_alive "
    "keep_alive_ack reused_ports"
).split()
"""Wireshark's names (tcp.analysis.*) of what a segment is."""
KINDS = ("syn fin rst first data answer repeat resumed window probe gap reordered copy after_fin stall timeout").split()
"""Why a segment is notable, as tcptrace.tcp.notable explains."""
REPEATS = "none copy reordered spurious fast go_back_n tail_loss_probe timeout unclear".split()
"""Why a segment looks as if sent before: the capture's copy, overtaken on its way, or truly sent again."""
LIMITS = "handshake loss receiver_window path application unknown".split()
"""What held a connection back."""
SIDES = ["client", "server"]
TAKEN_NEAR = ["unknown", "client", "server", "between"]
"""Where along a flow's path the capture was taken."""
CLOSED_BY = ["none", "client", "server", "both"]
CLOSES = ["none", "fin", "rst"]
