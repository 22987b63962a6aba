"""The PROXY protocol's two versions."""

import ipaddress
import struct

import pytest

from tcptrace.correlation.proxy_header import ProxyHeader, proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def binary(family: int, body: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(body)) + body


IPV4 = ipaddress.IPv4Address("10.0.0.1").packed + ipaddress.IPv4Address("10.0.0.254").packed + struct.pack(">HH", 4, 80)
IPV6 = (
    ipaddress.IPv6Address("2001:db8::1").packed
    + ipaddress.IPv6Address("::ffff:10.0.0.254").packed
    + struct.pack(">HH", 40000, 443)
)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\n", ProxyHeader(1, "10.0.0.1:40000", "10.0.0.254:80", 41)),
        (b"PROXY TCP6 2001:DB8::1 ::1 4 80\r\n", ProxyHeader(1, "[2001:db8::1]:4", "[::1]:80", 33)),
        (b"PROXY UNKNOWN\r\n", ProxyHeader(1, "", "", 15)),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ProxyHeader(1, "", "", 43)),
        (b"PROXY TCP4 999.0.0.1 10.0.0.254 40000 80\r\n", ProxyHeader(1, "", "10.0.0.254:80", 42)),
        (b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80", None),
        (b"PROXY TCP4 " + b"1" * 200 + b"\r\n", None),
        (b"GET / HTTP/1.1\r\n", None),
        (b"", None),
        (binary(0x11, IPV4), ProxyHeader(2, "10.0.0.1:4", "10.0.0.254:80", 28)),
        (binary(0x11, IPV4 + b"\x03\0\4abcd"), ProxyHeader(2, "10.0.0.1:4", "10.0.0.254:80", 35)),
        (binary(0x21, IPV6), ProxyHeader(2, "[2001:db8::1]:40000", "10.0.0.254:443", 52)),
        (binary(0x00, b"", command=0x20), ProxyHeader(2, "", "", 16)),
        (binary(0x11, IPV4)[:20], ProxyHeader(2, "", "", 28)),
        (binary(0x31, bytes(216)), ProxyHeader(2, "", "", 232)),
        (SIGNATURE, None),
    ],
)
def test_header(data: bytes, header: ProxyHeader | None) -> None:
    assert proxy_header(data) == header
    assert header is None or len(data) < header.length or proxy_header(data + b"GET / HTTP/1.1\r\n") == header
