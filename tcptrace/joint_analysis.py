"""The pipeline over several points: captures in, connections with their paths and findings out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace.correlation.connections import tell
from tcptrace.correlation.director_doubts import contradictions
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
from tcptrace.errors import UsageError
from tcptrace.kernels import Notice

if TYPE_CHECKING:
    import pandas as pd


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

    def chosen(self, connection: int | None = None, host: str | None = None, port: int | None = None) -> "Correlation":
        """The same with some of its connections: that of a number, those of an address or port at either end of a leg.

        Raises UsageError for what no connection has.
        """
        kept = tuple(
            told for told in self.connections if connection in (None, told.connection) and _has(told, host, port)
        )
        if not kept and self.connections:
            last = len(self.connections) - 1
            if connection is not None and not 0 <= connection <= last:
                raise UsageError(f"no connection {connection}\n  connection numbers are 0 to {last}")
            what = ", ".join(f"{name} {value}" for name, value in (("host", host), ("port", port)) if value is not None)
            which = "no connection has" if connection is None else f"connection {connection} is not one with"
            raise UsageError(f"{which} {what}\n  connection numbers are 0 to {last}")
        numbers = {told.connection for told in kept}
        found = (one for one in self.found if not one.connections or not numbers.isdisjoint(one.connections))
        return replace(self, connections=kept, found=tuple(found))

    def table(self, name: str) -> "pd.DataFrame":
        """A table for pandas: points, connections, legs, hops, rewrites, findings or passages."""
        from tcptrace import correlation_tables

        return correlation_tables.table(self, name)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document `tcptrace.correlation/1` as plain dicts, lists, ints and strings."""
        from tcptrace import correlation_json

        return correlation_json.document(self)


def _has(connection: Connection, host: str | None, port: int | None) -> bool:
    """Whether a leg has an end of this address and port."""
    ends = (end.rpartition(":") for leg in connection.legs for end in (leg.client, leg.server))
    return any((host in (None, end[0].strip("[]"))) and port in (None, int(end[2])) for end in ends)


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
    for fault in (fault for file in files for fault in file.faults):
        notice(fault)
    points, recordings = read(inputs_of(captures), notice)
    told = tell(points, recordings, files, trust=trust_clocks, notice=notice)
    for text in contradictions(files, [stream for one in told.connections for stream in one.streams]):
        notice(text)
    evidence = [gather(r.summary, r.book, r.measured, r.flows, r.transitions) for r in recordings]
    found = diagnose_paths(PathEvidence(evidence, told), wanted.settings)
    return Correlation(
        tuple(told.passages.points),
        recordings,
        told.alignment.clocks,
        told.connections,
        told.passages,
        told.candidates,
        wanted.chosen(found),
    )
