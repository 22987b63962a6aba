"""Lines of text as it reaches a ticket: in any encoding, coloured, with what web pages make of blanks and arrows."""

import codecs
import io
import re
from collections.abc import Iterator

LINE_CHARS = 4096
"""Of a longer line the rest is payload."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_BREAK_SPACE = "\xa0"
_ARROW = " > "
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z])")
"""What colours a terminal's text, or names its window (ECMA-48: CSI, OSC; ISO 2022: character sets)."""
_ESCAPES = ("&gt;", "&nbsp;", "&#62;", "&#160;")


def encoding_of(start: bytes) -> str:
    """The encoding of text that begins so: UTF-16 (as PowerShell writes) by its byte order mark, else UTF-8."""
    return "utf-16" if start.startswith(_UTF_16) else "utf-8-sig"


def text_of(start: bytes) -> str:
    """The text that begins so, damaged or not; empty for what is none, as it holds zeros."""
    text = start.decode(encoding_of(start), "replace")
    return "" if "\0" in text else text


def lines_of(stream: io.BufferedReader) -> Iterator[str]:
    """Readable lines without their ends, and no more of each than LINE_CHARS."""
    encoding = encoding_of(stream.peek(2))
    with io.TextIOWrapper(stream, encoding, "replace", newline="\n") as text:
        while line := text.readline(LINE_CHARS):
            yield readable(line.rstrip("\r\n"))
            while len(line) == LINE_CHARS and not line.endswith("\n"):
                line = text.readline(LINE_CHARS)


def readable(line: str) -> str:
    """A line as tcpdump printed it: without colours, with its blanks and arrows where a web page has others."""
    if "\x1b" in line:
        line = _CONTROL.sub("", line)
    if _ARROW not in line and any(escape in line for escape in _ESCAPES):
        from html import unescape  # its table of names takes longer than a small capture

        line = unescape(line)
    return line.replace(_NO_BREAK_SPACE, " ")
