"""One row a flow: the same columns in CSV and in the DataFrame, the same facts as in JSON."""

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tcptrace
from tcptrace.report import csv_report, flow_rows
from tcptrace.report.view import View
from tcptrace.schema import LIMITS, SIDES
from tests.report import samples

CAPTURES = Path(__file__).parents[2] / "captures"
CASES = ["lvs-dr/client.txt", "port-reuse/client.pcap", "fin-retransmitted/client.pcap", "unanswered/client.pcap"]
PATHS = [CAPTURES / case for case in CASES]
EXISTING = (
    "capture,flow,client,server,midstream,start_ns,end_ns,client_frames,server_frames,client_payload_bytes,"
    "server_payload_bytes,client_state,server_state,handshake_ns,syn_to_synack_ns,synack_to_ack_ns,closed_by,close"
).split(",")


def rows_of(*analyses: tcptrace.Analysis) -> list[dict[str, str]]:
    out = io.StringIO()
    csv_report.write_analyses(analyses, out, View())
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def text(value: Any) -> str:
    return "" if value is None else str(value)


def test_every_column_has_a_name_of_its_own_and_the_first_stay_where_they_were() -> None:
    assert flow_rows.NAMES[: len(EXISTING)] == EXISTING
    assert len(set(flow_rows.NAMES)) == len(flow_rows.NAMES)


@pytest.mark.parametrize("path", PATHS, ids=CASES)
def test_a_row_says_what_the_json_says(path: Path) -> None:
    analysis = tcptrace.analyze(path)
    flows, rows = analysis.to_dict()["flows"], rows_of(analysis)
    assert len(rows) == len(flows)
    for row, flow in zip(rows, flows, strict=True):
        for name in ("conn_state", "history", "originator", "completeness", "closed_by", "close", "taken_near"):
            assert row[name] == str(flow[name])
        for side in SIDES:
            trips = flow["rtt_ns"][side]
            assert [row[f"{side}_rtt_{name}_ns"] for name in ("min", "mean", "p50", "p99", "max")] == [
                text(trips[name]) for name in ("min", "mean", "p50", "p99", "max")
            ]
            assert row[f"{side}_rtt_samples"] == str(trips["samples"])
            assert row[f"{side}_unique_bytes"] == str(flow["payload_bytes"][side])
            assert row[f"{side}_retransmissions"] == str(flow["retransmissions"][side])
            assert row[f"{side}_in_flight_max_bytes"] == text(flow["bytes_in_flight_max"][side])
        spans = {limit: int(row[f"limited_by_{limit}_ns"]) for limit in LIMITS}
        total = sum(spans.values())
        assert {limit: round(ns / total, 4) for limit, ns in spans.items() if ns} == flow["limited_by"]


def test_round_trips_by_timestamp_are_those_of_the_timeline() -> None:
    [row] = rows_of(tcptrace.analyze(PATHS[2]))
    segments = tcptrace.timeline(PATHS[2], 0).segments
    for number, side in enumerate(SIDES):
        samples_ns = segments.timestamp_rtt_ns[(segments.side != number) & (segments.timestamp_rtt_ns >= 0)].tolist()
        mean_ns = sum(samples_ns) // len(samples_ns)
        expected = {
            "samples": len(samples_ns),
            "min_ns": min(samples_ns),
            "mean_ns": mean_ns,
            "max_ns": max(samples_ns),
        }
        assert {name: int(row[f"{side}_timestamp_rtt_{name}"]) for name in expected} == expected


def test_what_is_not_known_is_empty() -> None:
    (row,) = rows_of(samples.analysis(samples.UNANSWERED))
    assert row["client_packets"] == "1"
    assert row["client_rtt_samples"] == "0"
    for name in ("client_rtt_min_ns", "client_segment_max_bytes", "server_window_max_bytes", "server_throughput"):
        assert row[name] == ""
    assert row["server_timestamps"] == "false"
    assert (row["client_timestamp_rtt_samples"], row["client_timestamp_rtt_min_ns"]) == ("0", "")
    assert (row["taken_near"], row["stalled_ns"]) == ("unknown", "0")


def test_flows_are_the_same_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    analysis = tcptrace.analyze(*PATHS)
    whole = rows_of(analysis)
    assert [row["capture"] for row in whole][:1] == [str(PATHS[0])]
    monkeypatch.setattr(flow_rows, "FLOWS_PER_BATCH", 1)
    assert rows_of(analysis) == whole
    assert rows_of(*map(tcptrace.analyze, PATHS)) == whole


def test_the_frame_has_the_columns_of_the_csv() -> None:
    analysis = tcptrace.analyze(*PATHS)
    frame, rows = analysis.flows, rows_of(analysis)
    names = [{"start": "start_ns", "end": "end_ns"}.get(name, name) for name in frame.columns]
    assert names == flow_rows.NAMES
    frame.columns = pd.Index(names)
    for name in names[names.index("client_frames") :]:
        values = [
            "" if value is pd.NA else str(value).lower() if isinstance(value, bool) else str(value)
            for value in frame[name].tolist()
        ]
        assert values == [row[name] for row in rows], name


def test_a_frame_of_no_flows_has_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = samples.analysis().flows
    assert len(frame) == 0
    assert len(frame.columns) == len(flow_rows.NAMES)
    analysis = tcptrace.analyze(PATHS[1])
    whole = analysis.flows
    monkeypatch.setattr("tcptrace.dataframes.FLOWS_PER_BATCH", 1)
    pd.testing.assert_frame_equal(analysis.flows, whole)
