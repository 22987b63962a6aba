"""How a flow ended, in the words of the table of flows."""

import pytest

from tcptrace.report.outcome import OUTCOMES, close_cell, outcomes
from tests.conversation import outcome
from tests.tcp.test_states import OPEN, TALK


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (OPEN + TALK + "C F. 101 201\n S F. 201 102\n C . 102 202", "fin by client"),
        (OPEN + TALK + "C R. 101 201", "rst by client"),
        (OPEN + TALK + "C F. 101 201\n S R. 201 102", "fin by client, rst by server"),
        (OPEN + TALK + "C F. 101 201\n S . 201 102\n C R. 102 201", "rst by client"),
        (OPEN + TALK + "C F. 101 201\n S F. 201 101\n C R. 102 201", "fin by both, rst by client"),
        (OPEN + TALK + "C F. 101 201\n S . 201 102", "fin by client, half"),
        ("C S 0\n S R. 0 1", "rst by server"),
        ("C S 0", "no answer"),
        ("C S 0\n S S. 0 1", "not opened"),
        (OPEN + TALK, "open"),
    ],
)
def test_the_words_name_who_sent_what(segments: str, words: str) -> None:
    flows = outcome(segments).flows
    assert close_cell(OUTCOMES[outcomes(flows)[0]], flows.closed_by[0], flows.reset_by[0]) == words
