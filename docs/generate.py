"""Writes docs/states.md from the endpoint's state table: `python docs/generate.py`; a test checks it is fresh."""

from itertools import groupby
from pathlib import Path

from tcptrace.schema import STATES
from tcptrace.tcp import endpoint

PAGE = Path(__file__).with_name("states.md")

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


def page() -> str:
    """The whole page."""
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
            *_table(),
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


def _table() -> list[str]:
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


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
