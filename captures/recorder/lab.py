"""The lab of one case: its hosts, wires, sockets and recordings, set up as needed, all cleared away after."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drop import Drop
from hosts import Host, cable
from wire import Change, Wire

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
CLIENT_IPV6, SERVER_IPV6 = ("fd00::1", 40000), ("fd00::2", 80)
ROUTED, ROUTED_IPV6 = ("10.0.1.2", 80), ("fd01::2", 80)
"""The server when it is behind a router."""

DELAY_S = 0.005
SETTLE_S = 0.3
TRUNK_MTU = 1508
"""A full frame of 1500 bytes and two tags (IEEE 802.1ad)."""

REQUEST_BYTES = 80
CHUNK_BYTES = 60_000
"""What a receiver holds unread, as sender and receiver are one thread here."""

BUFFER_KIB = "16384"
READY = {"tcpdump": "listening on", "dumpcap": "File:"}
NOTHING_DROPPED = re.compile(r"^0 packets dropped by kernel|\(pcap:0/dumpcap:0/", re.MULTILINE)

Address = tuple[str, int]


class NotShownError(Exception):
    """The recording does not show what its case is about, and is made again."""


class Lab(contextlib.ExitStack):
    """What a case builds with. `client` and `server` are hosts; `wire` is the cable between them."""

    client: Host
    server: Host
    wire: Wire

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.observed: dict[str, Any] = {}
        self.path: dict[str, Any] = {}
        """What only the recording itself tells of the path: it goes beside the case's route into truth.json."""
        self._recorders: list[subprocess.Popen[str]] = []

    # hosts and cables

    def host(self, name: str, *, ipv6: bool = False) -> Host:
        host = Host(name, ipv6=ipv6)
        self.callback(host.close)
        return host

    def two_hosts(self, delay_s: float = DELAY_S, *, ipv6: bool = False) -> None:
        """client --- wire --- server, each way `delay_s` long."""
        self._endpoints(ipv6)
        middle = self.host("wire")
        cable(self.client, "eth0", middle, "left")
        cable(self.server, "eth0", middle, "right")
        self._acquaint("eth0")
        self.wire = self._wire(middle, delay_s)

    def two_hosts_on_a_cable(self, *, offload: bool) -> None:
        """client === server, nothing between, segmentation offloads as wanted."""
        self._endpoints()
        cable(self.client, "eth0", self.server, "eth0", offload=offload)
        self._acquaint("eth0")

    def two_hosts_over_a_trunk(self, tag: Change, untag: Change) -> Host:
        """client --- switch === switch --- server; returns the left switch, whose `trunk` carries tags."""
        self._endpoints()
        left, right = self.host("left"), self.host("right")
        cable(self.client, "eth0", left, "access")
        cable(self.server, "eth0", right, "access")
        cable(left, "trunk", right, "trunk")
        self._acquaint("eth0")
        for switch in (left, right):
            switch.ip("link", "set", "trunk", "mtu", str(TRUNK_MTU))
            self._wire(switch, DELAY_S, "access", "trunk", {"left": tag, "right": untag})
        return left

    def two_hosts_behind_a_router(self, *, ipv6: bool = False) -> Host:
        """client --- router --- server in two networks; returns the router (eth0 to the client, eth1 to the server)."""
        self._endpoints(ipv6)
        router = self.host("router", ipv6=ipv6)
        router.set("net.ipv4.ip_forward=1", *(["net.ipv6.conf.all.forwarding=1"] if ipv6 else []))
        cable(self.client, "eth0", router, "eth0")
        cable(self.server, "eth0", router, "eth1")
        self._route(router, (CLIENT[0], "10.0.0.254"), (ROUTED[0], "10.0.1.254"), 24)
        if ipv6:
            self._route(router, (CLIENT_IPV6[0], "fd00::fe"), (ROUTED_IPV6[0], "fd01::fe"), 64)
        return router

    def _route(self, router: Host, client_side: tuple[str, str], server_side: tuple[str, str], bits: int) -> None:
        """Addresses of one family (host, gateway) on both sides of a router, and everyone's MAC."""
        sides = ((self.client, "eth0", *client_side), (self.server, "eth1", *server_side))
        for host, interface, address, gateway in sides:
            host.address("eth0", f"{address}/{bits}")
            router.address(interface, f"{gateway}/{bits}")
            host.ip("route", "add", "default", "via", gateway)
            host.neighbours("eth0", router.mac(interface), gateway)
            router.neighbours(interface, host.mac("eth0"), address)

    def more_clients(self, *addresses: str) -> None:
        """The client has further addresses, which the server knows: several clients as the server sees them."""
        self.client.address("eth0", *(f"{address}/24" for address in addresses))
        self.server.neighbours("eth0", self.client.mac("eth0"), *addresses)

    def _endpoints(self, ipv6: bool = False) -> None:
        self.client, self.server = self.host("client", ipv6=ipv6), self.host("server", ipv6=ipv6)

    def _acquaint(self, interface: str) -> None:
        """Addresses of both families where the host has them, and each other's MAC."""
        pairs = ((self.client, CLIENT, CLIENT_IPV6), (self.server, SERVER, SERVER_IPV6))
        for (host, ipv4, ipv6), (peer, peer_ipv4, peer_ipv6) in (pairs, pairs[::-1]):
            with_ipv6 = _has_ipv6(host)
            host.address(interface, f"{ipv4[0]}/24", *([f"{ipv6[0]}/64"] if with_ipv6 else []))
            known = [peer_ipv4[0], *([peer_ipv6[0]] if with_ipv6 else [])]
            host.neighbours(interface, peer.mac(interface), *known)

    def _wire(
        self,
        host: Host,
        delay_s: float,
        left: str = "left",
        right: str = "right",
        change: dict[str, Change] | None = None,
    ) -> Wire:
        wire = Wire(host, left, right, delay_s, change)
        self.callback(wire.close)
        return wire

    # sockets

    def listen(self, address: Address = SERVER, host: Host | None = None, backlog: int = 128) -> socket.socket:
        listener = self.bound(host or self.server, address)
        listener.listen(backlog)
        return listener

    def bound(self, host: Host, address: Address) -> socket.socket:
        """A bound TCP socket, kept until the recordings have stopped."""
        made = host.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(10)
        made.bind(address)
        return self.enter_context(made)

    def dial(self, client: Address = CLIENT, server: Address = SERVER) -> socket.socket:
        """A client's socket with its SYN under way; what comes of it the case does not wait for."""
        near = self.bound(self.client, client)
        near.setblocking(False)
        near.connect_ex(server)
        return near

    def connect(self, client: Address = CLIENT, server: Address = SERVER) -> tuple[socket.socket, socket.socket]:
        """A connection: the client's socket and the server's."""
        with self.listen(server) as listener:
            near = self.bound(self.client, client)
            near.connect(server)
            far, _ = listener.accept()
        far.settimeout(10)
        return near, self.enter_context(far)

    # recordings

    def record(self, point: str, host: Host | None = None, interface: str = "eth0", *options: str) -> None:
        """Run tcpdump at `point` (the client unless told) until the case ends."""
        file = self.folder / f"{point}.pcap"
        self._record(
            host or self.client,
            [
                "tcpdump",
                "-i",
                interface,
                "-w",
                str(file),
                "-U",
                "--immediate-mode",
                "-B",
                BUFFER_KIB,
                "-Z",
                "root",
                *options,
            ],
        )

    def record_at_both_ends(self, *options: str) -> None:
        """Run tcpdump at the client and at the server."""
        for host in (self.client, self.server):
            self.record(host.name, host, "eth0", *options)

    def record_pcapng(self, point: str, host: Host, *interfaces: str) -> None:
        """Run dumpcap over several interfaces of a host until the case ends."""
        named = [word for interface in interfaces for word in ("-i", interface)]
        self._record(host, ["dumpcap", *named, "-w", str(self.folder / f"{point}.pcapng")])

    def _record(self, host: Host, command: list[str]) -> None:
        self._recorders.append(self.start_recorder(host, command))

    def start_recorder(self, host: Host, command: list[str]) -> subprocess.Popen[str]:
        """Run tcpdump or dumpcap, once it is ready; a case that ends it itself need not drop nothing."""
        recorder = subprocess.Popen(host.command(*command), stderr=subprocess.PIPE, text=True)
        self.callback(recorder.kill)
        assert recorder.stderr is not None
        said = ""
        while READY[command[0]] not in said:
            line = recorder.stderr.readline()
            if not line:
                raise RuntimeError(f"{command[0]} did not start:\n{said}")
            said += line
        return recorder

    def stop_recording(self) -> bool:
        """Let what is under way arrive, then end the recorders; whether they have dropped nothing."""
        pause(SETTLE_S)
        complete = True
        while self._recorders:
            recorder = self._recorders.pop()
            recorder.send_signal(signal.SIGINT)
            _, said = recorder.communicate()
            complete &= bool(NOTHING_DROPPED.search(said))
        return complete

    # what proves the case

    def observe(self, place: str, kind: str, what: object) -> None:
        """Keep in truth.json what was seen at a place: counters, sockets, lines of a log."""
        self.observed.setdefault(place, {})[kind] = what

    def dropped(self, *drops: Drop) -> None:
        """Keep in truth.json what was dropped on the path, where chance decided."""
        self.path.setdefault("dropped", []).extend(asdict(drop) for drop in drops)

    def conversed(self, client: Address, request: Sequence[str], reply: Sequence[str]) -> None:
        """Keep in truth.json that a client's connection took this path, one of several."""
        named = {"client": f"{client[0]}:{client[1]}", "request": list(request), "reply": list(reply)}
        self.path.setdefault("conversations", []).append(named)

    def count(self, host: Host, *counters: str) -> dict[str, int]:
        """The host's counters as they stand (`nstat`), kept in truth.json; 0 for one that never counted."""
        shown = subprocess.check_output(host.command("nstat", "-asz"), text=True)
        told = dict(line.split()[:2] for line in shown.splitlines() if not line.startswith("#"))
        counted = {counter: int(told.get(counter, 0)) for counter in counters}
        self.observed.setdefault(host.name, {}).setdefault("nstat", {}).update(counted)
        return counted

    def matched(self, host: Host) -> dict[str, int]:
        """The packets that the named counters of the host's nftables rules have matched, kept in truth.json."""
        shown = json.loads(subprocess.check_output(host.command("nft", "-j", "list", "counters")))["nftables"]
        told = {entry["counter"]["name"]: entry["counter"]["packets"] for entry in shown if "counter" in entry}
        self.observe(host.name, "nft", told)
        return told

    def sockets(self, host: Host, *filters: str) -> list[str]:
        """The host's TCP sockets (`ss`), kept in truth.json."""
        command = host.command("ss", "-tanoH", *filters)
        shown = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
        lines = [" ".join(line.split()) for line in shown.splitlines()]
        self.observe(host.name, "ss", lines)
        return lines


def must(shown: bool, what: str) -> None:
    """The decisive observation of a case: it holds, or the case is recorded again."""
    if not shown:
        raise NotShownError(what)


def _has_ipv6(host: Host) -> bool:
    shown = subprocess.check_output(host.command("sysctl", "-n", "net.ipv6.conf.default.disable_ipv6"), text=True)
    return shown.strip() == "0"


def pause(seconds: float) -> None:
    """Time for the kernels and the wire to do what the line before has started."""
    time.sleep(seconds)


def talk(client: socket.socket, server: socket.socket, answer_bytes: int = 3000) -> None:
    """One request, one answer, both read in full, and time for a delayed ACK."""
    for sender, receiver, length in ((client, server, REQUEST_BYTES), (server, client, answer_bytes)):
        for start in range(0, length, CHUNK_BYTES):
            chunk = b"." * min(CHUNK_BYTES, length - start)
            sender.sendall(chunk)
            read(receiver, len(chunk))
    pause(0.1)


def close_in_turn(first: socket.socket, second: socket.socket) -> None:
    """The first end closes, the other 100 ms later."""
    for end in (first, second):
        end.close()
        pause(0.1)


def read(receiver: socket.socket, length: int) -> None:
    """Read just so many bytes."""
    while length:
        length -= len(receiver.recv(length))
