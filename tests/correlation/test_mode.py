"""How a stream is forwarded, by what became of its addresses and of its way."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import tcptrace
from tcptrace.correlation.fates import fates
from tcptrace.correlation.mode import Mode, modes
from tcptrace.correlation.order import Route
from tcptrace.correlation.result import Leg, Stream
from tcptrace.correlation.rewrites import rewrites
from tests.correlation.in_words import passages, route
from tests.correlation.wire import BITS, Frame, Tcp, changed, recorded
from tests.diagnosis.varied import without

FIVE = "client lvs:eth0 lvs:eth1 rs:bond1 rs:bond0\n"
DR = route((0, 1, 2, 3), (4, 0))
OPEN_DR = "C S 0 {} | 0 1 2 3 -\nS S. 0 1 | 6 - - - 5\nC . 1 1 {} | 7 8 9 10 -\n"
DECREMENTED = "ttl=64,63,62,62,-"
TUNNELLED = "ip_at=14,14,34,34,-"


def judged(text: str, by: Route, ends: dict[int, tuple[str, str]] | None = None) -> Mode:
    """The mode of stream 0; the ends are those of 10.0.0.1:1000 and 10.0.0.9:80 but at these points."""
    told = passages(text)
    named = dict.fromkeys(range(len(told.points)), ("10.0.0.1:1000", "10.0.0.9:80")) | (ends or {})
    stream = Stream(0, tuple(Leg(point, 0, *both, (), 1.0) for point, both in named.items()))
    changed = rewrites(told, fates(told, [by]), [stream])
    return modes(told, [by], changed, [stream])[0]


def test_a_host_that_replies_bypass_is_a_director() -> None:
    mode = judged(FIVE + OPEN_DR.format("", ""), DR)
    assert (mode.mode, mode.confidence, mode.director) == ("dr", 0.9, "lvs")


def test_one_that_encapsulates_as_well_tunnels() -> None:
    assert judged(FIVE + OPEN_DR.format(TUNNELLED, TUNNELLED), DR).mode == "tun"


def test_an_overlay_that_carries_both_ways_is_direct() -> None:
    text = "client node:veth0 node:eth0 pod\nC S 0 ip_at=14,14,64,14 | 0 1 2 3\nS S. 0 1 ip_at=14,14,64,14 | 7 6 5 4\n"
    mode = judged(text, route((0, 1, 2, 3), (3, 2, 1, 0)))
    assert (mode.mode, mode.director) == ("direct", "")
    assert any("tunnel" in line for line in mode.evidence)


def test_a_reply_by_another_interface_of_the_same_host_is_plain_routing() -> None:
    text = "client router:eth0 router:eth1 server:eth0 server:eth1 router:eth2\n"
    text += "C S 0 | 0 1 2 3 - -\nS S. 0 1 | 7 - - - 4 5\nC . 1 1 | 8 9 10 11 - -\n"
    assert judged(text, route((0, 1, 2, 3), (4, 5, 0))).mode == "direct"


def test_replies_that_nobody_saw_tell_nothing() -> None:
    assert judged(FIVE + "C S 0 | 0 1 2 3 -\n", route((0, 1, 2, 3), ())).mode == "direct"


@pytest.mark.parametrize(("ttl", "mode"), [("", "direct"), ("ttl=64,63,62", "dr")])
def test_without_a_realserver_a_director_shows_by_passing_on(ttl: str, mode: str) -> None:
    """Two points of one host alone may be a bond and its slave."""
    text = f"client lvs:eth0 lvs:eth1\nC S 0 {ttl} | 0 1 2\nS S. 0 1 | 6 - -\nC . 1 1 {ttl} | 7 8 9\n"
    assert judged(text, route((0, 1, 2), (0,))).mode == mode


@pytest.mark.parametrize(
    ("client", "server", "mode"),
    [
        ("10.0.0.1:1000", "10.2.0.11:80", "nat"),
        ("10.0.0.1:1000", "10.0.0.9:8080", "nat"),
        ("10.2.0.2:5000", "10.0.0.9:80", "nat"),
        ("10.2.0.2:5000", "10.2.0.11:80", "fullnat"),
    ],
)
def test_what_is_rewritten_names_the_mode(client: str, server: str, mode: str) -> None:
    behind = {2: (client, server), 3: (client, server)}
    text = FIVE + "C S 0 | 0 1 2 3 -\nS S. 0 1 | 7 6 5 4 -\n"
    found = judged(text, route((0, 1, 2, 3), (3, 2, 1, 0)), behind)
    assert (found.mode, found.director) == (mode, "lvs")


def test_one_point_tells_no_mode() -> None:
    assert judged("client server\nC S 0 | 0 -\n", route((0,), ())).mode == "unknown"


def printed(frames: list[Frame], outer: str = "") -> str:
    """What `tcpdump -ttttSn` prints of them, behind the outer header of a tunnel if there is one."""
    lines = []
    for time_ns, data, _ in frames:
        one, at = Tcp.of(data), datetime.fromtimestamp(time_ns // 10**9, UTC)
        flags = "".join(letter for letter, bit in BITS.items() if one.flags & bit)
        end = f":{one.seq + len(one.payload)}" if one.payload else ""
        ack = f" ack {one.ack}," if one.flags & BITS["."] else ""
        ends = f"{one.src}.{one.sport} > {one.dst}.{one.dport}"
        lines.append(
            f"{at:%Y-%m-%d %H:%M:%S}.{time_ns // 1000 % 10**6:06} {outer}IP {ends}:"
            f" Flags [{flags}], seq {one.seq}{end},{ack} win {one.window}, length {len(one.payload)}\n"
        )
    return "".join(lines)


@pytest.mark.parametrize(
    ("outer", "mode"),
    [("", "dr"), ("IP 10.2.0.2 > 10.2.0.11: ", "tun"), ("IP 10.2.0.2 > 10.2.0.11: GREv0, length 64: ", "tun")],
)
def test_a_tunnel_as_text_prints_it(tmp_path: Path, outer: str, mode: str) -> None:
    requests = recorded("ipvs-tun", "lvs-eth0.pcap")
    behind = changed(requests, lambda one: one._replace(ttl=one.ttl - 1), later_ms=0.1)
    texts = {
        "client": printed(recorded("ipvs-tun", "client.pcap")),
        "lvs:eth0": printed(requests),
        "lvs:eth1": printed(behind, outer),
        "rs:bond1": printed(changed(behind, lambda one: one, later_ms=5), outer),
        "rs:bond0": printed(recorded("ipvs-tun", "rs-bond0.pcap")),
    }
    paths = {name: tmp_path / f"{name.replace(':', '-')}.txt" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    (one,) = tcptrace.correlate(paths).connections
    assert one.mode == mode


@pytest.mark.parametrize("point", ["lvs:eth0", "lvs:eth1"])
def test_any_segment_tells_what_became_of_its_addresses(tmp_path: Path, point: str) -> None:
    """The first that both sides of the director have may be a RST to another address, which it passes on as it is."""
    [one] = tcptrace.correlate(without(tmp_path, "untranslated-reply", {point: [1]})).connections
    assert one.mode == "nat"
    assert [change.before for change in one.rewrites if change.field == "server address"] == ["10.1.0.100"]


@pytest.mark.parametrize(("server", "mode"), [("10.2.0.11:80", "nat"), ("10.0.0.9:80", "direct")])
def test_other_ends_tell_a_rewrite_that_no_segment_shows(server: str, mode: str) -> None:
    text = "client server\nC S 0 | 0 -\nC . 1 1 | - 3\nS . 1 1 | - 4\n"
    found = judged(text, route((0, 1), (1,)), {1: ("10.0.0.1:1000", server)})
    assert found.mode == mode
    assert (mode == "nat") == (server in " ".join(found.evidence))
