"""What the heads of HTTP/1 requests (RFC 9112) say of the client (RFC 7239) and of the request's identity."""

import re
from collections.abc import Mapping
from typing import NamedTuple

HEADS_MAX = 16
"""Requests of one stream that are looked at."""

_HEAD = re.compile(rb"([A-Z]{3,16}) (\S{1,2048}) HTTP/1\.[01]\r\n((?:[!-9;-~]{1,64}:[^\r\n]*\r\n)*)")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")
_FORWARDED_FOR = re.compile(r'for="?([^";,]+)"?', re.IGNORECASE)
_PORT = re.compile(r"(\[.*\]|[^:\[\]]*):(\d{1,5})$")

ID_HEADERS = ("x-request-id", "x-correlation-id", "x-b3-traceid")
"""Headers whose value names a request all along its way."""


class Head(NamedTuple):
    """One request."""

    request: str
    """`GET /orders/17`."""
    ids: frozenset[str]
    """`x-request-id 7f3a-0017`, `traceparent 4bf9...` (W3C Trace Context): without what changes from hop to hop."""
    forwarded_for: tuple[str, str] | None
    """The header and the address, of the nearest client that a proxy names; an address may end with a port."""
    at: int
    """Where it begins among the bytes that were looked at."""


def heads(data: bytes) -> tuple[Head, ...]:
    """The requests in the first bytes of a stream, those whose headers are cut included."""
    if not _HEAD.match(data):
        return ()
    found = []
    for match, _ in zip(_HEAD.finditer(data), range(HEADS_MAX), strict=False):
        method, target, lines = (field.decode("latin-1") for field in match.groups())
        found.append(_head(f"{method} {target}", _headers(lines), match.start()))
    return tuple(found)


def statuses(data: bytes) -> tuple[int, ...]:
    """The status codes of the answers in the first bytes of a stream."""
    return tuple(int(code) for code in _STATUS.findall(data)) if _STATUS.match(data) else ()


def _headers(lines: str) -> Mapping[str, str]:
    """Values by names in lower case; those of one name are joined as RFC 9110 section 5.3 says."""
    headers: dict[str, str] = {}
    for line in lines.splitlines():
        name, _, value = line.partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers


def _head(request: str, headers: Mapping[str, str], at: int) -> Head:
    ids = {f"{name} {headers[name]}" for name in ID_HEADERS if headers.get(name)}
    if trace := _TRACE.match(headers.get("traceparent", "")):
        ids.add(f"traceparent {trace[1]}")
    return Head(request, frozenset(ids), _forwarded_for(headers), at)


def _forwarded_for(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The last entry: each proxy adds who called it."""
    if named := _FORWARDED_FOR.findall(headers.get("forwarded", "")):
        return "forwarded", named[-1].strip()
    if listed := headers.get("x-forwarded-for"):
        return "x-forwarded-for", listed.rpartition(",")[2].strip()
    return None


def is_named(named: str, client: str) -> bool:
    """Whether a header's address, with or without a port, is that of an end `10.0.0.1:40000`."""
    address, _, _ = client.rpartition(":")
    if _PORT.match(named):
        return named.strip('"') == client
    return named.strip("[]") == address.strip("[]")
