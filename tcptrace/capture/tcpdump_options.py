"""TCP options as tcpdump prints them: `mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7`.

Versions before 4 print them in angle brackets, `timestamp 1 0` for `TS val 1 ecr 0` and `opt-30:`
for `unknown-30`.
"""

import re
from typing import NamedTuple

from tcptrace.schema import SACK_BLOCKS_MAX, UNKNOWN

KINDS = {
    "eol": 0, "nop": 1, "mss": 2, "wscale": 3, "sackOK": 4, "sack": 5, "echo": 6, "echoreply": 7, "TS": 8,
    "timestamp": 8, "cc": 11, "ccnew": 12, "ccecho": 13, "md5": 19, "scps": 20, "uto": 28, "tcp-ao": 29,
    "mptcp": 30, "tfo": 34, "exp": 254,
}  # fmt: skip
"""Option kind by tcpdump's name (IANA, TCP Parameters)."""

EXPERIMENTS = ("tfo", "e2d4")
"""Of `exp-...`, what is an experiment (RFC 6994) and no TOA port: TCP Fast Open, SMC-R."""

_EXPERIMENT = re.compile(r"exp-([0-9a-f]{4})")
_NUMBERED = re.compile(r"(?:unknown|opt)-(\d{1,3})")
_BLOCK = re.compile(r"\{(\d{1,10}):(\d{1,10})\}")
_CUT = re.compile(r"\[\|tcp\]|\[bad opt\]|invalid|malformed")
_KINDS_KEPT = 8


class Options(NamedTuple):
    """The option columns of Packets; SACK blocks as printed, not yet raw."""

    mss: int = UNKNOWN
    window_scale: int = UNKNOWN
    sack_permitted: int = 0
    tsval: int = UNKNOWN
    tsecr: int = UNKNOWN
    toa_port: int = UNKNOWN
    kinds: int = 0
    cut: int = 0
    blocks: tuple[tuple[int, int], ...] = ()


def read_options(text: str) -> Options:
    """The options in the text between the brackets."""
    mss = window_scale = tsval = tsecr = toa_port = UNKNOWN
    kinds = bytearray()
    blocks: list[tuple[int, int]] = []
    for option in text.split(","):
        name, _, rest = option.partition(" ")
        kind = KINDS.get(name)
        if kind is None:
            kind, toa_port = _odd_option(name, toa_port)
        if kind == 8:
            tsval, tsecr = _timestamps(rest.split())
        elif kind == 2:
            mss = _number(rest, 0xFFFF)
        elif kind == 3:
            window_scale = _number(rest, 0xFF)
        elif kind == 5:
            blocks += [(int(left), int(right)) for left, right in _BLOCK.findall(rest)]
        if kind > 1:
            kinds.append(kind)
    return Options(
        mss,
        window_scale,
        int(4 in kinds),
        tsval,
        tsecr,
        toa_port,
        int.from_bytes(kinds[:_KINDS_KEPT].ljust(_KINDS_KEPT, b"\0"), "little", signed=True),
        int(_CUT.search(text) is not None),
        tuple(blocks[:SACK_BLOCKS_MAX]),
    )


def _odd_option(name: str, toa_port: int) -> tuple[int, int]:
    """Kind of an option whose name holds more than the name (-1: no option), and the TOA port so far.

    tcpdump takes the first two bytes of a TOA option, the client's port, for an experiment id.
    """
    if name.startswith("exp-"):
        port = _EXPERIMENT.match(name)
        return KINDS["exp"], int(port[1], 16) if port and name[4:] not in EXPERIMENTS else toa_port
    if numbered := _NUMBERED.match(name):
        return min(int(numbered[1]), 0xFF), toa_port
    return KINDS.get(re.split(r"[:\[]", name, maxsplit=1)[0], -1), toa_port


def _timestamps(words: list[str]) -> tuple[int, int]:
    """TSval and TSecr of `val 1 ecr 0`, or of `1 0`."""
    numbers = words[1::2] if words[:1] == ["val"] else words
    tsval, tsecr, *_ = *(_number(word, 0xFFFFFFFF) for word in numbers[:2]), UNKNOWN, UNKNOWN
    return tsval, tsecr


def _number(text: str, limit: int) -> int:
    """The number a text begins with, -1 without one that fits."""
    word = re.match(r"\d{1,10}", text)
    return number if word and (number := int(word[0])) <= limit else UNKNOWN
