"""One flow in full: who, when and how, what each side did, and what held it back."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.report.direction_rows import GROUPS, UNKNOWN, Row
from tcptrace.report.flow_title import write_flow_title
from tcptrace.report.handshake_words import halves, place, total
from tcptrace.report.joined_words import pairs
from tcptrace.report.terminal import GAP, Piece, Screen, widest
from tcptrace.report.units import duration
from tcptrace.schema import LIMITS, SIDES, Flows
from tcptrace.tcp.flow_columns import LIMITED_BY, flow_columns
from tcptrace.tcp.measures import Measured

SEEN = ("SYN", "SYN-ACK", "ACK", "data", "FIN", "RST")
"""The bits of completeness."""

Values = Mapping[str, Any]


def _both(name: str, told: Callable[[int], str] = "{:,}".format) -> Callable[[Values], str]:
    """`client 3, server 0`."""
    return lambda flow: ", ".join(
        f"{side} {told(flow[f'{side}_{name}']) if flow[f'{side}_{name}'] >= 0 else UNKNOWN}" for side in SIDES
    )


class Limit(NamedTuple):
    """What is said of one of LIMITS."""

    meaning: str
    evidence: Callable[[Values], str]
    style: str = ""


LIMIT_WORDS = {
    "handshake": Limit("before both had acknowledged; SYN to ACK: ", total),
    "loss": Limit("a loss was repaired; retransmissions: ", _both("retransmissions"), "bad"),
    "receiver_window": Limit("the window had no room; zero windows: ", _both("zero_windows"), "odd"),
    "path": Limit("other data was on its way; median round trip: ", _both("rtt_p50_ns", duration)),
    "application": Limit("nothing was on its way; longest silence: ", _both("idle_max_ns", duration)),
    "unknown": Limit("met midstream, or one direction is missing: nothing tells", lambda _: "", "dim"),
}


def write_flow(
    screen: Screen, flows: Flows, book: AddressBook, summary: CaptureSummary, measured: Measured, *, utc: bool
) -> None:
    """Everything known of the one flow in `flows`."""
    found: Values = {name: column[0] for name, column in flow_columns(measured, flows).items()}
    flow = {name: value if isinstance(value, str) else value.item() for name, value in found.items()}
    flow |= {name: int(column[0]) for name, column in flows._asdict().items()}
    write_flow_title(screen, flows, book, summary, utc=utc)
    screen.line()
    _write_facts(screen, flow)
    for pair in pairs(measured.joined, flows.flow):
        screen.fact("joined", f"with flow {pair.joined_with}, {pair.basis}")
    _write_sides(screen, flow)
    _write_limits(screen, flow)


def _write_facts(screen: Screen, flow: Values) -> None:
    screen.fact("handshake", halves(flow))
    if taken := place(flow["taken_near"]):
        screen.fact("capture", f"taken {taken}, inferred from the handshake's halves")
    seen = ", ".join(name for bit, name in enumerate(SEEN) if flow["completeness"] >> bit & 1)
    screen.fact("complete", f"{flow['completeness']}: {seen or 'nothing of these'}")
    upper = f", upper case the {flow['originator']}" if flow["history"] else ""
    if flow["stalled_ns"]:
        total, longest = duration(flow["stalled_ns"]), duration(flow["stall_max_ns"])
        screen.fact("stalled", f"{total} silent with something unacknowledged, at most {longest} at a time", "odd")
    screen.fact("Zeek", f"{flow['conn_state']}  {flow['history']}{upper}")


def _write_sides(screen: Screen, flow: Values) -> None:
    """Both sides beside each other, a figure a line."""
    sides = [{name.removeprefix(f"{side}_"): value for name, value in flow.items()} for side in SIDES]
    lines = [[(row, [row.cell(side) for side in sides]) for row in group] for group in GROUPS]
    title = widest(row.title for group in GROUPS for row in group)
    width = [widest([SIDES[i], *(cells[i] for group in lines for _, cells in group)]) for i in range(len(SIDES))]
    head = [Piece(GAP + side.rjust(width[i]), side) for i, side in enumerate(SIDES)]
    screen.line()
    screen.line(Piece("  " + " " * title), *head)
    for number, group in enumerate(lines):
        if number:
            screen.line()
        for row, cells in group:
            told = [Piece(GAP + text.rjust(width[i]), _style(row, text)) for i, text in enumerate(cells)]
            screen.line(Piece(f"  {row.title.ljust(title)}", "dim"), *told)


def _style(row: Row, text: str) -> str:
    return "dim" if text.split()[0] in ("0", UNKNOWN) else row.style


def _write_limits(screen: Screen, flow: Values) -> None:
    """Causes by their share of the flow's time, each with what shows it."""
    spans = {limit: flow[name] for limit, name in zip(LIMITS, LIMITED_BY.values(), strict=True)}
    life_ns = sum(spans.values())
    if life_ns == 0:
        return
    screen.line()
    screen.line(Piece("  limited by", "dim"))
    for limit, ns in sorted(spans.items(), key=lambda item: -item[1]):
        if ns:
            words = LIMIT_WORDS[limit]
            label = f"  {limit.replace('_', ' '):<15}{_share(ns, life_ns):>7}  {duration(ns):>10}  "
            screen.paragraph(words.meaning + words.evidence(flow), label=Piece(label, words.style))


def _share(ns: int, life_ns: int) -> str:
    """`12.7%`; never 0 for what took any time."""
    return f"{ns / life_ns:.1%}" if ns * 1000 >= life_ns else "<0.1%"
