"""What a program gets from the library."""

import pickle
from pathlib import Path

import tcptrace
from tcptrace.selection import Selection

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


def test_a_result_can_be_handed_to_another_process() -> None:
    analysis = tcptrace.analyze(CAPTURES / "half-close" / "client.pcap")
    assert pickle.loads(pickle.dumps(analysis)).to_dict() == analysis.to_dict()


def test_lone_syns_are_told_as_if_each_were_alone() -> None:
    path = CAPTURES / "syn-flood-backlog-full" / "server.pcap"
    told = tcptrace.analyze(path).to_dict()["flows"]
    for flow in told:
        [alone] = tcptrace.analyze(path, selection=Selection(flow=flow["flow"])).to_dict()["flows"]
        assert alone == flow
    parts = [flow["rtt_ns"] for flow in told]
    assert len({id(part) for part in parts}) == len(parts), "none shares what another may change"
