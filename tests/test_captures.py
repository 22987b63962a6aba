"""Every case in captures/ shows what its case.toml expects, and says how it was made."""

from pathlib import Path

import pytest

from tcptrace.check.cases import Unusable, find_cases
from tcptrace.check.run import check_case

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
CASES = find_cases([CAPTURES])


def test_every_folder_is_a_case() -> None:
    folders = [folder for folder in CAPTURES.iterdir() if folder.is_dir() and folder.name != "recorder"]
    assert [Path(case.path) for case in CASES] == sorted(folders)


@pytest.mark.parametrize("case", CASES, ids=lambda case: Path(case.path).name)
def test_a_case_is_well_written_and_shows_what_is_expected(case: object) -> None:
    assert not isinstance(case, Unusable), case.problem
    assert case.title
    assert case.text.startswith("#"), "how it was made, at the top"
    result = check_case(case, least=None, settings={})
    assert result.problem == ""
    assert [(outcome.name, outcome.expected, outcome.found) for outcome in result.unmet] == []
