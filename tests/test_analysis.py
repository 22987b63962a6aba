"""What a program gets from the library."""

import pickle
from pathlib import Path

import tcptrace

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


def test_a_result_can_be_handed_to_another_process() -> None:
    analysis = tcptrace.analyze(CAPTURES / "half-close" / "client.pcap")
    assert pickle.loads(pickle.dumps(analysis)).to_dict() == analysis.to_dict()
