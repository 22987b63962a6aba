"""JSON, JSON Lines and CSV of a correlation."""

import csv
import io
import json
from dataclasses import replace

from tcptrace import correlation_json
from tcptrace.correlation.result import Candidate, ClockStep, ResetOrigin, Rewrite
from tcptrace.joint_analysis import Correlation
from tcptrace.report.correlation.formats import CorrelationFormat, correlation_report
from tcptrace.report.view import View
from tests.report.correlation.samples import ASYMMETRIC, CLIENT, DR, LOST, VIP, clock, hop, leg, lossy, lvs_dr
from tests.report.samples import START_NS


def written(name: CorrelationFormat, correlation: Correlation) -> str:
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, "utf-8", newline="\n", write_through=True)
    correlation_report(name).write_correlation(correlation, out, View(utc=True))
    out.flush()
    return buffer.getvalue().decode()


def document(**facts: object) -> dict[str, object]:
    told: dict[str, object] = json.loads(written(CorrelationFormat.JSON, lvs_dr(**facts)))
    return told


def test_json_is_the_documented_document() -> None:
    told = document(recordings=lvs_dr().recordings)
    assert list(told) == ["schema", "points", "connections", "candidates", "findings"]
    assert told["schema"] == "tcptrace.correlation/1"
    assert told["points"][1] == {
        "point": "lvs:eth0",
        "host": "lvs",
        "path": "lvs-eth0.txt",
        "paths": ["lvs-eth0.txt"],
        "frames": 6,
        "segments": 6,
        "clock": {
            "offset_ns": -63_000,
            "low_ns": -83_000,
            "high_ns": -43_000,
            "drift_ppm": 1.25,
            "steps": [],
            "basis": "6 segments one way, 4 back",
        },
    }
    (connection,) = told["connections"]
    legs, hops, director = (connection.pop(name) for name in ("legs", "hops", "director"))
    assert connection == {
        "connection": 0,
        "client": CLIENT,
        "server": VIP,
        "mode": "dr",
        "mode_confidence": 0.9,
        "mode_evidence": ["same addresses and client ISN at all points", "replies at rs:bond0 and client only"],
        "path": {"request": ["client", "lvs:eth0", "lvs:eth1", "rs:bond1"], "reply": ["rs:bond0", "client"]},
        "rewrites": [],
        "reset_origin": None,
        "states": {"client": "TIME_WAIT", "server": "CLOSED"},
    }
    assert [one["point"] for one in legs] == ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"]
    assert legs[4] == {
        "point": "rs:bond0",
        "flow": 0,
        "stream": 0,
        "client": CLIENT,
        "server": VIP,
        "evidence": ["same addresses and client ISN"],
        "confidence": 0.98,
    }
    assert hops[0] == {
        "direction": "request",
        "from": "client",
        "to": "lvs:eth0",
        "stream": 0,
        "frames": 6,
        "lost": 0,
        "lost_frames": [],
        "missed": 0,
        "missed_frames": [],
        "duplicated": 0,
        "reordered": 0,
        "delay_ns": {"min": 30_000, "p50": 40_000, "p99": 50_000, "max": 60_000},
        "low_ns": -10_000,
        "high_ns": 90_000,
    }
    assert director["table"] == "input_only"
    assert director["timeline"][2] == {
        "time_ns": None,
        "low_ns": START_NS,
        "high_ns": START_NS + 129_000_000,
        "from": "ESTABLISHED",
        "to": "FIN_WAIT",
        "event": "FIN",
        "basis": "neighbours",
    }


def test_findings_stand_by_point_and_connection() -> None:
    at_one_point = replace(ASYMMETRIC, point="client", frames=(4, 5), flows=(0,), evidence_frames=())
    first, second, third = document(found=(LOST, at_one_point, replace(LOST, connections=())))["findings"]
    assert [first["connection"], first["point"], first["flow"]] == [0, None, None]
    assert first["evidence_frames"] == [
        {"point": "lvs:eth1", "frames": [3]},
        {"point": "client", "frames": [3, 4]},
    ]
    assert [second["connection"], second["point"], second["frames"], second["flow"]] == [0, "client", [4, 5], 0]
    assert third["connection"] is None
    assert all("capture" not in finding for finding in (first, second, third))
    assert "evidence_frames" not in second


def test_what_the_clocks_do_not_tell_is_null() -> None:
    told = document(
        clocks={
            "client": clock("client", drift_ppm=-3.5, steps=(ClockStep(START_NS, 50_000_000),)),
            "lvs": clock("lvs", 0, None, None),
            "rs": clock("rs"),
        },
        connections=(replace(DR, hops=(hop(0, 0, 1, 6, None),), director=None),),
    )
    first, second, *_ = (point["clock"] for point in told["points"])
    assert first["steps"] == [{"time_ns": START_NS, "by_ns": 50_000_000}]
    assert (second["low_ns"], second["high_ns"]) == (None, None)
    assert [told["connections"][0]["hops"][0][name] for name in ("delay_ns", "low_ns", "high_ns")] == [None] * 3
    assert told["connections"][0]["director"] is None


def test_losses_rewrites_and_resets_name_points_and_frames() -> None:
    changed = lossy(
        rewrites=(Rewrite(0, 1, 2, "server address", VIP, "10.2.0.11:80", (1, 1)),),
        reset_origin=ResetOrigin(4, "server", "rs", 2, ("IP ID 0",)),
    )
    (told,) = document(connections=(changed,))["connections"]
    hops = {(one["from"], one["to"]): one for one in told["hops"]}
    assert hops["lvs:eth1", "rs:bond1"]["lost_frames"] == [3]
    assert hops["lvs:eth0", "lvs:eth1"]["missed_frames"] == [4]
    assert told["rewrites"] == [
        {
            "direction": "request",
            "from": "lvs:eth0",
            "to": "lvs:eth1",
            "field": "server address",
            "before": VIP,
            "after": "10.2.0.11:80",
            "frames": [1, 1],
        }
    ]
    assert told["reset_origin"] == {
        "point": "rs:bond0",
        "side": "server",
        "host": "rs",
        "frame": 2,
        "evidence": ["IP ID 0"],
    }


def test_candidates_name_connections() -> None:
    both = (DR, lossy(1))
    told = document(connections=both, candidates=(Candidate((1, 0), ("both within 2 ms",), 0.5),))
    assert told["candidates"] == [{"connections": [1, 0], "evidence": ["both within 2 ms"], "confidence": 0.5}]


def test_what_is_streamed_is_the_document_also_of_several_batches() -> None:
    number = 2 * correlation_json.CONNECTIONS_PER_BATCH + 1
    correlation = lvs_dr(connections=tuple(replace(DR, connection=i) for i in range(number)))
    told = json.loads(written(CorrelationFormat.JSON, correlation))
    assert told == correlation_json.document(correlation)
    lines = written(CorrelationFormat.JSONL, correlation).splitlines()
    assert [json.loads(line) for line in lines] == told["connections"]


def test_nothing_in_common_is_a_document_too() -> None:
    assert document(connections=(), found=())["connections"] == []


def test_csv_has_a_row_a_hop() -> None:
    rows = list(csv.DictReader(io.StringIO(written(CorrelationFormat.CSV, lvs_dr(connections=(lossy(),))))))
    assert len(rows) == 5
    assert rows[2] == {
        "connection": "0",
        "client": CLIENT,
        "server": VIP,
        "mode": "dr",
        "direction": "request",
        "from": "lvs:eth1",
        "to": "rs:bond1",
        "stream": "0",
        "frames": "2",
        "lost": "1",
        "missed": "0",
        "duplicated": "0",
        "reordered": "0",
        "min_ns": "30000",
        "p50_ns": "40000",
        "p99_ns": "50000",
        "max_ns": "60000",
        "low_ns": "-10000",
        "high_ns": "90000",
    }
    assert rows[4]["p50_ns"] == ""


def test_a_name_is_no_formula() -> None:
    hostile = replace(DR, client="=1+1", streams=(replace(DR.streams[0], legs=(leg(0),)),))
    assert "'=1+1" in written(CorrelationFormat.CSV, lvs_dr(connections=(hostile,)))
