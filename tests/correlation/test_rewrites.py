"""What a hop changes in headers."""

from pathlib import Path

import pytest

import tcptrace
from tcptrace.correlation.fates import fates
from tcptrace.correlation.result import Leg, Stream
from tcptrace.correlation.rewrites import rewrites
from tests.correlation.in_words import passages, route
from tests.correlation.wire import Frame, recorded, write

ROUTE = route((0, 1), (1, 0))
MSS, SCALE, SACK, TIMESTAMPS, FAST_OPEN = 2, 3, 4, 8, 34


def kinds(*options: int) -> int:
    return sum(kind << 8 * place for place, kind in enumerate(options))


def fields(*lines: str, points: str = "a b") -> dict[str, tuple[str, str]]:
    told = passages("\n".join((points, *lines)))
    stream = Stream(0, tuple(Leg(point, 0, "10.0.0.1:1000", "10.0.0.9:80", (), 1.0) for point in (0, 1)))
    [found] = rewrites(told, fates(told, [ROUTE]), [stream])
    return {rewrite.field: (rewrite.before, rewrite.after) for rewrite in found}


def test_nothing_rewritten() -> None:
    assert fields("C S 0 ttl=64,60 mss=1460 | 0 1", "C . 1 1 ttl=64,60 | 2 3") == {}


def test_options_of_a_syn() -> None:
    before = kinds(MSS, SACK, TIMESTAMPS, SCALE, FAST_OPEN)
    line = f"C S 0 mss=1460,1400 window_scale=7,- tsval=9,- option_kinds={before},{kinds(MSS)} | 0 1"
    assert fields(line) == {
        "MSS": ("1460", "1400"),
        "window scale": ("7", "none"),
        "SACK permitted": ("present", "none"),
        "timestamps": ("TSval 9", "none"),
        "options": ("fast open", "none"),
    }


def test_options_that_a_snap_length_cut_off_are_unknown() -> None:
    before = kinds(MSS, SACK, TIMESTAMPS, SCALE, FAST_OPEN)
    line = f"C S 0 mss=1460 window_scale=7,- tsval=9,- option_kinds={before},-1 | 0 1"
    assert fields(line, "C . 1 1 toa=1000,- option_kinds=254,-1 | 2 3") == {}


def test_options_before_the_cut_are_known() -> None:
    assert fields("C S 0 mss=1460,1400 option_kinds=-1 | 0 1") == {"MSS": ("1460", "1400")}


@pytest.mark.parametrize("snap_bytes", [56, 60, 66, 70])
def test_a_recorded_tunnel_cut_short(tmp_path: Path, snap_bytes: int) -> None:
    """The outer header pushes the options beyond what was kept; nothing was rewritten."""
    names = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0")
    points = {
        name: [
            Frame(frame.time_ns, frame.data[:snap_bytes], len(frame.data))
            for frame in recorded("ipvs-tun", f"{name.replace(':', '-')}.pcap")
        ]
        for name in names
    }
    (one,) = tcptrace.correlate(write(tmp_path, points)).connections
    assert one.rewrites == ()


def test_the_order_of_options_is_nothing() -> None:
    assert fields(f"C S 0 option_kinds={kinds(MSS, SACK)},{kinds(SACK, MSS)} | 0 1") == {}


def test_a_shifted_beginning_is_told_by_the_syn_alone() -> None:
    assert fields("C S 0 seq=1000,7000 | 0 1", "C . 1 1 seq=1001,7001 | 2 3") == {
        "initial sequence number": ("1000", "7000")
    }


def test_a_shift_shows_midstream() -> None:
    assert fields("C P. 1:11 1 seq=1001,7001 | 0 1") == {"sequence number": ("1001", "7001")}


def test_an_inferred_number_is_no_evidence() -> None:
    assert fields("C . 1 1 seq=1001,7001 inferred=0,1 | 0 1") == {}


def test_the_client_s_port_added() -> None:
    assert fields("C S 0 | 0 1", "C . 1 1 toa=-,1000 option_kinds=0,254 | 2 3") == {"TOA": ("none", "port 1000")}


def test_a_ttl_that_grew() -> None:
    assert fields("C S 0 ttl=60,64 | 0 1") == {"TTL": ("60", "64")}


def test_a_ttl_that_fell_within_a_host() -> None:
    assert fields("C S 0 ttl=64,63 | 0 1", points="a:eth0 a:eth1") == {}
    assert fields("C S 0 ttl=64,60 | 0 1", points="a:eth0 a:eth1") == {"TTL": ("64", "60")}
