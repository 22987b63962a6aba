"""The handbook on a terminal and in a pipe."""

import io
import re

import pytest

from tcptrace.diagnosis.handbook import HEADINGS
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.errors import UsageError
from tcptrace.report.explanation import write_explanation
from tests.report.samples import Terminal


def explained(rule: str | None) -> str:
    out = io.StringIO()
    write_explanation(rule, out, color=True)
    return out.getvalue()


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, rule: str | None, *, width: int = 80, color: bool = True) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    out = Terminal()
    write_explanation(rule, out, color=color)
    return out.getvalue()


def words(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).split()


def test_without_a_name_the_rules_are_listed_by_family() -> None:
    lines = explained(None).splitlines()
    families = [line for line in lines if line and line[0] != " "][:-1]
    assert families == ["handshake", "reset", "close", "transfer", "capture", "path"]
    assert lines.index("reset") < next(i for i, line in enumerate(lines) if line.startswith("  ✖ sidecar-reset "))
    listed = [line.split()[1] for line in lines if line[:3] in ("  ✖", "  ▲", "  •")]
    assert sorted(listed) == sorted(BY_NAME)
    assert lines[-1].startswith("tcptrace explain RULE says why")


@pytest.mark.parametrize("rule", BY_NAME)
def test_a_page_says_all_there_is(rule: str) -> None:
    text = explained(rule)
    declared = BY_NAME[rule].RULE
    assert text.splitlines()[0] == f"{rule} {declared.severity}, {declared.family}"
    places = [text.index(f"\n{heading}\n") for heading in HEADINGS]
    assert places == sorted(places)
    for name, told in declared.thresholds.items():
        assert f"  {name} = {told.value:g}" in text
        assert f"--set {rule}.{name}=" in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("rule", [None, *BY_NAME])
def test_a_terminal_gets_the_words_of_a_pipe_within_its_width(
    monkeypatch: pytest.MonkeyPatch, rule: str | None, width: int
) -> None:
    text = on_a_terminal(monkeypatch, rule, width=width)
    assert words(text) == words(explained(rule))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= width


def test_a_terminal_has_colours_unless_the_user_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in on_a_terminal(monkeypatch, None)
    assert "\x1b[" not in on_a_terminal(monkeypatch, None, color=False)
    assert "\x1b[" not in explained(None)


@pytest.mark.parametrize(
    ("misspelt", "remedy"),
    [("sidecar-rest", "did you mean sidecar-reset?"), ("qqqqq", "tcptrace explain lists the rules")],
)
def test_a_misspelt_name_is_told_with_the_nearest(misspelt: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=re.escape(remedy)):
        explained(misspelt)
