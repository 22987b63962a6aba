"""One flow, or the flows of one finding, as a capture of their own: just the evidence."""

from pathlib import Path

import numpy as np

from tcptrace.analysis import Analysis, analyze_one, frames_of
from tcptrace.capture.frames import FrameReader, require_files
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.wanted import ALL, Wanted
from tcptrace.errors import UsageError
from tcptrace.export.commented_writer import CommentedWriter, Written
from tcptrace.kernels import Notice
from tcptrace.report.output import open_output
from tcptrace.schema import I64
from tcptrace.selection import EVERYTHING, Selection


def _silent(text: str) -> None:
    """Take a notice and tell nobody."""


def extract(
    path: str | Path,
    output: str | Path,
    *,
    flow: int | None = None,
    finding: int | None = None,
    wanted: Wanted = ALL,
    notice: Notice = _silent,
) -> Written:
    """Write the frames of a flow, or of the flows that a finding is about, to a pcapng of their own.

    `flow` and `finding` are numbers that `analyze` gives; one of the two is. A finding about a whole capture has the
    frames it names. ICMP errors that quote a flow belong to it. Frames keep their bytes, times, interfaces and lengths;
    those that findings name say so in comments. `output` appears whole or not at all.

    Raises UsageError for a number that the capture does not have, for what cannot be read twice, and for an output
    that cannot be written or is the input; CaptureError for a capture that cannot be read at all, or is text.
    """
    if (flow is None) == (finding is None):
        raise UsageError("extract takes a flow or a finding\n  --flow N or --finding N, as analyze numbers them")
    source = str(path)
    require_files([source])
    with open_output(Path(output), [source]) as out:
        selection = EVERYTHING if flow is None else Selection(flow=flow)
        analysis = analyze_one(source, selection, wanted, notice, statistics=False, zeek=False)
        for problem in analysis.summaries[0].problems:
            notice(f"{source}: {problem}")
        frames = _frames(analysis, source, flow, finding, notice)
        reader, writer = FrameReader([source], notice), CommentedWriter(out.buffer)
        told = _by_frame(analysis)
        for frame in reader.frames(frames):
            name, found = reader.interfaces[frame.interface], told.get(frame.frame, ())
            writer.write(frame, frame.time_ns, frame.interface, name, found, Path(source).name)
    return writer.written


def _frames(analysis: Analysis, source: str, flow: int | None, finding: int | None, notice: Notice) -> I64:
    """Numbers of the frames that are wanted, ascending."""
    if analysis.lacking:
        raise UsageError(analysis.lacking)
    if flow is not None:
        return frames_of(source, [flow], notice)
    about = _found(analysis, source, finding)
    return np.union1d(frames_of(source, about.flows, notice), np.array(about.frames, np.int64))


def _found(analysis: Analysis, source: str, number: int | None) -> Finding:
    """The finding of that number; UsageError where it has no frame to show."""
    for finding in analysis.found:
        if finding.number == number and (len(finding.flows) or finding.frames):
            return finding
        if finding.number == number:
            raise UsageError(f"{source}: finding {number} names no frame\n  it is about the capture as a whole")
    last = max((finding.number for finding in analysis.found), default=0)
    there = f"its findings are numbered from 1 to {last}" if last else "nothing was found in it"
    raise UsageError(f"{source}: no finding {number}\n  {there}")


def _by_frame(analysis: Analysis) -> dict[int, list[Finding]]:
    """For each frame that findings name, these."""
    told: dict[int, list[Finding]] = {}
    for finding in analysis.found:
        for frame in dict.fromkeys(finding.frames):
            told.setdefault(frame, []).append(finding)
    return told
