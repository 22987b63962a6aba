"""What requests say of the client and of themselves."""

import pytest

from tcptrace.correlation.http_heads import HEADS_MAX, heads, is_named


def head(*lines: str) -> bytes:
    return "\r\n".join(["GET /a HTTP/1.1", *lines, "", ""]).encode()


def test_requests_one_after_the_other() -> None:
    found = heads(head("Host: a") + b"POST /b HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" + head("X-Request-ID: 7"))
    assert [one.request for one in found] == ["GET /a", "POST /b", "GET /a"]
    assert [set(one.ids) for one in found] == [set(), set(), {"x-request-id 7"}]


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01", b"SSH-2.0-x\r\n", b"get / HTTP/1.1\r\n", b"GET /", b"\xff" * 3000]
)
def test_what_is_no_request(data: bytes) -> None:
    assert heads(data) == ()


def test_headers_that_are_cut_tell_what_is_there() -> None:
    (one,) = heads(head("X-Request-ID: 7", "X-Forwarded-For: 10.0.0.1")[:-10])
    assert (one.request, set(one.ids), one.forwarded_for) == ("GET /a", {"x-request-id 7"}, None)


def test_no_more_requests_than_needed() -> None:
    assert len(heads(head() * 100)) == HEADS_MAX


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (["X-REQUEST-ID:  7 "], {"x-request-id 7"}),
        (["x-request-id:"], set()),
        (["x-b3-traceid: ab", "X-Correlation-ID: c"], {"x-b3-traceid ab", "x-correlation-id c"}),
        (
            ["traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            {"traceparent 4bf92f3577b34da6a3ce929d0e0e4736"},
        ),
        (["traceparent: nonsense"], set()),
    ],
)
def test_ids(lines: list[str], ids: set[str]) -> None:
    (one,) = heads(head(*lines))
    assert one.ids == ids


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["X-Forwarded-For: 203.0.113.9, 10.0.0.1"], ("x-forwarded-for", "10.0.0.1")),
        (["X-Forwarded-For: 203.0.113.9", "x-forwarded-for: 10.0.0.1"], ("x-forwarded-for", "10.0.0.1")),
        (['Forwarded: for=192.0.2.60;proto=http, For="[2001:db8::1]:4711"'], ("forwarded", "[2001:db8::1]:4711")),
        (["X-Forwarded-For:"], None),
        ([], None),
    ],
)
def test_forwarded_for(lines: list[str], named: tuple[str, str] | None) -> None:
    (one,) = heads(head(*lines))
    assert one.forwarded_for == named


@pytest.mark.parametrize(
    ("named", "client", "is_so"),
    [
        ("10.0.0.1", "10.0.0.1:40000", True),
        ("10.0.0.1:40000", "10.0.0.1:40000", True),
        ("10.0.0.1:40001", "10.0.0.1:40000", False),
        ("10.0.0.2", "10.0.0.1:40000", False),
        ("2001:db8::1", "[2001:db8::1]:40000", True),
        ("[2001:db8::1]", "[2001:db8::1]:40000", True),
        ("[2001:db8::1]:40000", "[2001:db8::1]:40000", True),
        ("unknown", "10.0.0.1:40000", False),
        ("", "10.0.0.1:40000", False),
    ],
)
def test_is_named(named: str, client: str, is_so: bool) -> None:
    assert is_named(named, client) is is_so
