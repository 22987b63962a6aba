"""Cases of many connections at once, and of clients that look alike: nothing is joined that does not belong."""

import select
import socket
from collections.abc import Iterator
from typing import NamedTuple

from case import Case, Route
from directing import FORTH
from drop import Drop
from fates import LoseAtRandom
from fullnat import Director
from hosts import Host
from ipvs import VIP, Site
from lab import Address, Lab, must, pause, read
from topology import Station, connect, plug, record_at
from uml import under_uml
from wire import Wire

CLIENTS = tuple(("10.0.0.1", 40000 + number) for number in range(24))
REQUEST_BYTES, ANSWER_BYTES = 80, 200
SHARE, SEED = 0.12, 3
LOST_MIN = 3
PATIENCE_S = 5.0

PRIVATE, SERVER = ("192.168.0.2", 40000), ("203.0.113.80", 80)
GATEWAYS = ("203.0.113.1", "203.0.113.2")
MASQUERADE = """
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "eth1" counter masquerade
  }
}
"""


class Talk(NamedTuple):
    """A connection, and the realserver that has it, by number."""

    client: Address
    near: socket.socket
    far: socket.socket
    realserver: int


@under_uml
def through_dr(lab: Lab) -> None:
    """24 connections at once through DR to two realservers in turn; of the requests the back wire loses some."""
    _through(lab, "dr")


@under_uml
def through_nat(lab: Lab) -> None:
    """24 connections at once through NAT to two realservers in turn; of the requests the back wire loses some."""
    _through(lab, "nat")


def _through(lab: Lab, mode: str) -> None:
    dice = _crowd(Site(lab, mode, realservers=2))
    for (client, seq, length), times in dice.lost.items():
        number = _realserver(lab, client)
        lab.dropped(Drop("client", seq, length, "lvs:eth1", f"rs{number}:bond1", times, client))


def _crowd(site: Site) -> LoseAtRandom:
    """All connect, then all ask, then all are answered, twice; then all close."""
    lab = site.lab
    site.record()
    dice = LoseAtRandom(SHARE, SEED)
    site.back.treat("left", dice)
    talks = list(_connected(site))
    for _ in range(2):
        for talk in talks:
            talk.near.sendall(b"." * REQUEST_BYTES)
        for talk in talks:
            read(talk.far, REQUEST_BYTES)
            talk.far.sendall(b"." * ANSWER_BYTES)
            read(talk.near, ANSWER_BYTES)
        pause(0.2)
    for end in (end for talk in talks for end in (talk.near, talk.far)):
        end.close()
    pause(0.5)
    for talk in talks:
        own = f"rs{talk.realserver}"
        way = (*FORTH[:-1], f"{own}:bond1")
        lab.conversed(talk.client, way, way[::-1] if site.mode == "nat" else (f"{own}:bond0", "client"))
    must(len(dice.lost) >= LOST_MIN, "too few were lost")
    return dice


def _connected(site: Site) -> Iterator[Talk]:
    """One after the other; which realserver takes it, the director decides."""
    listeners = [site.listen(number) for number in range(len(site.realservers))]
    for client in CLIENTS:
        near = site.lab.bound(site.client, client)
        near.connect(VIP)
        ready, _, _ = select.select(listeners, (), (), PATIENCE_S)
        must(len(ready) == 1, "not one realserver took the connection")
        far, _ = ready[0].accept()
        far.settimeout(20)
        yield Talk(client, near, site.lab.enter_context(far), listeners.index(ready[0]) + 1)


def _realserver(lab: Lab, client: str) -> str:
    """The number of the realserver that has a client's connection."""
    (request,) = [one["request"] for one in lab.path["conversations"] if one["client"] == client]
    return str(request[-1]).removeprefix("rs").partition(":")[0]


def behind_two_gateways(lab: Lab) -> None:
    """Two clients with the same private address and port, each behind a gateway of its own that masquerades it,
    ask the same server for the same at the same time."""
    server = lab.host("server")
    sides = [_private_side(lab, number) for number in (1, 2)]
    for _, gateway in sides:
        gateway.set("net.ipv4.ip_forward=1")
        gateway.nft(MASQUERADE)
    outside = [Station(gateway, "eth1", (own,)) for (_, gateway), own in zip(sides, GATEWAYS, strict=True)]
    plug(lab, "net", *outside, Station(server, "eth0", SERVER[:1]))
    _ask_alike(lab, sides, server, SERVER)


def behind_two_directors(lab: Lab) -> None:
    """Two clients with the same private address and port, each before a FULLNAT director of its own (built here), ask
    the same server for the same at the same time; to the server, each director shows an address of its own."""
    server = lab.host("server")
    sides = [_private_side(lab, number) for number in (1, 2)]
    outside = [Station(gateway, "eth1") for _, gateway in sides]
    plug(lab, "net", *outside, Station(server, "eth0", SERVER[:1]))
    for (client, gateway), own, shift in zip(sides, GATEWAYS, (0x2A51C0DE, 0x51C0DE2A), strict=True):
        server.neighbours("eth0", gateway.mac("eth1"), own)
        director = Director(
            service=(socket.inet_aton(VIP[0]), VIP[1]),
            server=(socket.inet_aton(SERVER[0]), SERVER[1]),
            local=socket.inet_aton(own),
            macs_to_server=_macs(server, "eth0", gateway, "eth1"),
            macs_to_client=_macs(client, "eth0", gateway, "eth0"),
            shift=shift,
        )
        wire = Wire(gateway, "eth0", "eth1", 0.0002, {"left": director.to_server, "right": director.to_client})
        lab.callback(wire.close)
    _ask_alike(lab, sides, server, VIP)


def _private_side(lab: Lab, number: int) -> tuple[Host, Host]:
    """A client and its gateway."""
    client, gateway = lab.host(f"client{number}"), lab.host(f"gateway{number}")
    connect(Station(client, "eth0", PRIVATE[:1]), Station(gateway, "eth0", ("192.168.0.1",)))
    client.ip("route", "add", "default", "via", "192.168.0.1")
    return client, gateway


def _macs(to: Host, port: str, of: Host, its: str) -> bytes:
    return b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (to.mac(port), of.mac(its)))


def _ask_alike(lab: Lab, sides: list[tuple[Host, Host]], server: Host, service: Address) -> None:
    """Both connect and ask; both are answered, and close."""
    points = [
        (host, port)
        for client, gateway in sides
        for host, port in ((client, "eth0"), (gateway, "eth0"), (gateway, "eth1"))
    ]
    record_at(lab, *points, (server, "eth0"))
    listener = lab.listen(SERVER, server)
    nears = [lab.bound(client, PRIVATE) for client, _ in sides]
    fars = []
    for near in nears:
        near.connect(service)
        fars.append(lab.enter_context(listener.accept()[0]))
    must(len({far.getpeername() for far in fars}) == 2, "to the server, both are one")
    for sender, receiver, length in (
        *zip(nears, fars, (80, 80), strict=True),
        *zip(fars, nears, (3000, 3000), strict=True),
    ):
        sender.sendall(b"." * length)
        read(receiver, length)
    pause(0.1)
    for end in (*nears, *fars):
        end.close()
        pause(0.1)
    for number in (1, 2):
        way = (f"client{number}:eth0", f"gateway{number}:eth0", f"gateway{number}:eth1", "server:eth0")
        lab.conversed(PRIVATE, way, way[::-1])


NEAR = ("vanished-in-host", "untranslated-reply", "director-timeout", "vip-arp-conflict", "backend-down")
UNHARMED = ("lost-between", "vanished-in-host", "untranslated-reply", "asymmetric-path", "capture-loss")
EITHER = ("client", "lvs:eth0", "lvs:eth1", "rs1:bond1 or rs2:bond1")
ONE_OF_TWO = tuple(
    f"{place.format(1)} or {place.format(2)}" for place in ("client{}:eth0", "gateway{}:eth0", "gateway{}:eth1")
)
ALIKE = (*ONE_OF_TWO, "server:eth0")

CASES = (
    Case(
        "crowd-dr",
        through_dr,
        route=Route("dr", EITHER, ("rs1:bond0 or rs2:bond0", "client"), ("lost-between", "asymmetric-path"), NEAR),
    ),
    Case(
        "crowd-nat",
        through_nat,
        route=Route("nat", EITHER, EITHER[::-1], ("lost-between",), (*NEAR, "asymmetric-path")),
    ),
    Case(
        "same-client-two-gateways",
        behind_two_gateways,
        healthy=True,
        route=Route("nat", ALIKE, ALIKE[::-1], (), UNHARMED, healthy=True),
    ),
    Case(
        "same-client-two-directors",
        behind_two_directors,
        healthy=True,
        route=Route("fullnat", ALIKE, ALIKE[::-1], (), UNHARMED, healthy=True),
        built=True,
    ),
)
