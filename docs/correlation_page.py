"""What correlation says of every recorded path, beside the truth: `make paths`, and the table of correlation.md."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tcptrace
from tcptrace.correlation.directions import DIRECTIONS, REPLY, REQUEST
from tcptrace.correlation.points import from_words
from tcptrace.correlation.result import Clock
from tcptrace.schema import NO_TIME

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
PAGE = Path(__file__).resolve().parent / "correlation.md"
DRIFT_WITHIN_PPM = 2.0
"""What round trips of some µs, 45 s apart, leave open of a drift, and more."""
BEGIN, END = "<!-- table: make docs -->", "<!-- end of table -->"


class Verdict(NamedTuple):
    """What is said of a case, beside the truth."""

    case: str
    what: str
    truth: str
    said: str
    right: bool


def recorded() -> list[tuple[str, dict[str, Any]]]:
    """Every case of several points and the truth about its path, by name."""
    told = ((path.parent.name, json.loads(path.read_text())) for path in sorted(CAPTURES.glob("*/truth.json")))
    return [(case, facts["path"]) for case, facts in told if "path" in facts]


def correlated(case: str) -> tcptrace.Correlation:
    """The case as `tcptrace correlate` takes it."""
    return tcptrace.correlate(from_words([str(CAPTURES / case)]))


def verdicts(case: str, truth: dict[str, Any], told: tcptrace.Correlation) -> Iterator[Verdict]:
    """All that the truth tells, each held against what correlation says."""
    names = [point.name for point in told.points]
    first = max(told.connections, key=lambda connection: len(connection.path[REQUEST]) + len(connection.path[REPLY]))
    yield Verdict(case, "mode", truth["mode"], first.mode, first.mode == truth["mode"])
    for place, direction in enumerate(DIRECTIONS):
        way = first.path[place] or next((one.path[place] for one in told.connections if one.path[place]), ())
        said = [names[point] for point in way]
        if "conversations" not in truth:
            yield Verdict(case, direction, _way(truth[direction]), _way(said), _is_way(said, truth[direction]))
    if "conversations" in truth:
        yield _conversations(case, truth["conversations"], told)
    yield _lost(case, truth, told)
    origin = first.reset_origin.host if first.reset_origin else ""
    resets = truth["reset_by"].split(" or ")
    yield Verdict(case, "reset by", truth["reset_by"], origin, origin in resets)
    yield from _clocks(case, truth, told)
    found = {finding.rule for finding in told.found}
    with_symptoms = found.union(*(finding.symptoms for finding in told.found))
    for rule in truth["causes"]:
        yield Verdict(case, rule, "found", "found" if rule in with_symptoms else "silent", rule in with_symptoms)
    for rule in truth["near_misses"]:
        yield Verdict(case, rule, "silent", "found" if rule in found else "silent", rule not in found)
    if truth["healthy"]:
        bad = sorted({finding.rule for finding in told.found if finding.severity != "info"})
        yield Verdict(case, "(any)", "healthy", ", ".join(bad) or "silent", not bad)


def _conversations(case: str, truth: list[dict[str, Any]], told: tcptrace.Correlation) -> Verdict:
    """Each client's connection on its own path, and no others: nothing torn apart, nothing joined wrongly."""
    names = [point.name for point in told.points]
    due = Counter((one["client"], _way(one["request"]), _way(one["reply"])) for one in truth)
    said = Counter((one.client, *(_way(names[p] for p in way) for way in one.path)) for one in told.connections)
    wrong = sorted((said - due).elements())
    listed = "; ".join(": ".join(one) for one in wrong)
    counted = f"{(said & due).total()} of {said.total()} right"
    return Verdict(case, "connections", str(due.total()), f"{counted} {listed}".strip(), said == due)


def _way(points: Iterable[str]) -> str:
    return " → ".join(points)


def _is_way(said: list[str], truth: list[str]) -> bool:
    return len(said) == len(truth) and all(point in name.split(" or ") for point, name in zip(said, truth, strict=True))


def _lost(case: str, truth: dict[str, Any], told: tcptrace.Correlation) -> Verdict:
    """Every dropped segment, by the frames that are named, and nothing else."""
    named = {
        (told.points[hop.source].name, told.points[hop.target].name, frame)
        for connection in told.connections
        for hop in connection.hops
        for frame in hop.lost_frames
    }
    due = {place for drop in truth["dropped"] for place in _dropped(drop, told)}
    return Verdict(case, "lost", _places(due), _places(named), named == due)


def _dropped(drop: dict[str, Any], told: tcptrace.Correlation) -> Iterator[tuple[str, str, int]]:
    """The frames, at the point that saw them last, of a segment that was dropped so many times (0: each time)."""
    names = [point.name for point in told.points]
    source, passages = names.index(drop["seen_at"]), told.passages
    is_it = (passages.direction == ("client", "server").index(drop["sender"])) & (passages.start == drop["seq"])
    if client := drop.get("client"):
        streams = [s.stream for one in told.connections if one.client == client for s in one.streams]
        is_it &= np.isin(passages.stream, streams)
    frames = passages.frame[is_it & (passages.len == drop["len_bytes"]), source]
    frames = sorted(frames[frames > 0].tolist())
    for frame in frames[: drop["times"]] if drop["times"] else frames:
        yield drop["seen_at"], drop["never_at"], frame


def _places(places: Iterable[tuple[str, str, int]]) -> str:
    return ", ".join(f"{source} {frame}" for source, _, frame in sorted(places)) or "nothing"


def _clocks(case: str, truth: dict[str, Any], told: tcptrace.Correlation) -> Iterator[Verdict]:
    """The true offset lies in each clock's interval, drift and steps are the true ones, no hop has a negative delay."""
    true_ns = truth.get("clock_offsets_ns", {})
    for host, clock in told.clocks.items():
        low, high, true = clock.low_ns, clock.high_ns, true_ns.get(host, 0)
        right = (low is None or low <= true) and (high is None or true <= high)
        interval = f"[{'-∞' if low is None else low}, {'∞' if high is None else high}]"
        yield Verdict(case, f"clock of {host}", f"{true} ns", interval, right)
        drift_ppm = truth.get("drift_ppm", {}).get(host, 0.0)
        if drift_ppm or clock.drift_ppm is not None:
            yield _drift(case, host, drift_ppm, clock, _recorded_ns(host, told))
        yield from _steps(case, host, truth.get("steps", {}).get(host, []), clock)
    hops = [hop for connection in told.connections for hop in connection.hops if hop.delay]
    least = min((hop.delay.min_ns for hop in hops if hop.delay), default=0)
    yield Verdict(case, "least delay", "not negative", f"{least} ns", least >= 0)


def _drift(case: str, host: str, true_ppm: float, clock: Clock, recorded_ns: int) -> Verdict:
    """The true one within DRIFT_WITHIN_PPM; or none is told, where it amounts to less than the offset may be wrong."""
    if clock.drift_ppm is not None:
        right = true_ppm != 0 and abs(clock.drift_ppm - true_ppm) <= DRIFT_WITHIN_PPM
        return Verdict(case, f"drift of {host}", f"{true_ppm:.1f} ppm", f"{clock.drift_ppm:.1f} ppm", right)
    open_ns = None if clock.low_ns is None or clock.high_ns is None else clock.high_ns - clock.low_ns
    right = open_ns is None or abs(true_ppm) * recorded_ns / 1e6 <= open_ns
    return Verdict(case, f"drift of {host}", f"{true_ppm:.1f} ppm", "not told", right)


def _recorded_ns(host: str, told: tcptrace.Correlation) -> int:
    """How long a host was watched, by its own clock."""
    points = [number for number, point in enumerate(told.points) if point.host == host]
    time_ns = told.passages.time_ns[:, points]
    seen = time_ns[time_ns != NO_TIME]
    return int(np.ptp(seen)) if len(seen) else 0


def _steps(case: str, host: str, true: list[dict[str, int]], clock: Clock) -> Iterator[Verdict]:
    """Each step lies between the frames it was made between; its size is wrong by no more than the offset may be."""
    if not true and not clock.steps:
        return
    known = clock.low_ns is not None and clock.high_ns is not None
    width_ns = (clock.high_ns or 0) - (clock.low_ns or 0) if known else 0
    right = len(clock.steps) == len(true) and all(
        due["after_ns"] < step.time_ns <= due["until_ns"] and abs(step.by_ns - due["by_ns"]) <= width_ns
        for step, due in zip(clock.steps, true, strict=True)
    )
    said = ", ".join(f"{step.by_ns:+} ns" for step in clock.steps) or "none"
    yield Verdict(case, f"steps of {host}", ", ".join(f"{step['by_ns']:+} ns" for step in true) or "none", said, right)


def table() -> str:
    """The page's table: a line a case."""
    lines = ["| case | mode | request | reply | lost | reset by | as the truth says |", "|---|---|---|---|---|---|---|"]
    for case, truth in recorded():
        told = correlated(case)
        asked = list(verdicts(case, truth, told))
        said = {verdict.what: verdict.said for verdict in asked}
        cells = (said.get(what, "see the case") for what in ("mode", "request", "reply", "lost", "reset by"))
        right = sum(verdict.right for verdict in asked)
        lines.append(f"| [{case}](../captures/{case}) | {' | '.join(cells)} | {right} of {len(asked)} |")
    return "\n".join(lines)


def page() -> str:
    """correlation.md with its table made anew."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Print what is said of every case beside the truth; 1 when it is wrong anywhere."""
    asked = [verdict for case, truth in recorded() for verdict in verdicts(case, truth, correlated(case))]
    widths = [max(map(len, column)) for column in zip(*(verdict[:4] for verdict in asked), strict=True)]
    for verdict in asked:
        cells = (text.ljust(width) for text, width in zip(verdict[:4], widths, strict=True))
        print("  ".join(cells), "ok" if verdict.right else "WRONG", sep="  ")
    wrong = sum(not verdict.right for verdict in asked)
    print(f"{len(asked) - wrong} of {len(asked)} as the truth says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
