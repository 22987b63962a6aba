"""Sites around a real IPVS director, under user-mode Linux.

    client --- router --- front --- director --- back --- realservers
                            |                               |
                            +------------- bond0 -----------+

client 10.0.0.1; the front network 10.1.0.0/24 with the VIP 10.1.0.100; the back network 10.2.0.0/24.
The director's eth0 is in front, its eth1 in the back; a realserver's bond0 is in front, its bond1 in
the back. 5 ms of wire lie before the router, and a wire between the director and the back network.
"""

import socket

from hosts import Host, cable
from lab import Lab, must
from programs import output
from topology import Station, acquaint, connect, join, lay, learn, plug, record_at
from wire import Wire

CLIENT, VIP = ("10.0.0.1", 40000), ("10.1.0.100", 80)
ROUTER, ROUTER_FRONT, DIRECTOR, DIRECTOR_BACK = "10.0.0.254", "10.1.0.254", "10.1.0.2", "10.2.0.2"
BACK_DELAY_S = 0.001
FORWARDING = {"dr": "-g", "nat": "-m", "tun": "-i"}
QUIET = ("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.send_redirects=0")


class Site:
    """A client, a router, a director and realservers; `back` is the wire between director and realservers."""

    back: Wire

    def __init__(
        self,
        lab: Lab,
        mode: str,
        realservers: int = 1,
        *,
        timeouts: str = "",
        acquainted: bool = True,
        wired: bool = True,
    ) -> None:
        """`acquainted`: the router knows the VIP's MAC. `wired`: else cables without length take the wires' place."""
        self.lab, self.mode, self.wired = lab, mode, wired
        self.client, self.router, self.director = (self._host(name) for name in ("client", "router", "lvs"))
        names = [f"rs{number}" for number in range(1, realservers + 1)] if realservers > 1 else ["rs"]
        self.realservers = [self._host(name) for name in names]
        self._front(acquainted)
        self._back()
        for number, realserver in enumerate(self.realservers, 1):
            self._take_vip(realserver, number)
        self._balance(timeouts)

    def _host(self, name: str) -> Host:
        host = self.lab.host(name)
        host.set(*QUIET)
        return host

    def _front(self, acquainted: bool) -> None:
        self.router.set("net.ipv4.ip_forward=1")
        ends = Station(self.client, "eth0", CLIENT[:1]), Station(self.router, "eth0", (ROUTER,))
        if self.wired:
            join(self.lab, *ends)
        else:
            connect(*ends)
        self.client.ip("route", "add", "default", "via", ROUTER)
        bonds = [
            Station(host, "bond0", (f"10.1.0.{10 + number}",), ("eth0", "eth1"))
            for number, host in enumerate(self.realservers, 1)
        ]
        stations = (
            Station(self.router, "eth1", (ROUTER_FRONT,)),
            Station(self.director, "eth0", (DIRECTOR,)),
            *bonds,
        )
        self.front = plug(self.lab, "front", *stations)
        self.director.address("eth0", f"{VIP[0]}/32")
        if acquainted:
            self.router.neighbours("eth1", self.director.mac("eth0"), VIP[0])
        for host in (self.director, *self.realservers):
            host.ip("route", "add", "default", "via", ROUTER_FRONT)

    def _back(self) -> None:
        bonds = [
            Station(host, "bond1", (f"10.2.0.{10 + number}",), ("eth2", "eth3"))
            for number, host in enumerate(self.realservers, 1)
        ]
        switch = plug(self.lab, "back", *bonds)
        if self.wired:
            self.back = lay(self.lab, self.director, "eth1", switch, "uplink", BACK_DELAY_S)
        else:
            cable(self.director, "eth1", switch, "uplink")
        switch.ip("link", "set", "uplink", "master", "br0")
        director = Station(self.director, "eth1", (DIRECTOR_BACK,))
        director.assign()
        learn(switch, "uplink", director)
        acquaint(director, *bonds)

    def _take_vip(self, realserver: Host, number: int) -> None:
        """DR and TUN: the realserver has the VIP too and answers clients itself; NAT: by way of the director."""
        if self.mode == "nat":
            realserver.ip("route", "replace", "default", "via", DIRECTOR_BACK)
            return
        realserver.set("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        realserver.ip("address", "add", f"{VIP[0]}/32", "dev", "lo" if self.mode == "dr" else "tunl0")
        if self.mode == "tun":
            realserver.ip("link", "set", "tunl0", "up")
            realserver.set("net.ipv4.conf.tunl0.rp_filter=0")

    def _balance(self, timeouts: str) -> None:
        self.director.set("net.ipv4.ip_forward=1")
        service = f"{VIP[0]}:{VIP[1]}"
        self.ipvsadm("-A", "-t", service, "-s", "rr")
        for number in range(1, len(self.realservers) + 1):
            self.ipvsadm("-a", "-t", service, "-r", f"10.2.0.{10 + number}:80", FORWARDING[self.mode])
        if timeouts:
            self.ipvsadm("--set", *timeouts.split())

    def ipvsadm(self, *arguments: str) -> str:
        return output(self.director, "ipvsadm", *arguments)

    def record(self, *bonds: str, also: tuple[tuple[Host, str], ...] = ()) -> None:
        """At the client, on both sides of the director, and on what each realserver uses."""
        used = bonds or (("bond1",) if self.mode == "nat" else ("bond1", "bond0"))
        record_at(
            self.lab,
            (self.client, "eth0"),
            *also,
            (self.director, "eth0"),
            (self.director, "eth1"),
            *((host, bond) for host in self.realservers for bond in used),
        )

    def listen(self, number: int = 0) -> socket.socket:
        address = (f"10.2.0.{11 + number}" if self.mode == "nat" else VIP[0], VIP[1])
        return self.lab.listen(address, self.realservers[number])

    def connect(self, listener: socket.socket, port: int = CLIENT[1]) -> tuple[socket.socket, socket.socket]:
        """A connection through the director: the client's socket and the realserver's."""
        near = self.lab.bound(self.client, (CLIENT[0], port))
        near.connect(VIP)
        far, _ = listener.accept()
        far.settimeout(10)
        return near, self.lab.enter_context(far)

    def tables(self, *must_say: str) -> None:
        """Keep the director's services and connections beside the captures."""
        connections = self.ipvsadm("-lnc")
        (self.lab.folder / "ipvsadm-ln.txt").write_text(self.ipvsadm("-ln"))
        (self.lab.folder / "ipvsadm-lnc.txt").write_text(connections)
        self.lab.observe("lvs", "ipvsadm -lnc", connections.splitlines()[2:])
        for words in must_say:
            must(words in connections, f"the director's table does not say {words}")
