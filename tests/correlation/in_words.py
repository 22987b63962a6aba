"""Passages in a few words: what passed which points when.

The first line names the points. Each other line is `C|S FLAGS start[:end] [ack] [column=value ...] | time_ms ...`, a
time for each point by its own clock, `-` where it was not seen, with a `*` behind it where it was seen in other sizes.
`column=value` sets a column of the sightings; `column=1,-,3` point by point. A number before `C` or `S` is the stream,
0 unless given.
"""

from dataclasses import replace

import numpy as np

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Clock, Point
from tcptrace.schema import NO_TIME, UNKNOWN, Sightings, allocate

BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32}
ISN = {"C": 1_000, "S": 5_000}
IP_AT = 14


def passages(text: str) -> Passages:
    """What passed, in the order of the lines within a stream; frames are numbered by line at each point."""
    names, *lines = [words for line in text.strip().splitlines() if (words := line.split())]
    points = [Point(name, name.partition(":")[0], number) for number, name in enumerate(names)]
    told = sorted((_line(words) for words in lines), key=lambda line: line[0])
    seen = allocate(Sightings, sum(time != "-" for line in told for time in line[4]))
    for column in seen:
        column[:] = UNKNOWN
    row = np.full((len(told), len(points)), NOWHERE, np.int32)
    partly = np.zeros(row.shape, np.bool_)
    columns = np.full((7, len(told)), UNKNOWN)
    at = 0
    for i, (stream, side, numbers, given, times) in enumerate(told):
        columns[:, i] = (stream, side, *numbers)
        for point, time in enumerate(times):
            if time != "-":
                row[i, point], partly[i, point] = at, time.endswith("*")
                frame = int((row[: i + 1, point] >= 0).sum())
                _fill(seen, at, point, stream, side, frame, numbers, given, time.rstrip("*"))
                at += 1
    stream, side, start, end, ack, flags, length = columns
    return Passages(points, seen, stream, side.astype(np.int8), start, end, ack, flags, length, row, partly)


def _line(words: list[str]) -> tuple[int, int, tuple[int, ...], dict[str, str], list[str]]:
    stream = int(words.pop(0)) if words[0].isdigit() else 0
    bar = words.index("|")
    given = dict(word.split("=") for word in words[:bar] if "=" in word)
    side, letters, numbers, *ack = [word for word in words[:bar] if "=" not in word]
    start, _, end = numbers.partition(":")
    length = int(end or start) - int(start)
    flags = sum(BITS[letter] for letter in letters)
    taken = length + (flags & 1) + (flags >> 1 & 1)
    places = (int(start), int(start) + taken, int(ack[0]) if ack else UNKNOWN, flags, length)
    return stream, "CS".index(side), places, given, words[bar + 1 :]


def _fill(
    seen: Sightings,
    at: int,
    point: int,
    stream: int,
    side: int,
    frame: int,
    numbers: tuple[int, ...],
    given: dict[str, str],
    time: str,
) -> None:
    start, end, ack, flags, length = numbers
    facts = {"point": point, "flow": stream, "side": side, "frame": frame, "start": start, "end": end, "ack": ack}
    facts |= {"flags": flags, "len": length, "seq": ISN["CS"[side]] + start, "inferred": 0, "ip_at": IP_AT, "repeat": 0}
    facts["time_ns"] = NO_TIME if time == "?" else round(float(time) * 1e6)
    for name, value in given.items():
        several = value.split(",")
        one = several[point] if len(several) > 1 else value
        facts[name] = UNKNOWN if one == "-" else int(one)
    for name, value in facts.items():
        getattr(seen, name)[at] = value


def route(request: tuple[int, ...], reply: tuple[int, ...]) -> Route:
    """A route on which RSTs come nowhere else."""
    return Route(request, reply, (), (request, reply))


def alignment(text: str, **bounds_ms: tuple[float | None, float | None]) -> Alignment:
    """Clocks: `host offset_ms` each, 0 unless given; bounds as `a_b=(low, high)`, those of
    the offset of b less that of a, exact unless given."""
    words = text.split()
    offsets = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    clocks = {host: Clock(host, round(ms * 1e6), None, None, None, 0) for host, ms in offsets.items()}
    bounds: dict[tuple[str, str], tuple[int | None, int | None]] = {}
    for a in clocks.values():
        for b in clocks.values():
            exact_ms = (b.offset_ns - a.offset_ns) / 1e6
            least, most = bounds_ms.get(f"{a.host}_{b.host}", (exact_ms, exact_ms))
            bounds[b.host, a.host] = (_ns(least), _ns(most))
    reference = next(iter(clocks))
    for host, clock in clocks.items():
        low, high = bounds[host, reference]
        clocks[host] = replace(clock, low_ns=low, high_ns=high)
    return Alignment(clocks, bounds, (1,) * 16)


def _ns(ms: float | None) -> int | None:
    return None if ms is None else round(ms * 1e6)


def one_clock(told: Passages) -> Alignment:
    """All clocks equal."""
    return alignment(" ".join(f"{host} 0" for host in {point.host: 0 for point in told.points}))
