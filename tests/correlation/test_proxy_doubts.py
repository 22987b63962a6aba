"""What speaks against two streams being one conversation: recorded clients and upstreams, put together anew."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import tcptrace
from tests.correlation.proxied import GET, OK, at_points, client, upstream
from tests.correlation.wire import CAPTURES, Frame, Tcp, changed, dnat, recorded, write

DAYS_NS = 200 * 86_400 * 10**9
SIDECARS = ["sidecar", "sidecar-503", "sidecar-empty-reply", "sidecar-reset", "sidecar-upstream-silent"]


def shifted(frames: Sequence[Frame], by_ns: int) -> list[Frame]:
    return [Frame(frame.time_ns + by_ns, frame.data) for frame in frames]


def modes(folder: Path, points: dict[str, list[Frame]]) -> list[str]:
    return [one.mode for one in tcptrace.correlate(write(folder, points)).connections]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("other", ["clocks-dr-step", "reset-injected"])
def test_a_header_that_names_another_call_of_one_client(tmp_path: Path, other: str, version: str) -> None:
    """The same client address and port, elsewhere at another time: another destination, and other words."""
    upstreams = shifted(recorded(f"haproxy-proxy-{version}", "app-eth0.pcap"), DAYS_NS)
    result = tcptrace.correlate(write(tmp_path, {"client": recorded(other, "client.pcap"), "app": upstreams}))
    assert [one.mode for one in result.connections] == ["unknown", "unknown"]
    assert result.candidates == ()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_header_and_the_client_it_names(tmp_path: Path, version: str) -> None:
    case = f"haproxy-proxy-{version}"
    points = {"client": recorded(case, "client.pcap"), "app": shifted(recorded(case, "app-eth0.pcap"), DAYS_NS)}
    assert modes(tmp_path, points) == ["proxy"]


def test_a_destination_translated_before_the_proxy(tmp_path: Path) -> None:
    """The header has another address than the client called: equal words outweigh that."""
    called = changed(recorded("haproxy-proxy-v1", "client.pcap"), dnat("203.0.113.80:80"))
    points = {"client": called, "app": recorded("haproxy-proxy-v1", "app-eth0.pcap")}
    (one,) = tcptrace.correlate(write(tmp_path, points)).connections
    assert one.mode == "proxy"
    assert "its PROXY protocol header (version 1) names a client 10.0.0.1:40000 that called 10.0.0.254:80" in (
        one.mode_evidence
    )


def test_another_destination_alone_is_a_candidate(tmp_path: Path) -> None:
    """Nothing that was said can be read at the client, whose address and port alone speak for it."""
    called = [
        Frame(frame.time_ns, frame.data[:60])
        for frame in changed(recorded("haproxy-proxy-v1", "client.pcap"), dnat("203.0.113.80:80"))
    ]
    points = {"client": called, "app": recorded("haproxy-proxy-v1", "app-eth0.pcap")}
    result = tcptrace.correlate(write(tmp_path, points))
    assert [one.mode for one in result.connections] == ["unknown", "unknown"]
    assert [one.confidence for one in result.candidates] == [0.7]


def test_another_method_is_another_request(tmp_path: Path) -> None:
    header = b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\n"
    asked = GET.replace(b"GET", b"POST")
    joined = at_points(tmp_path, client=[client(1, request=asked)], app=[upstream(5001, 2.2, request=header + GET)])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_another_path_may_be_the_proxy_s_doing(tmp_path: Path) -> None:
    header = b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\n"
    asked = GET.replace(b"/orders", b"/shop/orders")

    def joined(reply: bytes) -> list[list[str]]:
        apart = at_points(
            tmp_path, client=[client(1, request=asked, reply=reply)], app=[upstream(5001, 2.2, request=header + GET)]
        )
        assert bool(apart.conversations) != bool(apart.candidates)
        return apart.clients()

    assert joined(OK) == [["10.0.0.1:40000", "10.0.1.254:5001"]]
    assert joined(OK.replace(b"hello", b"other")) == []


def test_an_id_of_two_cases_whose_answers_differ(tmp_path: Path) -> None:
    """One id is used again by another request of that client: its client was told 503, the upstream said 200."""
    points = {"client": recorded("haproxy-503", "client.pcap"), "app": recorded("nginx-reuse", "app-eth0.pcap")}
    result = tcptrace.correlate(write(tmp_path, points))
    assert "proxy" not in [one.mode for one in result.connections]
    assert all(one.confidence <= 0.7 for one in result.candidates)


def test_one_client_port_used_twice(tmp_path: Path) -> None:
    """Each connection has its own upstream: what began when the other had long ended is none of its."""
    names = ("client", "proxy-eth0", "proxy-eth1", "app-eth0")
    first, second = ("haproxy", "haproxy-proxy-v1")
    begun = [recorded(case, "client.pcap")[0].time_ns for case in (first, second)]
    later_ns = begun[0] + 70 * 10**9 - begun[1]
    points = {
        name.replace("-", ":"): [
            *recorded(first, f"{name}.pcap"),
            *shifted(recorded(second, f"{name}.pcap"), later_ns),
        ]
        for name in names
    }
    result = tcptrace.correlate(write(tmp_path, points))
    assert [one.mode for one in result.connections] == ["proxy", "proxy"]
    assert result.candidates == ()


def ipv6(one: Tcp) -> Tcp:
    """The same over IPv6, with Istio's addresses."""

    def address(told: str) -> str:
        return {"127.0.0.1": "::1", "127.0.0.6": "::6"}.get(told, f"fd00::{told}")

    return one._replace(src=address(one.src), dst=address(one.dst))


@pytest.mark.parametrize("case", SIDECARS)
def test_a_sidecar_of_ipv6(tmp_path: Path, case: str) -> None:
    captures = {name: (CAPTURES / case / f"{name.replace(':', '-')}.pcap") for name in ("client", "pod:eth0", "pod:lo")}
    six = {name: changed(recorded(case, path.name), ipv6) for name, path in captures.items()}
    here, there = (tcptrace.correlate(paths) for paths in (captures, write(tmp_path, six)))
    assert [one.mode for one in there.connections] == ["proxy"]
    assert [one.rule for one in there.found] == [one.rule for one in here.found]


def test_a_host_that_calls_itself_is_no_sidecar(tmp_path: Path) -> None:
    """What is called within a host by its own address comes from that address: not from a sidecar."""
    check = upstream(5001, 2.2, answers=15)
    itself = replace(check, client="10.0.0.254:5001", server="10.0.0.254:80")
    joined = at_points(tmp_path, proxy_eth0=[client(1)], proxy_lo=[itself])
    assert joined.conversations == []


def at_once(folder: Path, first: str, second: str) -> tcptrace.Correlation:
    """Two recorded sidecars as one: their clients come at one moment, the second from port 40011."""

    def moved(one: Tcp) -> Tcp:
        return one._replace(**{end: getattr(one, end) + 11 for end in ("sport", "dport") if getattr(one, end) > 8080})

    points = {}
    begun = [recorded(case, "client.pcap")[0].time_ns for case in (first, second)]
    for name in ("client", "pod:eth0", "pod:lo"):
        here, there = (recorded(case, f"{name.replace(':', '-')}.pcap") for case in (first, second))
        points[name] = sorted([*here, *changed(shifted(there, begun[0] - begun[1]), moved)])
    return tcptrace.correlate(write(folder, points))


def test_a_try_behind_the_upstream_that_answers_is_another_client_s(tmp_path: Path) -> None:
    """A proxy tries the next upstream when one has failed, not while one has the request."""
    result = at_once(tmp_path, "sidecar", "sidecar-reset")
    assert sorted((one.client, len(one.streams)) for one in result.connections) == [
        ("10.6.2.2:40000", 2),
        ("10.6.2.2:40011", 2),
    ]
    assert result.candidates == ()
    assert [one.rule for one in result.found] == ["upstream-refused"]


def test_a_try_before_the_upstream_that_answers_may_be_either_client_s(tmp_path: Path) -> None:
    """The first of two for one client, or the only one for the other, which was told nothing but its end."""
    result = at_once(tmp_path, "sidecar-empty-reply", "sidecar")
    joined = [one for one in result.connections if len(one.streams) > 1]
    assert [(one.client, len(one.streams)) for one in joined] == [("10.6.2.2:40011", 2)]
    assert [len(one.streams) for one in result.candidates] == [3]
