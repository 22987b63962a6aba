"""The segments that tell a flow's story: a conversation in, kinds and facts out; against a naive twin, however cut."""

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.kernels import Kernels
from tcptrace.rows import part, records
from tcptrace.schema import KINDS, LABELS, NO_TIME, REPEATS, Notable, Packets, Segments
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.notable_table import notable_table
from tcptrace.tcp.side_facts import side_facts
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OPEN = "0 C S 0\n 10 S S. 0 1\n 20 C . 1 1\n"
MS = 1_000_000
FACTS = (
    "last_frame last_ns last_data_frame last_data_ns ttl ip_id largest_bytes largest_seq is_closed closures "
    "closed_max_ns probes unanswered delayed_writes delayed_ns unseen alert_frame"
).split()


@dataclass
class Outcome:
    """What comes of the rows of a conversation."""

    notable: Notable
    segments: Segments
    facts: tuple[Any, Any]
    """Of client and server of flow 0."""
    client: int
    """Its side, by who sent first."""

    @property
    def kinds(self) -> list[tuple[int, frozenset[str]]]:
        """What is kept, and why."""
        return [(note.frame, kinds_in(note.kinds)) for note in records(self.notable)]


def told(*chunks: Packets, with_kernels: Kernels | None = None) -> Outcome:
    tracker = Tracker()
    taken = [Segments._make(c.copy() for c in tracker.take(c, with_kernels or kernels.plain())) for c in chunks]
    segments = Segments._make(np.concatenate(columns) for columns in zip(*taken, strict=True))
    client, _ = client_sides(tracker)
    measured, flow = Measured(tracker, client), np.zeros(1, np.int64)
    of_side = (side_facts(measured, flow, side)._asdict() for side in (0, 1))
    both = [SimpleNamespace(**{name: int(columns[name][0]) for name in FACTS}) for columns in of_side]
    return Outcome(notable_table(tracker, client), segments, (both[0], both[1]), int(client[0]))


def kinds_in(kinds: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(KINDS) if kinds >> bit & 1)


def last(text: str) -> frozenset[str]:
    """The kinds of the last segment of a conversation; none if it is not kept."""
    chunk = packets(OPEN + text)
    return dict(told(chunk).kinds).get(len(chunk.frame), frozenset())


def facts(text: str) -> tuple[Any, Any]:
    """What is known of client and server."""
    return told(packets(OPEN + text)).facts


WRITE = "100 C . 1:11 1\n"
CASES = {
    "syn": ("500 S S. 0 1", "500 S . 1 1"),
    "fin": ("C F. 1 1", "C R. 1 1"),
    "rst": ("S R. 1 1", "S F. 1 1"),
    "first": ("S . 1 1", "C . 1 1"),
    "data": ("C . 1:101 1", "C . 1:101 1\n C . 101:201 1"),
    "answer": ("C . 1:101 1\n S . 1 101", "C . 1:101 1\n S . 1 101\n S . 1 101"),
    "repeat": ("C . 1:101 1\n 900 C . 1:101 1", "C . 1:101 1\n 900 C . 101:201 1"),
    "resumed": ("1020 C . 1 1", "1019.9 C . 1 1"),
    "window": ("C . 1 1 window=0", "C F. 1 1 window=0"),
    "probe": ("C . 0 1", "C . 1:2 1"),
    "gap": ("C . 101:201 1", "C . 1:101 1"),
    "reordered": (
        "C . 1:101 1\n 101 C . 201:301 1\n 102 C . 101:201 1",
        "C . 1:101 1\n 101 C . 101:201 1\n 102 C . 101:201 1",
    ),
    "copy": ("C . 1:101 1 ip_id=5\n C . 1:101 1 ip_id=5", "C . 1:101 1 ip_id=5\n C . 1:101 1 ip_id=6"),
    "after_fin": ("S F. 1 1\n C . 1:101 2", "S F. 1 1\n C . 1 2"),
    "stall": (WRITE + "140 S . 1 11\n 141 C . 11:21 1", WRITE + "140 S . 1:2 11\n 141 C . 11:21 2"),
    "timeout": (
        "C . 1:101 1\n 900 C . 1:101 1",
        "C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1\n 111 C . 1:101 1",
    ),
}


def test_every_kind_has_a_case() -> None:
    assert list(CASES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_segment_is_kept_for_what_it_is(kind: str) -> None:
    text, near_miss = CASES[kind]
    assert kind in last(text)
    assert kind not in last(near_miss)


MORE = [
    ("S . 1 101", "gap", True),
    ("S . 1 1 window=0\n C . 1:2 1", "probe", True),
    ("C . 1 1 window=0\n C . 1 1 window=0", "window", False),
    ("C . 1 1 window=0\n C . 1 1", "window", True),
    ("S R. 1 1 window=0", "window", False),
    ("S S. 0 1 window=0", "window", False),
    ("C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "repeat", True),
    ("C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "timeout", False),
    # a small write is held back only by the first, bare and late acknowledgement of a single segment
    (WRITE + "130 S . 1 11\n 150 C . 11:21 1", "stall", True),
    (WRITE + "350 S . 1 11\n 351 C . 11:21 1", "stall", True),
    (WRITE + "129.9 S . 1 11\n 130 C . 11:21 1", "stall", False),
    (WRITE + "350.1 S . 1 11\n 351 C . 11:21 1", "stall", False),
    (WRITE + "130 S . 1 11\n 150.1 C . 11:21 1", "stall", False),
    (WRITE + "120 S . 1 11\n 140 S . 1 11 window=900\n 141 C . 11:21 1", "stall", False),
    (WRITE + "100.1 C . 11:21 1\n 140 S . 1 21\n 141 C . 21:31 1", "stall", False),
    (WRITE + "140 S . 1 6\n 141 C . 11:21 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 C . 11:511 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 C . 11:510 1", "stall", True),
    ("50 C . 1:1449 1\n 51 S . 1 1449\n 100 C . 1449:1459 1\n 140 S . 1 1459\n 141 C . 1459:2906 1", "stall", True),
    ("50 C . 1:1449 1\n 51 S . 1 1449\n 100 C . 1449:1459 1\n 140 S . 1 1459\n 141 C . 1459:2907 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 S . 1:5 11\n 142 C . 11:21 5", "stall", False),
]


@pytest.mark.parametrize(("text", "kind", "is_one"), MORE)
def test_where_a_kind_begins_and_ends(text: str, kind: str, is_one: bool) -> None:
    assert (kind in last(text)) is is_one


def test_of_each_kind_and_direction_the_first_seven_are_kept() -> None:
    repeats = "".join(f"{100 + 900 * number} C . 1:101 1\n" for number in range(12))
    kept = told(packets(OPEN + repeats)).kinds
    assert sum("repeat" in kinds for _, kinds in kept) == 7
    assert len(kept) == 3 + 1 + 7
    kept = told(packets(OPEN + repeats + "99999 C . 1:101 1\n")).kinds
    assert kept[-1][1] == {"repeat", "timeout", "resumed"}


def test_a_lone_syn_is_kept_once_its_flow_is_more() -> None:
    assert told(packets("0 C S 0 window=77")).kinds == []
    found = told(packets("0 C S 0 window=77"), packets("10 S S. 0 1"))
    assert [kinds for _, kinds in found.kinds] == [{"syn"}, {"syn", "answer"}]
    assert found.notable.flags.tolist() == [2, 18]
    assert found.notable.window_bytes.tolist()[0] == 77


def test_how_long_a_window_was_closed() -> None:
    client, _ = facts("100 C . 1 1 window=0\n 150 C . 1 1 window=0\n 400 C . 1 1\n 500 C . 1 1 window=0\n 510 C . 1 1")
    assert (client.closures, client.closed_max_ns, client.is_closed) == (2, 300 * MS, 0)
    client, _ = facts("100 C . 1 1 window=0\n 150 C . 1 1 window=0\n 400 S . 1 1")
    assert (client.closures, client.closed_max_ns, client.is_closed) == (1, 50 * MS, 1)


def test_a_window_of_unknown_scale_is_closed_at_0_too() -> None:
    client, _ = told(packets("100 C . 1 1 window=0\n 150 C . 1 1")).facts
    assert (client.closures, client.closed_max_ns) == (1, 50 * MS)


def test_probes_are_unanswered_until_the_other_side_is_heard() -> None:
    client, _ = facts("C . 0 1\n C . 0 1\n C . 0 1")
    assert (client.probes, client.unanswered) == (3, 3)
    client, _ = facts("C . 0 1\n C . 0 1\n S . 1 1\n C . 0 1")
    assert (client.probes, client.unanswered) == (3, 1)
    client, _ = facts("C . 0 1\n C . 0 1\n C R. 1 1")
    assert client.unanswered == 2


def test_the_largest_segment_and_where_the_first_of_its_size_was() -> None:
    client, server = facts("C . 1:101 1\n C . 101:301 1\n C . 301:501 1\n C . 501:502 1")
    assert (client.largest_bytes, client.largest_seq) == (200, 101)
    assert (server.largest_bytes, server.largest_seq) == (0, -1)


def test_stalls_add_up() -> None:
    more = "150 S . 1:5 21\n 151 C . 21 5\n 200 C . 21:31 5\n 250 S . 5 31\n 251 C . 31:41 5\n"
    client, server = facts(WRITE + "140 S . 1 11\n 141 C . 11:21 1\n" + more)
    assert (client.delayed_writes, client.delayed_ns) == (2, 90 * MS)
    assert server.delayed_writes == 0


def test_without_times_nothing_lasts() -> None:
    chunk = packets(OPEN + "100 C . 1 1 window=0\n 150 C . 1:11 1 window=0\n 400 S . 1 11\n 401 C . 11:21 1")
    chunk.time_ns[3:] = NO_TIME
    for chosen in (kernels.plain(), kernels.compiled()):
        found = told(chunk, with_kernels=chosen)
        assert [kinds for frame, kinds in found.kinds if frame > 3] == [
            {"window"},
            {"data"},
            {"first", "answer"},
            {"window"},
        ]
        assert (found.facts[0].closures, found.facts[0].closed_max_ns) == (1, 0)
        assert found.notable.time_ns.tolist()[-1] == NO_TIME


# A naive twin: an object a side, told of a segment at a time.


@dataclass
class Side:
    """What one side did."""

    kept: Counter[str] = field(default_factory=Counter)
    called: bool = False
    segments: list[Any] = field(default_factory=list)
    """Without copies."""
    data: list[Any] = field(default_factory=list)
    """Those with payload that is neither sent again nor a probe."""
    sent_to: int = 0
    closed_at: int | None = None
    closures: int = 0
    closed_max_ns: int = 0
    probes: int = 0
    unanswered: int = 0
    stalls: list[int] = field(default_factory=list)
    unseen: int = 0
    fin: bool = False
    unheard: int = 0
    waited: tuple[int, int] | None = None
    """How long the first bare acknowledgement took, and when it came."""


class Twin:
    """One flow: what is kept of it, as (frame, kinds)."""

    def __init__(self) -> None:
        self.sides = (Side(), Side())
        self.notes: list[tuple[int, frozenset[str]]] = []
        self.lone_syn: Any = None

    def tell(self, row: Any) -> None:
        if row.direction < 0:
            self.lone_syn = row
            return
        if self.lone_syn:
            x = self.sides[0]
            x.segments.append(SimpleNamespace(**{**vars(self.lone_syn), "ttl": -1, "ip_id": -1}))
            self.keep(x, self.lone_syn, {"syn"})
            self.sides[1].called = True
            self.lone_syn = None
        x, y = self.sides[row.side], self.sides[1 - row.side]
        self.keep(x, row, {"copy"} if row.repeat == "copy" else self.kinds(x, y, row))

    def keep(self, x: Side, row: Any, kinds: set[str]) -> None:
        wanted = {kind for kind in kinds if x.kept[kind] < 7}
        x.kept.update(wanted)
        if wanted:
            self.notes.append((row.frame, frozenset(kinds)))

    def kinds(self, x: Side, y: Side, row: Any) -> set[str]:
        found = {name for name, bit in (("syn", 2), ("fin", 1), ("rst", 4)) if row.flags & bit}
        if not found & {"syn", "rst"} and all(seen.flags & 6 for seen in x.segments):
            found.add("first")
        if row.repeat == "reordered":
            found.add("reordered")
        elif row.repeat != "none":
            found.add("repeat")
        if row.repeat == "timeout":
            found.add("timeout")
        if row.labels & {"lost_segment", "ack_lost_segment"}:
            found.add("gap")
        x.unseen += "ack_lost_segment" in row.labels
        if row.labels & {"keep_alive", "zero_window_probe"}:
            found.add("probe")
        if row.idle_ns >= 1000 * MS:
            found.add("resumed")
        found |= self.window(x, row)
        length = 0 if "probe" in found else max(row.len, 0)
        if not found & {"syn", "rst"}:
            found |= self.delay(x, y, row, length)
        if length and "repeat" not in found:
            found |= {"data"} if not x.data else set()
            found |= {"after_fin"} if y.fin else set()
            x.data.append(row)
            x.unheard += 1
        x.sent_to = row.end_position if row.flags & 2 else max(x.sent_to, row.end_position)
        return self.seen(x, y, row, found)

    def window(self, x: Side, row: Any) -> set[str]:
        if row.flags & 7 or row.window < 0:
            return set()
        if x.closed_at is not None:
            x.closed_max_ns = max(x.closed_max_ns, row.time_ns - x.closed_at)
        if (row.window == 0) == (x.closed_at is not None):
            return set()
        x.closed_at = row.time_ns if row.window == 0 else None
        x.closures += row.window == 0
        return {"window"}

    def delay(self, x: Side, y: Side, row: Any, length: int) -> set[str]:
        if not length:
            spoke = x.data[-1].time_ns if x.data else 0
            waits = y.data and spoke <= y.data[-1].time_ns and y.unheard == 1 and y.waited is None
            if waits and row.ack_position >= y.sent_to:
                y.waited = (row.time_ns - y.data[-1].time_ns, row.time_ns)
            return set()
        waited, x.waited, y.waited = x.waited, None, None
        full = max(500, min(1448, max((seen.len for seen in x.data), default=0)))
        if waited is None or not 30 * MS <= waited[0] <= 250 * MS:
            return set()
        if length >= full or row.time_ns - waited[1] > 20 * MS:
            return set()
        x.stalls.append(waited[0])
        return {"stall"}

    def seen(self, x: Side, y: Side, row: Any, found: set[str]) -> set[str]:
        if x.called:
            found.add("answer")
            x.called = False
        y.called |= bool(found & {"syn", "fin", "rst", "data", "resumed"})
        if "probe" in found:
            x.probes += 1
            x.unanswered += 1
        y.unanswered, y.unheard = 0, 0
        x.fin |= bool(row.flags & 1)
        x.segments.append(row)
        return found

    def facts(self, side: int) -> dict[str, int]:
        x = self.sides[side]
        frames = [seen for seen in x.segments if not seen.flags & 4]
        largest = max((seen.len for seen in x.data), default=0)
        return {
            "last_frame": x.segments[-1].frame if x.segments else 0,
            "last_ns": x.segments[-1].time_ns if x.segments else -1,
            "last_data_frame": x.data[-1].frame if x.data else 0,
            "last_data_ns": x.data[-1].time_ns if x.data else -1,
            "ttl": frames[-1].ttl if frames else -1,
            "ip_id": frames[-1].ip_id if frames else -1,
            "largest_bytes": largest,
            "largest_seq": next((seen.position - self.origin(x) for seen in x.data if seen.len == largest), -1),
            "is_closed": int(x.closed_at is not None),
            "closures": x.closures,
            "closed_max_ns": x.closed_max_ns,
            "probes": x.probes,
            "unanswered": x.unanswered,
            "delayed_writes": len(x.stalls),
            "delayed_ns": sum(x.stalls),
            "unseen": x.unseen,
            "alert_frame": next((seen.frame for seen in x.data if seen.alert), 0),
        }

    def origin(self, x: Side) -> int:
        """Where its numbers begin; the latest SYN says."""
        return int(x.segments[-1].position - x.segments[-1].seq_relative)


OPS = "data data data ack ack part repeat skip keep_alive fin rst syn".split()
SIDE, SIZE, IP_ID = st.sampled_from("CS"), st.sampled_from([1, 10, 100, 499, 500, 1447, 1448, 3000]), st.integers(-1, 3)
STEP = st.tuples(
    st.sampled_from([0.1, 1, 5, 20, 21, 29, 30, 40, 40, 250, 251, 999, 1000, 1001]),
    SIDE,
    st.sampled_from(OPS),
    SIZE,
    st.sampled_from([-1, 0, 0, 1, 900, 1000, 1000]),
    IP_ID,
)


def write_that_waits(side: str, sizes: tuple[int, int], wait_ms: float, then_ms: float) -> list[Any]:
    """A segment, its bare acknowledgement, another segment."""
    peer = "S" if side == "C" else "C"
    first, second = ((ms, side, "data", size, 1000, -1) for ms, size in zip((1, then_ms), sizes, strict=True))
    return [first, (wait_ms, peer, "ack", 1, 1000, -1), second]


WAIT = st.builds(
    write_that_waits,
    SIDE,
    st.tuples(SIZE, SIZE),
    st.sampled_from([29, 30, 40, 250, 251]),
    st.sampled_from([0, 1, 20, 21]),
)
STEPS = st.lists(st.one_of(STEP.map(lambda step: [step]), WAIT), min_size=1, max_size=20).map(
    lambda several: [step for steps in several for step in steps]
)


def conversation(steps: list[Any], opened: bool) -> Packets:
    """The rows of what two sides do, each step one segment."""
    lines = OPEN.splitlines() if opened else []
    now, sent, acked = 20.0, {"C": 1, "S": 1}, {"C": 1, "S": 1}
    for step_ms, side, op, size, window, ip_id in steps:
        now += step_ms
        peer = "S" if side == "C" else "C"
        flags, start, length = {"fin": "F.", "rst": "R.", "syn": "S"}.get(op, "."), sent[side], 0
        ack = sent[peer] if op != "part" else max(1, sent[peer] - size // 2)
        if op in ("data", "skip"):
            start += size if op == "skip" else 0
            length = size
            sent[side] = start + size
        elif op == "repeat":
            start, length = max(1, sent[side] - size), min(size, sent[side] - 1)
        elif op == "keep_alive":
            start, ack = start - 1, acked[side]
        elif op == "fin":
            sent[side] += 1
        elif op == "syn":
            start = 0
        acked[side] = max(acked[side], ack)
        columns = f"window={window} ip_id={ip_id} ttl={60 + size % 7} alert={int(size == 10)}"
        lines.append(f"{now} {side} {flags} {start}:{start + length} {ack} {columns}")
    return packets("\n".join(lines), {"C": 1_000_000, "S": 2_000_000})


def rows_of(chunk: Packets, segments: Segments) -> list[Any]:
    """What the twin is told of each segment."""
    names = "frame time_ns flags len window ttl ip_id alert".split()
    values = [getattr(chunk, name).tolist() for name in names]
    names += "flow side direction idle_ns position end_position ack_position seq_relative ack_relative".split()
    values += [getattr(segments, name).tolist() for name in names[8:]]
    labels = [{name for bit, name in enumerate(LABELS) if mask >> bit & 1} for mask in segments.labels.tolist()]
    repeats = [REPEATS[repeat] for repeat in segments.repeat.tolist()]
    rows = zip(labels, repeats, zip(*values, strict=True), strict=True)
    return [SimpleNamespace(labels=known, repeat=why, **dict(zip(names, row, strict=True))) for known, why, row in rows]


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 40), st.booleans())
def test_what_is_kept_is_what_the_twin_keeps(steps: list[Any], cut: int, opened: bool) -> None:
    chunk = conversation(steps, opened)
    chunks = part(chunk, 0, cut), part(chunk, cut, len(chunk.frame))
    rows = rows_of(chunk, told(*chunks).segments)
    twins = {row.flow: Twin() for row in rows}
    for row in rows:
        twins[row.flow].tell(row)
    expected = [note for flow in sorted(twins) for note in twins[flow].notes]
    for chosen in (kernels.plain(), kernels.compiled()):
        found = told(*chunks, with_kernels=chosen)
        assert found.kinds == expected
        assert [note for note in records(found.notable) if not is_written(note, rows[note.frame - 1])] == []
        for side in (0, 1) if twins[0].notes else ():
            assert vars(found.facts[side]) == twins[0].facts(side ^ found.client)


def is_written(note: Any, row: Any) -> bool:
    """Whether a note says what its segment said; of a lone SYN little is kept."""
    same = (note.flow, note.time_ns, note.flags, note.len) == (row.flow, row.time_ns, row.flags, row.len)
    if row.direction < 0:
        return same
    same &= (note.seq, note.ack, note.ttl, note.ip_id) == (row.seq_relative, row.ack_relative, row.ttl, row.ip_id)
    return same and REPEATS[note.repeat] == row.repeat and note.idle_ns == max(0, row.idle_ns) // MS * MS
