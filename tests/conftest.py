"""How much the property tests try: `make test` stays quick, `make fuzz` searches long."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None)
settings.register_profile("long", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


CIRCLING = (
    "test_path_is_the_truth",
    "test_the_path_is_the_truth",
    "test_no_hop_has_a_negative_delay",
    "test_the_true_offset_of_recorded_clocks_is_inside",
    "test_recorded_clocks_that_are_warped_come_right",
    "test_a_recorded_route_is_the_true_one",
)
"""What a segment that circles makes wrong: the capture's reader takes some of its rounds for copies by the capture."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A known limit, told in docs/architecture.md."""
    for item in items:
        if "[vip-less-forwards" in item.name and item.name.partition("[")[0] in CIRCLING:
            item.add_marker(pytest.mark.xfail(reason="rounds of a circling segment are not told apart at all points"))
