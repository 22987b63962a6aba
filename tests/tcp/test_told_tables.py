"""What is kept while reading, told as tables: every value of every row, in the order that is asked for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.kernels import Kernels
from tcptrace.rows import records
from tcptrace.schema import Notable, Transitions, allocate
from tcptrace.tcp import notes
from tcptrace.tcp import transition_log as log

SETS = pytest.mark.parametrize("chosen", [kernels.plain, kernels.compiled], ids=["plain", "compiled"])
MS = 1_000_000
FLOWS = 5
CLIENT = np.array([0, 1, 0, 1, 1], np.int8)
ENDS = st.integers(0, 2 * FLOWS - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)

FIELDS: dict[str, tuple[tuple[int, int, int, int], int]] = {
    "repeat": (notes.REPEAT, 9),
    "seq": (notes.SEQ, 2**32 - 1),
    "ttl": (notes.TTL, 255),
    "labels": (notes.LABELS, 2**15 - 1),
    "ack": (notes.ACK, 2**32 - 1),
    "ip_id": (notes.IP_ID, 65535),
    "len": (notes.LEN, 2**31 - 3),
    "window_bytes": (notes.WINDOW, 2**31 - 3),
    "tsval": (notes.TSVAL, 2**32 - 1),
}
"""Column → where a note has it, and its largest value."""

NOTES = st.fixed_dictionaries(
    {
        "frame": st.integers(1, 2**40 - 1),
        "time_ns": TIMES,
        "end": ENDS,
        "kinds": st.integers(0, 2**16 - 1),
        "flags": st.integers(0, 0xFFF),
        "idle_ms": st.integers(0, 2**30 - 1),
        "waited_ms": st.integers(-1, 2**18 - 2),
        **{name: st.integers(-field[3], most) for name, (field, most) in FIELDS.items()},
    }
)
STEPS = st.tuples(
    ENDS, st.integers(0, 2**40), TIMES, st.integers(0, 11), st.integers(0, 11), st.integers(0, 40), st.integers(0, 1)
)


def told(chosen: Kernels, module: str, words: Any, order: list[int], table: Any) -> list[Any]:
    chosen[module].tell(*map(chosen.view, (words, np.array(order, np.int64), CLIENT, table)))
    return list(records(table))


@SETS
@given(data=st.data(), kept=st.lists(NOTES, max_size=8))
def test_notes(chosen: Any, data: st.DataObject, kept: list[dict[str, int]]) -> None:
    words = np.full(len(kept) * notes.NOTE, -1, np.int64)
    view = memoryview(words)
    for row, note in enumerate(kept):
        notes.begin(view, row, *(note[name] for name in ("frame", "time_ns", "end", "kinds", "flags")))
        notes.put(view, row, notes.IDLE_MS, note["idle_ms"])
        notes.put(view, row, notes.WAITED_MS, note["waited_ms"])
        for name, (field, _) in FIELDS.items():
            notes.put(view, row, field, note[name])
    order = data.draw(st.permutations(range(len(kept))))
    rows = told(chosen(), "tcp.notes", words, order, allocate(Notable, len(order)))
    for row, note in zip(rows, (kept[place] for place in order), strict=True):
        flow, side = divmod(note["end"], 2)
        times = {"idle_ns": note["idle_ms"] * MS, "waited_ns": note["waited_ms"] * MS if note["waited_ms"] >= 0 else -1}
        expected = {**note, **times, "flow": flow, "side": side ^ int(CLIENT[flow])}
        assert row._asdict() == {name: expected[name] for name in Notable._fields}


@given(value=st.integers(0, 2**62), name=st.sampled_from(sorted(FIELDS)))
def test_a_value_for_which_there_is_no_room_is_the_largest(value: int, name: str) -> None:
    words, (field, _) = memoryview(np.zeros(notes.NOTE, np.int64)), FIELDS[name]
    notes.put(words, 0, field, value)
    assert notes.value(words, 0, field) == min(value, (1 << field[2]) - 1 - field[3])


@SETS
@given(data=st.data(), steps=st.lists(STEPS, max_size=8))
def test_transitions(chosen: Any, data: st.DataObject, steps: list[tuple[int, ...]]) -> None:
    packed = [
        (end, frame, time_ns, inferred << 24 | event << 16 | before << 8 | after)
        for end, frame, time_ns, before, after, event, inferred in steps
    ]
    words = np.array(packed, np.int64).reshape(-1)
    order = data.draw(st.permutations(range(len(steps))))
    rows = told(chosen(), "tcp.transition_log", words, order, allocate(Transitions, len(order)))
    for row, place in zip(rows, order, strict=True):
        end, frame, time_ns, before, after, event, inferred = steps[place]
        flow, side = divmod(end, 2)
        expected = (0, flow, frame, time_ns, side ^ int(CLIENT[flow]), before, after, event, inferred, before == after)
        assert tuple(row) == expected
    assert len(words) == len(steps) * log.STEP
