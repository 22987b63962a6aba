"""Thresholds as a user sets them, and what is said when they are wrong."""

from pathlib import Path

import pytest

from tcptrace.diagnosis.registry import BY_NAME, RULES
from tcptrace.diagnosis.settings import MOST, find_settings, merged, parse_settings, thresholds
from tcptrace.errors import UsageError
from tests.diagnosis.diagnosed import CLOSED, evidence


def test_a_rule_decides_by_its_defaults_unless_told_otherwise() -> None:
    default = BY_NAME["sidecar-reset"].RULE.thresholds["wait_s"].value
    assert thresholds("sidecar-reset", {})["wait_s"] == default
    assert thresholds("sidecar-reset", {"sidecar-reset": {"wait_s": 5.0}})["wait_s"] == 5
    assert thresholds("sidecar-reset", {"syn-flood": {"syns": 5.0}})["wait_s"] == default


def test_options_are_read() -> None:
    texts = ["syn-flood.syns=50", " sidecar-reset.wait_s = 2.5 ", "syn-flood.silence_ms=0", "syn-flood.syns=60"]
    assert parse_settings(texts) == {"syn-flood": {"syns": 60, "silence_ms": 0}, "sidecar-reset": {"wait_s": 2.5}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("syn-flood", ["--set syn-flood", "is not rule.threshold=value", "for example"]),
        ("syns=3", ["is not rule.threshold=value"]),
        ("syn-flod.syns=3", ["there is no rule 'syn-flod'", "did you mean syn-flood?"]),
        ("blorp.x=3", ["there is no rule 'blorp'", "tcptrace explain lists the rules"]),
        ("syn-flood.sins=3", ["syn-flood has no threshold 'sins'", "it has: syns, silence_ms"]),
        ("simultaneous-close.x=3", ["has no threshold 'x'", "it has: none"]),
        ("syn-flood.syns=many", ["'many' is no number from 1 to 1,000,000,000", "in the unit of the threshold"]),
        ("syn-flood.syns=-1", ["is no number from 1"]),
        ("syn-flood.syns=nan", ["is no number from 1"]),
        ("syn-flood.syns=inf", ["is no number from 1"]),
        ("syn-flood.syns=", ["is no number from 1"]),
        ("syn-flood.syns=0", ["is no number from 1"]),
        ("syn-flood.silence_ms=-1", ["is no number from 0"]),
        ("paws-nat-drop.wait_s=1e300", ["is no number from 0 to 1,000,000,000"]),
    ],
)
def test_a_wrong_option_is_told_with_what_would_be_right(text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        parse_settings([text])
    assert all(word in str(error.value) for word in [f"--set {text}", *words]), str(error.value)


PLACES = {"tcptrace.toml": "[rules.{}]\n", "pyproject.toml": "[tool.tcptrace.rules.{}]\n"}
in_either = pytest.mark.parametrize("name", PLACES)


@in_either
def test_a_file_counts_for_its_folder_and_all_below(tmp_path: Path, name: str) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / name).write_text(PLACES[name].format("syn-flood") + "syns = 50\nsilence_ms = 1.5\n")
    assert find_settings(below) == find_settings(tmp_path) == {"syn-flood": {"syns": 50, "silence_ms": 1.5}}


def test_the_nearest_file_counts_alone(tmp_path: Path) -> None:
    below = tmp_path / "a"
    below.mkdir()
    (tmp_path / "tcptrace.toml").write_text("[rules.syn-flood]\nsyns = 1\n")
    (below / "pyproject.toml").write_text("[tool.tcptrace.rules.syn-flood]\nsyns = 2\n")
    assert find_settings(below) == {"syn-flood": {"syns": 2}}
    (below / "tcptrace.toml").write_text("[rules.syn-flood]\nsyns = 3\n")
    assert find_settings(below) == {"syn-flood": {"syns": 3}}


def test_a_file_about_other_things_is_passed_over(tmp_path: Path) -> None:
    below = tmp_path / "a"
    below.mkdir()
    (tmp_path / "tcptrace.toml").write_text("[rules.syn-flood]\nsyns = 1\n")
    for other in ("", "[project]\nname = 'x'\n", "tool = 3\n", "[tool.tcptrace]\n", "rubbish [", "a = 'ü"):
        (below / "pyproject.toml").write_text(other)
        assert find_settings(below) == {"syn-flood": {"syns": 1}}


@in_either
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{}] rubbish [", ["cannot be read", "correct it"]),
        ("[{}]\xff", ["cannot be read"]),
        ("[{}.syn-flod]\nsyns = 3", ["no rule 'syn-flod'", "did you mean syn-flood?"]),
        ("[{}.syn-flood]\nsins = 3", ["no threshold 'sins'", "it has: syns, silence_ms"]),
        ("[{}.syn-flood]\nsyns = true", ["syn-flood.syns: True is no number"]),
        ("[{}.syn-flood]\nsyns = [3]", ["syn-flood.syns: [3] is no number"]),
        ("[{}]\nsyn-flood = 3", ["syn-flood is no table", ".syn-flood]"]),
    ],
)
def test_a_wrong_file_is_named_with_what_would_be_right(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    file = tmp_path / name
    table = PLACES[name].split(".{}")[0].strip("[")
    file.write_text(text.format(table), encoding="latin-1")
    with pytest.raises(UsageError) as error:
        find_settings(tmp_path)
    assert all(word in str(error.value) for word in [str(file), *words]), str(error.value)


@in_either
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("rule.zero-window", ["there is no setting 'rule'", "did you mean [", "rules.RULE]?"]),
        ("ruls", ["there is no setting 'ruls'"]),
        ("zero-window", ["zero-window is not in rules", "rules.zero-window] and below it"]),
    ],
)
def test_what_stands_in_the_wrong_place_is_not_passed_over(
    tmp_path: Path, name: str, table: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(PLACES[name].replace("rules.{}", table) + "closed_ms = 5\n")
    with pytest.raises(UsageError) as error:
        find_settings(tmp_path)
    assert all(word in str(error.value) for word in [name, *words]), str(error.value)


def test_rules_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "tcptrace.toml").write_text("rules = 3\n")
    with pytest.raises(UsageError, match="rules is no table"):
        find_settings(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "tcptrace.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"tcptrace\.toml: cannot be read"):
        find_settings(tmp_path)


def test_the_later_setting_counts() -> None:
    file, option = {"a": {"x": 1.0, "y": 1.0}}, {"a": {"x": 2.0}, "b": {"z": 3.0}}
    assert merged(file, option) == {"a": {"x": 2, "y": 1}, "b": {"z": 3}}
    assert file == {"a": {"x": 1, "y": 1}}


@pytest.mark.parametrize("rule", [name for name, module in BY_NAME.items() if module in RULES])
def test_a_rule_bears_whatever_may_be_set(rule: str) -> None:
    known, busy = (
        BY_NAME[rule].RULE.thresholds,
        evidence(CLOSED + "900 C S 0 sport=7\n 3000 C S 0 sport=7\n 3001 C S 0 sport=8"),
    )
    for extreme in ({n: float(t.least) for n, t in known.items()}, dict.fromkeys(known, float(MOST))):
        assert list(BY_NAME[rule].check(busy, extreme)) is not None
