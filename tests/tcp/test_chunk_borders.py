"""Nothing that is told of a capture depends on how many frames are read at a time."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tcptrace
from tcptrace.capture import walking
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels, compiled, plain
from tcptrace.rows import part, records
from tcptrace.schema import NO_TIME, Packets
from tcptrace.tcp import counters, labels, notable, sending, zeek_rows
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.notable_table import notable_table
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

CAPTURES = Path(__file__).parents[2] / "captures"
CASES = (
    "dnat duplicate-frames fin-retransmitted icmp-rejected ip-fragments port-reuse port-reuse-time-wait refused "
    "rst-in-syn-rcvd simultaneous-open synack-retransmitted syn-dropped-by-server syn-flood-cookies syn-retransmitted "
    "two-interfaces unanswered"
).split()
PAIRS = {
    "labels": labels.WIDTH,
    "sending": sending.WIDTH,
    "counters": counters.WIDTH,
    "notable": notable.WIDTH,
    "history": zeek_rows.WIDTH,
}
LINES = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["C S", "C S", "C S", "S S.", "C .", "S .", "C F.", "S F.", "S R", "C R"]),
        st.sampled_from(["0 0", "0 1", "1 1", "1:11 1", "5 1"]),
        st.sampled_from(
            ["", "ip_id=7", "ip_id=8 tsval=3", "tsval=3", "ttl=9", "mss=1400", "urgent=3", "options_cut=1", "rfb=1"]
        ),
    ),
    max_size=8,
)


@pytest.mark.parametrize("case", CASES)
def test_of_a_recording(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(CAPTURES.joinpath(case).glob("*.pcap*"))
    together = [tcptrace.analyze(path).to_dict() for path in paths]
    monkeypatch.setattr(walking, "FIRST_RECORDS", 1)
    monkeypatch.setattr(walking, "CHUNK_RECORDS", 1)
    assert [tcptrace.analyze(path).to_dict() for path in paths] == together


@given(lines=LINES, is_quoted=st.booleans())
def test_of_any_conversation(lines: list[tuple[int, str, str, str]], is_quoted: bool) -> None:
    now, text = 0, ""
    for wait_ms, sender, numbers, more in lines:
        now += wait_ms
        text += f"{now} {sender} {numbers} {more}\n"
    chunk = packets(text)
    chunk.quoted[:1] = is_quoted
    for kernels in (plain(), compiled()):
        assert told(chunk, 1, kernels) == told(chunk, len(lines) or 1, kernels)


def told(chunk: Packets, rows: int, kernels: Kernels) -> Any:
    """All that is kept of a conversation, so many rows at a time."""
    tracker = Tracker()
    for start in range(0, len(chunk.frame), rows):
        tracker.take(Chunk.of(part(chunk, start, start + rows), kernels))
    beyond = tracker.directions.labels.copy()
    tracker.finish(NO_TIME)
    client, guessed = client_sides(tracker)
    kept = tracker.directions._replace(labels=beyond)
    pairs = [
        [getattr(kept, name)[(pair - 1) * 2 * width :][: 2 * width].tolist() for name, width in PAIRS.items()]
        for pair in kept.of_flow.tolist()
        if pair > 0
    ]
    return list(records(notable_table(tracker, client))), list(records(flow_table(tracker, client, guessed))), pairs
