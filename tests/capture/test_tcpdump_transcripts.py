"""The published transcripts in captures/, row by row."""

from pathlib import Path

import pytest

from tests.tcpdump_reading import Reading, read

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


def transcript(name: str) -> Reading:
    """A transcript of captures/, read."""
    return read((CAPTURES / name).read_bytes())


def facts(name: str) -> list[tuple[int, ...]]:
    """Flags, raw seq, raw ack, payload length of every row, and whether seq is inferred."""
    return transcript(name).column("flags", "seq", "ack", "len", "inferred")


def test_baidu_handshake() -> None:
    reading = transcript("baidu-handshake/client.txt")
    assert reading.column("flags", "seq", "ack", "inferred") == [
        (SYN, 2696447430, -1, 0),
        (SYN | ACK, 282159576, 2696447431, 0),
        (ACK, 2696447431, 282159577, 1),
    ]
    times = reading.column("time_ns")
    assert [time - times[0] for time in times] == [0, 1_569_000, 1_610_000]
    assert reading.column("mss", "window_scale", "sack_permitted", "tsval") == [
        (1460, 7, 1, 2695718698),
        (1440, 7, 1, -1),
        (-1, -1, 0, -1),
    ]


def test_baidu_close() -> None:
    assert facts("baidu-close/client.txt") == [
        (FIN | ACK, 2696447509, 282160286, 0, 0),
        (ACK, 282160286, 2696447510, 0, 1),
        (FIN | ACK, 282160286, 2696447510, 0, 0),
        (ACK, 2696447510, 282160287, 0, 1),
    ]


@pytest.mark.parametrize(
    ("point", "frames", "start_us"),
    [
        ("client", 10, 151998),
        ("lvs-eth0", 6, 152382),
        ("lvs-eth1", 6, 152422),
        ("rs-bond1", 6, 152356),
        ("rs-bond0", 4, 152419),
    ],
)
def test_lvs_dr(point: str, frames: int, start_us: int) -> None:
    reading = transcript(f"lvs-dr/{point}.txt")
    assert len(reading.rows) == reading.summary.frames == frames
    assert reading.summary.start_ns == (52_971_000_000 + start_us) * 1000
    client = [row for row in reading.rows if row["src"] == "123.58.180.188:32935"]
    assert [(row["seq"], row["ack"], row["len"]) for row in client] == (
        [
            (1660001800, -1, 0),
            (1660001801, 122778620, 0),
            (1660001801, 122778620, 77),
            (1660001878, 122779256, 0),
            (1660001878, 122779256, 0),
            (1660001879, 122779257, 0),
        ]
        if point != "rs-bond0"
        else []
    )


def test_lvs_dr_syn_cookie() -> None:
    """The cookie's timestamp ends in SACK and window scale 9, some ticks before the next one."""
    rows = transcript("lvs-dr/rs-bond0.txt").rows
    assert (rows[0]["tsval"], rows[0]["tsecr"], rows[1]["tsval"] - rows[0]["tsval"]) == (2328633369, 3477472664, 7)


def test_dpvs_fullnat_relative_numbers_become_raw() -> None:
    assert facts("dpvs-fullnat/client.txt") == [
        (SYN, 4164191644, -1, 0, 0),
        (SYN | ACK, 4072520983, 4164191645, 0, 0),
        (ACK, 4164191645, 4072520984, 0, 1),
        (PSH | ACK, 4164191645, 4072520984, 76, 0),
        (ACK, 4072520984, 4164191721, 0, 1),
        (PSH | ACK, 4072520984, 4164191721, 50, 0),
        (ACK, 4164191721, 4072521034, 0, 1),
        (FIN | ACK, 4164191721, 4072521034, 0, 0),
        (FIN | ACK, 4072521034, 4164191722, 0, 0),
        (ACK, 4164191722, 4072521035, 0, 1),
    ]


def test_dpvs_fullnat_keeps_the_servers_numbers() -> None:
    client, server = (facts(f"dpvs-fullnat/{point}.txt") for point in ("client", "rs"))
    shift = 4164191644 - 2976553321
    for near, far in zip(client, server, strict=True):
        from_server = near[1] >= 4072520983 and near[1] < 4072600000
        assert near[1] - far[1] == (0 if from_server else shift)


def test_dpvs_fullnat_client_port_in_the_toa_option() -> None:
    ports = transcript("dpvs-fullnat/rs.txt").column("toa_port", "toa_src")
    assert ports == [(33896, -1), (-1, -1), (33896, -1), (33896, -1), *[(-1, -1)] * 6]


def test_cilium_synack_mismatch() -> None:
    reading = transcript("cilium-synack-mismatch/client.txt")
    once = [
        ("10.4.26.45:35582", "10.4.26.234:80", SYN, 853654705, -1),
        ("10.4.26.11:80", "10.4.26.45:35582", SYN | ACK, 914414059, 853654706),
        ("10.4.26.45:35582", "10.4.26.11:80", RST, 853654706, -1),
    ]
    again = [once[0], (*once[1][:3], 930694343, 853654706), once[2]]
    assert reading.column("src", "dst", "flags", "seq", "ack") == once + again


def test_istio_sidecar_reset() -> None:
    assert facts("istio-sidecar-reset/client.txt") == [
        (SYN, 1658620893, -1, 0, 0),
        (SYN | ACK, 2918345428, 1658620894, 0, 0),
        (ACK, 1658620894, 2918345429, 0, 1),
        (PSH | ACK, 1658620894, 2918345429, 106, 0),
        (ACK, 2918345429, 1658621000, 0, 1),
        (RST | ACK, 2918345429, 1658621000, 0, 0),
    ]


def test_istio_sidecar_reset_as_published() -> None:
    """Numbered frames, and addresses that differ by direction: the client's half never sees the server's base."""
    reading = transcript("istio-sidecar-reset-as-published/as-published.txt")
    assert reading.column("frame", "src", "seq", "ack") == [
        (1, "10.6.2.2:51136", 1658620893, -1),
        (2, "10.6.3.3:8080", 2918345428, 1658620894),
        (3, "10.6.2.2:51136", 1658620894, 1),
        (4, "10.6.2.2:51136", 1658620894, 1),
        (5, "10.6.3.3:8080", 2918345429, 1658621000),
        (6, "10.6.3.3:8080", 2918345429, 1658621000),
    ]


def test_service_names() -> None:
    reading = transcript("service-names/client.txt")
    assert reading.column("dst", "window", "window_scale")[::3] == [
        ("139.129.212.166:80", 65535, 5),
        ("139.129.212.166:80", 4128, -1),
    ]
    assert reading.rows[1]["src"] == "139.129.212.166:80"
    assert not reading.summary.problems


def test_dns() -> None:
    reading = transcript("dns/client.txt")
    assert (reading.rows, reading.summary.frames, reading.summary.other_frames) == ([], 10, {"UDP": 10})


def test_ip_fragments() -> None:
    rows, summary = transcript("ip-fragments/client.txt")
    assert (rows, summary.frames, summary.other_frames) == ([], 2, {"ICMP": 1, "later fragment": 1})
    assert summary.start_ns is None
