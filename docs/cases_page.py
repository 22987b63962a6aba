"""Which case of captures/ shows which rule: the page cases.md, and `make cases`, which asks the diagnosis today.

The truth stands in each case's truth.json, written by what recorded it; of published text in its case.toml.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tcptrace
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import FAMILIES

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


class Truth(NamedTuple):
    """What is true of one capture, or of all points of a case together."""

    case: str
    capture: str
    """Empty: of all points together."""
    origin: str
    """`recorded` from real software, `built` by hand, or `published` text."""
    causes: list[str]
    """Rules that must find something."""
    near_misses: list[str]
    """Rules that must not, though it looks alike."""
    healthy: bool
    """Nothing of warning or above may be found."""

    @property
    def place(self) -> str:
        """`case/capture.pcap`."""
        return f"{self.case}/{self.capture}"


class Verdict(NamedTuple):
    """What the diagnosis says of a rule and a capture, beside the truth."""

    rule: str
    place: str
    truth: str
    said: str
    right: bool


def truths() -> Iterator[Truth]:
    """All that is known, case by case."""
    for folder in sorted(path.parent for path in CAPTURES.glob("*/case.toml")):
        told = folder / "truth.json"
        yield from _told(folder, json.loads(told.read_text())) if told.exists() else _published(folder)


def verdicts() -> Iterator[Verdict]:
    """Rule by rule and capture by capture, the captures analyzed alone."""
    for truth in (truth for truth in truths() if truth.capture):
        found = tcptrace.analyze(CAPTURES / truth.case / truth.capture).found
        said = {finding.rule: f"{finding.severity}, {finding.confidence:.2g}" for finding in reversed(found)}
        for rule in (rule for rule in truth.causes if rule in BY_NAME):
            yield Verdict(rule, truth.place, "found", said.get(rule, "silent"), rule in said)
        for rule in (rule for rule in truth.near_misses if rule in BY_NAME):
            yield Verdict(rule, truth.place, "silent", said.get(rule, "silent"), rule not in said)
        if truth.healthy:
            bad = [finding.rule for finding in found if finding.severity != "info"]
            yield Verdict("(any)", truth.place, "healthy", ", ".join(bad) or "silent", not bad)


def cases() -> str:
    """cases.md."""
    known = list(truths())
    alone, together = ([truth for truth in known if bool(truth.capture) == single] for single in (True, False))
    healthy = sorted({truth.case for truth in alone} - {truth.case for truth in known if not truth.healthy})
    return "\n".join(
        [
            "<!-- Made by docs/generate.py from captures/*/truth.json and case.toml. Do not edit. -->",
            "# Rules and cases",
            "",
            "Every case is a folder of [captures](../captures/): recorded from real software unless it says *built*",
            "(what reality could not be made to show) or *published* (text from a ticket or a blog post).",
            "*Found in*: there the rule must find it. *Silent in*: there it looks alike, and the rule says nothing.",
            "In parentheses stand the points of a case; without, it is the client. `make cases` analyzes every capture",
            "and prints this table beside what the diagnosis says.",
            "",
            "## Rules of one capture",
            "",
            *_table(alone),
            "",
            "## Rules of several points",
            "",
            *_table(together),
            "",
            "## Healthy",
            "",
            f"{len(healthy)} cases in which nothing of warning or above may be found at any point:",
            f"{', '.join(map(_link, healthy))}.",
            "",
        ]
    )


def main() -> int:
    """Print the table with what the diagnosis says; 1 when it is wrong anywhere."""
    asked = sorted(verdicts(), key=lambda verdict: _place_of(verdict.rule))
    widths = [max(map(len, column)) for column in zip(*(verdict[:4] for verdict in asked), strict=True)]
    for verdict in asked:
        cells = (text.ljust(width) for text, width in zip(verdict[:4], widths, strict=True))
        print("  ".join(cells), "ok" if verdict.right else "WRONG", sep="  ")
    wrong = sum(not verdict.right for verdict in asked)
    print(f"{len(asked) - wrong} of {len(asked)} as the truth says")
    return 1 if wrong else 0


def _told(folder: Path, told: dict[str, Any]) -> Iterator[Truth]:
    origin = "built" if told["built"] else "recorded"
    for capture, facts in {**told["captures"], **({"": told["path"]} if "path" in told else {})}.items():
        yield Truth(folder.name, capture, origin, facts["causes"], facts["near_misses"], facts["healthy"])


def _published(folder: Path) -> Iterator[Truth]:
    case = tomllib.loads((folder / "case.toml").read_text())
    expect = case.get("expect", {})
    facts = expect.get("findings", []), expect.get("absent", [])
    texts = [""] if "points" in case else sorted(path.name for path in folder.glob("*.txt"))
    for capture in texts:
        yield Truth(folder.name, capture, "published", *facts, healthy=expect.get("only", False) and not facts[0])


def _table(known: list[Truth]) -> list[str]:
    rules = sorted({rule for truth in known for rule in truth.causes + truth.near_misses}, key=_place_of)
    rows = [
        f"| {_rule(rule)} | {_cases(truth for truth in known if rule in truth.causes)}"
        f" | {_cases(truth for truth in known if rule in truth.near_misses)} |"
        for rule in rules
    ]
    return ["| rule | found in | silent in |", "|---|---|---|", *rows]


def _place_of(rule: str) -> tuple[int, str]:
    """By family, then by name."""
    family = BY_NAME[rule].RULE.family if rule in BY_NAME else ""
    return (FAMILIES.index(family) if family else len(FAMILIES), rule)


def _rule(name: str) -> str:
    return f"[{name}](rules.md#{name})" if name in BY_NAME else name


def _cases(known: Iterable[Truth]) -> str:
    """`accept-queue-overflow (client, server), refused`, each a link."""
    captures: dict[str, list[str]] = {}
    for truth in known:
        origin = [] if truth.origin == "recorded" else [f"*{truth.origin}*"]
        captures.setdefault(truth.case, origin).append(Path(truth.capture).stem)
    told = (
        (_link(case), ", ".join(text for text in dict.fromkeys(texts) if text not in ("", "client")))
        for case, texts in captures.items()
    )
    return ", ".join(f"{link} ({which})" if which else link for link, which in told)


def _link(case: str) -> str:
    return f"[{case}](../captures/{case}/)"


if __name__ == "__main__":
    sys.exit(main())
