"""What a packet without a TCP header is, by what tcpdump prints of it."""

import re

UNRECOGNISED = "unrecognised"
UNREADABLE_TCP = "TCP, unreadable"

_BY_TEXT = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"offset [1-9]\d*, flags|frag \((?:0x[0-9a-f]+:)?[1-9]\d*\||\(frag \d+:\d+@[1-9]", "later fragment"),
        (r" > \S+: {1,2}(?:ip-proto-\d+|tcp|udp|icmp|igmp|sctp|gre|esp)$", "later fragment"),
        (r"\bARP,|\barp (?:who-has|reply)", "ARP"),
        (r"\bICMP6,|\bicmp6:", "ICMPv6"),
        (r"\bICMP |\bicmp:", "ICMP"),
        (r": igmp ", "IGMP"),
        (r": sctp\b", "SCTP"),
        (r"\bESP\(", "ESP"),
        (r": UDP, |: udp \d", "UDP"),
        (r"^(?:[^>]*: )?(?:IP6? )?\S+ > \S+\.[\w-]+:(?: F?| Fl| Fla| Flags?| Flags [^>]*)$", UNREADABLE_TCP),
        (r"\d+us tsft |\d Mb/s ", "802.11"),
        (r"\[\|tcp\]|: Flags \[|: tcp \d", UNREADABLE_TCP),
    )
]
_IP_PROTOCOL = re.compile(
    r"(?:proto|next-header) (?P<name>[\w-]+) \((?P<number>\d{1,3})\)|: +ip-proto-(?P<bare>\d{1,3})"
)
_IP_ENDPOINTS = re.compile(r"(?:IP6?|length \d+:) (\S+) > (\S+): ")
_UDP_MESSAGE = re.compile(
    r" {0,2}(?:\d+(?: |[+*|$%-]|\[)|C=|\{ ?SNMP|(?i:aodv|babel|bfd|bootp|capwap|dhcp|geneve|hncp|hsrp|isakmp|l2tp|ldp"
    r"|lisp|lmp|lsp-ping|lwapp|lwres|mpls|nbt|netflow|nfs|ntp|olsr|otv|ptp|radius|rip|rx |sflow|sip|snmp|some/?ip"
    r"|syslog|tftp|timed|vat|vxlan|zephyr|.{0,20}udp))"
)
"""How tcpdump begins what it prints of a protocol over UDP, whose name it leaves out (its print-udp.c)."""
_ETHERTYPE = re.compile(r"ethertype (?P<name>[^,(:]{1,40}?) ?(?:\((?P<number>0x[0-9a-f]+)\))?[,:]")
_MAC_ADDRESSES = re.compile(r"^[0-9a-f:]{11,17} (?:\(oui [^)]*\) )?> \S+ (?:\(oui [^)]*\),? )?")
_FIRST_WORD = re.compile(r"[A-Za-z0-9][\w.-]{0,30}")
_CUT_IN_ADDRESSES = re.compile(r"IP6? \S+ ?>?(?: \S*)?$")
_UNKNOWN = {"unknown", "Unknown"}
_NAMES = {"TCP": UNREADABLE_TCP, "ICMPv6": "ICMPv6", "Options": "other IPv6"}
_OTHER_IP = "other IP"
FIXED_NAMES = frozenset((UNRECOGNISED, _OTHER_IP, *_NAMES.values(), *(name for _, name in _BY_TEXT)))
"""Names that do not depend on words of the text."""


def ends_in_addresses(text: str) -> bool:
    """Whether a packet's text ends before it tells more than addresses, which tcpdump prints of no packet."""
    return _CUT_IN_ADDRESSES.match(text) is not None


def other_name(text: str) -> str:
    """A name for what a packet's text shows; "unrecognised" when it names no protocol."""
    for pattern, name in _BY_TEXT:
        if pattern.search(text):
            return name
    if protocols := list(_IP_PROTOCOL.finditer(text)):
        return _protocol_name(protocols[-1])
    if ends := _IP_ENDPOINTS.search(text):
        is_udp = _has_port(ends[1]) and _has_port(ends[2]) and _UDP_MESSAGE.match(text, ends.end())
        return "UDP" if is_udp else _OTHER_IP
    if text.startswith(("IP ", "IP6 ", "IP,", "IP6,")):
        return _OTHER_IP
    return _link_name(text)


def _protocol_name(protocol: re.Match[str]) -> str:
    name, number = protocol["name"], protocol["number"] or protocol["bare"]
    return f"IP protocol {number}" if name is None or name in _UNKNOWN else _NAMES.get(name, name)


def _has_port(endpoint: str) -> bool:
    """Whether a port follows the address; of a host name, its last part counts as one."""
    host, *rest = endpoint.split(".")
    if ":" in host:
        return bool(rest)
    numeric = all(label.isdecimal() for label in (host, *rest[:3]))
    return len(rest) == 4 if numeric else bool(rest)


def _link_name(text: str) -> str:
    """A name for a packet that is not IP."""
    if ethertypes := list(_ETHERTYPE.finditer(text)):
        name, number = ethertypes[-1]["name"], ethertypes[-1]["number"]
        return f"ethertype {number} (unknown)" if name in _UNKNOWN else name
    word = _FIRST_WORD.match(_MAC_ADDRESSES.sub("", text))
    return word[0] if word else UNRECOGNISED
