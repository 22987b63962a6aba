"""Cases of a real HAProxy between a client and an application, each on its own network.

client 10.0.0.1 --- 10.0.0.254 proxy 10.0.1.254 --- 10.0.1.2 application
"""

import socket

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Route, Truth
from lab import CLIENT, Lab, close_in_turn, must, pause
from programs import Program, configuration
from topology import Station, join, record_at

SERVICE, APPLICATION, BACK = ("10.0.0.254", 80), ("10.0.1.2", 8080), "10.0.1.254"
PORTS = "net.ipv4.ip_local_port_range=40001 60999"
CONFIGURATION = """
global
    log stdout format raw daemon
defaults
    log global
    mode {mode}
    option {mode}log
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    retries 2
frontend service
    bind {service}
    default_backend application
backend application
    {option}
    server one {application} {server}
"""
REQUEST = b"GET /orders/17 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: recorder\r\nX-Request-ID: 7f3a-0017\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 600\r\n\r\n" + b"." * 600
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
"""How version 2 of the PROXY protocol begins."""


class Site:
    """A client, a proxy and an application; recorded at each, on both sides of the proxy, which is HAProxy."""

    def __init__(self, lab: Lab, mode: str, server: str = "", option: str = "") -> None:
        """`mode` is HAProxy's; empty: the proxy is another, which the case runs itself."""
        self.lab = lab
        self.client, self.proxy, self.application = (lab.host(name) for name in ("client", "proxy", "app"))
        join(lab, Station(self.client, "eth0", CLIENT[:1]), Station(self.proxy, "eth0", SERVICE[:1]))
        join(lab, Station(self.proxy, "eth1", (BACK,)), Station(self.application, "eth0", APPLICATION[:1]), 0.001)
        self.proxy.set(PORTS)
        if mode:
            self._run_haproxy(mode, server, option)
        record_at(lab, (self.client, "eth0"), (self.proxy, "eth0"), (self.proxy, "eth1"), (self.application, "eth0"))

    def _run_haproxy(self, mode: str, server: str, option: str) -> None:
        told = CONFIGURATION.format(
            mode=mode, server=server, option=option, service=_named(SERVICE), application=_named(APPLICATION)
        )
        self.haproxy = Program(
            self.lab, self.proxy, "haproxy", "-db", "-f", configuration(self.lab, "haproxy.cfg", told)
        )
        self.haproxy.wait_for_port(SERVICE[1])

    def request(self) -> socket.socket:
        """The client connects and sends its request."""
        near = self.lab.bound(self.client, CLIENT)
        near.connect(SERVICE)
        near.sendall(REQUEST)
        return near

    def converse(self) -> bytes:
        """One request, one answer, and the client closes; what the application was sent."""
        with self.lab.listen(APPLICATION, self.application) as listener:
            near = self.request()
            far, _ = listener.accept()
        self.lab.enter_context(far).settimeout(10)
        got = b""
        while not got.endswith(b"\r\n\r\n") or b"GET" not in got:
            got += far.recv(4096)
        far.sendall(ANSWER)
        near.recv(4096)
        pause(0.1)
        close_in_turn(near, far)
        self.lab.observe("app", "received", got.decode("latin-1").splitlines())
        return got

    def tell(self, said: str) -> None:
        """Keep HAProxy's line about the connection; `said` must be in it."""
        pause(0.3)
        log = self.haproxy.log(CLIENT[0])
        self.lab.observe("proxy", "haproxy", log)
        must(any(said in line for line in log), f"HAProxy does not say {said}: {self.haproxy.log()}")


def _named(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def version_1(lab: Lab) -> None:
    """HAProxy passes bytes on, after a line of text that names the client: version 1 of the PROXY protocol."""
    site = Site(lab, "tcp", "send-proxy")
    must(site.converse().startswith(b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\n"), "no PROXY line")
    site.tell("service application/one")


def version_2(lab: Lab) -> None:
    """HAProxy passes bytes on, after a binary header that names the client: version 2 of the PROXY protocol."""
    site = Site(lab, "tcp", "send-proxy-v2")
    must(site.converse().startswith(V2), "no PROXY header")
    site.tell("service application/one")


def plain(lab: Lab) -> None:
    """HAProxy passes bytes on and adds nothing: only what the two connections carry, and when, ties them together."""
    site = Site(lab, "tcp")
    must(site.converse() == REQUEST, "the request was changed")
    site.tell("service application/one")


def forwarded_for(lab: Lab) -> None:
    """HAProxy speaks HTTP: it writes the request anew and names the client in X-Forwarded-For."""
    site = Site(lab, "http", option="option forwardfor")
    must(b"x-forwarded-for: 10.0.0.1" in site.converse(), "no X-Forwarded-For")
    site.tell('"GET /orders/17 HTTP/1.1"')


def refused(lab: Lab) -> None:
    """The application's port is closed. HAProxy has read the request; it tries three times, a second apart,
    is refused each time, and closes the client's connection in order, without a byte."""
    site = Site(lab, "tcp", "send-proxy")
    near = site.request()
    must(near.recv(1) == b"", "the client was answered")
    pause(0.1)
    near.close()
    site.tell(" SC ")


def refused_http(lab: Lab) -> None:
    """The application's port is closed and HAProxy speaks HTTP: after three refusals it answers 503 itself."""
    site = Site(lab, "http")
    near = site.request()
    must(near.recv(4096).startswith(b"HTTP/1.1 503"), "HAProxy did not answer 503")
    pause(0.1)
    near.close()
    site.tell(" 503 ")


POINTS = ("client", "proxy:eth0", "proxy:eth1", "app:eth0")
NEAR = ("upstream-refused", "lost-between", "vanished-in-host", "backend-down")
WHOLE = rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}"
CONVERSED = rf"{HANDSHAKE}{TALK}[<>]FA .*"
REFUSALS = r">S <RA >S <RA >S <RA"
UPSTREAM = ("proxy-eth1.pcap", "app-eth0.pcap")


def _route(*causes: str, near_misses: tuple[str, ...] = NEAR, healthy: bool = False) -> Route:
    return Route("proxy", POINTS, POINTS[::-1], causes, near_misses, healthy)


CASES = (
    Case("haproxy", plain, CONVERSED, healthy=True, route=_route(healthy=True)),
    Case("haproxy-proxy-v1", version_1, CONVERSED, healthy=True, route=_route(healthy=True)),
    Case("haproxy-proxy-v2", version_2, CONVERSED, healthy=True, route=_route(healthy=True)),
    Case("haproxy-forwarded-for", forwarded_for, CONVERSED, healthy=True, route=_route(healthy=True)),
    Case(
        "upstream-refused",
        refused,
        rf"{HANDSHAKE}>D <A <FA .*",
        causes=("empty-reply",),
        near_misses=("sidecar-reset", "close-wait-stuck"),
        captures={name: Truth(REFUSALS, ("connection-refused",)) for name in UPSTREAM},
        route=_route("upstream-refused", "empty-reply", near_misses=("sidecar-reset", "lost-between", "backend-down")),
    ),
    Case(
        "haproxy-503",
        refused_http,
        rf"{HANDSHAKE}>D <A <D.*",
        healthy=True,
        near_misses=("empty-reply", "sidecar-reset", "abortive-close"),
        captures={name: Truth(REFUSALS, ("connection-refused",)) for name in UPSTREAM},
        route=_route("upstream-refused", near_misses=("empty-reply", "sidecar-reset", "lost-between")),
    ),
)
