"""Hosts of a recording: network namespaces, the veth cables between them, sockets inside them.

One Python process plays every host: a socket belongs to the namespace its thread was in when it
was made, so a case is a few lines in order, without processes to keep in step.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
OFFLOADS = "tso gso gro lro tx rx sg".split()
PREFIX = f"tcptrace-{os.getpid()}-"

_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: str, told: str = "") -> None:
    """Run a command, `told` being its input; its output is shown only when it fails."""
    done = subprocess.run(command, input=told, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


class Host:
    """A network namespace; IPv6 stays off unless asked for, as its chatter would be recorded too."""

    def __init__(self, name: str, *, ipv6: bool = False) -> None:
        self.name = name
        self.netns = PREFIX + name
        run("ip", "netns", "add", self.netns)
        if not ipv6:
            self.set("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.ip("link", "set", "lo", "up")

    def close(self) -> None:
        run("ip", "netns", "del", self.netns)

    def command(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.netns, *command]

    def run(self, *command: str) -> None:
        run(*self.command(*command))

    def ip(self, *arguments: str) -> None:
        run("ip", "-n", self.netns, *arguments)

    def set(self, *sysctls: str) -> None:
        self.run("sysctl", "-qw", *sysctls)

    def nft(self, rules: str) -> None:
        """Load nftables rules, in the language of `nft -f`."""
        run(*self.command("nft", "-f", "-"), told=rules)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread inside the namespace (os.setns came with Python 3.12)."""
        with Path("/proc/thread-self/ns/net").open() as outside, Path("/run/netns", self.netns).open() as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(outside.fileno())

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        with self.inside():
            return socket.socket(family, kind, protocol)

    def address(self, interface: str, *addresses: str) -> None:
        for address in addresses:
            self.ip("address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))

    def mac(self, interface: str) -> str:
        shown = subprocess.check_output(["ip", "-n", self.netns, "-brief", "link", "show", interface], text=True)
        return shown.split()[2]

    def neighbours(self, interface: str, mac: str, *addresses: str) -> None:
        """Known in advance, so no ARP or neighbour discovery is recorded."""
        for address in addresses:
            self.ip("neighbour", "replace", address, "lladdr", mac, "dev", interface, "nud", "permanent")


def cable(left: Host, left_interface: str, right: Host, right_interface: str, *, offload: bool = False) -> None:
    """A veth pair between two hosts; offloads off, so that frames are what a wire would carry."""
    ends = ((left, left_interface), (right, right_interface))
    left.ip("link", "add", left_interface, "type", "veth", "peer", right_interface, "netns", right.netns)
    for host, interface in ends:
        if not offload:
            host.run("ethtool", "-K", interface, *(word for name in OFFLOADS for word in (name, "off")))
        host.ip("link", "set", interface, "addrgenmode", "none", "up")


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")
