"""Sites of several hosts: addresses, cables with a length, switches, bonds, points of recording."""

from dataclasses import dataclass

from hosts import OFFLOADS, Host, cable
from lab import DELAY_S, Lab
from wire import Wire


@dataclass(frozen=True)
class Station:
    """A host's interface on a network, and the addresses it has there; with `slaves` it is a bond."""

    host: Host
    interface: str
    addresses: tuple[str, ...] = ()
    slaves: tuple[str, ...] = ()

    @property
    def ports(self) -> tuple[str, ...]:
        return self.slaves or (self.interface,)

    def assign(self) -> None:
        """Bond what is to be bonded, and take the addresses."""
        if self.slaves:
            self._bond()
        self.host.address(self.interface, *(f"{address}/24" for address in self.addresses))

    def _bond(self) -> None:
        self.host.ip("link", "add", self.interface, *"type bond mode active-backup miimon 100".split())
        for slave in self.slaves:
            self.host.ip("link", "set", slave, "down")
            self.host.ip("link", "set", slave, "master", self.interface)
        self.host.run("ethtool", "-K", self.interface, *(word for name in OFFLOADS for word in (name, "off")))
        self.host.ip("link", "set", self.interface, "addrgenmode", "none", "up")


def join(lab: Lab, left: Station, right: Station, delay_s: float = DELAY_S) -> Wire:
    """left --- wire --- right, each way `delay_s` long; both have their addresses and know each other's MAC."""
    wire = lay(lab, left.host, left.interface, right.host, right.interface, delay_s)
    _settle(left, right)
    return wire


def connect(left: Station, right: Station, *, offload: bool = False) -> None:
    """left === right, a cable without length."""
    cable(left.host, left.interface, right.host, right.interface, offload=offload)
    _settle(left, right)


def _settle(*stations: Station) -> None:
    for station in stations:
        station.assign()
    acquaint(*stations)


def plug(lab: Lab, name: str, *stations: Station) -> Host:
    """A switch and a cable to each station, who have their addresses and know each other's MAC; returns the switch."""
    switch = lab.host(name)
    switch.ip("link", "add", "br0", "type", "bridge")
    switch.ip("link", "set", "br0", "addrgenmode", "none", "up")
    for station in stations:
        for port in station.ports:
            cable(station.host, port, switch, f"{station.host.name}-{port}")
            switch.ip("link", "set", f"{station.host.name}-{port}", "master", "br0")
        station.assign()
        learn(switch, f"{station.host.name}-{station.ports[0]}", station)
    acquaint(*stations)
    return switch


def learn(switch: Host, port: str, station: Station) -> None:
    """The switch knows where a station is, though it may never send: nothing is flooded to others' points."""
    switch.run("bridge", "fdb", "replace", station.host.mac(station.interface), "dev", port, "master", "static")


def lay(lab: Lab, left: Host, left_port: str, right: Host, right_port: str, delay_s: float = DELAY_S) -> Wire:
    """A wire between two ports."""
    middle = lab.host(f"{left.name}-{left_port}-wire")
    cable(left, left_port, middle, "left")
    cable(right, right_port, middle, "right")
    wire = Wire(middle, "left", "right", delay_s)
    lab.callback(wire.close)
    return wire


def acquaint(*stations: Station) -> None:
    """Everyone on a network knows everyone's MAC, so no ARP is recorded."""
    for station in stations:
        for peer in stations:
            if peer is not station:
                station.host.neighbours(station.interface, peer.host.mac(peer.interface), *peer.addresses)


def record_at(lab: Lab, *points: tuple[Host, str]) -> None:
    """Record at several points, each into `host-interface.pcap`; a client has but one."""
    for host, interface in points:
        lab.record("client" if host.name == "client" else f"{host.name}-{interface}", host, interface)
