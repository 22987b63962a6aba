"""The pipeline over several points: captures in, connections with their paths and findings out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcptrace.correlation.connections import Told, tell
from tcptrace.correlation.director_files import read_director_file
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.points import Captures, inputs_of
from tcptrace.correlation.recording import Recording, read
from tcptrace.correlation.result import Candidate, Clocks, Connection, Point
from tcptrace.diagnosis.diagnose_paths import diagnose_paths
from tcptrace.diagnosis.gather import gather
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.wanted import ALL, Wanted
from tcptrace.kernels import Notice


def _silent(text: str) -> None:
    """Take a notice and tell nobody."""


@dataclass(frozen=True)
class Correlation:
    """What came of captures of several points: one conversation each, its path, and what went wrong on it."""

    points: tuple[Point, ...]
    """In the order given; the clock of the first is the reference."""
    recordings: tuple[Recording, ...]
    """What was read; points may share one."""
    clocks: Clocks
    """By host."""
    connections: tuple[Connection, ...]
    """By number."""
    passages: Passages
    """The segments of all streams, and where each was seen."""
    candidates: tuple[Candidate, ...] = ()
    """What may belong together and was not joined."""
    found: tuple[Finding, ...] = ()
    """What went wrong, the worst first."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document `tcptrace.correlation/1` as plain dicts, lists, ints and strings."""
        from tcptrace import correlation_json

        return correlation_json.document(self)


def correlate(
    captures: Captures,
    *,
    director_tables: Sequence[str | Path] = (),
    trust_clocks: bool = False,
    wanted: Wanted = ALL,
    notice: Notice = _silent,
) -> Correlation:
    """Join the captures of several points: which flows are one connection, its path, and what went wrong on it.

    `captures` maps points, `host:interface` or a name, to what was taken there: a path, or those of rotated files.
    `director_tables` are files with what a director printed: `ipvsadm -lnc`, `conntrack -L`, DPVS's log. With
    `trust_clocks` times are used as they are. Raises CaptureError for a capture that cannot be read at all, UsageError
    for a point without a capture and for a file that is no director's.
    """
    files = [read_director_file(path) for path in director_tables]
    points, recordings = read(inputs_of(captures), notice)
    told = tell(points, recordings, files, trust=trust_clocks, notice=notice)
    found = _found(points, recordings, told, wanted)
    return Correlation(
        points,
        recordings,
        told.alignment.clocks,
        told.connections,
        told.passages,
        told.candidates,
        wanted.chosen(found),
    )


def _found(points: Sequence[Point], recordings: Sequence[Recording], told: Told, wanted: Wanted) -> tuple[Finding, ...]:
    captures = [gather(r.summary, r.book, r.measured, r.flows, r.transitions) for r in recordings]
    return diagnose_paths(PathEvidence(points, captures, told), wanted.settings)
