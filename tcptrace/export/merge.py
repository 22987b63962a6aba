"""The captures of several points as one: every frame on the reference clock, at an interface that is its point."""

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

from tcptrace.capture.frames import require_files
from tcptrace.correlation.points import Captures, inputs_of
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.wanted import ALL, Wanted
from tcptrace.errors import CaptureError
from tcptrace.export.aligned import Aligned, aligned
from tcptrace.export.commented_writer import CommentedWriter, Written
from tcptrace.joint_analysis import Correlation, correlate
from tcptrace.kernels import Notice
from tcptrace.report.output import open_output


def _silent(text: str) -> None:
    """Take a notice and tell nobody."""


def merge(
    captures: Captures,
    output: str | Path,
    *,
    director_tables: Sequence[str | Path] = (),
    trust_clocks: bool = False,
    wanted: Wanted = ALL,
    notice: Notice = _silent,
) -> Written:
    """Write all frames of captures of several points to one pcapng, in order of time by the first point's clock.

    `captures`, `director_tables` and `trust_clocks` are as for `correlate`. Every point is an interface, and so is one
    where no segment passed; frames that findings name say so in comments. Text printed by tcpdump holds no frames: it
    is correlated, and left out. `output` appears whole or not at all.

    Raises UsageError for what cannot be read twice, for a file that is no director's, and for an output that cannot be
    written or is an input; CaptureError where a capture cannot be read at all, or all are text.
    """
    paths = [path for given in inputs_of(captures) for path in given.paths]
    require_files(paths)
    with open_output(Path(output), paths) as out:
        correlation = correlate(
            captures, director_tables=director_tables, trust_clocks=trust_clocks, wanted=wanted, notice=notice
        )
        told = _by_frame(correlation)
        writer = CommentedWriter(out.buffer)
        for one in heapq.merge(*_sources(correlation, notice), key=lambda one: one.time_ns):
            found = told.get((one.recording, one.frame.frame), ())
            writer.write(one.frame, one.time_ns, one.point, one.point, found, one.point)
    return writer.written


def _sources(correlation: Correlation, notice: Notice) -> list[Iterator[Aligned]]:
    """The frames of every recording that has any."""
    found = []
    for number, recording in enumerate(correlation.recordings):
        summary = recording.summary
        for problem in summary.problems:
            notice(f"{summary.path}: {problem}")
        if summary.is_text:
            notice(f"{summary.path}: is text printed by tcpdump, which holds no frames: left out")
        else:
            found.append(aligned(correlation, number, notice))
    if not found:
        path = correlation.recordings[0].summary.path
        raise CaptureError(path, "is text, as all are, which holds no frames", "name the captures that tcpdump printed")
    return found


def _by_frame(correlation: Correlation) -> dict[tuple[int, int], list[Finding]]:
    """For each frame that findings name, by recording and number, these."""
    recording_of = {point.name: point.recording for point in correlation.points}
    told: dict[tuple[int, int], list[Finding]] = {}
    for finding in correlation.found:
        for point, frames in finding.evidence_frames or ((finding.point, finding.frames),):
            recording = recording_of.get(point or "", finding.capture)
            for frame in dict.fromkeys(frames):
                told.setdefault((recording, frame), []).append(finding)
    return told
