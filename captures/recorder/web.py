"""Cases of a real web server: nginx, asked by curl."""

import subprocess
from pathlib import Path

from case import HANDSHAKE, TALK, Case
from lab import CLIENT, SERVER, Lab, must, pause
from programs import Program, configuration

CONFIGURATION = """
daemon off; master_process off; pid {temporary}/nginx.pid; error_log stderr warn; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log /dev/stdout; default_type text/plain;
    client_body_temp_path {temporary}; proxy_temp_path {temporary}; fastcgi_temp_path {temporary};
    uwsgi_temp_path {temporary}; scgi_temp_path {temporary};
    keepalive_timeout 2s;
    server {{
        listen 10.0.0.2:80;
        location / {{ return 200 "hello\\n"; }}
        location /large {{ alias {large}; }}
        location /nothing {{ return 444; }}
    }}
}}
"""
LARGE_BYTES = 20_000


def http(lab: Lab) -> None:
    """curl asks nginx for three pages over one connection and closes it."""
    nginx = _nginx(lab)
    _curl(lab, "/", "/large", "/")
    _must_log(lab, nginx, "200", 3)


def http_keep_alive_ends(lab: Lab) -> None:
    """A client keeps the connection after its page; nginx closes it after 2 idle seconds, then the client."""
    nginx = _nginx(lab)
    client = lab.bound(lab.client, CLIENT)
    client.connect(SERVER)
    client.sendall(b"GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n")
    while client.recv(4096):
        pass
    client.close()
    _must_log(lab, nginx, "200", 1)


def empty_reply(lab: Lab) -> None:
    """nginx is told to close without an answer (status 444, which it only logs); curl complains of an empty reply."""
    nginx = _nginx(lab)
    _curl(lab, "/nothing", fails_with=52)
    _must_log(lab, nginx, "444", 1)


def health_check(lab: Lab) -> None:
    """A load balancer's health checks: each connects to nginx, sends nothing and closes."""
    _nginx(lab)
    for check in range(3):
        client = lab.bound(lab.client, (CLIENT[0], CLIENT[1] + check))
        client.connect(SERVER)
        pause(0.05)
        client.close()
        pause(0.2)


def _nginx(lab: Lab) -> Program:
    """nginx on the server, the client's side recorded."""
    lab.two_hosts()
    large = configuration(lab, "large", "".join(f"line {n}\n" for n in range(LARGE_BYTES // 10)))
    text = CONFIGURATION.format(large=large, temporary=Path(large).parent / "temporary")
    nginx = Program(lab, lab.server, "nginx", "-c", configuration(lab, "nginx.conf", text))
    nginx.wait_for_port(SERVER[1])
    lab.record("client")
    return nginx


def _curl(lab: Lab, *pages: str, fails_with: int = 0) -> None:
    command = ["curl", "--silent", "--local-port", str(CLIENT[1]), *(f"http://{SERVER[0]}{page}" for page in pages)]
    done = subprocess.run(lab.client.command(*command), stdout=subprocess.DEVNULL)
    lab.observe("client", "curl exit status", done.returncode)
    must(done.returncode == fails_with, f"curl ended with {done.returncode}")


def _must_log(lab: Lab, nginx: Program, status: str, times: int) -> None:
    pause(0.1)
    lines = nginx.log(f'" {status} ')
    lab.observe("server", "nginx access.log", lines)
    must(len(lines) == times, f"nginx logged {nginx.log()}")


CASES = (
    Case(
        "http",
        http,
        rf"{HANDSHAKE}{TALK}>FA (<A )?<FA >A",
        near_misses=("empty-reply", "nagle-delayed-ack", "truncated-frames", "one-sided-capture"),
        healthy=True,
    ),
    Case(
        "http-keep-alive-ends",
        http_keep_alive_ends,
        rf"{HANDSHAKE}{TALK}<FA >FA <A",
        near_misses=("empty-reply", "idle-timeout", "keepalive-timeout", "close-wait-stuck"),
        healthy=True,
    ),
    Case("empty-reply", empty_reply, rf"{HANDSHAKE}>D <A <FA >FA <A", causes=("empty-reply",)),
    Case(
        "health-check",
        health_check,
        rf"({HANDSHAKE}>FA (<A )?<FA >A ?){{3}}",
        near_misses=("empty-reply", "sidecar-reset", "port-exhaustion"),
        healthy=True,
    ),
)
