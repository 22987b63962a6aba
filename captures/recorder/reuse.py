"""Cases of a proxy that keeps its connection to the application for the next client: ids tell whose request is whose.

The site is that of proxies.py. The upstream connection is opened for the first client and serves the second as well.
"""

import socket

from case import Case, Route
from lab import CLIENT, Lab, close_in_turn, must, pause
from programs import Program, configuration
from proxies import ANSWER, APPLICATION, NEAR, POINTS, SERVICE, Site

REQUEST = "GET /orders/{number} HTTP/1.1\r\nHost: shop.example\r\nX-Request-ID: 7f3a-00{number}\r\n\r\n"
NGINX = """
daemon off; master_process off; pid {temporary}/nginx.pid; error_log stderr warn; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log /dev/stdout;
    client_body_temp_path {temporary}; proxy_temp_path {temporary}; fastcgi_temp_path {temporary};
    uwsgi_temp_path {temporary}; scgi_temp_path {temporary};
    upstream application {{ server {application}; keepalive 4; }}
    server {{
        listen {service};
        location / {{
            proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


def by_haproxy(lab: Lab) -> None:
    """HAProxy speaks HTTP and hands the second client's request to the connection that it opened for the first."""
    site = Site(lab, "http", option="http-reuse always")
    _two_clients(site)
    site.tell('"GET /orders/18 HTTP/1.1"')


def by_nginx(lab: Lab) -> None:
    """The same by nginx, which names each client in X-Forwarded-For."""
    site = Site(lab, "")
    place = configuration(lab, "nginx.conf", "")
    ends = {"application": f"{APPLICATION[0]}:{APPLICATION[1]}", "service": f"{SERVICE[0]}:{SERVICE[1]}"}
    told = NGINX.format(temporary=place.removesuffix("/nginx.conf"), **ends)
    nginx = Program(lab, site.proxy, "nginx", "-c", configuration(lab, "nginx.conf", told))
    nginx.wait_for_port(SERVICE[1])
    _two_clients(site)
    pause(0.2)
    lab.observe("proxy", "nginx", nginx.log("GET"))
    must(len(nginx.log('" 200 ')) == 2, "nginx did not answer twice")


def _two_clients(site: Site) -> None:
    """Two clients, one after the other: a request each, one connection to the application for both."""
    lab = site.lab
    with lab.listen(APPLICATION, site.application) as listener:
        first = _ask(site, 0)
        far, _ = listener.accept()
        lab.enter_context(far).settimeout(10)
        received = [_answer(first, far)]
        second = _ask(site, 1)
        received.append(_answer(second, far))
    lab.observe("app", "received on one connection", received)
    for near in (first, second):
        near.close()
        pause(0.1)
    close_in_turn(far, far)
    lab.conversed(CLIENT, POINTS, POINTS[::-1])
    lab.conversed((CLIENT[0], CLIENT[1] + 1), POINTS[:2], POINTS[1::-1])


def _ask(site: Site, number: int) -> socket.socket:
    near = site.lab.bound(site.client, (CLIENT[0], CLIENT[1] + number))
    near.connect(SERVICE)
    near.sendall(REQUEST.format(number=17 + number).encode())
    return near


def _answer(near: socket.socket, far: socket.socket) -> list[str]:
    """The application answers; what it was sent."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += far.recv(4096)
    far.sendall(ANSWER)
    left = len(ANSWER)
    while left > 0:
        left -= len(near.recv(4096))
    pause(0.1)
    return got.decode("latin-1").splitlines()


ROUTE = Route("proxy", POINTS, POINTS[::-1], (), NEAR, healthy=True)

CASES = (
    Case("haproxy-reuse", by_haproxy, healthy=True, route=ROUTE),
    Case("nginx-reuse", by_nginx, healthy=True, route=ROUTE),
)
