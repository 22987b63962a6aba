"""Sites of several hosts: addresses, cables with a length, points of recording, and who owns which address."""

from dataclasses import dataclass

from hosts import Host, cable
from lab import DELAY_S, Lab
from wire import Wire


@dataclass(frozen=True)
class Station:
    """A host's interface on a network, and the addresses it has there."""

    host: Host
    interface: str
    addresses: tuple[str, ...] = ()

    def assign(self, prefix_bits: int = 24) -> None:
        self.host.address(self.interface, *(f"{address}/{prefix_bits}" for address in self.addresses))


def join(lab: Lab, left: Station, right: Station, delay_s: float = DELAY_S) -> Wire:
    """left --- wire --- right, each way `delay_s` long; both have their addresses and know each other's MAC."""
    middle = lab.host(f"{left.host.name}-{right.host.name}")
    cable(left.host, left.interface, middle, "left")
    cable(right.host, right.interface, middle, "right")
    wire = Wire(middle, "left", "right", delay_s)
    lab.callback(wire.close)
    for station in (left, right):
        station.assign()
    acquaint(left, right)
    return wire


def plug(lab: Lab, name: str, *stations: Station) -> Host:
    """A switch and a cable to each station, who have their addresses and know each other's MAC; returns the switch."""
    switch = lab.host(name)
    switch.ip("link", "add", "br0", "type", "bridge")
    switch.ip("link", "set", "br0", "addrgenmode", "none", "up")
    for station in stations:
        port = f"{station.host.name}-{station.interface}"
        cable(station.host, station.interface, switch, port)
        switch.ip("link", "set", port, "master", "br0")
        station.assign()
    acquaint(*stations)
    return switch


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
