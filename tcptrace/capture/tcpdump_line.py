"""One line of tcpdump's output: whether it begins a packet, and what stands around a TCP header.

A packet's line is `[number] [time] [interface] [direction] protocol ...`, each part by options.
With `-v` an IP header has a line of its own and the rest follows on an indented one; tunnels break
lines too.
"""

import re
from typing import NamedTuple

from tcptrace.capture.tcpdump_time import STAMP
from tcptrace.schema import UNKNOWN

HEAD = re.compile(
    r"(?P<indent>[ \t]*)(?:(?P<number>\d{1,10})[ \t]+)?(?:caplen \d+ len \d+ )?"
    rf"(?:(?:{STAMP})[ \t]+(?:\(invalid [un]s\)[ \t]+)?)?(?:\[(?:Error converting time|timestamp overflow)\][ \t]+)?"
    r"(?:(?:(?P<interface>[\w@.:?-]{1,16})[ \t]+)?(?P<direction>In|Out|B|M|P)[ \t]+)?"
)
"""What stands before the protocol; matches every line, with all groups empty where nothing does."""

_MAC = r"(?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2}"
_PROTOCOL = re.compile(
    "|".join(
        (
            r"IP6? {1,2}(?:\(|\[|truncated-ip6? |bad-\w+ |\S+ >(?: \S| ?$))|IP6?,",
            r"ip6?: (?:\(|\S+ > )|AF IPv",
            r"ARP, |arp (?:who-has|reply)|RARP",
            rf"{_MAC} (?:\(oui [^)]*\) )?(?:>|ethertype |Unknown )",
            rf"ifindex \d+ {_MAC} |(?:[bm]cast, |unicast, )?ethertype [A-Z]|DLT [A-Z]",
            r"\d+us tsft |IEEE 802|LLC, |LLDP, |STP 802|MPLS \(label|PPPoE |EAP packet|EAPOL |IS-IS, |ES-IS, |CLNP, ",
            r"AoE |BRCM tag|CDPv\d, |CFMv\d |DSA |DTPv\d, |EDSA 0x|FRF\.1[56] |GeoNet |IPOIB, |IPX |LACPv\d, ",
            r"LOOPBACK|Loopback, |MLPPP, |MS NLB |NSH, |OSSP, |PTPv\d|SLARP |TIPC v|UDLDv\d, |VIRTIO |VTPv\d, ",
            r"\[Invalid header",
        )
    )
)
"""How a packet begins, in tcpdump's words."""
_PROTOCOL_WITH_TIME = re.compile(
    "|".join(
        (
            r"\S{1,280}\.[\w-]+ > \S{1,280}\.[\w-]+:? ",
            r"\d+ > \d+, family |version 0, resource ID|\d+\.\d Mb/s |Q\.9[23]\d, |UI [0-9a-f]{2}! ",
            r"(?:IPCP|LCP|CCP|PAP|CHAP), |unknown (?:PPP|CHDLC) |\w+ +\[\||\[|UNSUPPORTED$",
            r".{0,300}(?: > \S+: Flags \[|[ ,:]IP6? \S+ > \S+: |[ :]\((?:tos|class|flowlabel|hlim) )",
        )
    )
)
"""No sure sign without a time: before version 3.8 IP was not named, and some link layers begin with numbers."""
_INSIDE = re.compile(rf"(?<![\w.:-])(?:{STAMP})[ \t]+(?=IP6? \S+ > \S|IP \(tos |ARP, )")

_AT_ONCE = ("IP ", "IP6 ", "ARP, ")
_SIGNS = (" > ", "(tos ", " ARP, ")

_OPEN_END = re.compile(r"(?:(?:length:?|len) \d+[^()]*|options \([^)]*\)|cksum \w+ \(->\w+\)!|ttl \d+)\)$|\bvni \w+$")
_OPEN_END_CHARS = 200
_CARRIER = re.compile(
    r"\b(?:BCM-LI-SHIM|erspan|Geneve|GREv\d|MPLS|NSH|OTV|PPPoE|VXLAN)\b|\S > \S+: ?$"
    r"|: ICMP .{0,300}?(?:unreachable|time exceeded)"
)

_IP_HEADER = re.compile(
    r"hlim (?P<hop_limit>\d{1,3}), next-header"
    r"|[(, ](?:ttl +(?P<ttl>\d{1,3}), )?id (?P<id>\d{1,5}), (?:offset \d+, flags \[(?P<flags>[^\]]*)\]|len)"
)
_OUTER = re.compile(
    r"\bIP(6?) (?:\([^\n]{,300}\)\s{1,80})?\S{1,280} > \S{1,280}: (?=(?:[^\n]{,300}\s)??IP6? ?(?:\(|$))"
)
"""An IP header before another: in a tunnel."""
ETHERNET_BYTES = 14
_IP_BYTES = {"": 20, "6": 40}
_FIRST_FRAGMENT = re.compile(r"frag \((?:0x[0-9a-f]+:)?0\||\(frag \d+:\d+@0\+")

DIRECTIONS = {"In": 0, "B": 0, "M": 0, "Out": 1}
"""Packets.direction by the packet type of a cooked header; P (to another host) is neither."""


class IpHeader(NamedTuple):
    """What is said of the innermost IP header."""

    ttl: int = UNKNOWN
    ip_id: int = UNKNOWN
    fragment: bool = False
    at: int = ETHERNET_BYTES
    """Where it lies, were the frame Ethernet and the headers of IP and tunnels before it the least that they may be."""


_SILENT = IpHeader()


def is_stamped(head: re.Match[str]) -> bool:
    """Whether a time stands before the protocol."""
    return head["clock"] is not None or head["epoch"] is not None


def names_protocol(head: re.Match[str]) -> bool:
    """Whether a protocol follows a HEAD, named as tcpdump does."""
    line, place = head.string, head.end()
    if _PROTOCOL.match(line, place):
        return True
    return is_stamped(head) and _PROTOCOL_WITH_TIME.match(line, place) is not None


def shows_signs(line: str) -> bool:
    """Whether a line may hold a packet of IP or ARP; quick."""
    return any(sign in line for sign in _SIGNS)


def find_inside(head: re.Match[str]) -> re.Match[str] | None:
    """The HEAD of a packet printed behind something else in its line: a log's own stamp, a quotation mark."""
    line = head.string
    if line.startswith(_AT_ONCE, head.end()) or not shows_signs(line):
        return None
    inside = _INSIDE.search(line)
    return HEAD.match(line, inside.start()) if inside else None


def is_continued(text: str, deeper: bool) -> bool:
    """Whether a packet goes on in a line without a time, given its text so far.

    `deeper` says that the line is indented more than those which begin packets.
    """
    if _OPEN_END.search(text[-_OPEN_END_CHARS:]):
        return True
    return deeper and _CARRIER.search(text) is not None


def read_ip_header(text: str) -> IpHeader:
    """The last IP header in a text that ends before a TCP header, of which `-v` tells more than where it lies."""
    at = (
        ETHERNET_BYTES + sum(_IP_BYTES[version] for version in _OUTER.findall(text))
        if " > " in text
        else ETHERNET_BYTES
    )
    if "(" not in text:
        return IpHeader(at=at) if at > ETHERNET_BYTES else _SILENT
    fragment = _FIRST_FRAGMENT.search(text) is not None
    headers = list(_IP_HEADER.finditer(text))
    if not headers:
        return IpHeader(fragment=fragment, at=at)
    header = headers[-1]
    ttl, ip_id = int(header["hop_limit"] or header["ttl"] or UNKNOWN), int(header["id"] or UNKNOWN)
    fragment = fragment or "+" in (header["flags"] or "")
    return IpHeader(ttl if ttl <= 0xFF else UNKNOWN, ip_id if ip_id <= 0xFFFF else UNKNOWN, fragment, at)
