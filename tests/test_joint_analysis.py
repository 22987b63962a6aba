"""Captures of several points in, connections out: the API as a user calls it."""

import re
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace import correlation_tables

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
FULLNAT = {"client": CAPTURES / "fullnat" / "client.pcap", "rs:eth0": CAPTURES / "fullnat" / "rs-eth0.pcap"}

CASE = FULLNAT | {f"dpvs:{name}": CAPTURES / "fullnat" / f"dpvs-{name}.pcap" for name in ("eth0", "eth1")}


def test_a_mapping_of_points_becomes_connections() -> None:
    told = tcptrace.correlate(FULLNAT)
    assert [(one.client, one.mode, one.states) for one in told.connections] == [
        ("10.0.0.1:40000", "fullnat", ("TIME_WAIT", "CLOSED"))
    ]
    assert told.to_dict()["schema"] == "tcptrace.correlation/1"


@pytest.mark.parametrize(
    ("name", "rows"), [("points", 2), ("connections", 1), ("legs", 2), ("hops", 2), ("findings", 0), ("passages", 15)]
)
def test_every_table_is_a_data_frame(name: str, rows: int) -> None:
    frame = tcptrace.correlate(FULLNAT).table(name)
    assert len(frame) >= rows


@pytest.mark.parametrize("name", ["points", "connections", "legs", "hops", "rewrites", "findings", "passages"])
def test_a_table_without_rows_has_its_columns(name: str) -> None:
    """One capture at one point has no hop, nothing rewritten and nothing wrong: the columns are there."""
    full, few = tcptrace.correlate(CASE), tcptrace.correlate({"client": CAPTURES / "fullnat" / "client.pcap"})
    columns = [column for column in full.table(name).columns if column.partition(":")[0] not in ("dpvs", "rs")]
    assert list(few.table(name).columns) == columns
    rows = correlation_tables.TABLES[name].rows(full) if name != "passages" else ()
    assert all(list(row) == columns for row in rows)


@pytest.mark.parametrize(
    ("captures", "told"),
    [
        ({}, "no capture given"),
        ({"a": []}, "a: no capture given"),
        ({"a": None}, "a: None is no path"),
        ({"a": [CASE["client"], None]}, "is no path"),
        ({"a": 7}, "a: 7 is no path"),
        (["client.pcap"], "captures are list, not a mapping"),
        ("client.pcap", "captures are str, not a mapping"),
        ({None: CASE["client"]}, "None: a point needs a name"),
        ({"": CASE["client"]}, "'': a point needs a name"),
    ],
)
def test_captures_that_are_none_are_refused_with_a_remedy(captures: Any, told: str) -> None:
    with pytest.raises(tcptrace.UsageError, match=rf"(?s){re.escape(told)}.*\n  (give|write) "):
        tcptrace.correlate(captures)


def test_an_unknown_table_is_named_beside_those_there_are() -> None:
    with pytest.raises(tcptrace.UsageError, match="there are: points, connections"):
        tcptrace.correlate(FULLNAT).table("hop")


def test_some_connections_are_chosen_by_number_host_and_port() -> None:
    told = tcptrace.correlate(FULLNAT)
    assert len(told.chosen(connection=0, host="10.0.0.1", port=40000).connections) == 1
    with pytest.raises(tcptrace.UsageError, match="no connection 7\n  connection numbers are 0 to "):
        told.chosen(connection=7)
    with pytest.raises(tcptrace.UsageError, match="connection 0 is not one with port 81\n"):
        told.chosen(connection=0, port=81)
    with pytest.raises(tcptrace.UsageError, match=re.escape("no connection has host 10.9.9.9, port 81\n")):
        told.chosen(host="10.9.9.9", port=81)


def test_a_file_that_is_no_directors_is_refused() -> None:
    with pytest.raises(tcptrace.UsageError, match="no table or log of a director"):
        tcptrace.correlate(FULLNAT, director_tables=[CAPTURES / "fullnat" / "case.toml"])
