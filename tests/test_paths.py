"""Every recorded path is told as the truth beside it says."""

from typing import Any

import correlation_page
import pytest


@pytest.mark.parametrize(("case", "truth"), correlation_page.recorded(), ids=lambda value: str(value)[:40])
def test_the_path_is_the_truth(case: str, truth: dict[str, Any]) -> None:
    asked = correlation_page.verdicts(case, truth, correlation_page.correlated(case))
    assert [verdict for verdict in asked if not verdict.right] == []
