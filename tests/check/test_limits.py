"""What a case can limit is measured as it says."""

from pathlib import Path

import pytest

from tcptrace.check.limits import LIMITS
from tests.check.recorded import altered, copied, result

MEASURED = {
    "retransmission_rate": ("lost-between", 1 / 9),
    "retransmissions": ("lost-between", 1),
    "handshake_ms_p50": ("http", 11.116),
    "handshake_ms_p99": ("http", 11.116),
    "handshake_ms_max": ("http", 11.116),
    "rtt_ms_p99": ("http", 0),
    "duration_ms_max": ("http", 0),
    "resets": ("refused", 1),
    "unanswered": ("only-syns-out", 4),
    "lost": ("lost-between", 1),
    "delay_ms_p99": ("lost-between", 0),
}


@pytest.mark.parametrize(
    ("limit", "case"), [("handshake_ms_p99", "lvs-dr"), ("rtt_ms_p99", "http"), ("retransmission_rate", "lost-between")]
)
def test_a_limit_of_what_is_shown_is_met(limit: str, case: str, tmp_path: Path) -> None:
    folder = copied(case, tmp_path)
    file = folder / "case.toml"
    without = file.read_text().partition("[limits]")[0]
    file.write_text(f"{without}\n[limits]\n{limit} = 0.0001\n")
    (outcome,) = result(folder).unmet
    file.write_text(f"{without}\n[limits]\n{limit} = {outcome.found.split()[0]}\n")
    assert result(folder).unmet == ()


def test_every_limit_is_tried() -> None:
    assert set(MEASURED) == set(LIMITS)


@pytest.mark.parametrize("name", MEASURED)
def test_a_limit_holds_up_to_what_is_measured(name: str, tmp_path: Path) -> None:
    case, known = MEASURED[name]
    folder = altered(copied(case, tmp_path), "[expect]", f"[limits]\n{name} = 1e-9\n[expect]")
    (outcome,) = (one for one in result(folder).unmet if one.name == f"limits: {name}")
    value = float(outcome.found.split()[0])
    assert value > 0
    if known:
        assert value == pytest.approx(known, rel=0.01)
    altered(folder, "= 1e-9", f"= {value * 1.0001}")
    assert [one for one in result(folder).unmet if one.name == f"limits: {name}"] == []


def test_a_limit_of_points_is_refused_without_them(tmp_path: Path) -> None:
    folder = altered(copied("http", tmp_path), "[expect]", "[limits]\nlost = 0\n[expect]")
    assert "limits.lost: is told of several points: name them in [points]" in result(folder).problem
