"""Cases of a pod whose inbound connections go through a real Envoy, as in a service mesh.

client 10.6.2.2 --- pod 10.7.3.3: nftables redirect what comes for port 8080 to Envoy on 15006, which
looks at the first bytes, as it does to tell TLS from plain text, and only then connects to the
application, from 127.0.0.6 to the pod's own address, over lo.
"""

import contextlib
import json
import socket
from typing import Any

from case import HANDSHAKE, TALK, Case, Route, Truth
from lab import Lab, close_in_turn, must, pause
from programs import Program, configuration, envoy, output
from topology import Station, join, record_at

CLIENT, APPLICATION = ("10.6.2.2", 40000), ("10.7.3.3", 8080)
INBOUND = 15006
FROM_SIDECAR = "127.0.0.6"
PORTS = "net.ipv4.ip_local_port_range=40001 60999"
REDIRECT = """
table ip sidecar {
  chain inbound {
    type nat hook prerouting priority dstnat
    iifname "eth0" tcp dport 8080 counter redirect to :15006
  }
}
"""
SILENT = """
table ip silent {
  chain input {
    type filter hook input priority filter
    iifname "lo" tcp dport 8080 counter drop
  }
}
"""
REQUEST = b"GET /orders/17 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: recorder\r\nAccept: */*\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 600\r\n\r\n" + b"." * 600
LOG = "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON% upstream=%UPSTREAM_HOST% "
LOG += "client=%DOWNSTREAM_REMOTE_ADDRESS% received=%BYTES_RECEIVED% sent=%BYTES_SENT%"

Config = dict[str, Any]


class Pod:
    """A client, and a pod with Envoy before its application; recorded at client, pod:eth0 and pod:lo."""

    def __init__(self, lab: Lab, filter: Config) -> None:
        self.lab = lab
        self.client, self.pod = lab.host("client"), lab.host("pod")
        join(lab, Station(self.client, "eth0", CLIENT[:1]), Station(self.pod, "eth0", APPLICATION[:1]))
        self.client.ip("route", "add", "10.7.0.0/16", "dev", "eth0")
        self.pod.ip("route", "add", "10.6.0.0/16", "dev", "eth0")
        self.pod.set(PORTS)
        self.pod.nft(REDIRECT)
        config = configuration(lab, "envoy.json", json.dumps(bootstrap(filter)))
        quiet = "--concurrency 1 --log-level error --disable-hot-restart".split()
        self.envoy = Program(lab, self.pod, envoy(), "-c", config, *quiet)
        self.envoy.wait_for_port(INBOUND)
        record_at(lab, (self.client, "eth0"), (self.pod, "eth0"), (self.pod, "lo"))

    def request(self) -> socket.socket:
        """The client connects and sends its request."""
        near = self.lab.bound(self.client, CLIENT)
        near.connect(APPLICATION)
        near.sendall(REQUEST)
        return near

    def listen(self) -> socket.socket:
        return self.lab.listen(APPLICATION, self.pod)

    def accept(self, listener: socket.socket) -> socket.socket:
        """The application takes what the sidecar hands it, and reads the request."""
        far, _ = listener.accept()
        self.lab.enter_context(far).settimeout(10)
        far.recv(65536)
        return far

    def tell(self, said: str) -> None:
        """Keep what Envoy's log says of the connection; `said` must be among it. Envoy writes it when it ends."""
        pause(0.3)
        self.envoy.stop()
        log = self.envoy.log("upstream=")
        self.lab.observe("pod", "envoy", log)
        must(any(said in line for line in log), f"Envoy does not say {said}: {log}")


# Envoy's configuration


def extension(kind: str, type_name: str, **settings: object) -> Config:
    """One of Envoy's extensions: its name, the type of its settings, the settings."""
    return {
        "name": f"envoy.{kind}",
        "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}.v3.{type_name}", **settings},
    }


ACCESS_LOG = {
    "name": "envoy.access_loggers.stdout",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        "log_format": {"text_format_source": {"inline_string": LOG + "\n"}},
    },
}
TCP: Config = extension(
    "filters.network.tcp_proxy", "TcpProxy", stat_prefix="inbound", cluster="inbound", access_log=[ACCESS_LOG]
)
EARLY_TCP: Config = extension(
    "filters.network.tcp_proxy",
    "TcpProxy",
    stat_prefix="inbound",
    cluster="inbound",
    access_log=[ACCESS_LOG],
    upstream_connect_mode="ON_DOWNSTREAM_DATA",
    max_early_data_bytes=8192,
)
HTTP: Config = extension(
    "filters.network.http_connection_manager",
    "HttpConnectionManager",
    stat_prefix="inbound",
    access_log=[ACCESS_LOG],
    http_filters=[extension("filters.http.router", "Router")],
    route_config={
        "virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "inbound"}}]}
        ]
    },
)


def bootstrap(filter: Config) -> Config:
    """A listener that every inbound connection is redirected to, and a cluster: wherever it was going."""
    listener = {
        "name": "inbound",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": INBOUND}},
        "listener_filters": [
            extension("filters.listener.original_dst", "OriginalDst"),
            extension("filters.listener.tls_inspector", "TlsInspector"),
        ],
        "filter_chains": [{"filters": [filter]}],
    }
    cluster = {
        "name": "inbound",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "upstream_bind_config": {"source_address": {"address": FROM_SIDECAR, "port_value": 0}},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


# the cases


def healthy(lab: Lab) -> None:
    """An HTTP request through the sidecar: the client's connection ends in Envoy, another leads to the application."""
    pod = Pod(lab, TCP)
    with pod.listen() as listener:
        near = pod.request()
        far = pod.accept(listener)
    far.sendall(ANSWER)
    near.recv(65536)
    pause(0.1)
    close_in_turn(near, far)
    pod.tell(f"upstream={APPLICATION[0]}:{APPLICATION[1]}")


def reset(lab: Lab) -> None:
    """The application's port is closed: Envoy has taken the client's connection, and the request
    lies unread in its socket when its own connection is refused, so that its close is a reset."""
    pod = Pod(lab, TCP)
    near = pod.request()
    with contextlib.suppress(ConnectionResetError):
        near.recv(1)
    pod.tell("delayed_connect_error:_Connection_refused")


def reset_after_silence(lab: Lab) -> None:
    """SYNs to the application are dropped on lo: Envoy gives up after its connect timeout of 5 s and resets."""
    pod = Pod(lab, TCP)
    pod.pod.nft(SILENT)
    near = pod.request()
    with contextlib.suppress(ConnectionResetError):
        near.recv(1)
    dropped = output(pod.pod, "nft", "list", "chain", "ip", "silent", "input").splitlines()
    lab.observe("pod", "nft", [line.strip() for line in dropped if "counter" in line])
    pod.tell("UF,URX")


def empty_reply(lab: Lab) -> None:
    """Envoy reads the request before it connects; refused by the application, it closes in order, without a byte."""
    pod = Pod(lab, EARLY_TCP)
    near = pod.request()
    near.recv(1)
    pause(0.1)
    near.close()
    pod.tell("delayed_connect_error:_Connection_refused")


def unavailable(lab: Lab) -> None:
    """Envoy speaks HTTP: refused by the application, it answers 503 itself. To TCP nothing is wrong with the client."""
    pod = Pod(lab, HTTP)
    near = pod.request()
    must(near.recv(65536).startswith(b"HTTP/1.1 503"), "Envoy did not answer 503")
    pause(0.1)
    near.close()
    pod.tell("delayed_connect_error:_Connection_refused")


POINTS = ("client", "pod:eth0", "pod:lo")
REQUESTED = rf"{HANDSHAKE}>D <A "


def route(*causes: str, reply: tuple[str, ...] = POINTS[::-1], **more: Any) -> Route:
    return Route("proxy", POINTS, reply, causes, **more)


CASES = (
    Case(
        "sidecar",
        healthy,
        rf"{HANDSHAKE}{TALK}>FA .*",
        healthy=True,
        near_misses=("sidecar-reset", "upstream-refused"),
        route=route(healthy=True, near_misses=("lost-between", "upstream-refused")),
    ),
    Case(
        "sidecar-reset",
        reset,
        rf"{REQUESTED}<RA",
        causes=("sidecar-reset",),
        near_misses=("abortive-close", "first-data-reset", "reset-injected"),
        captures={"pod-lo.pcap": Truth(r">S <RA", ("connection-refused",))},
        route=route("sidecar-reset", "upstream-refused", reset_by="pod"),
    ),
    Case(
        "sidecar-upstream-silent",
        reset_after_silence,
        rf"{REQUESTED}<RA",
        causes=("sidecar-reset",),
        near_misses=("abortive-close", "first-data-reset"),
        captures={"pod-lo.pcap": Truth(r">S( >S)+", ("syn-unanswered",))},
        route=route("sidecar-reset", "upstream-refused", reply=("pod:eth0", "client"), reset_by="pod"),
    ),
    Case(
        "sidecar-empty-reply",
        empty_reply,
        rf"{REQUESTED}<FA .*",
        causes=("empty-reply",),
        near_misses=("sidecar-reset",),
        captures={"pod-lo.pcap": Truth(r">S <RA", ("connection-refused",))},
        route=route("empty-reply", "upstream-refused"),
    ),
    Case(
        "sidecar-503",
        unavailable,
        rf"{REQUESTED}<D >A >FA .*",
        near_misses=("sidecar-reset", "empty-reply", "abortive-close"),
        healthy=True,
        captures={"pod-lo.pcap": Truth(r">S <RA", ("connection-refused",))},
        route=route("upstream-refused", near_misses=("sidecar-reset", "empty-reply")),
    ),
)
