"""Points that a connection was on its way to and never came to: every drawing has them."""

from dataclasses import replace

import pytest

from tcptrace.correlation.result import Connection, Hop, Stream
from tcptrace.report.correlation.formats import CorrelationFormat
from tcptrace.report.correlation.point_order import point_order
from tests.report.correlation import samples
from tests.report.correlation.samples import DR, hop, leg
from tests.report.correlation.test_formats import written

AT = samples.points("client", "lvs:eth0", "lvs:eth1", "rs")
CALL = ("C 0x002 0 1 -1 0  0.000 0.083 - -", "C 0x002 0 1 -1 0  1000.000 1000.083 - -")


def lost_within_lvs(*hops: Hop) -> Connection:
    """A call that entered lvs; nothing of it left by eth1, where those of others did."""
    stream = Stream(0, (leg(0), leg(1)))
    found = hops or (hop(0, 0, 1, 2), hop(0, 1, 2, 0, None, lost=2, lost_frames=(1, 2)))
    return replace(DR, streams=(stream,), path=((0, 1), ()), hops=found, director=None)


@pytest.mark.parametrize("format", [CorrelationFormat.HTML, CorrelationFormat.TABLE, CorrelationFormat.MARKDOWN])
def test_what_was_lost_before_a_point_ends_before_its_lifeline(format: CorrelationFormat) -> None:
    hosts = {name: samples.clock(name) for name in ("client", "lvs", "rs")}
    told = {"points": AT, "clocks": hosts, "passages": samples.passages(AT, CALL), "found": ()}
    text = written(format, samples.lvs_dr(**told, connections=(lost_within_lvs(),)))
    assert "eth1" in text
    assert ("✕" if format is CorrelationFormat.TABLE else "lost") in text


def test_such_a_point_stands_behind_what_lost_it_and_others_stay_away() -> None:
    assert point_order(AT, lost_within_lvs()) == [0, 1, 2]
    assert point_order(AT, lost_within_lvs(hop(0, 0, 1, 2))) == [0, 1]


def test_where_replies_were_lost_it_stands_towards_the_client() -> None:
    connection = replace(
        lost_within_lvs(hop(1, 3, 2, 0, None, lost=1, lost_frames=(1,))),
        streams=(Stream(0, (leg(3),)),),
        path=((), (3,)),
    )
    assert point_order(AT, connection) == [2, 3]
