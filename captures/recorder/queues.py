"""Cases of a listener's queues: connections half open, waiting to be accepted, dropped, or far too many."""

import random
import socket
import struct

from case import HANDSHAKE, Case, Truth
from frames import ACK, SYN, forged
from lab import CLIENT, ROUTED, SERVER, Lab, close_in_turn, must, pause, talk

TCP_DEFER_ACCEPT = 9
FLOOD = 60
"""SYNs of a flood, each of another address, in about half a second."""

MSS_OPTION = struct.pack("!BBH", 2, 4, 1460)
OTHERS = tuple(f"10.0.0.{last}" for last in range(11, 15))
"""Further clients."""


def half_open(lab: Lab) -> None:
    """The client is gone after its SYN; the server repeats its SYN-ACK after 1, 3 and 7 s."""
    lab.two_hosts()
    lab.listen()
    lab.wire.lose("right", SYN | ACK, times=100)
    lab.record("server", lab.server)
    lab.dial().close()
    pause(7.5)
    waiting = lab.sockets(lab.server, "state", "syn-recv")
    must(len(waiting) == 1, "the server still waits for the ACK")


def accept_queue_full(lab: Lab) -> None:
    """A server accepts nobody. Three clients wait, and three more come at once for the last place in its queue.

    The handshakes of two of them end in ACKs that the server drops: it repeats their SYN-ACKs; one
    of the two is silent, the other sends a request and repeats it.
    """
    last = _three_for_one_place(lab)
    last.send(b"." * 80)
    pause(4)
    _overflown(lab)


def accept_queue_full_abort(lab: Lab) -> None:
    """The same six, at a server with tcp_abort_on_overflow: a RST answers the ACK of two handshakes."""
    _three_for_one_place(lab, "net.ipv4.tcp_abort_on_overflow=1")
    pause(0.5)
    _overflown(lab)


def accept_queue_full_cookies(lab: Lab) -> None:
    """A server that accepts nobody, with room for one, answers three clients by SYN cookies.

    It keeps nothing of those whose ACKs it drops: it repeats no SYN-ACK, and what they send is lost without a word.
    """
    lab.two_hosts(delay_s=0.02)
    lab.listen(backlog=0)
    lab.record_at_both_ends()
    clients = [lab.dial((CLIENT[0], CLIENT[1] + n)) for n in range(3)]
    pause(0.2)
    clients[2].send(b"." * 80)
    pause(3)
    lab.count(lab.server, "TcpExtSyncookiesSent", "TcpExtSyncookiesRecv")
    _overflown(lab)


def _three_for_one_place(lab: Lab, *sysctls: str) -> socket.socket:
    """The listener's room is four; the socket of the last of the six clients."""
    lab.two_hosts(delay_s=0.02)
    if sysctls:
        lab.server.set(*sysctls)
    lab.listen(backlog=3)
    lab.record_at_both_ends()
    for port in range(CLIENT[1], CLIENT[1] + 3):
        lab.dial((CLIENT[0], port))
        pause(0.1)
    last = [lab.dial((CLIENT[0], port)) for port in range(CLIENT[1] + 3, CLIENT[1] + 6)][-1]
    pause(0.2)
    return last


def _overflown(lab: Lab) -> None:
    lab.sockets(lab.server, "state", "listening")
    counted = lab.count(lab.server, "TcpExtListenOverflows", "TcpExtListenDrops")
    must(counted["TcpExtListenOverflows"] > 0, "the accept queue overflows")


def accept_queue_full_at_syn(lab: Lab) -> None:
    """Two clients fill the accept queue; a third one's SYNs are dropped unanswered for 3.5 s and it gives up.

    Then the server accepts, and a fourth client is answered at once.
    """
    lab.two_hosts()
    listener = lab.listen(backlog=1)
    lab.record_at_both_ends()
    clients = []
    for port, wait_s in ((CLIENT[1], 0.2), (CLIENT[1] + 1, 0.2), (CLIENT[1] + 2, 3.5)):
        clients.append(lab.dial((CLIENT[0], port)))
        pause(wait_s)
    clients.pop().close()
    _overflown(lab)
    servers = [listener.accept()[0] for _ in clients]
    clients.append(lab.dial((CLIENT[0], CLIENT[1] + 3)))
    servers.append(listener.accept()[0])
    for near, far in zip(clients, map(lab.enter_context, servers), strict=True):
        near.settimeout(10)
        talk(near, far, answer_bytes=200)
        close_in_turn(near, far)


def syn_filtered_at_server(lab: Lab) -> None:
    """The server's own packet filter drops the SYNs of one address; those of another are answered."""
    _filtered(lab, f"ip saddr {OTHERS[0]} tcp dport 80")
    lab.dial((OTHERS[0], CLIENT[1]))
    for port in (CLIENT[1], CLIENT[1] + 1):
        client, server = lab.connect((CLIENT[0], port))
        talk(client, server, answer_bytes=200)
        close_in_turn(client, server)
        pause(1.5)
    must(lab.matched(lab.server)["dropped"] > 1, "the filter drops one client's SYNs")


def all_syns_filtered(lab: Lab) -> None:
    """The server's packet filter drops every SYN: nobody is answered, which says nothing of any one client."""
    _filtered(lab, "tcp dport 80")
    for address in (CLIENT[0], *OTHERS[:2]):
        lab.dial((address, CLIENT[1]))
        pause(0.3)
    pause(3)
    must(lab.matched(lab.server)["dropped"] > 3, "the filter drops all SYNs")


def _filtered(lab: Lab, match: str) -> None:
    lab.two_hosts()
    lab.more_clients(*OTHERS)
    lab.server.nft(f"""
        table inet filter {{
            counter dropped {{ }}
            chain input {{ type filter hook input priority 0; {match} counter name dropped drop; }}
        }}""")
    lab.record_at_both_ends()


def defer_accept(lab: Lab) -> None:
    """A listener with TCP_DEFER_ACCEPT waits for data: of a client that talks at once, and of one silent for 4 s.

    The silent one's ACK does not open the connection: the server repeats the SYN-ACK after 3 s, then accepts.
    """
    lab.two_hosts()
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
    lab.record_at_both_ends()
    for port, silence_s in ((CLIENT[1], 0.0), (CLIENT[1] + 1, 4.0)):
        client = lab.bound(lab.client, (CLIENT[0], port))
        client.connect(SERVER)
        pause(silence_s)
        client.sendall(b"." * 80)
        accepted, _ = listener.accept()
        server = lab.enter_context(accepted)
        server.recv(80)
        talk(client, server, answer_bytes=200)
        close_in_turn(client, server)
    counted = lab.count(lab.server, "TcpExtTCPDeferAcceptDrop", "TcpExtListenOverflows")
    must(counted["TcpExtTCPDeferAcceptDrop"] > 0, "the server waits for data")
    must(counted["TcpExtListenOverflows"] == 0, "no queue overflows")


def flood(lab: Lab) -> None:
    """60 SYNs of 60 spoofed addresses within half a second; each is answered, and again after a second."""
    _flooded(lab, "net.ipv4.tcp_syncookies=0")
    pause(1.5)
    waiting = lab.sockets(lab.server, "state", "syn-recv")
    lab.observe("server", "ss", waiting[:3])
    must(len(waiting) == FLOOD, "the server waits for all of them")


def flood_backlog_full(lab: Lab) -> None:
    """The same flood against a SYN backlog of 16 without cookies: most SYNs are dropped, an honest client's too."""
    _flooded(lab, "net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_max_syn_backlog=16")
    lab.dial(CLIENT, ROUTED)
    pause(2.5)
    counted = lab.count(lab.server, "TcpExtListenDrops")
    must(counted["TcpExtListenDrops"] > 20, "the server drops SYNs")


def flood_with_cookies(lab: Lab) -> None:
    """The same flood against a listen backlog of 16 with SYN cookies: all are answered, an honest client is served."""
    listener = _flooded(lab, "net.ipv4.tcp_syncookies=1", backlog=16)
    client = lab.dial(CLIENT, ROUTED)
    accepted, _ = listener.accept()
    server = lab.enter_context(accepted)
    client.settimeout(10)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)
    counted = lab.count(lab.server, "TcpExtSyncookiesSent", "TcpExtSyncookiesRecv", "TcpExtTCPReqQFullDoCookies")
    must(counted["TcpExtSyncookiesRecv"] == 1, "the honest client came by a cookie")


def _flooded(lab: Lab, *sysctls: str, backlog: int = 1024) -> socket.socket:
    """A listener behind a router that lets forged sources in and what answers them vanish."""
    router = lab.two_hosts_behind_a_router()
    router.set("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
    router.nft("""
        table ip filter {
            chain forward { type filter hook forward priority 0; ip daddr 198.51.100.0/24 drop; }
        }""")
    router.ip("route", "add", "198.51.100.0/24", "via", CLIENT[0])
    lab.server.set(*sysctls)
    listener = lab.listen(ROUTED, backlog=backlog)
    lab.record("server", lab.server)
    attacker = lab.enter_context(lab.client.socket(socket.AF_PACKET, socket.SOCK_RAW))
    attacker.bind(("eth0", 0))
    macs = bytes.fromhex((router.mac("eth0") + lab.client.mac("eth0")).replace(":", ""))
    chance = random.Random(4987)
    for last in range(1, FLOOD + 1):
        addresses = socket.inet_aton(f"198.51.100.{last}") + socket.inet_aton(ROUTED[0])
        ports = (chance.randrange(40000, 60000), ROUTED[1])
        attacker.send(forged(macs, addresses, ports, chance.getrandbits(32), SYN, MSS_OPTION))
        pause(0.007)
    return listener


def many_connections(lab: Lab) -> None:
    """45 honest connections of five clients within a second, each with a request, an answer and a close."""
    lab.two_hosts()
    lab.more_clients(*OTHERS)
    listener = lab.listen()
    lab.record_at_both_ends()
    dialled = []
    for port in range(CLIENT[1], CLIENT[1] + 9):
        for address in (CLIENT[0], *OTHERS):
            dialled.append(lab.dial((address, port)))
            pause(0.01)
    pause(0.1)
    clients = {near.getsockname(): near for near in dialled}
    for _ in dialled:
        server, peer = listener.accept()
        with server, clients[peer] as client:
            client.settimeout(10)
            client.sendall(b"." * 80)
            server.recv(80)
            server.sendall(b"." * 200)
            client.recv(200)
    pause(0.3)
    opened = lab.count(lab.server, "TcpPassiveOpens", "TcpExtListenDrops")
    must(opened["TcpPassiveOpens"] == len(dialled), "all connections are opened")


NOT_HALF_OPEN = ("half-open", "syn-unanswered", "syn-flood")

CASES = (
    Case("half-open", half_open, r">S <SA( <SA)+", causes=("half-open",), near_misses=("accept-queue-overflow",)),
    Case(
        "accept-queue-overflow",
        accept_queue_full,
        r".*>A .*<SA .*<SA .*",
        causes=("accept-queue-overflow",),
        near_misses=NOT_HALF_OPEN,
    ),
    Case(
        "accept-queue-overflow-abort",
        accept_queue_full_abort,
        r".*>A .*<R .*<R",
        causes=("accept-queue-overflow",),
        near_misses=("connection-refused", "abortive-close", "first-data-reset"),
    ),
    Case(
        "accept-queue-overflow-cookies",
        accept_queue_full_cookies,
        causes=("syn-cookies",),
        near_misses=("half-open", "syn-unanswered", "syn-flood", "idle-timeout"),
    ),
    Case(
        "syn-dropped-by-server",
        accept_queue_full_at_syn,
        rf"({HANDSHAKE}){{2}}>S >S .*",
        captures={
            "client.pcap": Truth(causes=("syn-unanswered",)),
            "server.pcap": Truth(causes=("syn-dropped-by-server",)),
        },
    ),
    Case(
        "syn-dropped-by-filter",
        syn_filtered_at_server,
        captures={
            "client.pcap": Truth(causes=("syn-unanswered",)),
            "server.pcap": Truth(causes=("syn-dropped-by-server",)),
        },
    ),
    Case(
        "nobody-answered",
        all_syns_filtered,
        r">S( >S)+",
        causes=("syn-unanswered",),
        near_misses=("syn-dropped-by-server", "syn-flood"),
    ),
    Case("defer-accept", defer_accept, near_misses=("accept-queue-overflow", *NOT_HALF_OPEN)),
    Case("syn-flood", flood, causes=("syn-flood",), near_misses=("syn-cookies", "port-exhaustion")),
    Case("syn-flood-backlog-full", flood_backlog_full, causes=("syn-flood",), near_misses=("syn-cookies",)),
    Case("syn-flood-cookies", flood_with_cookies, causes=("syn-flood", "syn-cookies")),
    Case("many-connections", many_connections, near_misses=("syn-flood", "port-exhaustion"), healthy=True),
)
