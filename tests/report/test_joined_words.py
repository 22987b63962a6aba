"""A person reads which flows are one conversation, and how surely."""

import numpy as np

from tcptrace.report.joined_words import joined_lines
from tcptrace.tcp.joined_flows import ONLY_NUMBERS, SAME_CLIENT, Joined


def joined(*confidences: float) -> Joined:
    """Flows 0 and 1, 2 and 3, and so on, each pair with its confidence."""
    flows = np.arange(2 * len(confidences))
    return Joined(flows, flows ^ 1, np.repeat(confidences, 2), np.zeros_like(flows))


def test_a_few_pairs_are_told_one_by_one() -> None:
    sure, weak = joined_lines(joined(SAME_CLIENT, ONLY_NUMBERS), np.arange(4))
    assert sure == "flows 0 and 1 are one conversation, by client and sequence number (confidence 0.95)"
    assert weak.startswith("flows 2 and 3 are one conversation, by ports and sequence numbers only")
    assert weak.endswith("(confidence 0.5)")


def test_of_flows_that_were_not_chosen_nothing_is_said() -> None:
    assert joined_lines(joined(SAME_CLIENT, SAME_CLIENT), np.array([1, 9])) == [
        "flows 1 and 0 are one conversation, by client and sequence number (confidence 0.95)"
    ]
    assert joined_lines(joined(SAME_CLIENT), np.array([9])) == []


def test_many_pairs_are_counted() -> None:
    many = joined(*[SAME_CLIENT] * 4, ONLY_NUMBERS)
    assert joined_lines(many, many.flow) == [
        "5 pairs of flows are one conversation each, 1 of them by ports and numbers only"
    ]
