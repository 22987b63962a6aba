import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from tcptrace import analysis_json, flow_json
from tcptrace.capture.address_book import AddressBook
from tcptrace.report import packet_columns
from tcptrace.report.formats import Format, report
from tcptrace.report.view import View
from tcptrace.rows import joined
from tcptrace.schema import NO_TIME, Packets, Segments
from tests.report import samples

VIEW = View(utc=True)


def written(name: Format, what: str, *arguments: Any) -> str:
    buffer = io.BytesIO()
    out = io.TextIOWrapper(buffer, "utf-8", newline="\n", write_through=True)
    getattr(report(name), f"write_{what}")(*arguments, out, VIEW)
    out.flush()
    return buffer.getvalue().decode()


def analysis(**facts: Any) -> samples.Analysis:
    return samples.analysis({}, samples.UNANSWERED, transitions=samples.CLOSE_TRANSITIONS, **facts)


NO_SAMPLES = {"min": None, "mean": None, "p50": None, "p99": None, "max": None, "samples": 0}


def test_json_is_the_documented_document() -> None:
    document = json.loads(written(Format.JSON, "analyses", [analysis()]))
    assert list(document) == ["schema", "captures", "flows", "findings"]
    assert document["schema"] == "tcptrace.analysis/1"
    assert document["captures"] == [
        {
            "path": "client.pcap",
            "format": "pcap",
            "link_types": ["EN10MB"],
            "interfaces": [],
            "frames": 12,
            "tcp_frames": 9,
            "other_frames": {"UDP": 2, "ARP": 1},
            "start_ns": samples.START_NS,
            "end_ns": samples.START_NS + 1_042_000_000,
            "dated": True,
            "truncated": False,
            "problems": [],
            "names": {},
        }
    ]
    flow = document["flows"][0]
    timeline = flow.pop("timeline")
    assert flow == {
        "capture": 0,
        "flow": 0,
        "client": "10.0.0.1:40000",
        "server": "10.0.0.9:80",
        "midstream": False,
        "start_ns": samples.START_NS,
        "end_ns": samples.START_NS + 129_000_000,
        "frames": {"client": 6, "server": 4},
        "payload_bytes": {"client": 77, "server": 636},
        "states": {"client": "TIME_WAIT", "server": "CLOSED"},
        "handshake_ns": {"total": 348_000, "syn_to_synack": 301_000, "synack_to_ack": 47_000},
        "taken_near": "unknown",
        "closed_by": "client",
        "close": "fin",
        "retransmissions": {"client": 0, "server": 0},
        "reordered": {"client": 0, "server": 0},
        "bytes_in_flight_max": {"client": 0, "server": 0},
        "rtt_ns": {"client": NO_SAMPLES, "server": NO_SAMPLES},
        "completeness": 1,
        "conn_state": "S0",
        "history": "S",
        "originator": "client",
        "limited_by": {},
        "joined_with": None,
        "join_confidence": None,
    }
    assert len(timeline) == len(samples.CLOSE_TRANSITIONS)
    assert timeline[0] == {
        "frame": 1,
        "time_ns": samples.START_NS,
        "side": "client",
        "from": "CLOSED",
        "to": "SYN_SENT",
        "event": "sent SYN",
        "inferred": False,
        "unexpected": False,
    }
    assert timeline[-1]["frame"] is None
    assert timeline[-1]["inferred"] is True


def test_json_says_null_for_what_is_not_known() -> None:
    unknown = {**samples.UNANSWERED, "start_ns": NO_TIME, "end_ns": NO_TIME}
    made = samples.analysis(unknown, start_ns=None, end_ns=None)
    document = json.loads(written(Format.JSON, "analyses", [made]))
    flow = document["flows"][0]
    assert flow["handshake_ns"] == {"total": None, "syn_to_synack": None, "synack_to_ack": None}
    assert flow["start_ns"] is None
    assert flow["end_ns"] is None
    assert document["captures"][0]["start_ns"] is None
    assert flow["timeline"] == []


def test_json_numbers_captures_through() -> None:
    document = json.loads(written(Format.JSON, "analyses", [analysis(), analysis(path="server.pcap")]))
    assert [capture["path"] for capture in document["captures"]] == ["client.pcap", "server.pcap"]
    assert [flow["capture"] for flow in document["flows"]] == [0, 0, 1, 1]
    assert [len(flow["timeline"]) for flow in document["flows"]] == [11, 0, 11, 0]


def test_the_library_gives_the_same_dict() -> None:
    made = analysis()
    document = analysis_json.document(made)
    assert document == json.loads(written(Format.JSON, "analyses", [made]))


def test_json_of_no_flows_is_json() -> None:
    assert json.loads(written(Format.JSON, "analyses", [samples.analysis()]))["flows"] == []


def test_many_flows_are_the_same_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    made = samples.analysis({}, {}, {}, samples.UNANSWERED, {}, transitions=samples.CLOSE_TRANSITIONS)
    whole = json.loads(written(Format.JSON, "analyses", [made]))
    monkeypatch.setattr(flow_json, "FLOWS_PER_BATCH", 2)
    assert json.loads(written(Format.JSON, "analyses", [made])) == whole


def test_json_lines_have_the_columns_of_csv_as_what_they_are() -> None:
    lines = [json.loads(line) for line in written(Format.JSONL, "analyses", [analysis()]).splitlines()]
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, "analyses", [analysis()]))))
    assert [list(line) for line in lines] == [list(row) for row in rows]
    assert [{name: in_text(value) for name, value in line.items()} for line in lines] == rows
    assert lines[0]["capture"] == "client.pcap"
    assert lines[0]["handshake_ns"] == 348_000
    assert lines[0]["midstream"] is lines[0]["client_timestamps"] is False
    assert lines[1]["handshake_ns"] is lines[1]["client_rtt_min_ns"] is None
    assert lines[1]["taken_near"] == "unknown"


def in_text(value: Any) -> str:
    """A value of JSON as CSV has it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_a_file_name_that_is_no_utf8_is_still_json() -> None:
    document = json.loads(written(Format.JSON, "analyses", [analysis(path="caf\udce9.pcap")]))
    assert document["captures"][0]["path"] == r"caf\udce9.pcap"
    line, _ = written(Format.JSONL, "analyses", [analysis(path="caf\udce9.pcap")]).splitlines()
    assert json.loads(line)["capture"] == r"caf\udce9.pcap"


def test_csv_has_one_row_a_flow() -> None:
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, "analyses", [analysis()]))))
    assert len(rows) == 2
    assert rows[0]["capture"] == "client.pcap"
    assert rows[0]["client"] == "10.0.0.1:40000"
    assert rows[0]["handshake_ns"] == "348000"
    assert rows[0]["client_state"] == "TIME_WAIT"
    assert rows[1]["handshake_ns"] == ""
    assert rows[1]["close"] == "none"


@pytest.mark.parametrize("path", ["=cmd()|x.pcap", "+1.pcap", "-1.pcap", "@a.pcap", "\t=a.pcap"])
def test_csv_holds_no_formula(path: str) -> None:
    row = list(csv.reader(io.StringIO(written(Format.CSV, "analyses", [analysis(path=path)]))))[1]
    assert row[0] == "'" + path.replace("\t", r"\t")


@pytest.mark.parametrize(("path", "cell"), [("-", "-"), ("a\x1b[31m.pcap", r"a\x1b[31m.pcap")])
def test_csv_shows_a_path_as_it_is_but_for_control_characters(path: str, cell: str) -> None:
    row = list(csv.reader(io.StringIO(written(Format.CSV, "analyses", [analysis(path=path)]))))[1]
    assert row[0] == cell


def test_markdown_is_a_table_that_text_cannot_leave() -> None:
    text = written(Format.MARKDOWN, "analyses", [analysis(path="a|b\n<script>.pcap")])
    lines = text.split("## Flows\n\n")[1].splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(r"| a\|b\\n\<script\>.pcap | 0 | 10.0.0.1:40000 | 10.0.0.9:80 | false |")
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_packets_csv_has_the_documented_columns() -> None:
    text = written(Format.CSV, "packets", "client.pcap", [samples.chunk()])
    lines = text.splitlines()
    assert lines[0] == (
        "frame,time_ns,flow,src,sport,dst,dport,flags,seq,ack,len,window,analysis,"
        "interface,if_index,direction,ttl,ip_id,mss,window_scale,sack,tsval,tsecr,toa,options,repeat,original"
    )
    assert lines[2] == (
        f"2,{samples.START_NS + 301_000},0,10.0.0.9,80,10.0.0.1,40000,0x012,1000,1001,0,2896,,"
        "eth0,,,,,1460,9,,77,,,,none,"
    )
    assert len(lines) == 1 + len(samples.SEGMENTS)


def test_labels_are_joined_in_text_and_a_list_in_json() -> None:
    made = samples.chunk("1 0 C 0x010 5 0 1 6", labels=0b11)
    assert ",retransmission;fast_retransmission,eth0," in written(Format.CSV, "packets", "c", [made])
    (packet,) = json.loads(written(Format.JSON, "packets", "c", [made]))["packets"]
    assert packet["analysis"] == ["retransmission", "fast_retransmission"]


def test_packets_csv_is_empty_where_a_frame_does_not_say() -> None:
    unknown = {"flags": -1, "ack": -1, "len": -1, "window": -1, "tsval": -1, "interface": -1, "inferred": 1}
    made = samples.chunk("1 0 C 0x010 5 0 1 6", **unknown, time_ns=NO_TIME)
    row = "1,,0,10.0.0.1,40000,10.0.0.9,80,,,,,," + "," * len(packet_columns.FURTHER) + ",none,"
    assert written(Format.CSV, "packets", "c", [made]).splitlines()[1] == row


def described() -> tuple[Packets, Segments, AddressBook, list[str]]:
    """A segment of which a capture says all it can, and one of which it says nothing more."""
    book = samples.Book()
    toa_src, toa_port = book.end("192.0.2.7:5555")
    facts = {"if_index": 3, "direction": 1, "ttl": 63, "ip_id": 0, "mss": 1460, "window_scale": 0}
    facts |= {"sack_count": 2, "sack": [1, 2, 4294967295, 4, 9, 9, 9, 9], "tsval": 77, "tsecr": 0}
    facts |= {"toa_src": toa_src, "toa_port": toa_port, "option_kinds": 0xFE080502, "interface": 1}
    packets, segments, addresses, _ = samples.chunk("1 0 C 0x010 5 0 1 6", book=book, **facts)
    bare = samples.chunk("2 1 C 0x010 5 0 1 6", book=book, tsval=-1, interface=0)
    return joined([packets, bare[0]]), joined([segments, bare[1]]), addresses, ["", "=veth|1"]


def test_packets_tell_all_that_the_capture_says_of_a_segment() -> None:
    first, second = csv.DictReader(io.StringIO(written(Format.CSV, "packets", "c", [described()])))
    assert {name: first[name] for name in packet_columns.FURTHER} == {
        "interface": "'=veth|1",
        "if_index": "3",
        "direction": "out",
        "ttl": "63",
        "ip_id": "0",
        "mss": "1460",
        "window_scale": "0",
        "sack": "1-2 4294967295-4",
        "tsval": "77",
        "tsecr": "0",
        "toa": "192.0.2.7:5555",
        "options": "2;5;8;254",
    }
    assert {second[name] for name in packet_columns.FURTHER} == {""}
    first, second = json.loads(written(Format.JSON, "packets", "c", [described()]))["packets"]
    assert first["interface"] == "=veth|1"
    assert first["options"] == [2, 5, 8, 254]
    assert (first["ttl"], first["direction"], first["sack"]) == (63, "out", "1-2 4294967295-4")
    assert second["options"] == []
    assert {second[name] for name in packet_columns.FURTHER if name != "options"} == {None}
    row = written(Format.MARKDOWN, "packets", "c", [described()]).splitlines()[2]
    assert r"| =veth\|1 | 3 | out | 63 |" in row


@pytest.mark.parametrize("names", [[], ["eth0"]])
def test_an_interface_that_the_capture_does_not_name_is_empty(names: list[str]) -> None:
    packets, segments, book, _ = samples.chunk("1 0 C 0x010 5 0 1 6", interface=1)
    rows = csv.DictReader(io.StringIO(written(Format.CSV, "packets", "c", [(packets, segments, book, names)])))
    assert next(rows)["interface"] == ""


def test_packets_json_and_lines_say_null_where_a_frame_does_not() -> None:
    made = samples.chunk("1 0 C 0x010 5 0 1 6", ack=-1, inferred=1, tsval=-1)
    packet = {
        "frame": 1,
        "time_ns": samples.START_NS,
        "flow": 0,
        "src": "10.0.0.1",
        "sport": 40000,
        "dst": "10.0.0.9",
        "dport": 80,
        "flags": 16,
        "seq": None,
        "ack": None,
        "len": 0,
        "window": 6,
        "analysis": [],
        "interface": "eth0",
        **dict.fromkeys(packet_columns.FURTHER[1:]),
        "options": [],
        "repeat": "none",
        "original": None,
    }
    document = json.loads(written(Format.JSON, "packets", "c", [made]))
    assert document == {"schema": "tcptrace.packets/1", "path": "c", "packets": [packet]}
    assert json.loads(written(Format.JSONL, "packets", "c", [made])) == packet


def test_packets_as_markdown_name_the_flags() -> None:
    assert "| SYN+ACK | 1000 | 1001 |" in written(Format.MARKDOWN, "packets", "c", [samples.chunk()])


def test_chunks_and_batches_make_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(Format.CSV, "packets", "c", [samples.chunk()])
    monkeypatch.setattr(packet_columns, "ROWS_PER_BATCH", 2)
    parts = [samples.chunk(*samples.SEGMENTS[:3]), samples.chunk(*samples.SEGMENTS[3:])]
    assert written(Format.CSV, "packets", "c", parts) == whole


def test_the_table_of_packets_reads_like_tcpdump() -> None:
    lines = written(Format.TABLE, "packets", "c", [samples.chunk()]).splitlines()
    assert lines[1] == "2024-05-01"
    assert lines[3] == (
        "    2  14:03:11.250301     0  10.0.0.9:80 → 10.0.0.1:40000"
        "  SYN+ACK    seq 0 ack 1 win 2,896 mss 1460 ws 9 sack ts"
    )


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_of_packets_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = samples.Terminal()
    report(Format.TABLE).write_packets("c", [samples.chunk()], out, View(color=False))
    assert max(map(len, out.getvalue().splitlines())) <= width
    assert "ws 9 sack ts" in out.getvalue()


def test_a_timeline_as_json_has_flow_transitions_and_segments() -> None:
    document = json.loads(written(Format.JSON, "timeline", samples.timeline()))
    assert document["schema"] == "tcptrace.timeline/1"
    assert document["flow"]["timeline"][-1]["event"] == "2MSL timeout"
    assert document["segments"][1] == {
        "frame": 2,
        "time_ns": samples.START_NS + 301_000,
        "side": "server",
        "flags": 0x12,
        "seq": 1000,
        "ack": 1001,
        "len": 0,
        "window": 2896,
        "analysis": [],
        "seq_relative": 0,
        "ack_relative": 1,
        "window_bytes": 2896,
        "interface": None,
        **dict.fromkeys(packet_columns.FURTHER[1:]),
        "mss": 1460,
        "window_scale": 9,
        "tsval": 77,
        "options": [],
        "bytes_in_flight": None,
        "rtt_ns": None,
        "timestamp_rtt_ns": None,
        "repeat": "none",
        "original": None,
        "since_original_ns": None,
        "waited_ns": None,
        "backoff": 0,
        "reordered_by": 0,
        "sacked_bytes": 0,
        "dsack": False,
        "idle_ns": None,
        "stalled": False,
        "states": {"client": "SYN_SENT", "server": "SYN_RCVD"},
    }
    lines = [json.loads(line) for line in written(Format.JSONL, "timeline", samples.timeline()).splitlines()]
    assert lines == document["segments"]


def test_a_timeline_as_csv_and_markdown_has_both_states_in_every_row() -> None:
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, "timeline", samples.timeline()))))
    assert [row["client_state"] for row in rows] == (
        ["SYN_SENT"] * 2 + ["ESTABLISHED"] * 2 + ["FIN_WAIT_1"] + ["TIME_WAIT"] * 2
    )
    assert [row["server_state"] for row in rows] == (
        ["LISTEN", "SYN_RCVD", "ESTABLISHED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]
    )
    assert rows[4]["flags"] == "0x011"
    assert "| FIN+ACK |" in written(Format.MARKDOWN, "timeline", samples.timeline())


def test_a_segment_without_options_decodes_whatever_its_columns_hold() -> None:
    made = samples.chunk("1 0 C 0x010 1 0 1 6", option_kinds=np.int64(2**63 - 1))
    assert "ack 1" in written(Format.TABLE, "packets", "c", [made])
