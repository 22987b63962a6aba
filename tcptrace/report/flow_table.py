"""The table of flows: a line a flow where it fits, else two, with the states under their endpoints."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tcptrace.capture.address_book import AddressBook
from tcptrace.report.outcome import OUTCOMES, close_cell
from tcptrace.report.terminal import GAP, Piece, Screen, text_width, widest
from tcptrace.report.units import duration, sizes
from tcptrace.rows import records
from tcptrace.schema import I8, NO_TIME, STATES, Flows

STATE_TEXTS = ["?" if state == "UNKNOWN" else state for state in STATES]


class Line(NamedTuple):
    """What the table shows of one flow."""

    flow: Piece
    client: Piece
    server: Piece
    client_state: Piece
    server_state: Piece
    frames: Piece
    bytes: Piece
    time: Piece
    handshake: Piece
    close: Piece


TITLES = Line(
    flow=Piece("flow", "dim"),
    client=Piece("client", "dim"),
    server=Piece("server", "dim"),
    client_state=Piece("client is", "dim"),
    server_state=Piece("server is", "dim"),
    frames=Piece("frames", "dim"),
    bytes=Piece("bytes", "dim"),
    time=Piece("time", "dim"),
    handshake=Piece("handshake", "dim"),
    close=Piece("close", "dim"),
)
RIGHT = {"flow", "frames", "bytes", "time", "handshake"}
NARROWER = [name for name in Line._fields if name != "handshake"]


def write_flow_table(screen: Screen, flows: Flows, rank: I8, book: AddressBook) -> None:
    """Write the flows given (few: what is shown), in the widest form that fits the screen."""
    lines = [_line(row, number, book) for row, number in zip(records(flows), rank.tolist(), strict=True)]
    for fields in (Line._fields, NARROWER):
        widths = [widest(getattr(line, name).text for line in (TITLES, *lines)) for name in fields]
        if screen.width is None or sum(widths) + len(GAP) * (len(widths) - 1) <= screen.width:
            _write_wide(screen, lines, fields, widths)
            return
    _write_stacked(screen, lines, screen.width or 0)


def _line(row: Any, rank: int, book: AddressBook) -> Line:
    """One flow; `row` is a record of Flows."""
    known = row.start_ns != NO_TIME and row.end_ns != NO_TIME
    shaky = "dim" if row.midstream else ""
    silent_listener = row.server_frames == 0 and STATES[row.server_state] == "LISTEN"  # nothing shows that it listens
    return Line(
        flow=Piece(str(row.flow), "title"),
        client=Piece(book.endpoint(row.client, row.client_port), shaky),
        server=Piece(book.endpoint(row.server, row.server_port), shaky),
        client_state=Piece(STATE_TEXTS[row.client_state], OUTCOMES[rank].style),
        server_state=Piece("?" if silent_listener else STATE_TEXTS[row.server_state], OUTCOMES[rank].style),
        frames=Piece(f"{row.client_frames + row.server_frames:,}"),
        bytes=Piece(sizes(row.client_payload_bytes, row.server_payload_bytes)),
        time=Piece(duration(row.end_ns - row.start_ns) if known else "?"),
        handshake=Piece(duration(row.handshake_total_ns) if row.handshake_total_ns >= 0 else "-"),
        close=Piece(close_cell(OUTCOMES[rank], row.closed_by, row.reset_by), OUTCOMES[rank].style),
    )


def _write_wide(screen: Screen, lines: Sequence[Line], fields: Sequence[str], widths: Sequence[int]) -> None:
    """A line a flow."""
    for line in (TITLES, *lines):
        pieces: list[Piece] = []
        for name, width in zip(fields, widths, strict=True):
            pieces += [getattr(line, name).padded(width, right=name in RIGHT), Piece(GAP)]
        screen.line(*pieces[:-1])


def _write_stacked(screen: Screen, lines: Sequence[Line], width: int) -> None:
    """Two lines a flow, or as many as its endpoints need: nothing is cut."""
    shown = (TITLES, *lines)
    flow = widest(line.flow.text for line in shown)
    counts = widest(text for line in shown for text in (line.frames.text, line.bytes.text))
    ends = widest(text for line in shown for text in (line.time.text, line.close.text))
    room = max(width - flow - counts - ends - 4 * len(GAP), 24)
    server = min(widest(line.server.text for line in shown), room // 2)
    server = max(server, 11)
    client = min(widest(line.client.text for line in shown), room - server)
    client = max(client, 11)
    for line in shown:
        left = _stack(line.client, line.client_state, client)
        right = _stack(line.server, line.server_state, server)
        middle = [line.frames, line.bytes]
        last = [line.time, line.close]
        first = [line.flow]
        for i in range(max(len(left), len(right), 2)):
            screen.line(
                _nth(first, i).padded(flow, right=True),
                Piece(GAP),
                _nth(left, i).padded(client),
                Piece(GAP),
                _nth(right, i).padded(server),
                Piece(GAP),
                _nth(middle, i).padded(counts, right=True),
                Piece(GAP),
                _nth(last, i).padded(ends, right=True),
            )


def _stack(endpoint: Piece, state: Piece, width: int) -> list[Piece]:
    """An endpoint on as many lines as it needs, its state below."""
    return [*(Piece(text, endpoint.style) for text in wrap_endpoint(endpoint.text, width)), state]


def _nth(pieces: Sequence[Piece], index: int) -> Piece:
    return pieces[index] if index < len(pieces) else Piece("")


def wrap_endpoint(text: str, width: int) -> list[str]:
    """An endpoint in lines of at most `width`, broken inside the address: `[2001:db8:0:1:` / `a:b:c:d]:443`."""
    lines = [""]
    for part in re.split(r"(?<=[^\]]:)", text):
        if lines[-1] and text_width(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return lines
