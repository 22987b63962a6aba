"""The PROXY protocol: the first bytes of a proxy's own connection name the client that it stands for.

Source: The PROXY protocol, versions 1 and 2 (www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
"""

import ipaddress
import re
from typing import NamedTuple

_TEXT = re.compile(rb"PROXY (?:TCP[46] ([\da-fA-F.:]+) ([\da-fA-F.:]+) (\d{1,5}) (\d{1,5})|UNKNOWN[^\r]*)\r\n")
_TEXT_BYTES_MAX = 107
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES = 16
_COMMAND_PROXY = 0x21
"""Version 2, on behalf of a client; 0x20 is the proxy's own connection, such as a health check."""
_ADDRESS_BYTES = {0x11: 4, 0x21: 16}
"""Family and transport → length of an address: TCP over IPv4, over IPv6."""


class ProxyHeader(NamedTuple):
    """What it says; the ends are empty where it names none."""

    version: int
    client: str
    """`10.0.0.1:40000`."""
    server: str
    """What the client called."""
    length: int
    """Bytes of it, before the client's own."""


def proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that a stream begins with; None when there is none."""
    if data.startswith(_SIGNATURE) and len(data) >= _FIXED_BYTES:
        return _binary(data)
    match = _TEXT.match(data, 0, _TEXT_BYTES_MAX)
    if match is None:
        return None
    source, target, sport, dport = (field.decode() if field else "" for field in match.groups())
    return ProxyHeader(1, _end(source, sport), _end(target, dport), match.end())


def _binary(data: bytes) -> ProxyHeader:
    length = _FIXED_BYTES + int.from_bytes(data[14:16])
    width = _ADDRESS_BYTES.get(data[13], 0)
    ports = _FIXED_BYTES + 2 * width
    if data[12] != _COMMAND_PROXY or not width or min(length, len(data)) < ports + 4:
        return ProxyHeader(2, "", "", length)
    client, server = (
        endpoint(ipaddress.ip_address(data[at : at + width]), int.from_bytes(data[port : port + 2]))
        for at, port in ((_FIXED_BYTES, ports), (_FIXED_BYTES + width, ports + 2))
    )
    return ProxyHeader(2, client, server, length)


def _end(address: str, port: str) -> str:
    try:
        return endpoint(ipaddress.ip_address(address), int(port))
    except ValueError:
        return ""


def endpoint(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    """`10.0.0.1:80` or `[2001:db8::1]:80`, an IPv4 address in IPv6 (RFC 4291 section 2.5.5.2) as what it is."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
