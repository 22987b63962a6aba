"""What a director prints of its connections: `ipvsadm -lnc`, `conntrack -L`, and the debug log of DPVS.

Each kind of line is a pattern beside what is made of it. A file is taken if at least one line of it is understood, and
refused otherwise: another file was meant.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.director_table import STATES
from tcptrace.correlation.result import Translation
from tcptrace.errors import UsageError
from tcptrace.flows import ACK, FIN, RST, SYN

UNDERSTOOD = "understood are: ipvsadm -lnc, conntrack -L, and log lines of DPVS (`IPVS: new conn`, `IPVS: state trans`)"
KNOWN_STATES = {*STATES, "SYN_SENT2"}
"""Those of IPVS, and one more of the connection tracker (include/uapi/linux/netfilter/nf_conntrack_tcp.h)."""
LETTERS = {"S": SYN, "F": FIN, "A": ACK, "R": RST}


@dataclass(frozen=True)
class LogStep:
    """A change of state that a director's log tells; DPVS prints no time with it."""

    client: str
    realserver: str
    direction: int
    """REQUEST for what came in, REPLY for what went out."""
    flags: int
    """TCP flags of the segment."""
    before: str
    after: str


@dataclass(frozen=True)
class DirectorFile:
    """What one file tells."""

    path: str
    translations: tuple[Translation, ...]
    steps: tuple[LogStep, ...] = ()
    faults: tuple[str, ...] = ()
    """Lines of the right form that say what cannot be, and are left out."""


class _Kind(NamedTuple):
    """A kind of line."""

    pattern: re.Pattern[str]
    made: Callable[[re.Match[str]], Translation | LogStep | str | None]
    """What it tells; None: it is understood, and tells nothing of a TCP connection; text: why it is left out."""


def read_director_file(path: str | Path) -> DirectorFile:
    """What a director printed. Raises UsageError for a file that cannot be read or is none of what is understood."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            numbered = [(number, made) for number, line in enumerate(lines, 1) if (made := _made(line)) is not UNKNOWN]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if not numbered:
        raise UsageError(f"{path}: no table or log of a director\n  {UNDERSTOOD}")
    faults = [f"{path}: line {number}: {fault}" for number, made in numbered if (fault := _fault(made))]
    found = [made for _, made in numbered if not _fault(made)]
    translations = [made for made in found if isinstance(made, Translation)]
    steps = [made for made in found if isinstance(made, LogStep)]
    return DirectorFile(str(path), tuple(dict.fromkeys(translations)), tuple(steps), tuple(faults))


def translations_of(files: Sequence[DirectorFile]) -> tuple[Translation, ...]:
    """Of all files."""
    return tuple(translation for file in files for translation in file.translations)


UNKNOWN = object()


def _made(line: str) -> object:
    line = line.strip()
    if "\0" in line:  # UTF-16, or no text at all
        return UNKNOWN
    for kind in KINDS:
        if (match := kind.pattern.match(line)) is not None:
            return kind.made(match)
    return UNKNOWN


def _fault(made: object) -> str:
    """What a line says that cannot be; empty: nothing."""
    if isinstance(made, str):
        return made
    ends, states = _said(made)
    if (wrong := next((end for end in ends if end and not _is_end(end)), "")) != "":
        return f"{wrong} is no address and port: left out"
    if (wrong := next((state for state in states if state and state not in KNOWN_STATES), "")) != "":
        return f"{wrong} is no state of a director: left out"
    return ""


def _said(made: object) -> tuple[Sequence[str], Sequence[str]]:
    """The ends and states of a line."""
    if isinstance(made, Translation):
        return (made.client, made.virtual, made.realserver, made.local), (made.state,)
    if isinstance(made, LogStep):
        return (made.client, made.realserver), (made.before, made.after)
    return (), ()


def _is_end(text: str) -> bool:
    address, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    return int(port) <= 0xFFFF


def _nothing(match: re.Match[str]) -> None:
    return None


def _garbled(match: re.Match[str]) -> str:
    """An entry of `ipvsadm -lnc` that is none of the forms above."""
    return "no entry of a table: left out"


def _of_ipvs(match: re.Match[str]) -> Translation | None:
    """A line of Linux's `ipvsadm -lnc`; its times are minutes:seconds."""
    if match["proto"] != "TCP":
        return None
    expire_s = int(match["minutes"]) * 60 + int(match["seconds"])
    return Translation(match["client"], match["virtual"], "", match["realserver"], match["state"], expire_s)


def _of_dpvs(match: re.Match[str]) -> Translation | None:
    """A line of DPVS's `ipvsadm -lnc`: its core in brackets, and a fourth end, its own."""
    if match["proto"].upper() != "TCP":
        return None
    local = "" if match["local"] == match["client"] else match["local"]
    return Translation(
        match["client"], match["virtual"], local, match["realserver"], match["state"], int(match["seconds"])
    )


def _of_conntrack(match: re.Match[str]) -> Translation | None:
    """An entry of the connection tracker: the original tuple, and that of the reply as it will come."""
    if match["proto"] != "tcp":
        return None
    told = re.findall(r"\b(src|dst|sport|dport)=(\S+)", match["rest"])
    if len(told) < 8:
        return None
    original, reply = dict(told[:4]), dict(told[4:8])
    client, virtual = (_end(original, one) for one in ("src", "dst"))
    realserver, local = (_end(reply, one) for one in ("src", "dst"))
    return Translation(
        client, virtual, "" if local == client else local, realserver, match["state"] or "", int(match["seconds"])
    )


def _end(told: dict[str, str], which: str) -> str:
    address, port = told[which], told[f"{which[0]}port"]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _of_new_connection(match: re.Match[str]) -> Translation | None:
    if match["proto"] != "TCP":
        return None
    local = "" if match["local"] == match["client"] else match["local"]
    return Translation(match["client"], match["virtual"], local, match["realserver"])


def _of_step(match: re.Match[str]) -> LogStep | None:
    if match["proto"] != "TCP":
        return None
    direction = REQUEST if match["way"] == "in" else REPLY
    flags = sum(LETTERS.get(letter, 0) for letter in match["flags"])
    return LogStep(match["client"], match["realserver"], direction, flags, match["before"], match["after"])


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern in which END(name) is an address with a port, and blanks are any."""
    text = re.sub(r"END\((\w+)\)", r"(?P<\1>(?:\\[[0-9a-fA-F:.]+\\]|[\\d.]+):\\d+)", text)
    return re.compile(text.replace(" ", r"\s+"))


KINDS = (
    _Kind(
        _pattern(
            r"(?P<proto>[A-Z]+) (?P<minutes>\d+):(?P<seconds>\d\d) (?P<state>\w+)"
            r" END(client) END(virtual) END(realserver)"
        ),
        _of_ipvs,
    ),
    _Kind(_pattern(r"IPVS connection entries"), _nothing),
    _Kind(
        _pattern(
            r"\[\d+\]\s*(?P<proto>\w+) (?P<seconds>\d+)s (?P<state>\w+)"
            r" END(client) END(virtual) END(local) END(realserver)"
        ),
        _of_dpvs,
    ),
    _Kind(
        _pattern(
            r"(?:ipv[46] \d+ )?(?P<proto>[a-z0-9]+) \d+ (?P<seconds>\d+)"
            r" (?P<state>[A-Z_0-9]+)?\s*(?P<rest>src=.*)"
        ),
        _of_conntrack,
    ),
    _Kind(
        _pattern(r".*?IPVS: new conn: \[\d+\] (?P<proto>\w+) END(client) END(virtual) END(local) END(realserver)"),
        _of_new_connection,
    ),
    _Kind(
        _pattern(
            r".*?IPVS: state trans: (?P<proto>\w+) (?P<way>in|out) \[(?P<flags>[SFAR.]*)\]"
            r" END(client)->END(realserver) state (?P<before>\w+)->(?P<after>\w+)"
        ),
        _of_step,
    ),
    _Kind(_pattern(r".*?\bIPVS: conn lookup:"), _nothing),
    _Kind(_pattern(r"TCP \S+ \S+ \S+:\S+ \S+:\S+ \S+:\S+"), _garbled),
)
"""Lines that are understood; the first pattern that fits decides."""
