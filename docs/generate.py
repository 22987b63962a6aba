"""Writes the pages that are made from the code: `make docs`; a test checks they are fresh.

docs/states.md comes from the endpoint's state table, docs/tables.md from schema/ and the names that reports use,
docs/rules.md from the rules, docs/cases.md from what is true of the captures, docs/case.schema.json and the tables of
docs/ci.md from what a case.toml may say; README.md and docs/tutorial.md show what commands print.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import correlation_page
import numpy as np
from cases_page import cases
from check_page import ci, schema_text
from readme_page import readme
from rules_page import rules
from tutorial_page import tutorial

from tcptrace import schema
from tcptrace.capture.summary import CaptureSummary
from tcptrace.dataframes import OF_CORRELATION
from tcptrace.diagnosis.rule import Finding
from tcptrace.report import flow_rows, packet_columns, timeline_rows
from tcptrace.schema import SIDES, STATES
from tcptrace.tcp import endpoint, flow_columns

RETURNS = {
    ("ESTABLISHED", "SYN_RCVD"),
    ("CLOSE_WAIT", "SYN_RCVD"),
    ("FIN_WAIT_2", "FIN_WAIT_1"),
    ("CLOSE_WAIT", "FIN_WAIT_1"),
    ("TIME_WAIT", "FIN_WAIT_1"),
    ("FIN_WAIT_2", "CLOSING"),
    ("TIME_WAIT", "CLOSING"),
    ("CLOSED", "LAST_ACK"),
    ("CLOSED", "SYN_RCVD"),
}
"""Steps back: a receipt that was inferred is withdrawn."""


def states() -> str:
    """states.md."""
    told = [cell for cell in endpoint.cells() if cell.next_state not in (None, cell.state)]
    forward = [cell for cell in told if (cell.state, cell.next_state) not in RETURNS and cell.state != "UNKNOWN"]
    back = [cell for cell in told if (cell.state, cell.next_state) in RETURNS]
    midstream = [cell for cell in told if cell.state == "UNKNOWN"]
    return "\n".join(
        [
            "<!-- Made by docs/generate.py from tcptrace/tcp/endpoint.py. Do not edit. -->",
            "# The endpoint's states",
            "",
            str(endpoint.__doc__).split("\n\n", 1)[1].strip(),
            "",
            "## The table",
            "",
            *_state_table(),
            "",
            "One event stands outside the table: `still sending`. A side that a RST had seemed to end goes on,",
            "later than a round trip allows for segments already on their way; its state of before returns.",
            "",
            "## Why, where RFC 9293 does not say",
            "",
            *(f"- {cell.state}, {cell.event} → {cell.next_state}: {cell.reason}." for cell in told if cell.reason),
            "",
            "## Forward",
            "",
            "Resets, which lead from every state to CLOSED, are left out.",
            "",
            *_diagram([cell for cell in forward if "RST" not in cell.event]),
            "",
            "## Back: receipts withdrawn",
            "",
            *_diagram(back),
            "",
            "## From midstream",
            "",
            *_diagram(midstream),
            "",
        ]
    )


def _state_table() -> list[str]:
    rows = ["| event | " + " | ".join(STATES) + " |", "|---|" + "---|" * len(STATES)]
    for event, cells in groupby(endpoint.cells(), key=lambda cell: cell.event):
        texts = ["!" if c.next_state is None else "." if c.next_state == c.state else c.next_state for c in cells]
        rows.append(f"| {event} | " + " | ".join(texts) + " |")
    return rows


def _diagram(cells: list[endpoint.Cell]) -> list[str]:
    """A Mermaid state diagram; events that join the same two states share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        arrows.setdefault((cell.state, str(cell.next_state)), []).append(cell.event)
    lines = [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return ["```mermaid", "stateDiagram-v2", *lines, "```"]


class Told(NamedTuple):
    """What tables.md says of a column."""

    type: str
    unit: str
    meaning: str


TEXT = {
    "capture": "path of the capture; in pandas its row in `captures`",
    "src": "sender's address",
    "dst": "receiver's address",
    "client": "client's address and port, `10.0.0.1:80` or `[2001:db8::1]:80`",
    "server": "server's address and port",
    "analysis": "Wireshark's labels ([wireshark.md](wireshark.md)), joined by `;`; a list in JSON",
    "interface": "name of the interface that captured it",
    "direction": "`in` or `out`, as seen from the capturing host",
    "sack": "SACK blocks, `left-right left-right`, raw numbers",
    "toa": "the client that a TOA option names, `10.0.0.1:80`",
    "options": "kinds of the first eight options in order, without NOP and EOL, joined by `;`; a list in JSON",
}
"""Columns that reports show as text of their own making."""

SIDE = {"side": "sender: `client` or `server`"} | {f"{side}_state": f"the {side}'s state after it" for side in SIDES}
WHOSE = {"side": "whose state: `client` or `server`"}

CAPTURES = {
    "path": Told("text", "", "as given"),
    "format": Told("text", "", "`pcap`, `pcapng`, `tcpdump text`, ...; with compression named: `pcap, gzip`"),
    "link_types": Told("list of text", "", "names of the link types met, such as `EN10MB`"),
    "interfaces": Told("list of text", "", "names of the interfaces"),
    "frames": Told("int", "", "frames read"),
    "tcp_frames": Told("int", "", "of those, with TCP"),
    "flows": Told("int", "", "flows, also those that were not chosen"),
    "start_ns": Told("int", "ns", "time of the first frame since the epoch; empty: no frame has a time"),
    "end_ns": Told("int", "ns", "time of the last frame"),
    "tick_ns": Told("int", "ns", "the unit of its times, as its format says; the coarsest where interfaces differ"),
    "dated": Told("true/false", "", "false: tcpdump text without dates; times count from 1970-01-01"),
    "truncated": Told("true/false", "", "the file ends, or is damaged, before its end"),
    "problems": Told("list of text", "", "what was wrong with it, and where"),
    "other_frames": Told("text → int", "", "frames without a row by what they were"),
    "cut_frames": Told("int", "", "segments whose payload was not kept whole; in the library only, like all below"),
    "cut_examples": Told("list of int", "", "the first of these frames"),
    "cut_to_bytes": Told("int", "bytes", "most that was kept of one"),
    "unflagged_frames": Told("int", "", "segments that end before their flags, which belong to no flow"),
    "recordings": Told("list of two int", "ns", "first and last time of each recording in it; several were joined"),
    "names": Told("text → text", "", "address → the first name for which DNS gave it; in JSON too"),
}


FLOWS = """\
One row a flow: `analyze --format csv`, `jsonl` and `markdown`, and `flows` in the library. A pair of names is the
client's and the server's; the first columns are in this order, then each group has all of the client's first.
In `jsonl`, one object a line, numbers are numbers and truth is `true` or `false`. `--format json` is a document with
fewer of them, nested.

`limited_by_*` share out the flow's time: every moment goes to the first of the causes, in this order, that can be seen
to hold the transfer back. What shows each stands beside its share in `analyze --flow N` only. A sender held back by its
own window (congestion window, send buffer) and one that fills the path look alike in a capture: both are `path`, but
for the time in which a loss is repaired. So is, near the receiver, one that waits for room in the receiver's window:
what reaches the capture is acknowledged at once there. In a flow met midstream nothing tells (`unknown`) until both
sides have acknowledged something, and at no time where one direction is missing. Where a clock goes back, time that
passes twice counts twice.

Retransmissions are counted in two ways: `*_retransmissions` by our verdict, of which `*_spurious` and `*_timeouts` are
part; `*_retransmitted_packets` as `tcptrace -l` does ([tcptrace_c.md](tcptrace_c.md)), whatever the reason."""
FINDINGS = {
    "rule": Told("text", "", "name of the rule ([rules.md](rules.md))"),
    "severity": Told("text", "", "`error`, `warning` or `info`"),
    "confidence": Told("float", "", "0 to 1; lower where the capture shows only a part"),
    "summary": Told("text", "", "who did what to whom, and when"),
    "cause": Told("text", "", "the mechanism, or the candidates"),
    "evidence": Told("list of text", "", "what was seen"),
    "disproof": Told("text", "", "what would show that it is wrong"),
    "confirm": Told("text", "", "Wireshark's display filter and commands on the live system"),
    "fix": Told("text", "", "what to do"),
    "frames": Told("list of int", "", "frames that show it; of several flows, of some"),
    "flows": Told("list of int", "", "its flows, none: the whole capture; JSON has one as `flow`, several as `flows`"),
    "capture": Told("int", "", "row in `captures`"),
    "number": Told("int", "", "from 1 within its capture, whichever are asked for: `extract --finding N`"),
    "symptoms": Told("list of text", "", "other rules that saw the same event"),
    "application": Told("list of text", "", "what the application said, with `--decode`"),
}


EMPTY = {
    r"else -1$": "else empty",
    r"; (?:-1|NO_TIME):? (unless|when|without|in)\b": r"; empty \1",
    r"-1:? ": "empty: ",
    r"; 0 none": "; empty: none",
}
"""How the arrays say that there is nothing → how users see it."""


def tables() -> str:
    """tables.md."""
    named = {"context": "names"}
    assert list(CAPTURES) == [named.get(field.name, field.name) for field in fields(CaptureSummary)]
    assert list(FINDINGS) == [
        field.name for field in fields(Finding) if field.compare and field.name not in OF_CORRELATION
    ]
    flows = {"handshake_ns": schema.columns(schema.Flows)["handshake_total_ns"]}
    flows |= schema.columns(schema.Flows) | flow_columns.DESCRIBED
    packets = schema.columns(schema.Packets) | schema.columns(schema.Segments)
    segments = schema.columns(schema.Segments) | schema.columns(schema.Packets)
    return "\n".join(
        [
            "<!-- Made by docs/generate.py from tcptrace/schema/. Do not edit. -->",
            "# The tables",
            "",
            "What is not known is empty in CSV and Markdown, `null` in JSON and `<NA>` in pandas; the library's arrays",
            "have -1 there. Truth is `true` or `false`, times are nanoseconds since the epoch; in pandas `start_ns`,",
            "`end_ns` and `time_ns` are timestamps named `start`, `end` and `time`.",
            "Columns keep their names, not their places.",
            *_section("captures", "One row a capture: `captures` in JSON and in the library.", CAPTURES.items()),
            *_section(
                "flows",
                FLOWS,
                _pairs(_told(flow_rows.NAMES, flows)),
            ),
            *_section("packets", "One row a TCP frame: `packets`.", _told(packet_columns.NAMES, packets)),
            *_section(
                "segments",
                "One row a segment of a flow: `timeline`; JSON has both states as `states`.",
                _told(timeline_rows.NAMES, segments, TEXT | SIDE),
            ),
            *_section(
                "transitions",
                "One row a change of an endpoint's state: `transitions` in the library, and in JSON each flow's"
                " `timeline`,\nwith `from` and `to` for the states.",
                _told(schema.Transitions._fields, schema.columns(schema.Transitions), WHOSE),
            ),
            *_section(
                "findings",
                "One row a finding, the worst of each capture first: `findings` in JSON and in the library.",
                FINDINGS.items(),
            ),
            "",
        ]
    )


def _section(name: str, text: str, rows: Iterable[tuple[str, Told]]) -> list[str]:
    head = ["", f"## {name}", "", text, "", "| name | type | unit | meaning |", "|---|---|---|---|"]
    return head + [f"| {_names(name)} | {told.type} | {told.unit} | {told.meaning} |" for name, told in rows]


def _names(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split())


def _told(
    names: Iterable[str], described: flow_columns.Described, text: Mapping[str, str] = TEXT
) -> list[tuple[str, Told]]:
    """Columns by name as `described`, or as `text` says."""
    return [(name, Told("text", "", text[name]) if name in text else _column(name, *described[name])) for name in names]


def _column(name: str, dtype: Any, column: schema.Column) -> Told:
    """A column as users see it: numbers of words as those words, 1 and 0 as truth, -1 as nothing."""
    meaning = column.meaning
    for pattern, words in EMPTY.items():
        meaning = re.sub(pattern, words, meaning)
    if name == "flags":
        meaning += "; `0x012`, in JSON a number, in Markdown names"
    if name in flow_columns.ROUND_TRIPS:
        meaning = f"round trips of what the side sent: {meaning}"
    if name in flow_columns.BY_TIMESTAMP:
        meaning = f"round trips of what the side sent, by the timestamps echoed: {meaning}"
    if meaning.startswith("1: "):
        return Told("true/false", "", meaning.removeprefix("1: "))
    if words := re.search(r",? index into ([A-Z_]+)$", meaning):
        values = endpoint.EVENTS if words[1] == "EVENTS" else getattr(schema, words[1])
        return Told("text", "", f"{meaning[: words.start()]}: {', '.join(f'`{value}`' for value in values)}")
    return Told("text" if dtype is None else np.dtype(dtype).name, column.unit, meaning)


def _pairs(rows: Iterable[tuple[str, Told]]) -> list[tuple[str, Told]]:
    """Columns that say the same of both sides as one, where the client's stands."""
    found = dict(rows)
    pairs = []
    for name, told in found.items():
        twin = name.replace("client_", "server_", 1)
        if name.startswith("server_"):
            continue
        if name.startswith("client_"):
            told, other = (_of_a_side(found[of], side) for of, side in zip((name, twin), SIDES, strict=True))
            assert told == other, name
            name = f"{name} {twin}"
        pairs.append((name, told))
    return pairs


def _of_a_side(told: Told, side: str) -> Told:
    return told._replace(meaning=re.sub(rf"\b(the )?{side}\b", "the side", told.meaning, count=1))


PAGES = {
    "states.md": states,
    "tables.md": tables,
    "rules.md": rules,
    "cases.md": cases,
    "correlation.md": correlation_page.page,
    "tutorial.md": tutorial,
    "case.schema.json": schema_text,
    "ci.md": ci,
    "../README.md": readme,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (Path(__file__).parent / name).write_text(page(), encoding="utf-8")
