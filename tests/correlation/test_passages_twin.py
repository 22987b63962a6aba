"""Whatever is lost, repeated, reordered and rewritten: passages are what was sent, and each was seen where it was."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tests.correlation.matched import Matched, at_points
from tests.correlation.wire import START_NS, Frame, Tcp, changed, dnat, fullnat

POINTS = ("client", "lvs:eth0", "rs")
CHANGES: dict[str, Callable[[Tcp], Tcp]] = {
    "direct": lambda one: one,
    "nat": dnat("10.9.9.9:81"),
    "fullnat": fullnat("10.7.7.7:1025", "10.9.9.9:81", 4_000_000_000),
}
ISN = 2**32 - 700
"""Numbers wrap soon."""
REPEATED_AFTER_NS = 400_000_000
HOP_NS = 200_000


@dataclass(frozen=True)
class Sent:
    """One transmission."""

    from_server: bool
    start: int
    end: int
    ack: int
    flags: int
    reaches: int
    """How many points see it."""
    late: bool
    """Whether one sent after it overtakes it before it reaches the last point."""


@st.composite
def conversations(draw: st.DrawFn) -> list[Sent]:
    """A handshake and a request that all points see, then data, repeats and bare acknowledgements; some are lost."""
    everywhere = len(POINTS)
    sent = [Sent(False, 0, 1, 0, 2, everywhere, False), Sent(True, 0, 1, 1, 18, everywhere, False)]
    sent.append(Sent(False, 1, 1, 1, 16, everywhere, False))
    sent.append(Sent(False, 1, 61, 1, 24, everywhere, False))
    following = [61, 1]
    for kind in draw(st.lists(st.sampled_from("drab"), max_size=14)):
        side = draw(st.booleans())
        reaches, late = draw(st.sampled_from([1, 2, 3, 3, 3])), draw(st.integers(0, 4)) == 0
        before = [one for one in sent[4:] if one.from_server == side and one.end > one.start]
        ack = following[not side]
        if kind == "d":
            start, size = following[side], draw(st.sampled_from([1, 100, 300]))
            following[side] += size
            sent.append(Sent(side, start, start + size, ack, 24, reaches, late))
        elif kind == "r" and before:
            one = draw(st.sampled_from(before))
            end = one.end if draw(st.booleans()) else min(one.end + 50, following[side])
            sent.append(Sent(side, one.start, end, ack, 24, reaches, late))
        else:
            sent.append(Sent(side, following[side], following[side], ack, 16, reaches, late))
    return sent


def frames_at(sent: Sequence[Sent], point: int, identified: bool, clock_ns: int) -> list[tuple[int, Frame]]:
    """What a point sees, in its order, and the number of each transmission."""
    found = []
    for number, one in enumerate(sent):
        hops = len(POINTS) - 1 - point if one.from_server else point
        if one.reaches <= hops:
            continue
        gap_ns = 3_000_000 if identified else REPEATED_AFTER_NS
        delay_ns = hops * HOP_NS + (gap_ns + HOP_NS if one.late and hops == 2 and identified else 0)
        numbers = ISN + one.start, (ISN + one.ack if one.flags & 16 else 0)
        ends = ("10.0.0.2", "10.0.0.1", 80, 40000) if one.from_server else ("10.0.0.1", "10.0.0.2", 40000, 80)
        size = one.end - one.start if one.flags == 24 else 0
        segment = Tcp(*ends, *numbers, one.flags, bytes(size), number + 1 if identified else 0)
        found.append((number, segment.frame(START_NS + clock_ns + number * gap_ns + delay_ns)))
    return sorted(found, key=lambda pair: pair[1].time_ns)


def as_told(found: Matched) -> Counter[tuple[bool, int, int, tuple[int, ...]]]:
    p = found.passages
    rows = zip(p.direction.tolist(), p.start.tolist(), p.end.tolist(), found.frames(*POINTS), strict=True)
    return Counter((bool(way), start, end, frames) for way, start, end, frames in rows)


@given(
    sent=conversations(),
    rewriting=st.sampled_from(sorted(CHANGES)),
    identified=st.booleans(),
    clocks_ms=st.tuples(st.integers(-100_000, 100_000), st.integers(-100_000, 100_000)),
)
def test_passages_are_what_was_sent(
    sent: list[Sent], rewriting: str, identified: bool, clocks_ms: tuple[int, int]
) -> None:
    views = [frames_at(sent, i, identified, clock * 10**6) for i, clock in enumerate((0, *clocks_ms))]
    numbered = [{number: frame for frame, (number, _) in enumerate(view, 1)} for view in views]
    expected = Counter(
        (one.from_server, one.start, one.end, tuple(frames.get(number, -1) for frames in numbered))
        for number, one in enumerate(sent)
    )
    captures = {name: [frame for _, frame in view] for name, view in zip(POINTS, views, strict=True)}
    captures["rs"] = changed(captures["rs"], CHANGES[rewriting])
    with TemporaryDirectory() as folder:
        found = at_points(Path(folder), captures)
    assert found.seen_at() == [list(POINTS)]
    assert as_told(found) == expected
