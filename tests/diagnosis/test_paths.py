"""Rules of the path family, on connections in words and on recorded cases."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import tcptrace
from tcptrace.capture.context import AddressClaim
from tcptrace.correlation.points import from_words
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.wanted import Wanted
from tests.correlation.in_words import alignment
from tests.diagnosis.on_paths import found_by, on_path

CAPTURES = Path(__file__).parent.parent.parent / "captures"

OPEN = """
    C S 0            | 0   1  2
    S S. 0 1         | 5   4  3
    C . 1 1          | 6   7  8
"""
ROUTED = "client router:eth0 router:eth1"
STRAIGHT = ((0, 1, 2), (2, 1, 0))


def recorded(case: str, **more: Any) -> dict[str, Finding]:
    """What is found in a recorded case, by rule."""
    return {finding.rule: finding for finding in tcptrace.correlate(from_words([str(CAPTURES / case)]), **more).found}


def test_a_loss_names_its_frames_and_what_shows_that_the_next_point_recorded() -> None:
    seen = on_path(
        "client server\n C S 0 | 0 1\n S S. 0 1 | 3 2\n C . 1 1 | 4 5\n C P. 1:81 1 | 10 -\n C P. 81:99 1 | 11 12",
        ((0, 1), (1, 0)),
    )
    [finding] = found_by("lost-between", seen)
    assert (finding.point, finding.frames) == ("client", (4,))
    assert finding.evidence_frames == (("client", (4,)), ("server", (4,)))
    assert "80 bytes at 1" in finding.summary
    assert finding.confidence > 0.9
    assert found_by("vanished-in-host", seen) == []


def test_a_loss_that_nothing_follows_is_less_sure() -> None:
    seen = on_path(
        "client server\n C S 0 | 0 1\n S S. 0 1 | 3 2\n C . 1 1 | 4 5\n C P. 1:81 1 | 10 -", ((0, 1), (1, 0))
    )
    [finding] = found_by("lost-between", seen)
    assert finding.confidence < 0.8


def test_a_threshold_of_segments_is_heeded() -> None:
    seen = on_path(
        "client server\n C S 0 | 0 1\n S S. 0 1 | 3 2\n C . 1 1 | 4 5\n C P. 1:81 1 | 10 -", ((0, 1), (1, 0))
    )
    assert found_by("lost-between", seen, segments=1)
    assert found_by("lost-between", seen, segments=2) == []


def test_what_a_router_keeps_vanished_in_it() -> None:
    text = f"{ROUTED} server\n C S 0 | 0 1 2 3\n S S. 0 1 | 7 6 5 4\n C . 1 1 | 8 9 10 11\n C P. 1:81 1 | 12 13 - -"
    seen = on_path(text, ((0, 1, 2, 3), (3, 2, 1, 0)))
    [finding] = found_by("vanished-in-host", seen)
    assert (finding.point, finding.frames) == ("router:eth0", (4,))
    assert found_by("lost-between", seen) == []


def test_what_the_servers_own_host_keeps_has_arrived() -> None:
    text = "client rs:eth0 rs:docker0\n C S 0 | 0 1 2\n S S. 0 1 | 5 4 3\n C . 1 1 | 6 7 8\n C P. 1:81 1 | 12 13 -"
    seen = on_path(text, STRAIGHT)
    assert found_by("vanished-in-host", seen) == []
    assert found_by("lost-between", seen) == []


DROPPING = """
    C S 0 ttl=64,63,62,62,-       | 0 1 2 3 -
    S S. 0 1 ttl=63,-,-,-,64      | 5 - - - 4
    C . 1 1 ttl=64,63,62,62,-     | 6 7 8 9 -
    C P. 1:81 1 ttl=64,63,-,-,-   | {at} {at} - - -
    C P. 1:81 1 ttl=64,63,-,-,-   | {again} {again} - - -
"""


@pytest.mark.parametrize(("at", "found"), [(2006, False), (2008, True)])
def test_a_director_that_drops_what_comes_after_idle_time_forgot_the_connection(at: int, *, found: bool) -> None:
    text = "client lvs:eth0 lvs:eth1 rs:bond1 rs:bond0" + DROPPING.format(at=at, again=at + 300)
    seen = on_path(text, ((0, 1, 2, 3), (4, 0)))
    assert seen.connections[0].mode == "dr"
    findings = found_by("director-timeout", seen)
    assert bool(findings) == found
    assert [finding.rule for finding in found_by("vanished-in-host", seen)] == ["vanished-in-host"]


def test_what_a_capture_lacks_is_told_of_its_point() -> None:
    text = f"{ROUTED}\n{OPEN} C P. 1:81 1 | 10 - 12\n C P. 81:99 1 | 11 12 13"
    [finding] = found_by("capture-loss", on_path(text, STRAIGHT))
    assert (finding.point, finding.frames) == ("router:eth0", (4,))
    assert finding.evidence_frames == (("client", (4,)), ("router:eth0", (4,)))


def test_two_ways_are_told_once_for_all_that_take_them() -> None:
    text = "client lvs rs\n" + "\n".join(
        f"{i} C S 0 | 0 1 2\n {i} S S. 0 1 | 4 - 3\n {i} C . 1 1 | 5 6 7" for i in range(5)
    )
    [finding] = found_by("asymmetric-path", on_path(text, ((0, 1, 2), (2, 0))))
    assert tuple(finding.connections) == (0, 1, 2, 3, 4)
    assert "right for DR" in finding.summary
    assert finding.confirm.startswith(
        "Wireshark at each point: ip.addr == 10.0.0.1   column: ip.src   server: ip route"
    )


@pytest.mark.parametrize("names", [("lvs:eth0", "lvs:eth1"), ("lvs-a", "lvs-b")])
def test_replies_that_all_stop_at_a_point_are_lost_behind_it(names: tuple[str, str]) -> None:
    """Whether or not the points' names tell that they are one host's."""
    folder = CAPTURES / "vanished-in-director"
    files = ("client.pcap", "lvs-eth0.pcap", "lvs-eth1.pcap", "rs-bond1.pcap")
    result = tcptrace.correlate(dict(zip(("client", *names, "rs"), (folder / one for one in files), strict=True)))
    [finding] = [one for one in result.found if one.rule in ("lost-between", "vanished-in-host")]
    assert (finding.point, finding.frames) == (names[1], (2, 3, 5, 6, 8))
    assert finding.rule == ("vanished-in-host" if ":" in names[1] else "lost-between")


def test_a_reply_that_was_lost_on_its_way_takes_no_other_path() -> None:
    text = "client lvs rs\n C S 0 | 0 1 2\n S S. 0 1 | - - 3\n S S. 0 1 | - - 1003"
    assert found_by("asymmetric-path", on_path(text, ((0, 1, 2), (2,)))) == []


SERVED = "{i} C S 0 | 0 1\n {i} S S. 0 1 | 3 2\n {i} C . 1 1 | 4 5\n"


def test_syns_that_came_to_a_server_which_answers_others_were_dropped_there() -> None:
    text = "client rs\n" + SERVED.format(i=0) + "1 C S 0 | 10 11\n 1 C S 0 | 1010 1011"
    seen = on_path(text, ((0, 1), (1, 0)), ((0, 1), ()))
    [finding] = found_by("syn-dropped-by-server", seen)
    assert (finding.point, finding.frames, tuple(finding.connections)) == ("rs", (4, 5), (1,))


def test_syns_to_a_server_that_answers_nobody_are_not_dropped_for_that() -> None:
    text = "client rs\n 0 C S 0 | 0 1\n 0 C S 0 | 1000 1001\n 1 C S 0 | 10 11\n 1 C S 0 | 1010 1011"
    assert found_by("syn-dropped-by-server", on_path(text, ((0, 1), ()))) == []


@pytest.mark.parametrize(
    ("bounds", "severity"), [((None, None), "warning"), ((-1.0, None), "info"), ((-1.0, 1.0), None)]
)
def test_a_clock_without_bounds_is_told(bounds: tuple[float | None, float | None], severity: str | None) -> None:
    clocks = alignment("client 0 rs 0", client_rs=bounds)
    seen = on_path("client rs\n" + SERVED.format(i=0), ((0, 1), (1, 0)), clocks=clocks)
    assert [finding.severity for finding in found_by("clock-unaligned", seen)] == ([severity] if severity else [])


def test_a_clock_that_ties_no_connection_leaves_no_delay_untold() -> None:
    clocks = alignment("client 0 other 0", client_other=(None, None))
    seen = on_path("client other\n" + "0 C S 0 | 0 -\n 1 C S 0 | - 5\n", ((0,), ()), ((1,), ()), clocks=clocks)
    [finding] = found_by("clock-unaligned", seen)
    assert finding.summary == "No segment ties the clock of other to the clock of client."


@pytest.mark.parametrize(
    ("case", "host", "places"),
    [
        ("clocks-nat-step", "lvs", {"lvs:eth0": (22, 23), "lvs:eth1": (22, 23)}),
        ("clocks-dr-step", "rs", {"rs:bond0": (8, 9), "rs:bond1": (14, 15)}),
        ("clocks-fullnat-step", "rs", {"rs:eth0": (139, 140)}),
    ],
)
def test_a_step_of_a_hosts_clock_is_told_once_with_the_frames_around_it(
    case: str, host: str, places: dict[str, tuple[int, int]]
) -> None:
    """Also where nothing has timestamps (FULLNAT), or the host's points see one way each (DR)."""
    found = tcptrace.correlate(from_words([str(CAPTURES / case)])).found
    [finding] = [finding for finding in found if finding.rule == "clock-step"]
    assert finding.severity == "warning"
    assert dict(finding.evidence_frames) in (places, {})
    assert finding.frames == places[finding.point or ""]
    assert f"The clock of {host} was set forward by 2.5 s (2.49" in finding.summary


@pytest.mark.parametrize("case", ["clocks-nat-drift", "clocks-dr", "clocks-fullnat-untold"])
def test_clocks_that_are_only_wrong_or_drift_were_not_set(case: str) -> None:
    assert "clock-step" not in recorded(case)


def test_a_shorter_step_than_asked_for_is_not_told() -> None:
    wanted = Wanted(settings={"clock-step": {"step_ms": 2_600}})
    assert "clock-step" not in recorded("clocks-fullnat-step", wanted=wanted)


def test_a_changed_option_is_told_with_its_values() -> None:
    text = "client dpvs:eth0 dpvs:eth1\n C S 0 mss=1460,1460,1400 | 0 1 2\n S S. 0 1 | 5 4 3"
    [finding] = found_by("field-rewritten", on_path(text, STRAIGHT))
    assert finding.severity == "info"
    assert finding.evidence == ("request, dpvs:eth0 → dpvs:eth1: MSS 1460 → 1400",)
    assert finding.confirm == "Wireshark at dpvs:eth0: frame.number == 1   Wireshark at dpvs:eth1: frame.number == 1"


def claims(*told: tuple[float, str]) -> Evidence:
    """A capture in which MAC addresses claim the called address at these milliseconds."""
    arp = [AddressClaim(i, round(ms * 1e6), 0, "10.1.0.100", mac, True) for i, (ms, mac) in enumerate(told, 1)]
    return cast(Evidence, SimpleNamespace(arp=arp))


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (((0, "a"), (20, "b")), True),
        (((0, "a"), (1001, "b")), False),
        (((0, "a"), (20, "a")), False),
        (((0, "a"), (5000, "a"), (5020, "b")), True),
    ],
)
def test_two_claims_of_one_address_conflict_if_they_follow_closely(
    told: tuple[tuple[float, str], ...], *, found: bool
) -> None:
    captures = (claims(*told), claims())
    seen = on_path("client rs\n" + SERVED.format(i=0), ((0, 1), (1, 0)), captures=captures)
    assert bool(found_by("vip-arp-conflict", seen)) == found


def test_a_cause_names_what_the_points_saw_of_it_as_symptoms() -> None:
    found = recorded("director-timeout")
    assert "idle-timeout" in found["director-timeout"].symptoms
    assert "idle-timeout" not in found
    assert found["director-timeout"].point == "lvs:eth0"
    found = recorded("untranslated-reply")
    assert "synack-source-mismatch" in found["untranslated-reply"].symptoms
    found = recorded("sidecar-reset")
    assert set(found["upstream-refused"].symptoms) >= {"sidecar-reset", "connection-refused"}


def test_a_finding_of_one_capture_is_told_once_with_its_frames_at_every_point() -> None:
    found = recorded("all-backends-refuse")
    refused = found["connection-refused"]
    assert tuple(refused.connections) == (0, 1, 2, 3)
    assert {point for point, _ in refused.evidence_frames} >= {"client", "lvs:eth0", "lvs:eth1"}
    assert any(text.startswith("the RST was born at rs") for text in refused.evidence)


def test_a_backend_is_down_only_where_another_is_not() -> None:
    down = recorded("backend-down")["backend-down"]
    assert tuple(down.connections) == (0, 2)
    assert "connection-refused" in down.symptoms
    assert "backend-down" not in recorded("all-backends-refuse")


def test_a_host_that_translates_and_is_bypassed_is_named() -> None:
    finding = recorded("untranslated-same-node")["untranslated-reply"]
    assert "it bypassed node" in finding.summary
    assert "Wireshark at every point: tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.ack_raw ==" in finding.confirm
