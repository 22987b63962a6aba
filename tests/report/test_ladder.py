import io

import pytest

from tcptrace.report.ladder import write_ladder
from tcptrace.report.terminal import Screen
from tcptrace.report.view import View
from tests.report import samples


def ladder(timeline: samples.Timeline, width: int | None = None, *, raw: bool = False) -> str:
    out = io.StringIO()
    write_ladder(Screen(out, width=width), timeline, View(utc=True, raw=raw))
    return out.getvalue()


def test_a_ladder_shows_segments_between_both_ends_states() -> None:
    assert ladder(samples.timeline()) == (
        "flow 0   10.0.0.1:40000 → 10.0.0.9:80\n"
        "         129 ms, 77 + 636 bytes, fin by client, from 2024-05-01 14:03:11.250 UTC\n"
        "\n"
        "frame         ms  client           segment                                                 server\n"
        "    1      0.000  SYN_SENT      →  SYN        seq 0 win 2,920 mss 1460 ws 9 sack ts        (LISTEN)\n"
        "    2      0.301                ←  SYN+ACK    seq 0 ack 1 win 2,896 mss 1460 ws 9 sack ts  SYN_RCVD\n"
        "    3      0.348  ESTABLISHED   →  ACK        ack 1 win 3,072                              (ESTABLISHED)\n"
        "    4      0.510                →  77 bytes   1:78 ack 1 win 3,072\n"
        "    5    128.775  FIN_WAIT_1    →  FIN        seq 78 ack 1 win 3,072                       (CLOSE_WAIT)\n"
        "    6    128.932  (FIN_WAIT_2)  ←  FIN        seq 1 ack 79 win 0                           LAST_ACK\n"
        "                  (TIME_WAIT)\n"
        "    7    128.964                →  ACK        ack 2 win 3,072                              (CLOSED)\n"
        "       60128.964  (CLOSED)      ·  2MSL timeout\n"
        "\n"
        "(STATE): inferred, not seen at this point · STATE!: no sound endpoint does that here, the state stays\n"
        "\n"
        "no findings in 1 flow\n"
    )


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_ladder_fits_the_terminal(width: int) -> None:
    text = ladder(samples.timeline(), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("SYN_SENT", "(FIN_WAIT_2)", "ws 9 sack ts", "1:78", "win 0", "2MSL timeout"):
        assert word in text


def test_raw_sequence_numbers_on_request() -> None:
    text = ladder(samples.timeline(), raw=True)
    assert "1001:1078 ack 1001" in text
    assert "seq 1000 win" in text


def test_what_no_sound_endpoint_does_is_marked() -> None:
    unexpected = "7 128.964 server ESTABLISHED ESTABLISHED sent SYN (unexpected)"
    text = ladder(samples.timeline(transitions=(*samples.CLOSE_TRANSITIONS[:4], unexpected)))
    assert "ESTABLISHED!" in text


def test_a_guess_at_client_and_server_is_said_to_be_one() -> None:
    assert "which end is the client is a guess" in ladder(samples.timeline(midstream=1))


def test_the_sender_is_known_also_when_the_server_was_seen_first() -> None:
    text = ladder(samples.timeline(*samples.SEGMENTS[1:], transitions=()))
    lines = [line for line in text.splitlines() if "→  " in line or "←  " in line]
    assert ["←" in line for line in lines] == [True, False, False, False, True, False]


def test_a_flow_seen_at_two_interfaces_says_which_segment_was_seen_where() -> None:
    made = samples.timeline()
    made.packets.interface[:] = [0, 1, 0, 1, 0, 1, 0]
    made.summary.interfaces[:] = ["eth0", "eth1"]
    text = ladder(made)
    assert "1:78 ack 1 win 3,072 on eth1" in text
    made.packets.interface[:] = 0
    assert "on eth" not in ladder(made)
