"""What a program gets from the library."""

import pickle
from pathlib import Path

import tcptrace
from tcptrace.selection import Selection
from tests.capture_files import tcp_frame
from tests.correlation.wire import Frame, pcap

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


def test_a_result_can_be_handed_to_another_process() -> None:
    analysis = tcptrace.analyze(CAPTURES / "half-close" / "client.pcap")
    assert pickle.loads(pickle.dumps(analysis)).to_dict() == analysis.to_dict()


def test_a_header_without_flags_is_no_lone_syn(tmp_path: Path) -> None:
    without = bytearray(tcp_frame(sport=2000))
    without[14 + 20 + 12] = 0  # its data offset
    path = tmp_path / "capture.pcap"
    for frames in ([without], [tcp_frame(flags=2), without], [without, tcp_frame(flags=2, payload=b"")]):
        times = range(0, 400 * 10**9, 200 * 10**9)
        path.write_bytes(pcap([Frame(time_ns, bytes(frame)) for time_ns, frame in zip(times, frames, strict=False)]))
        analysis = tcptrace.analyze(path)
        assert len(analysis.flows) == len(frames)
        assert analysis.findings.empty


def test_lone_syns_are_told_as_if_each_were_alone() -> None:
    path = CAPTURES / "syn-flood-backlog-full" / "server.pcap"
    told = tcptrace.analyze(path).to_dict()["flows"]
    for flow in told:
        [alone] = tcptrace.analyze(path, selection=Selection(flow=flow["flow"])).to_dict()["flows"]
        assert alone == flow
    parts = [flow["rtt_ns"] for flow in told]
    assert len({id(part) for part in parts}) == len(parts), "none shares what another may change"
