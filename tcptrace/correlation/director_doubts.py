"""Where a director's table and the captures say different things: an older table, or that of another director."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tcptrace.correlation.director_files import DirectorFile
from tcptrace.correlation.result import Stream, Translation

Ends = tuple[str, str]


def contradictions(files: Sequence[DirectorFile], streams: Sequence[Stream]) -> Iterator[str]:
    """In words. Where addresses pass unchanged (DR, TUN), captures do not show which server a director chose."""
    called: dict[Ends, set[str]] = defaultdict(set)
    for stream in streams:
        servers = {leg.server for leg in stream.legs}
        for leg in stream.legs:
            called[leg.client, leg.server] |= servers
    for file in files:
        entries = [entry for entry in file.translations if called.keys() & _ends(entry)]
        if file.translations and not entries:
            yield f"{file.path}: none of its connections was captured: of another director, or another time?"
        for entry in entries:
            reached = called.get((entry.client, entry.virtual), set()) - {entry.virtual}
            if reached and entry.realserver not in reached:
                goes = f"{entry.client} → {entry.virtual} goes to {entry.realserver}"
                yield f"{file.path}: {goes}, but was captured going to {', '.join(sorted(reached))}: an older table?"


def _ends(entry: Translation) -> set[Ends]:
    """As they are before the director and behind it."""
    return {(entry.client, entry.virtual), (entry.local or entry.client, entry.realserver)}
