"""Captures of several points in, connections out: the API as a user calls it."""

from pathlib import Path

import pytest

import tcptrace

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
FULLNAT = {"client": CAPTURES / "fullnat" / "client.pcap", "rs:eth0": CAPTURES / "fullnat" / "rs-eth0.pcap"}


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


def test_an_unknown_table_is_named_beside_those_there_are() -> None:
    with pytest.raises(tcptrace.UsageError, match="there are: points, connections"):
        tcptrace.correlate(FULLNAT).table("hop")


def test_some_connections_are_chosen_by_number_host_and_port() -> None:
    told = tcptrace.correlate(FULLNAT)
    assert len(told.chosen(connection=0, host="10.0.0.1", port=40000).connections) == 1
    with pytest.raises(tcptrace.UsageError, match="no connection has connection 7"):
        told.chosen(connection=7)


def test_a_file_that_is_no_directors_is_refused() -> None:
    with pytest.raises(tcptrace.UsageError, match="no table or log of a director"):
        tcptrace.correlate(FULLNAT, director_tables=[CAPTURES / "fullnat" / "case.toml"])
