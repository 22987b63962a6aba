"""A TCP header as tcpdump prints it, found in a line and read into numbers as printed.

Since version 4: `a.1 > b.80: Flags [P.], cksum 0x1c2d (correct), seq 1:78, ack 1, win 6, options
[nop,nop,TS val 1 ecr 2], length 77: HTTP`. Before: `a.1 > b.80: P 1:78(77) ack 1 win 6
<nop,nop,timestamp 1 2>`. With `-q`: `a.1 > b.80: tcp 77`. Tunnels stand to the left of what they
carry, payload to the right, so the first TCP header in a line is the innermost.

A header with flags ends in `, length N`, unless tcpdump says that it is cut. A line without it was folded or cut since:
its last field may go on, so it is left out; those before are whole.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tcptrace.capture.tcpdump_options import Options, read_options
from tcptrace.schema import UNKNOWN

FLAGS = {"F": 0x001, "S": 0x002, "R": 0x004, "P": 0x008, ".": 0x010, "U": 0x020, "E": 0x040, "W": 0x080, "e": 0x100}
"""Bit by tcpdump's letter (tcp_flag_values in its print-tcp.c)."""
ACK, URG = FLAGS["."], FLAGS["U"]

MARK = ": Flags ["
_FIELDS = re.compile(
    r"([^\]]{0,12})\](?:, cksum 0x[0-9a-f]+ \([^)]*\))?"
    r"(?:, seq (\d{1,10})(?::(\d{1,10}))?)?"
    r"(?:, ack (\d{1,10})|, \[ack (\d{1,10}) != 0 while ACK flag not set\])?"
    r"(?:, win (\d{1,5})(?!\d))?(?:, urg \d+|, \[urg [^\]]*\])?"
)
_MISSING = re.compile(r"truncated-ip6? - (\d{1,9}) bytes missing!")
_LENGTH = re.compile(r", length (\d{1,10})")
_OPTIONS = ", options ["
_OPTIONS_END = "], length "

_OWN_ENDS = ("[|tcp", "[bad ")
"""What tcpdump ends with instead of a length."""
_RANGE = re.compile(r"\], (?:cksum [^)]{0,60}\), )?seq (\d{1,10}):(\d{1,10}),")

_OTHER_FORMS = re.compile(
    r" > (\S{1,280}?): {1,2}(?:"
    r"tcp (?P<quiet>\d{1,10})(?P<bad> \[bad hdr)?"
    r"|(?P<cut>\[\|tcp\])"
    r"|(?P<flags>[SFRPWE]{1,6}|\.)(?=[ ,])(?:,? \[[^\]]*\]|, cksum 0x[0-9a-f]+ \([^)]*\),)?"
    r"(?: (?P<seq>\d{1,10}):\d{1,10}\((?P<length>\d{1,10})\))?(?: ack (?P<ack>\d{1,10}))?"
    r"(?: win (?P<window>\d{1,5})(?!\d))?(?P<urgent> urg \d+)?(?: <(?P<options>[^>]*))?)"
)


class Segment(NamedTuple):
    """One TCP header's fields, -1 for what is not printed; numbers are not yet raw."""

    before: str
    """What stands left of the endpoints: link layer, IP header, tunnels."""
    source: str
    target: str
    flags: int
    seq: int
    ack: int
    window: int
    length: int
    options: Options
    is_cut: bool = False
    """Whether the line ends before its length."""


_NO_OPTIONS = Options()


def find_segment(text: str) -> Segment | None:
    """The innermost TCP header printed in a packet's text; None when there is none that can be read."""
    mark = text.find(MARK)
    if mark < 0:
        return _other_form(text)
    if " ICMP" in text[:mark]:
        return None
    if is_cut := lacks_length(text):
        text = _without_last_field(text, mark)
    fields = _FIELDS.match(text, mark + len(MARK))
    ends = _endpoints(text[:mark])
    flags = _flags(fields[1]) if fields else UNKNOWN
    if fields is None or ends is None or flags < 0:
        return None
    _, seq_text, end_text, ack, ack_without_flag, window = fields.groups()
    seq = _number(seq_text)
    options, place = _read_bracket(text, fields.end())
    length = _LENGTH.match(text, place)
    if length:
        len_bytes = max(int(length[1]) - _missing(text[:mark]), 0)
    elif end_text:
        len_bytes = (_number(end_text) - seq) & 0xFFFFFFFF
    else:
        len_bytes = UNKNOWN if window is None else 0
    options = options._replace(cut=1) if is_cut else options
    return Segment(*ends, flags, seq, _number(ack or ack_without_flag), _window(window), len_bytes, options, is_cut)


def lacks_length(text: str) -> bool:
    """Whether a header with flags ends before its length, or within: `seq 1:1449, ..., length 144`."""
    mark = text.find(MARK)
    if mark < 0 or " ICMP" in text[:mark]:
        return False
    length, told = _LENGTH.search(text, mark), _RANGE.search(text, mark)
    if length is None:
        return not any(end in text[mark:] for end in _OWN_ENDS)
    whole = str((int(told[2]) - int(told[1])) & 0xFFFFFFFF) if told else length[1]
    return whole != length[1] and whole.startswith(length[1])


def is_whole(text: str) -> bool:
    """Whether a header with flags has all that tcpdump prints, in order, to its length."""
    fields = _FIELDS.match(text, text.find(MARK) + len(MARK))
    if fields is None or fields[6] is None or lacks_length(text):
        return False
    return _LENGTH.match(text, _read_bracket(text, fields.end())[1]) is not None


def _without_last_field(text: str, mark: int) -> str:
    """A cut header up to its last comma, or to the bracket that it ends with."""
    return text if text.endswith("]") else text[: max(text.rfind(",", mark), mark)]


def _missing(before: str) -> int:
    """Bytes that the IP header promises but the frame did not have on the wire, which count as payload."""
    missing = _MISSING.search(before) if "missing!" in before else None
    return int(missing[1]) if missing else 0


def _read_bracket(text: str, place: int) -> tuple[Options, int]:
    """The options that begin at a place, and where they end; a list without its end is cut."""
    if not text.startswith(_OPTIONS, place):
        return _NO_OPTIONS, place
    begin = place + len(_OPTIONS)
    end = text.find(_OPTIONS_END, begin)
    if end < 0:
        return read_options(text[begin:].removesuffix("]"))._replace(cut=1), len(text)
    return read_options(text[begin:end]), end + 1


def _other_form(text: str) -> Segment | None:
    """A header printed by `-q`, by tcpdump before version 4, or cut off behind its ports."""
    form = _OTHER_FORMS.search(text)
    if form is None:
        return None
    ends = _endpoints(text[: form.end(1)])
    if ends is None or " ICMP" in text[: form.start()] or " icmp" in text[: form.start()]:
        return None
    if form["flags"] is None:
        length = UNKNOWN if form["bad"] or form["cut"] else max(int(form["quiet"]) - _missing(text[: form.start()]), 0)
        return Segment(*ends, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, length, _NO_OPTIONS)
    if form["window"] is None and form["seq"] is None:
        return None
    flags = _flags(form["flags"]) & ~ACK | (ACK if form["ack"] else 0) | (URG if form["urgent"] else 0)
    options = _NO_OPTIONS if form["options"] is None else read_options(form["options"])
    length = int(form["length"] or 0)
    return Segment(*ends, flags, _number(form["seq"]), _number(form["ack"]), _window(form["window"]), length, options)


def _endpoints(text: str) -> tuple[str, str, str] | None:
    """Split text that ends in `source > target` into what is before, source and target.

    Behind an extension header tcpdump prints the ports alone; the addresses are those before it.
    """
    left, arrow, target = text.rpartition(" > ")
    before, _, source = left.rpartition(" ")
    source = source.rpartition("!")[2]  # some versions: "452 bytes missing!fe80::1.80 > "
    if not (arrow and source and target):
        return None
    if "." not in source and "." not in target:
        outer_source, _, outer_target = before.rpartition(" > ")
        source = f"{outer_source.rpartition(' ')[2]}.{source}"
        target = f"{outer_target.partition(': ')[0]}.{target}"
    return before, source, target


@lru_cache(maxsize=512)
def _flags(letters: str) -> int:
    """The flag bits; -1 for a letter that is no flag."""
    if letters == "none":
        return 0
    bits = [FLAGS.get(letter, UNKNOWN) for letter in letters]
    return UNKNOWN if UNKNOWN in bits or not bits else sum(set(bits))


def _number(text: str | None) -> int:
    """A 32-bit number as printed, -1 for none."""
    return UNKNOWN if text is None else int(text) & 0xFFFFFFFF


def _window(text: str | None) -> int:
    """A 16-bit field as printed, -1 for none or one that does not fit."""
    return int(text) if text is not None and int(text) <= 0xFFFF else UNKNOWN
