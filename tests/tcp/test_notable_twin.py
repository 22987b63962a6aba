"""What is kept of a conversation against a naive twin, however it is cut."""

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.rows import part, records
from tcptrace.schema import LABELS, REPEATS, Packets, Segments
from tests.conversation import packets
from tests.tcp.noted import MS, OPEN, told


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
    probes_of_closed: int = 0
    unanswered: int = 0
    unanswered_repeats: int = 0
    stalls: list[int] = field(default_factory=list)
    unseen: int = 0
    fin: bool = False
    unheard: int = 0
    paused_ms: int = 0
    """The longest silence it broke."""
    waited: tuple[int, int] | None = None
    """How long the first bare acknowledgement took, and when it came."""


class Twin:
    """One flow: what is kept of it, as (frame, kinds)."""

    def __init__(self) -> None:
        self.sides = (Side(), Side())
        self.notes: list[tuple[int, frozenset[str]]] = []
        """Those that stay."""
        self.latest: dict[tuple[int, bool], tuple[int, frozenset[str]]] = {}
        """By side, and whether it is a silence that something new broke."""
        self.lone_syn: Any = None

    def tell(self, row: Any) -> None:
        if row.direction < 0:
            self.lone_syn = row
            return
        if self.lone_syn:
            self.take(self.lone_syn)
            self.lone_syn = None
        self.take(row)

    def take(self, row: Any) -> None:
        x, y = self.sides[row.side], self.sides[1 - row.side]
        self.keep(x, row, {"copy"} if row.repeat == "copy" else self.kinds(x, y, row))

    def keep(self, x: Side, row: Any, kinds: set[str]) -> None:
        if "rst" in kinds and row.changes_state:
            x.kept["rst"] = min(x.kept["rst"], 6)
        wanted = {kind for kind in kinds if x.kept[kind] < 7}
        x.kept.update(wanted)
        is_pause = "resumed" in kinds and "repeat" not in kinds
        if wanted:
            self.notes.append((row.frame, frozenset(kinds)))
        elif is_pause or kinds & {"repeat", "probe", "after_fin"}:
            self.latest[row.side, is_pause] = row.frame, frozenset(kinds)

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
        found |= self.pause(x, row, found) | self.window(x, row)
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

    def pause(self, x: Side, row: Any, found: set[str]) -> set[str]:
        if row.idle_ns < 1000 * MS:
            return set()
        if "repeat" not in found and row.idle_ns // MS > x.paused_ms:
            x.paused_ms = row.idle_ns // MS
            x.kept["resumed"] = min(x.kept["resumed"], 6)
            x.kept["repeat"] = min(x.kept["repeat"], 4)
        return {"resumed"}

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
            x.probes_of_closed += y.closed_at is not None
            x.unanswered += 1
        x.unanswered_repeats += "repeat" in found
        y.unanswered, y.unanswered_repeats, y.unheard = 0, 0, 0
        x.fin |= bool(row.flags & 1)
        x.segments.append(row)
        return found

    @property
    def last_ns(self) -> int:
        """When the flow was last seen."""
        return max(side.segments[-1].time_ns for side in self.sides if side.segments)

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
            "closed_max_ns": max(x.closed_max_ns, self.last_ns - x.closed_at if x.closed_at is not None else 0),
            "probes": x.probes,
            "probes_of_closed": x.probes_of_closed,
            "unanswered": x.unanswered,
            "unanswered_repeats": x.unanswered_repeats,
            "delayed_writes": len(x.stalls),
            "delayed_ns": sum(x.stalls),
            "unseen": x.unseen,
            "alert_frame": next((seen.frame for seen in x.data if seen.alert), 0),
        }

    def origin(self, x: Side) -> int:
        """Where its numbers begin; the latest SYN says. What lies before that wraps around."""
        last = x.segments[-1]
        relative = (last.seq_relative + 2**31) % 2**32 - 2**31
        return int(last.position - relative)


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
MANY = st.tuples(STEP, st.integers(7, 9)).map(lambda many: [many[0]] * many[1])
STEPS = st.lists(st.one_of(STEP.map(lambda step: [step]), WAIT, MANY), min_size=1, max_size=30).map(
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


def rows_of(chunk: Packets, segments: Segments, changes: set[int]) -> list[Any]:
    """What the twin is told of each segment."""
    seen = "frame time_ns flags len window ttl ip_id alert".split()
    told = "flow side direction idle_ns waited_ns position end_position ack_position seq_relative ack_relative".split()
    values = [getattr(chunk, name).tolist() for name in seen] + [getattr(segments, name).tolist() for name in told]
    labels = [{name for bit, name in enumerate(LABELS) if mask >> bit & 1} for mask in segments.labels.tolist()]
    repeats = [REPEATS[repeat] for repeat in segments.repeat.tolist()]
    rows = zip(labels, repeats, zip(*values, strict=True), strict=True)
    names = [*seen, *told]
    plain = [
        SimpleNamespace(labels=known, repeat=why, **dict(zip(names, row, strict=True))) for known, why, row in rows
    ]
    return [SimpleNamespace(changes_state=row.frame in changes, **vars(row)) for row in plain]


@given(STEPS, st.integers(0, 40), st.booleans())
def test_what_is_kept_is_what_the_twin_keeps(steps: list[Any], cut: int, opened: bool) -> None:
    chunk = conversation(steps, opened)
    chunks = part(chunk, 0, cut), part(chunk, cut, len(chunk.frame))
    first = told(*chunks)
    rows = rows_of(chunk, first.segments, first.changes)
    twins = {row.flow: Twin() for row in rows}
    for row in rows:
        twins[row.flow].tell(row)
    expected = [note for _, twin in sorted(twins.items()) for note in sorted([*twin.notes, *twin.latest.values()])]
    for chosen in (kernels.plain(), kernels.compiled()):
        found = told(*chunks, with_kernels=chosen)
        assert found.kinds == expected
        assert [note for note in records(found.notable) if not is_written(note, rows[note.frame - 1])] == []
        for side in (0, 1) if twins[0].notes else ():
            assert vars(found.facts[side]) == twins[0].facts(side ^ found.client)


def is_written(note: Any, row: Any) -> bool:
    """Whether a note says what its segment said."""
    same = (note.flow, note.time_ns, note.flags, note.len) == (row.flow, row.time_ns, row.flags, row.len)
    same &= (note.seq, note.ack, note.ttl, note.ip_id) == (row.seq_relative, row.ack_relative, row.ttl, row.ip_id)
    same &= note.waited_ns == (row.waited_ns // MS * MS if row.waited_ns >= 0 else -1)
    return same and REPEATS[note.repeat] == row.repeat and note.idle_ns == max(0, row.idle_ns) // MS * MS
