"""What a user writes for points, and what is said of what is no point."""

from pathlib import Path

import pytest

from tcptrace.correlation.points import Input, from_words, inputs_of
from tcptrace.errors import UsageError


def words(given: list[str]) -> tuple[Input, ...]:
    return inputs_of(from_words(given))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four empty files, and the working directory there."""
    for name in ("a.pcap0", "a.pcap1", "b.pcap", "with,comma.pcap"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("client=b.pcap", Input("client", ("b.pcap",))),
        ("lvs:eth0=b.pcap", Input("lvs:eth0", ("b.pcap",))),
        ("client=a.pcap0,a.pcap1", Input("client", ("a.pcap0", "a.pcap1"))),
        ("client=a.pcap?", Input("client", ("a.pcap0", "a.pcap1"))),
        ("client=./*.pcap[01],b.pcap", Input("client", ("./a.pcap0", "./a.pcap1", "b.pcap"))),
        ("client=with,comma.pcap", Input("client", ("with,comma.pcap",))),
        ("client=-", Input("client", ("-",))),
        ("client=b.pcap,b.pcap", Input("client", ("b.pcap",))),
    ],
)
def test_a_word(word: str, expected: Input) -> None:
    assert words([word]) == (expected,)


def test_a_pattern_in_a_folders_name(folder: Path) -> None:
    for day in ("mon", "tue"):
        (folder / day).mkdir()
        (folder / day / "c.pcap").touch()
    assert words(["client=*/c.pcap"]) == (Input("client", ("mon/c.pcap", "tue/c.pcap")),)


def test_points_keep_their_order() -> None:
    given = {"b": "1.pcap", "a": Path("2.pcap"), "c": ["3.pcap", Path("4.pcap")]}
    assert inputs_of(given) == (
        Input("b", ("1.pcap",)),
        Input("a", ("2.pcap",)),
        Input("c", ("3.pcap", "4.pcap")),
    )


@pytest.mark.parametrize("files", ['"a.pcap0,a.pcap1"', '["a.pcap0", "a.pcap1"]'])
def test_a_folder_with_a_case(folder: Path, files: str) -> None:
    (folder / "case.toml").write_text(f'[points]\nclient = "b.pcap"\n"lvs:eth0" = {files}\n')
    expected = tuple(str(folder / name) for name in ("a.pcap0", "a.pcap1"))
    assert words([str(folder)]) == (Input("client", (str(folder / "b.pcap"),)), Input("lvs:eth0", expected))
    assert words([".", "more=b.pcap"])[2] == Input("more", ("b.pcap",))


def test_a_case_in_a_folder_with_an_equals_sign(folder: Path) -> None:
    inner = folder / "k=v"
    inner.mkdir()
    (inner / "case.toml").write_text('[points]\nclient = "b.pcap"\n')
    assert words(["k=v"]) == (Input("client", ("k=v/b.pcap",)),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no capture given"),
        (["b.pcap"], "names no point"),
        (["nowhere"], "names no point"),
        (["=b.pcap"], "a point needs a name"),
        ([":eth0=b.pcap"], "a point needs a name"),
        (["client="], "client: no capture matches"),
        (["client=none*.pcap"], "client: no capture matches 'none*.pcap'"),
        (["client=b.pcap", "client=a.pcap0"], "client: named twice"),
        (["client=b.pcap,-"], "standard input is no part of a rotated capture"),
        (["broken"], "cannot be read"),
        (["pointless"], "has no [points]"),
    ],
)
def test_what_is_no_point(folder: Path, given: list[str], said: str) -> None:
    for name, text in {"broken": "[points\n", "pointless": 'title = "x"\n'}.items():
        (folder / name).mkdir()
        (folder / name / "case.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        words(given)
    assert said in str(caught.value)
    assert "\n  " in str(caught.value) or said == "cannot be read"
