"""Cases of SYN cookies, and of what the SYN-ACK then can no longer say."""

from case import CONVERSATION, Case
from lab import Lab, close_in_turn, must, talk

ALWAYS = "net.ipv4.tcp_syncookies=2"
NO_TIMESTAMPS = "net.ipv4.tcp_timestamps=0"


def in_timestamp(lab: Lab) -> None:
    """The server answers by SYN cookies only: window scale and SACK survive in the low bits of its timestamp."""
    lab.two_hosts()
    lab.server.set(ALWAYS)
    must(_cookies_of_a_conversation(lab) == 1, "the SYN-ACK is a cookie")


def options_lost(lab: Lab) -> None:
    """The same server, a client without timestamps: the SYN-ACK offers neither window scale nor SACK."""
    lab.two_hosts()
    lab.server.set(ALWAYS)
    lab.client.set(NO_TIMESTAMPS)
    must(_cookies_of_a_conversation(lab) == 1, "the SYN-ACK is a cookie")


def no_timestamps(lab: Lab) -> None:
    """A client without timestamps, a server that needs no cookies: window scale and SACK stay."""
    lab.two_hosts()
    lab.client.set(NO_TIMESTAMPS)
    must(_cookies_of_a_conversation(lab) == 0, "the SYN-ACK is no cookie")


def _cookies_of_a_conversation(lab: Lab) -> int:
    lab.record_at_both_ends()
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(client, server)
    return lab.count(lab.server, "TcpExtSyncookiesSent", "TcpExtSyncookiesRecv")["TcpExtSyncookiesSent"]


CASES = (
    Case("syn-cookies", in_timestamp, CONVERSATION, causes=("syn-cookies",), healthy=True),
    Case("syn-cookies-options-lost", options_lost, CONVERSATION, causes=("syn-cookies",)),
    Case("no-timestamps", no_timestamps, CONVERSATION, near_misses=("syn-cookies",), healthy=True),
)
