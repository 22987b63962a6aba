"""Analyses made by hand, so that a report's tests need no capture."""

import io
import ipaddress
from typing import Any

import numpy as np

from tcptrace import flows as flow_fields
from tcptrace import kernels
from tcptrace.analysis import Analysis, Timeline
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.rule import Finding
from tcptrace.schema import (
    CLOSED_BY,
    CLOSES,
    SIDES,
    STATES,
    UNKNOWN,
    Flows,
    Packets,
    Segments,
    Transitions,
    allocate,
    columns,
)
from tcptrace.tcp import endpoint_rows
from tcptrace.tcp.endpoint import EVENTS
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker

START_NS = 1_714_572_191_250_000_000  # 2024-05-01 14:03:11.250 UTC
MS = 1_000_000


def summary(path: str = "client.pcap", **facts: Any) -> CaptureSummary:
    defaults: dict[str, Any] = {
        "format": "pcap",
        "link_types": ["EN10MB"],
        "frames": 12,
        "tcp_frames": 9,
        "start_ns": START_NS,
        "end_ns": START_NS + 1_042 * MS,
        "other_frames": {"UDP": 2, "ARP": 1},
    }
    return CaptureSummary(path=path, **{**defaults, **facts})


def table(kind: Any, rows: list[dict[str, Any]]) -> Any:
    """A table from dicts; a column not given is UNKNOWN."""
    made = allocate(kind, len(rows))
    for name, (_, column) in columns(kind).items():
        values = np.full((len(rows), column.per_row), UNKNOWN)
        for i, row in enumerate(rows):
            given = row.get(name, [UNKNOWN] * column.per_row)
            values[i, : np.size(given)] = given
        getattr(made, name)[:] = values.reshape(-1)
    return made


class Book:
    """An address book that is filled by the endpoints it is asked for."""

    def __init__(self) -> None:
        self.book = AddressBook()

    def end(self, text: str) -> tuple[int, int]:
        address, port = text.rsplit(":", 1)
        number = self.book.add(ipaddress.ip_address(address.strip("[]")), kernels.plain())
        return number, int(port)


def flow_row(book: Book, number: int, **facts: Any) -> dict[str, Any]:
    """A flow that opened and closed well, but for what is said otherwise."""
    defaults: dict[str, Any] = {
        "capture": 0,
        "client": "10.0.0.1:40000",
        "server": "10.0.0.9:80",
        "midstream": 0,
        "start_ns": START_NS,
        "end_ns": START_NS + 129 * MS,
        "client_frames": 6,
        "server_frames": 4,
        "client_payload_bytes": 77,
        "server_payload_bytes": 636,
        "client_state": "TIME_WAIT",
        "server_state": "CLOSED",
        "handshake_total_ns": 348_000,
        "syn_to_synack_ns": 301_000,
        "synack_to_ack_ns": 47_000,
        "closed_by": "client",
        "close": "fin",
        "reset_by": "none",
    }
    row = {**defaults, **facts, "flow": number}
    (row["client"], row["client_port"]), (row["server"], row["server_port"]) = (book.end(row[s]) for s in SIDES)
    for name, names in (
        ("client_state", STATES),
        ("server_state", STATES),
        ("closed_by", CLOSED_BY),
        ("reset_by", CLOSED_BY),
        ("close", CLOSES),
    ):
        row[name] = names.index(row[name])
    return row


def transition_row(flow: int, text: str, capture: int = 0) -> dict[str, Any]:
    """From `frame ms side FROM TO event`, with `(inferred)` or `(unexpected)` after it."""
    mark = text.partition("(")[2].rstrip(")")
    frame, ms, side, before, after, event = text.partition("(")[0].strip().split(maxsplit=5)
    return {
        "capture": capture,
        "flow": flow,
        "frame": int(frame),
        "time_ns": START_NS + int(float(ms) * MS),
        "side": SIDES.index(side),
        "from_state": STATES.index(before),
        "to_state": STATES.index(after),
        "event": EVENTS.index(event),
        "inferred": mark == "inferred",
        "unexpected": mark == "unexpected",
    }


UNANSWERED = {
    "server_frames": 0,
    "client_frames": 2,
    "client_payload_bytes": 0,
    "server_payload_bytes": 0,
    "client_state": "SYN_SENT",
    "server_state": "UNKNOWN",
    "handshake_total_ns": UNKNOWN,
    "syn_to_synack_ns": UNKNOWN,
    "synack_to_ack_ns": UNKNOWN,
    "closed_by": "none",
    "close": "none",
}
REFUSED = {
    **UNANSWERED,
    "server_frames": 1,
    "client_state": "CLOSED",
    "closed_by": "server",
    "close": "rst",
    "reset_by": "server",
}
OPEN = {"client_state": "ESTABLISHED", "server_state": "ESTABLISHED", "closed_by": "none", "close": "none"}
HALF = {"client_state": "FIN_WAIT_2", "server_state": "CLOSE_WAIT"}
MIDSTREAM = {**OPEN, "midstream": 1, "handshake_total_ns": UNKNOWN}
IPV6 = {
    "client": "[2001:db8:1234:5678:9abc:def0:1234:5678]:40000",
    "server": "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
}


def finding(**facts: Any) -> Finding:
    """What connection-refused says of flow 0, or otherwise as told."""
    defaults: dict[str, Any] = {
        "rule": "connection-refused",
        "severity": "error",
        "confidence": 0.95,
        "summary": "10.0.0.9:80 was called by 10.0.0.1:40000 and refused (frame 2), 301 µs after the SYN.",
        "cause": "nothing listens on that address and port, or a firewall answers in the server's name",
        "evidence": ("a RST that acknowledges the SYN", "TTL 64, IP ID 0"),
        "disproof": "a listener on 10.0.0.9:80 that was there at that time",
        "confirm": "Wireshark: frame.number in {1, 2}   server: ss -ltn 'sport = :80'",
        "fix": "start the service",
        "frames": (2, 1),
        "flows": (0,),
    }
    return Finding(**{**defaults, **facts})


def analysis(
    *kinds: dict[str, Any], transitions: tuple[str, ...] = (), found: tuple[Finding, ...] = (), **facts: Any
) -> Analysis:
    """One capture with one flow a kind; the transitions are flow 0's."""
    book = Book()
    flows = [flow_row(book, number, **kind) for number, kind in enumerate(kinds)]
    told = [transition_row(0, text) for text in transitions]
    return Analysis(
        (summary(**facts),),
        (book.book,),
        table(Flows, flows),
        table(Transitions, told),
        (unmeasured(len(flows)),),
        found,
    )


CLOSE_TRANSITIONS = (
    "1 0 client CLOSED SYN_SENT sent SYN",
    "2 0.301 server LISTEN SYN_RCVD sent SYN-ACK",
    "3 0.348 client SYN_SENT ESTABLISHED sent past SYN",
    "3 0.348 server SYN_RCVD ESTABLISHED received ACK of SYN (inferred)",
    "5 128.775 client ESTABLISHED FIN_WAIT_1 sent FIN",
    "5 128.775 server ESTABLISHED CLOSE_WAIT received FIN (inferred)",
    "6 128.932 server CLOSE_WAIT LAST_ACK sent FIN after FIN",
    "6 128.932 client FIN_WAIT_1 FIN_WAIT_2 received ACK of FIN (inferred)",
    "6 128.932 client FIN_WAIT_2 TIME_WAIT received FIN (inferred)",
    "7 128.964 server LAST_ACK CLOSED received ACK of FIN (inferred)",
    "0 60128.964 client TIME_WAIT CLOSED 2MSL timeout (inferred)",
)


def segment_row(book: Book, text: str) -> dict[str, Any]:
    """From `frame ms C|S flags seq len ack window`, numbers relative (raw ones are 1000 higher)."""
    frame, ms, side, flags, seq, length, ack, window = text.split()
    client, server = book.end("10.0.0.1:40000"), book.end("10.0.0.9:80")
    (src, sport), (dst, dport) = (client, server) if side == "C" else (server, client)
    syn = int(flags, 16) & 2
    return {
        "frame": int(frame),
        "time_ns": START_NS + int(float(ms) * MS),
        "interface": 0,
        "quoted": 0,
        "src": src,
        "sport": sport,
        "dst": dst,
        "dport": dport,
        "flags": int(flags, 16),
        "seq": int(seq) + 1000,
        "ack": int(ack) + 1000,
        "len": int(length),
        "window": int(window),
        "inferred": 0,
        "mss": 1460 if syn else UNKNOWN,
        "window_scale": 9 if syn else UNKNOWN,
        "sack_permitted": int(bool(syn)),
        "tsval": 77,
        "sack_count": 0,
        "option_kinds": 0,
        "options_cut": 0,
        "flow": 0,
        "side": "CS".index(side),
        "seq_relative": int(seq),
        "ack_relative": int(ack),
        "window_bytes": int(window) if syn else int(window) << 9,
        "labels": 0,
        "repeat": 0,
        "original": 0,
        "backoff": 0,
        "reordered_by": 0,
        "sacked_bytes": 0,
        "dsack": 0,
        "stalled": 0,
    }


SEGMENTS = (
    "1 0 C 0x002 0 0 -1 2920",
    "2 0.301 S 0x012 0 0 1 2896",
    "3 0.348 C 0x010 1 0 1 6",
    "4 0.510 C 0x018 1 77 1 6",
    "5 128.775 C 0x011 78 0 1 6",
    "6 128.932 S 0x011 1 0 79 0",
    "7 128.964 C 0x010 79 0 2 6",
)


def chunk(*texts: str, book: Book | None = None, **facts: Any) -> tuple[Packets, Segments, AddressBook, list[str]]:
    """The segments of one flow, seen at `eth0`; `facts` override columns of every row."""
    book = book or Book()
    rows = [{**segment_row(book, text), **facts} for text in texts or SEGMENTS]
    return table(Packets, rows), table(Segments, rows), book.book, ["eth0"]


def unmeasured(flows: int) -> Measured:
    """What is measured of flows that were each a lone SYN."""
    tracker = Tracker()
    tracker.directions.of_flow.resize(flows)
    tracker.flows.rows.resize(flows * flow_fields.WIDTH)
    tracker.flows.rows[flow_fields.SEEN :: flow_fields.WIDTH] = flow_fields.SEEN_SYN
    tracker.flows.used[0] = flows
    tracker.endpoints.wide.resize(flows * 2 * endpoint_rows.WIDE)
    tracker.endpoints.narrow.resize(flows * 2 * endpoint_rows.NARROW)
    tracker.endpoints.narrow[endpoint_rows.WINDOW :: endpoint_rows.NARROW] = 2920
    return Measured(tracker, np.zeros(flows, np.int8))


def timeline(
    *texts: str, transitions: tuple[str, ...] = CLOSE_TRANSITIONS, found: tuple[Finding, ...] = (), **facts: Any
) -> Timeline:
    """Flow 0 opened, used and closed by the client."""
    book = Book()
    made = table(Flows, [flow_row(book, 0, **facts)])
    told = table(Transitions, [transition_row(0, text) for text in transitions])
    packets, segments, *_ = chunk(*texts, book=book)
    of_flow = Analysis((summary(),), (book.book,), made, told, (unmeasured(1),), found)
    return Timeline(summary(), book.book, of_flow, packets, segments)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True
