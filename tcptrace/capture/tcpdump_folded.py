"""Lines of tcpdump that a mail program, a ticket or a terminal has folded, put together again.

A terminal folds where its width ends, and what was there stays: a blank, or none within a number. A mail program
folds at a blank and drops it. Whether lines belong together is not guessed: they do where they make what tcpdump
prints of a packet as a whole, to its length.
"""

import re
from collections.abc import Sequence

from tcptrace.capture.tcpdump_segment import MARK, is_whole, lacks_length

FOLDS_MAX = 16
"""So many lines may be the rest of one."""

_BLANK_DROPPED = re.compile(
    "|".join(
        (
            r"\b(?:seq|ack|win|urg|length:?|mss|wscale|sack|val|ecr|cksum|ttl|id|offset|tos|proto)\n[\d{]",
            r"\b(?:[Ff]lags|options)\n\[|\bTS\nval|\d\necr|,\n(?:cksum|seq|ack|win|urg|options|length)\b",
            r"\n\((?:in)?correct|[a-z]\n\(|\)\npayload|,\n(?:ttl|id|offset|flags|proto|next-header)",
            r"(?:,|IPv[46])\n(?:ethertype|\(0x)|\(0x\w{4}\),\n|\blength \d+:\n|>\n|\n>|\d:\nFlags",
        )
    )
)
"""The end of a line and the beginning of the next between which tcpdump prints a blank."""
_NEAR = 16
_LINK = r"(?:(?:[0-9a-f]{1,2}:){5}[0-9a-f]{1,2} > [^>]{1,120}, length \d{1,6}: (?:vlan [^>]{1,120}, )?)?(?:IP6? )?"
_IP_HEADER = r"\((?:tos|class|flowlabel|hlim) [^>]{1,300}length:? \d{1,6}\)"
_BEFORE_FLAGS = re.compile(rf"{_LINK}(?:{_IP_HEADER} {{1,8}})?\S{{1,280}} > \S{{1,280}}")
_VERBOSE = re.compile(_LINK + _IP_HEADER)
"""A line that `-v` prints of an IP header."""
_IP_OR_LINK = re.compile(r"IP6? |(?:[0-9a-f]{1,2}:){5}")


def may_go_on(text: str) -> bool:
    """Whether the lines below a packet's may be its rest."""
    return lacks_length(text) or (MARK not in text and _IP_OR_LINK.match(text) is not None)


def put_together(text: str, lines: Sequence[str]) -> str:
    """A packet's text with lines below it, if they make it whole; else nothing."""
    had_flags = MARK in text
    for line in lines:
        text += _blank_between(text, line) + line
    mark = text.find(MARK)
    if mark < 0:
        return text if _VERBOSE.fullmatch(text) else ""
    return text if is_whole(text) and (had_flags or _BEFORE_FLAGS.fullmatch(text, 0, mark)) else ""


def _blank_between(text: str, line: str) -> str:
    """The blank that was dropped where a line was folded, if one was."""
    if text.endswith(" ") or line.startswith(" "):
        return ""
    return " " if _BLANK_DROPPED.search(f"{text[-_NEAR:]}\n{line[:_NEAR]}") else ""
