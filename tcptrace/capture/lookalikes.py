"""What a file that is no capture looks like, and what to do about it."""

import codecs
import re
from typing import NamedTuple

from tcptrace.capture.decompress import compression_of
from tcptrace.capture.text_lines import encoding_of


class Lookalike(NamedTuple):
    """A kind of file, known by how it begins."""

    name: str
    remedy: str = "give a pcap or pcapng file, or text printed by tcpdump"


_EDITCAP = "convert it: editcap -F pcapng FILE out.pcapng"
_UNPACK = "unpack it and give the capture inside"

BEGINNINGS: tuple[tuple[bytes, Lookalike], ...] = (
    (b"\x7fELF", Lookalike("an ELF program")),
    (b"MZ", Lookalike("a Windows program")),
    (b"\x89PNG", Lookalike("a PNG image")),
    (b"\xff\xd8\xff", Lookalike("a JPEG image")),
    (b"GIF8", Lookalike("a GIF image")),
    (b"%PDF", Lookalike("a PDF document")),
    (b"PK\x03\x04", Lookalike("a ZIP archive", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", Lookalike("a 7-Zip archive", _UNPACK)),
    (b"Rar!", Lookalike("a RAR archive", _UNPACK)),
    (b"BZh", Lookalike("bzip2 data", "unpack it: bunzip2 -k FILE")),
    (b"snoop\0\0\0", Lookalike("a snoop capture", _EDITCAP)),
    (b"btsnoop\0", Lookalike("a Bluetooth snoop capture", _EDITCAP)),
    (b"GMBU", Lookalike("a Microsoft Network Monitor capture", _EDITCAP)),
    (b"RTSS", Lookalike("a Microsoft Network Monitor capture", _EDITCAP)),
    (b"TRSNIFF data", Lookalike("a Sniffer capture", _EDITCAP)),
    (b"XCP\0", Lookalike("a NetXRay capture", _EDITCAP)),
    (b"\x7fVR", Lookalike("an LANalyzer capture", _EDITCAP)),
    (b"SQLite format 3", Lookalike("an SQLite database")),
    (b"<?xml", Lookalike("an XML document", "give the capture itself, not tshark's -T pdml or psml")),
    (b"<!DOCTYPE", Lookalike("an HTML page", "download the file itself, not the page about it")),
    (b"<html", Lookalike("an HTML page", "download the file itself, not the page about it")),
    (b"version https://git-lfs", Lookalike("a Git LFS pointer", "fetch the file itself: git lfs pull")),
)

OTHER_TEXT = Lookalike("text, but none printed by tcpdump", "of text, only tcpdump's own lines are read")

_JSON = re.compile(rb'\{\s*["}]|\[\s*[\[\]{"]')
_TAR_MAGIC_OFFSET = 257
_TEXT_CONTROLS = set("\t\n\r\f\x1b")


def lookalike(head: bytes) -> Lookalike:
    """What bytes that are no capture look like."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning) or (beginning[:1] == b"<" and start.startswith(beginning.lower())):
            return kind
    if _JSON.match(start):
        return Lookalike("JSON", "give the capture itself, not tshark's -T json")
    if head[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + 5] == b"ustar":
        return Lookalike("a tar archive", _UNPACK)
    if compression := compression_of(head):
        return Lookalike(f"{compression} data once more", "unpack it once")
    if not any(head):
        return Lookalike("nothing but zero bytes", "copy or record it again")
    if _is_text(head):
        return OTHER_TEXT
    return Lookalike("binary data of an unknown kind")


def _is_text(head: bytes) -> bool:
    """UTF-8, or UTF-16 with a byte order mark (perhaps cut at the end), without control characters."""
    try:
        text = codecs.getincrementaldecoder(encoding_of(head))().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(char < " " and char not in _TEXT_CONTROLS for char in text)
