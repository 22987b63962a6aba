"""Cases of addresses translated on the way: rightly, or only there and not back."""

from case import CONVERSATION, Case, Truth
from hosts import Host
from lab import CLIENT, ROUTED, SERVER, Lab, close_in_turn, must, pause, talk
from topology import Station, plug

SERVICE = ("203.0.113.10", 80)
OTHER_SERVERS = tuple(f"10.0.0.{last}" for last in range(21, 25))


def reply_untranslated(lab: Lab) -> None:
    """Client and server share a LAN; the router translates the service's address to the server's, for requests only.

    They pass it by the default route; the server's replies go straight to the client, from an address
    that the client has never dialled: it resets them and repeats its SYN.
    """
    lab.client, router, lab.server = (lab.host(name) for name in ("client", "router", "server"))
    stations = [
        Station(host, "eth0", (address,))
        for host, address in ((lab.client, CLIENT[0]), (router, "10.0.0.254"), (lab.server, SERVER[0]))
    ]
    plug(lab, "switch", *stations)
    lab.client.ip("route", "add", "default", "via", "10.0.0.254")
    router.set("net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
    _translate(router, SERVER[0])
    lab.listen()
    lab.record_at_both_ends("tcp")
    lab.dial(CLIENT, SERVICE)
    pause(3.5)
    reset = lab.count(lab.client, "TcpOutRsts")
    must(reset["TcpOutRsts"] > 1, "the client resets what it has not dialled")


def translated(lab: Lab) -> None:
    """The router translates the service's address to the server's and back; seen at the client and on its own sides."""
    router = lab.two_hosts_behind_a_router()
    _translate(router, ROUTED[0])
    lab.record("client")
    lab.record_pcapng("router", router, "eth0", "eth1")
    with lab.listen(ROUTED) as listener:
        client = lab.bound(lab.client, CLIENT)
        client.connect(SERVICE)
        accepted, _ = listener.accept()
    server = lab.enter_context(accepted)
    pause(0.5)
    talk(client, server)
    pause(0.5)
    close_in_turn(client, server)
    must(lab.matched(router)["translated"] == 1, "the router translates the connection")


def several_servers(lab: Lab) -> None:
    """One client connects from one port to five servers at once: every answer is the right one."""
    lab.two_hosts(delay_s=0.02)
    lab.server.address("eth0", *(f"{address}/24" for address in OTHER_SERVERS))
    lab.client.neighbours("eth0", lab.server.mac("eth0"), *OTHER_SERVERS)
    listener = lab.listen(("0.0.0.0", SERVER[1]))
    lab.record_at_both_ends()
    clients = [lab.dial(CLIENT, (address, SERVER[1])) for address in (SERVER[0], *OTHER_SERVERS)]
    servers = {}
    for _ in clients:
        accepted, _ = listener.accept()
        servers[accepted.getsockname()] = lab.enter_context(accepted)
    for client in clients:
        client.settimeout(10)
        talk(client, servers[client.getpeername()], answer_bytes=200)
        close_in_turn(client, servers[client.getpeername()])


def _translate(router: Host, server: str) -> None:
    router.nft(f"""
        table ip nat {{
            counter translated {{ }}
            chain prerouting {{
                type nat hook prerouting priority -100;
                ip daddr {SERVICE[0]} tcp dport {SERVICE[1]} counter name translated dnat to {server};
            }}
        }}""")


MISMATCH = ("synack-source-mismatch",)

CASES = (
    Case(
        "synack-source-mismatch",
        reply_untranslated,
        r">S <SA >R( >S <SA >R)+",
        causes=MISMATCH,
        near_misses=("connection-refused", "half-open"),
        captures={"server.pcap": Truth(r">S <SA >R( >S <SA >R)+", near_misses=MISMATCH)},
    ),
    Case(
        "dnat",
        translated,
        CONVERSATION,
        near_misses=MISMATCH,
        healthy=True,
        captures={"router.pcapng": Truth(near_misses=MISMATCH, healthy=True)},
    ),
    Case("several-servers", several_servers, near_misses=MISMATCH, healthy=True),
)
