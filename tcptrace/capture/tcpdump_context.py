"""What tcpdump prints of ICMP errors, ARP and DNS (its print-icmp.c, print-icmp6.c, print-arp.c, print-domain.c)."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from tcptrace.capture.context import (
    ARP_FRAMES,
    DNS_ANSWERS,
    ICMP_ERRORS,
    READ_MAX,
    AddressClaim,
    Context,
    IcmpError,
)
from tcptrace.capture.tcpdump_names import Endpoints
from tcptrace.capture.tcpdump_rows import Origin
from tcptrace.schema import I64, NO_TIME, UNKNOWN

_ICMP = re.compile(r"(\S{1,280}) > (\S{1,280}): (?:\[[^\]]{0,80}\] )?ICMP(6?),? (.{0,1000})")
_QUOTED = re.compile(r"(\S{1,280})\.([\w-]{1,40}) > (\S{1,280})\.([\w-]{1,40}): (?:Flags \[|tcp )")
_UNREACHABLE = re.compile(
    r"(?:(?P<what>net|host) )?(?P<address>\S{1,280}) (?:tcp port (?P<port>\S{1,40}) )?unreachable"
    r"(?: - (?P<why>[a-z ]{1,40}?))?(?: \(mtu (?P<mtu>\d{1,5})\))?(?:,|$)"
)
_UNREACHABLE_6 = re.compile(
    r"destination unreachable, {1,2}(?P<why>unreachable \w+|beyond scope),? (?P<address>\S{1,80}?)"
    r"(?: tcp port (?P<port>\S{1,40}?))?(?:,|$)"
)
_TOO_BIG_6 = re.compile(r"packet too big, mtu (\d{1,9})")

_CODES = {
    ("net", ""): 0,
    ("host", ""): 1,
    ("", "need to frag"): 4,
    ("", "source route failed"): 5,
    ("net", "unknown"): 6,
    ("host", "unknown"): 7,
    ("", "source host isolated"): 8,
    ("net", "admin prohibited"): 9,
    ("host", "admin prohibited"): 10,
    ("net", "tos prohibited"): 11,
    ("host", "tos prohibited"): 12,
    ("host", "admin prohibited filter"): 13,
    ("host", "host precedence violation"): 14,
    ("host", "precedence cutoff"): 15,
}
"""Code of `destination unreachable` (RFC 792, RFC 1122, RFC 1812) by what is unreachable and why."""
_CODES_6 = {
    "unreachable route": 0,
    "unreachable prohibited": 1,
    "beyond scope": 2,
    "unreachable address": 3,
    "unreachable port": 4,
}
"""The same of ICMPv6 (RFC 4443)."""
_PORT_CODE = 3

_ARP_REPLY = re.compile(
    r"\b(?:ARP|arp),? (?:[^>]{0,80}, )?[Rr]eply (\d{1,3}(?:\.\d{1,3}){3}) is-at ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})"
)

_DNS = re.compile(r"(\S{1,280}) > (\S{1,280}): (?:\[[^\]]{0,80}\] )?(\d{1,5})(?=[ +*$|%-])")
_ASKED = re.compile(r" (?:A|AAAA)\? (\S{1,1100}?)\.? ")
_ANSWERED = re.compile(r" \d{1,5}/\d{1,5}/\d{1,5} ")
_ADDRESS = re.compile(r"(?<=[\s\]])(?:A|AAAA) ([0-9a-f:.]{3,39})(?=[, ]|$)")
_OTHER_SECTIONS = re.compile(r" (?:ns|ar): ")
_ADDRESSES_MAX = 16


class TextError(NamedTuple):
    """An ICMP error as printed; -1 and empty where the line does not say."""

    version: int
    type: int
    code: int
    mtu: int
    reporter: str
    src: str
    sport: str
    dst: str
    dport: str


def icmp_error(text: str) -> TextError | None:
    """The ICMP error that a packet's text tells of; None when it is none that has to do with TCP."""
    found = _ICMP.search(text)
    if found is None:
        return None
    reporter, told_to, six, message = found.groups()
    named = _of_icmp6(message) if six else _of_icmp(message)
    if named is None:
        return None
    kind, code, mtu, address, port = named
    quoted = _QUOTED.search(message)
    src, sport, dst, dport = quoted.groups() if quoted else (told_to, "", address, port)
    return TextError(6 if six else 4, kind, code, mtu, reporter, src, sport, dst, dport) if dst else None


def _of_icmp(message: str) -> tuple[int, int, int, str, str] | None:
    """Type, code, MTU, address and port of an error of version 4."""
    found = _UNREACHABLE.match(message)
    if found is None:
        return (11, 0, UNKNOWN, "", "") if message.startswith("time exceeded in-transit") else None
    code = _PORT_CODE if found["port"] else _CODES.get((found["what"] or "", found["why"] or ""), UNKNOWN)
    mtu = int(found["mtu"] or UNKNOWN)
    return None if code < 0 else (3, code, mtu, found["address"], found["port"] or "")


def _of_icmp6(message: str) -> tuple[int, int, int, str, str] | None:
    """The same of version 6."""
    if found := _UNREACHABLE_6.match(message):
        code = _CODES_6.get(found["why"], UNKNOWN)
        return None if code < 0 else (1, code, UNKNOWN, found["address"], found["port"] or "")
    if too_big := _TOO_BIG_6.match(message):
        return 2, 0, int(too_big[1]), "", ""
    return (3, 0, UNKNOWN, "", "") if message.startswith("time exceeded in-transit") else None


def arp_reply(text: str) -> tuple[str, str] | None:
    """Address and MAC that an ARP reply names."""
    found = _ARP_REPLY.search(text)
    return (found[1], found[2]) if found else None


class Questions:
    """DNS questions that wait for an answer, the last ones: an answer's text does not repeat what was asked."""

    WAITING_MAX = 1024

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], str] = {}

    def answers(self, text: str) -> Iterator[tuple[str, str]]:
        """Address and name, of every address that a packet's text gives as an answer; keeps a question."""
        found = _DNS.search(text)
        if found is None:
            return
        asker, asked = (found[1], found[3]), _ASKED.search(text, found.end())
        answered = _ANSWERED.search(text, found.end())
        if answered is None:
            if asked:
                self._keep(asker, asked[1].lower())
            return
        name = asked[1].lower() if asked else self._waiting.get((found[2], found[3]), "")
        others = _OTHER_SECTIONS.search(text, answered.end())
        end = others.start() if others else len(text)
        for address in islice(_ADDRESS.finditer(text, answered.end() - 1, end), _ADDRESSES_MAX):
            yield address[1], name

    def _keep(self, asker: tuple[str, str], name: str) -> None:
        if len(self._waiting) == self.WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[asker] = name


class TextContext:
    """Looks into the packets of a text that made no row; what is found has its time after `settle`."""

    def __init__(self, context: Context, endpoints: Endpoints) -> None:
        self._context, self._endpoints, self._questions = context, endpoints, Questions()
        self._errors: list[tuple[int, IcmpError]] = []
        self._claims: list[tuple[int, AddressClaim]] = []

    def take(self, kind: str, text: str, origin: Origin) -> None:
        """Keep what a packet's text says, `kind` as it is counted in the summary."""
        if kind in ("ICMP", "ICMPv6"):
            if (error := icmp_error(text)) and self._context.take(ICMP_ERRORS, 1):
                self._keep_error(error, origin)
        elif kind == "ARP":
            if (claim := arp_reply(text)) and self._context.take(ARP_FRAMES, 1):
                kept = AddressClaim(origin.frame, NO_TIME, origin.interface, *claim, is_answer=True)
                self._claims.append((origin.place, kept))
        elif kind == "UDP" and self._context.met[DNS_ANSWERS] < READ_MAX:
            for address, name in self._questions.answers(text):
                self._context.take(DNS_ANSWERS, 1)
                self._context.name(address, name)

    def settle(self, times: I64) -> None:
        """Hand over what was found since the last call; `times` by the frames' places."""
        self._context.icmp += [error._replace(time_ns=int(times[place])) for place, error in self._errors]
        self._context.arp += [claim._replace(time_ns=int(times[place])) for place, claim in self._claims]
        self._errors, self._claims = [], []

    def _keep_error(self, error: TextError, origin: Origin) -> None:
        ends = self._endpoints
        src, dst = (ends.address(host) for host in (error.src, error.dst))
        sport, dport = (ends.port(port) if port else UNKNOWN for port in (error.sport, error.dport))
        if None not in (src, dst, sport, dport):
            about = (error.version, error.type, error.code, error.mtu, error.reporter)
            quoted: tuple[Any, ...] = (src, sport, dst, dport, UNKNOWN, UNKNOWN)
            self._errors.append((origin.place, IcmpError(origin.frame, NO_TIME, *about, *quoted)))
