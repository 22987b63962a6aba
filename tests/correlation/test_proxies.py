"""Streams through proxies and sidecars: who belongs to whom, and who only seems to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.correlation.proxied import GET, OK, at_points, client, of_case, upstream

CAPTURES = Path(__file__).parents[2] / "captures"
RECORDED = {
    "haproxy": 2,
    "haproxy-proxy-v1": 2,
    "haproxy-proxy-v2": 2,
    "haproxy-forwarded-for": 2,
    "haproxy-503": 4,
    "upstream-refused": 4,
    "sidecar": 2,
    "sidecar-reset": 2,
    "sidecar-503": 2,
    "sidecar-empty-reply": 2,
    "sidecar-upstream-silent": 2,
}
"""Case → streams of its one conversation, retries included."""
NO_PROXY = ["cluster-ip", "ipvs-dr", "ipvs-nat", "fullnat", "several-servers", "many-connections", "backend-down"]


@pytest.mark.parametrize("case", RECORDED)
def test_recorded_through_a_proxy(case: str) -> None:
    joined = of_case(CAPTURES / case)
    (one,) = joined.conversations
    assert one.streams == tuple(range(RECORDED[case]))
    assert joined.client_of(0).endswith(":40000")
    assert one.confidence >= 0.85
    assert not joined.candidates


@pytest.mark.parametrize("case", NO_PROXY)
def test_recorded_without_a_proxy(case: str) -> None:
    joined = of_case(CAPTURES / case)
    assert (joined.conversations, joined.candidates) == ([], [])


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("haproxy-proxy-v1", "its PROXY protocol header (version 1) names the client 10.0.0.1:40000"),
        ("haproxy-proxy-v2", "its PROXY protocol header (version 2) names the client 10.0.0.1:40000"),
        ("haproxy-forwarded-for", "its x-forwarded-for names the client 10.0.0.1"),
        ("haproxy-forwarded-for", "the same x-request-id 7f3a-0017 on both"),
        ("haproxy", "the server's 666 bytes are the same"),
        ("upstream-refused", "one of 3 tries in a row"),
        ("sidecar-upstream-silent", "goes to 10.7.3.3:8080, which the client called, from loopback"),
    ],
)
def test_the_evidence_is_told(case: str, words: str) -> None:
    (one,) = of_case(CAPTURES / case).conversations
    assert words in one.evidence


def test_bytes_passed_on_are_one_conversation(tmp_path: Path) -> None:
    joined = at_points(tmp_path, proxy_eth0=[client(1)], proxy_eth1=[upstream(5001, 2.2, answers=15)])
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"]]


def test_one_interface_for_both_sides_does(tmp_path: Path) -> None:
    joined = at_points(tmp_path, proxy=[client(1), upstream(5001, 2.2, answers=15)])
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"]]


def test_unrelated_streams_of_one_host_stay_apart(tmp_path: Path) -> None:
    query = upstream(5001, 2.2, request=b"SELECT price FROM orders", reply=b"[17]", answers=15)
    joined = at_points(tmp_path, host_eth0=[client(1)], host_eth1=[query])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_a_refused_connection_that_comes_by_chance_stays_apart(tmp_path: Path) -> None:
    joined = at_points(tmp_path, host_eth0=[client(1, answers=40)], host_eth1=[upstream(5001, 15, refused=True)])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_a_health_check_stays_apart(tmp_path: Path) -> None:
    check = upstream(5001, 2.2, request=b"", reply=b"", ends=5)
    joined = at_points(tmp_path, proxy_eth0=[client(1)], proxy_eth1=[check])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_calls_of_one_client_are_not_each_others_upstream(tmp_path: Path) -> None:
    first = client(1, is_near_server=False)
    second = replace(first, client="10.0.0.1:40001", server="10.0.0.253:80", at=1, answers=10)
    joined = at_points(tmp_path, client=[first, second])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_two_clients_with_equal_requests_are_ambiguous(tmp_path: Path) -> None:
    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1), client(2, at=0.1)],
        proxy_eth1=[upstream(5001, 2.3, answers=15), upstream(5002, 2.35, answers=15)],
    )
    assert joined.conversations == []
    assert joined.maybe() == [
        ["10.0.0.1:40000", "10.0.0.2:40000", "10.0.1.254:5001"],
        ["10.0.0.1:40000", "10.0.0.2:40000", "10.0.1.254:5002"],
    ]
    assert all(candidate.confidence <= 0.5 for candidate in joined.candidates)


def test_equal_requests_one_after_the_other_are_told_by_time(tmp_path: Path) -> None:
    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1), client(2, at=100)],
        proxy_eth1=[upstream(5001, 2.2, answers=15), upstream(5002, 102.2, answers=15)],
    )
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"], ["10.0.0.2:40000", "10.0.1.254:5002"]]


@pytest.mark.parametrize(
    "name", ["x-request-id: 42-{}", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473{}-00f067aa0ba902b7-01"]
)
def test_equal_requests_are_told_by_an_id(tmp_path: Path, name: str) -> None:
    def request(number: int, by: bytes = b"") -> bytes:
        return GET[:-2] + by + name.format(number).encode() + b"\r\n\r\n"

    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1, request=request(1)), client(2, at=0.1, request=request(2))],
        proxy_eth1=[
            upstream(5002, 2.3, request=request(2, b"Via: proxy\r\n"), answers=15),
            upstream(5001, 2.35, request=request(1, b"Via: proxy\r\n"), answers=15),
        ],
    )
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"], ["10.0.0.2:40000", "10.0.1.254:5002"]]


def test_equal_requests_are_told_by_the_client_they_name(tmp_path: Path) -> None:
    def named(number: int) -> bytes:
        return GET[:-2] + f"X-Forwarded-For: 203.0.113.9, 10.0.0.{number}\r\n\r\n".encode()

    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1), client(2, at=0.1)],
        proxy_eth1=[
            upstream(5002, 2.3, request=named(2), answers=15),
            upstream(5001, 2.35, request=named(1), answers=15),
        ],
    )
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"], ["10.0.0.2:40000", "10.0.1.254:5002"]]


def test_a_connection_kept_for_several_clients_is_ambiguous(tmp_path: Path) -> None:
    kept = upstream(5001, 2.2, answers=15, more=GET, ends=110)
    joined = at_points(tmp_path, proxy_eth0=[client(1), client(2, at=100)], proxy_eth1=[kept])
    assert joined.conversations == []
    assert joined.maybe() == [["10.0.0.1:40000", "10.0.1.254:5001"]]


def test_a_connection_kept_for_several_clients_whose_ids_tell_is_ambiguous_too(tmp_path: Path) -> None:
    first, second = (GET[:-2] + f"X-Request-ID: {number}\r\n\r\n".encode() for number in (1, 2))
    kept = upstream(5001, 2.2, request=first, answers=15, more=second, ends=110)
    clients = [client(1, request=first), client(2, at=100, request=second)]
    joined = at_points(tmp_path, proxy_eth0=clients, proxy_eth1=[kept])
    assert joined.conversations == []
    assert joined.maybe() == [["10.0.0.1:40000", "10.0.0.2:40000", "10.0.1.254:5001"]]


def test_an_upstream_of_no_shared_host_is_known_by_its_header(tmp_path: Path) -> None:
    header = b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\n"
    joined = at_points(
        tmp_path, client=[client(1), client(2)], app=[upstream(5001, 2.2, request=header + GET, reply=OK)]
    )
    assert joined.clients() == [["10.0.0.1:40000", "10.0.1.254:5001"]]


def test_without_a_shared_host_or_a_name_nobody_is_joined(tmp_path: Path) -> None:
    joined = at_points(tmp_path, client=[client(1)], app=[upstream(5001, 2.2)])
    assert (joined.conversations, joined.candidates) == ([], [])


def test_a_chain_of_proxies_is_one_conversation(tmp_path: Path) -> None:
    inner = replace(
        upstream(6001, 3.4, answers=12), client="10.0.2.254:6001", server="10.0.2.2:9090", is_near_server=False
    )
    outer_at_pod = upstream(5001, 2.3, answers=14)
    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1)],
        proxy_eth1=[upstream(5001, 2.2, answers=16)],
        pod_eth0=[replace(outer_at_pod, is_near_server=True)],
        pod_lo=[inner],
    )
    (clients,) = joined.clients()
    assert clients[0] == "10.0.0.1:40000"
    assert set(clients[1:]) == {"10.0.1.254:5001", "10.0.2.254:6001"}


def test_tls_ended_by_the_proxy_is_a_candidate(tmp_path: Path) -> None:
    hello = bytes.fromhex("160301010001000000") + bytes(range(200))
    joined = at_points(
        tmp_path,
        proxy_eth0=[client(1, request=hello, reply=bytes(300))],
        proxy_eth1=[upstream(5001, 2.2, answers=16.9)],
    )
    assert joined.conversations == []
    assert joined.maybe() == [["10.0.0.1:40000", "10.0.1.254:5001"]]
