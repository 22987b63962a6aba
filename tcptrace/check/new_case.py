"""A case.toml from what captures show now, to be read, cut down to what matters, and committed."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tcptrace.analysis_json import valid_text
from tcptrace.check.case_file import Case, captures_in
from tcptrace.check.limits import LIMITS
from tcptrace.check.seen import Json, Sight, look_at
from tcptrace.check.toml_value import rounded_up, statement
from tcptrace.correlation.points import CASE_FILE, from_words
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import UsageError

SCHEMA_FILE = "case.schema.json"
FLOWS = 5
"""Flows, or connections, that are expected one by one."""
LIMITED = ("retransmission_rate", "handshake_ms_p99", "lost")
ABOUT = (
    "# Written by tcptrace check --init from what the captures show. Say here how they were taken; keep what matters."
)


class NewCase(NamedTuple):
    """A file to be written."""

    file: Path
    text: str


def new_cases(words: Iterable[str], settings: Settings) -> Iterator[NewCase]:
    """One for each folder: of folders given, or of captures, or of POINT=CAPTURE pairs.

    Raises UsageError for a folder that has a case.toml already or no capture, and for captures that are not all of
    their folder; CaptureError for a capture that cannot be read at all.
    """
    for case in _cases([*words]):
        file = Path(case.path) / CASE_FILE
        if file.exists():
            raise UsageError(f"{file}: is there already\n  --update refreshes it; remove it to begin anew")
        yield NewCase(file, _text(case, look_at(case, settings, with_flows=True)))


def _cases(words: Sequence[str]) -> list[Case]:
    if any("=" in word and not Path(word).exists() for word in words):
        return [_of_points(from_words(words))]
    folders = {str(Path(word) if Path(word).is_dir() else Path(word).parent): Path(word) for word in words}
    return [_of_folder(Path(folder), words) for folder in folders]


def _of_points(captures: Mapping[str, Any]) -> Case:
    paths = {name: (given,) if isinstance(given, str | Path) else tuple(given) for name, given in captures.items()}
    folder = Path(next(iter(paths.values()))[0]).parent
    return Case(str(folder), (), {name: tuple(map(str, given)) for name, given in paths.items()})


def _of_folder(folder: Path, words: Sequence[str]) -> Case:
    captures = captures_in(folder) if folder.is_dir() else ()
    named = {Path(word) for word in words if not Path(word).is_dir()}
    for path in named:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder\n  name captures, or a folder that has them")
    if not captures:
        raise UsageError(f"{folder}: has no capture\n  their names end with .pcap, .pcapng, .cap or .txt")
    of_folder = {path for path in named if path.parent == folder}
    if others := of_folder and {Path(path) for path in captures} - of_folder:
        raise UsageError(
            f"{folder}: has other captures too, {min(others).name} for one\n"
            "  a case is all captures of a folder: name the folder, move the others, or name points: client=a.pcap"
        )
    return Case(str(folder), captures)


def _text(case: Case, sight: Sight) -> str:
    folder = Path(case.path)
    lines = [*_schema(folder), ABOUT, "", statement("title", valid_text(folder.absolute().name.replace("-", " ")))]
    if case.points:
        lines += ["", "[points]"]
        lines += [statement(name, _beside(given, folder)) for name, given in case.points.items()]
    lines += ["", "[expect]", *(statement(key, value) for key, value in _expect(sight).items())]
    for item in _flows(sight):
        lines += ["", "[[expect.flow]]", *(statement(key, value) for key, value in item.items())]
    limits = {name: value for name in LIMITED if (value := _measured(name, case, sight)) is not None}
    if limits:
        lines += ["", "[limits]", *(statement(name, rounded_up(value)) for name, value in limits.items())]
    return "\n".join([*lines, ""])


def _schema(folder: Path) -> Iterator[str]:
    """Where editors find the schema, if it lies in a folder above, or in its docs."""
    here = folder.absolute()
    for place in (here, *here.parents):
        for file in (place / SCHEMA_FILE, place / "docs" / SCHEMA_FILE):
            if file.exists():
                yield f"#:schema {Path(os.path.relpath(file, here)).as_posix()}"
                return


def _beside(given: Sequence[str], folder: Path) -> str | list[str]:
    """As seen from the folder; TOML can say no bytes that are no UTF-8."""
    names = [Path(os.path.relpath(path, folder)).as_posix() for path in given]
    for name in names:
        if valid_text(name) != name:
            raise UsageError(f"{folder / name}: its name is no UTF-8, as a {CASE_FILE} is\n  rename it")
    return names if len(names) > 1 else names[0]


def _expect(sight: Sight) -> Json:
    rules = list(dict.fromkeys(seen.finding.rule for seen in sight.findings))
    told: Json = {"findings": rules} if rules else {}
    told["only"] = True
    counts = {group.count for group in sight.groups}
    if len(counts) == 1:
        told[f"{sight.groups[0].noun}s"] = counts.pop()
    modes = {item["mode"] for group in sight.groups for item in group.items if "mode" in item}
    if len(modes) == 1:
        told["mode"] = modes.pop()
    return told


def _flows(sight: Sight) -> Iterator[Json]:
    """The first of each end that there is, once where several captures show it alike."""
    told: list[Json] = []
    for group in sight.groups:
        for item in group.items[:FLOWS]:
            entry: Json = {key: item[key] for key in ("client", "server", "states", "close") if key in item}
            if len(told) < FLOWS and all(
                (entry["client"], entry["server"]) != (e["client"], e["server"]) for e in told
            ):
                told.append(entry)
    yield from (entry for entry in told if _holds_everywhere(entry, sight))


def _holds_everywhere(entry: Json, sight: Sight) -> bool:
    """Whether every capture that has these ends shows the same."""
    return all(
        any(all(item[key] == value for key, value in entry.items()) for item in between)
        for group in sight.groups
        if (between := [i for i in group.items if (i["client"], i["server"]) == (entry["client"], entry["server"])])
    )


def _measured(name: str, case: Case, sight: Sight) -> float | None:
    limit = LIMITS[name]
    return None if limit.where == "together" and not case.points else limit.measure(sight.shown)
