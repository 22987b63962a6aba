"""The first bytes that each end of a stream sent, from the frames that hold them: capture files are read again."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tcptrace.capture.frames import FrameReader
from tcptrace.capture.source import STANDARD_INPUT
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.recording import Recording
from tcptrace.kernels import Notice
from tcptrace.schema import I64

EXCERPT_BYTES = 2048
"""Enough for the head of a request."""

_SYN = 0x02

Excerpts = Mapping[tuple[int, int], bytes]
"""By stream and direction; nothing for one without payload, or seen in text only."""


def excerpts(
    streams: Collection[int], passages: Passages, recordings: Sequence[Recording], notice: Notice = lambda text: None
) -> Excerpts:
    """What these streams' ends sent first, up to EXCERPT_BYTES or the first byte that no capture kept.

    Where the beginning was not seen, it is what was seen first. Captures that cannot be read again (standard input)
    and text hold nothing.
    """
    rows, sightings = _chosen(np.array(sorted(streams), np.int64), passages, recordings)
    found: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
    kept = _payloads(sightings, passages, recordings, notice)
    for row, sighting in zip(rows.tolist(), sightings.tolist(), strict=True):
        excerpt = found[int(passages.stream[row]), int(passages.direction[row])]
        offset = int(passages.start[row]) - 1 + (int(passages.flags[row]) & _SYN != 0)
        if offset <= len(excerpt) < EXCERPT_BYTES:  # else a repeat, or beyond what a capture left out
            excerpt += kept.get(sighting, b"")[len(excerpt) - offset :]
    return {key: bytes(excerpt[:EXCERPT_BYTES]) for key, excerpt in found.items() if excerpt}


def _chosen(streams: I64, passages: Passages, recordings: Sequence[Recording]) -> tuple[I64, I64]:
    """The passages that hold the first bytes, in order of stream, direction and place, and a sighting of each."""
    is_early = (passages.len > 0) & (passages.start >= 0) & (passages.start <= EXCERPT_BYTES)
    rows = np.flatnonzero(is_early & np.isin(passages.stream, streams))
    again = [STANDARD_INPUT not in recordings[point.recording].paths for point in passages.points]
    seen = passages.row[rows]
    is_whole = (seen >= 0) & ~passages.partly[rows] & (passages.sightings.payload_at[seen] >= 0) & np.array(again)
    usable = is_whole.any(axis=1)
    rows, point = rows[usable], is_whole[usable].argmax(axis=1)
    order = np.lexsort((passages.start[rows], passages.direction[rows], passages.stream[rows]))
    return rows[order], passages.row[rows, point][order].astype(np.int64)


def _payloads(sightings: I64, passages: Passages, recordings: Sequence[Recording], notice: Notice) -> dict[int, bytes]:
    """The payload of each of these sightings."""
    seen = passages.sightings
    recording_of = np.array([point.recording for point in passages.points], np.int64)[seen.point[sightings]]
    kept: dict[int, bytes] = {}
    for number in np.unique(recording_of).tolist():
        here = np.unique(sightings[recording_of == number])
        here = here[np.argsort(seen.frame[here], kind="stable")]
        wanted, first = np.unique(seen.frame[here], return_index=True)
        frames = FrameReader(recordings[number].paths, notice).frames(wanted)
        by_frame = {int(frame): int(sighting) for frame, sighting in zip(wanted, here[first], strict=True)}
        for frame in frames:
            sighting = by_frame[frame.frame]
            at, length = int(seen.payload_at[sighting]), int(seen.len[sighting])
            kept[sighting] = frame.data[at : min(at + length, at + EXCERPT_BYTES)]
    return kept
