"""What a case.toml may say: every key, its kind and its meaning; what reads a case and docs/case.schema.json use it."""

from functools import partial
from typing import Any

from tcptrace.check.kinds import Endpoint, Files, Key, ListOf, Names, Number, OneOf, Table, Text, Truth
from tcptrace.check.limits import LIMITS
from tcptrace.correlation import director_table
from tcptrace.correlation.result import MODES
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.schema import CLOSED_BY, CLOSES, SIDES, STATES
from tcptrace.tcp.zeek import CONN_STATES

ALONE, TOGETHER = "alone", "together"

POINT = r"^[^:=]*[^:=\s][^:=]*(:[^=]*[^:=\s][^=]*)?$"
"""A host, or host:interface; the command line has POINT=CAPTURE."""
RULE = OneOf(tuple(sorted(BY_NAME)), "rule", "tcptrace explain lists the rules")
STATE = OneOf(tuple(STATES), "state")
MODE = OneOf(tuple(MODES), "mode")
COUNT = Number(whole=True)


def _sides(kind: Any) -> Table:
    return Table({side: Key(kind, f"of the {side}") for side in SIDES}, least=1)


FLOW = Table(
    {
        "client": Key(Endpoint(), "the client's address and port"),
        "server": Key(Endpoint(), "the server's address and port; of a connection, as the client calls it"),
        "states": Key(_sides(STATE), "the last state of each side"),
        "close": Key(OneOf(tuple(CLOSES), "close"), "how the flow ended", ALONE),
        "closed_by": Key(OneOf(tuple(CLOSED_BY), "side"), "who closed first", ALONE),
        "conn_state": Key(OneOf(tuple(CONN_STATES), "conn_state"), "Zeek's conn_state", ALONE),
        "history": Key(Text(), "Zeek's history", ALONE),
        "midstream": Key(Truth(), "whether it began before the capture", ALONE),
        "completeness": Key(COUNT, "Wireshark's tcp.completeness", ALONE),
        "frames": Key(_sides(COUNT), "frames each side sent", ALONE),
        "payload_bytes": Key(_sides(COUNT), "unique bytes each side sent", ALONE),
        "retransmissions": Key(_sides(COUNT), "segments each side sent again", ALONE),
        "mode": Key(MODE, "how the connection was forwarded", TOGETHER),
        "path": Key(
            Table(
                {
                    "request": Key(ListOf(Text()), "points in the order a request passes them"),
                    "reply": Key(ListOf(Text()), "points in the order a reply passes them"),
                },
                least=1,
            ),
            "the points each direction passed",
            TOGETHER,
        ),
        "reset_origin": Key(
            Table(
                {
                    "point": Key(Text(), "the first point that has it"),
                    "side": Key(OneOf(("client", "server", "middlebox"), "side"), "who sent it"),
                    "host": Key(Text(), "the host that sent it"),
                },
                least=1,
            ),
            "where the connection's first RST came into being",
            TOGETHER,
        ),
        "director": Key(
            Table(
                {
                    "host": Key(Text(), "the director's host"),
                    "table": Key(OneOf(("input_only", "nat"), "table"), "the table of states it goes by"),
                    "state": Key(OneOf(tuple(director_table.STATES), "state"), "its last state of the connection"),
                },
                least=1,
            ),
            "what the director believed",
            TOGETHER,
        ),
    },
    least=1,
)

EXPECT = Table(
    {
        "findings": Key(ListOf(RULE), "rules that must all find something, be it a symptom of another finding"),
        "absent": Key(ListOf(RULE), "rules of which none may find anything"),
        "only": Key(Truth(), "true: no finding of warning or above beyond `findings`"),
        "flows": Key(COUNT, "flows of each capture"),
        "connections": Key(
            COUNT, "connections over all points; without points those of each capture, a flow joined with another once"
        ),
        "mode": Key(MODE, "how every connection was forwarded", TOGETHER),
        "flow": Key(ListOf(FLOW), "a flow, or with points a connection, that must be there; what is given must hold"),
    }
)

LIMIT = Table({name: Key(Number(), f"{limit.told}: at most", limit.where) for name, limit in LIMITS.items()})

CASE = Table(
    {
        "title": Key(Text(), "what the case shows, in a line"),
        "points": Key(
            Names(Files(), POINT, "a point needs a name: client, or lvs:eth0"),
            "point, host:interface or a name, and its capture beside this file (rotated: a.pcap,b.pcap, or a list);"
            " without points every capture of the folder is analyzed alone",
        ),
        "expect": Key(EXPECT, "what must be found, and what must not"),
        "limits": Key(LIMIT, "what is measured must not exceed this"),
    }
)


def json_schema() -> dict[str, Any]:
    """CASE as a JSON Schema, for editors."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "tcptrace case.toml",
        "description": "A folder with captures and what they must show: tcptrace check",
        **CASE.schema(),
        "if": {"required": ["points"]},
        "then": _without(ALONE),
        "else": _without(TOGETHER),
    }


def _without(where: str) -> dict[str, Any]:
    """What JSON Schema adds to refuse the keys that say something elsewhere only."""
    flow, expect, limits = map(partial(_only_where, where), (FLOW, EXPECT, LIMIT))
    expect["flow"] = {"items": {"properties": flow}}
    return {"properties": {"expect": {"properties": expect}, "limits": {"properties": limits}}}


def _only_where(where: str, table: Table) -> dict[str, Any]:
    return {name: False for name, key in table.keys.items() if key.where == where}
