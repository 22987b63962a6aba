"""Each form in which tcpdump prints packets: text in, rows and summary out."""

from typing import Any

import pytest

from tcptrace.capture import tcpdump_text
from tcptrace.capture.tcpdump_text import looks_like_tcpdump
from tcptrace.schema import NO_TIME
from tests.tcpdump_reading import read

DATA = "10.0.0.1.5000 > 10.0.0.2.80: Flags [P.], seq 1:78, ack 1, win 6, length 77"
V4 = "tos 0x0, ttl 63, id 4454, offset 0, flags [DF], proto TCP (6), length 117"
MACS = "02:00:00:00:00:01 > 02:00:00:00:00:02"
SAME = {"src": "10.0.0.1:5000", "dst": "10.0.0.2:80", "flags": 0x18, "seq": 1, "ack": 1, "window": 6, "len": 77}

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": (f"12:10:30.083284 IP {DATA}", {"time_ns": 43_830_083_284_000}),
    "-t": (f"IP {DATA}", {"time_ns": NO_TIME}),
    "-tt": (f"1700000000.083284 IP {DATA}", {"time_ns": 1_700_000_000_083_284_000}),
    "-tt, ns": (f"1700000000.083284123 IP {DATA}", {"time_ns": 1_700_000_000_083_284_123}),
    "-ttt": (f" 00:00:00.000000 IP {DATA}", {"time_ns": 0}),
    "-tttt": (f"2023-11-14 22:13:20.083284 IP {DATA}", {"time_ns": 1_700_000_000_083_284_000}),
    "-tttt of version 3": (f"11/14/2023 22:13:20.083284 IP {DATA}", {"time_ns": 1_700_000_000_083_284_000}),
    "-#": (f"    1  12:10:30.083284 IP {DATA}", {"frame": 1}),
    "-# -t": (f"    1  IP {DATA}", {"frame": 1, "time_ns": NO_TIME}),
    "-# -ttt": (f"    1   00:00:00.000000 IP {DATA}", {"frame": 1, "time_ns": 0}),
    "a bare number": (f"7 12:10:30.083284 IP {DATA}", {"frame": 1}),
    "--lengths": (f"caplen 131 len 131 12:10:30.083284 IP {DATA}", {}),
    "-q": (
        "12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: tcp 77",
        {"flags": -1, "seq": -1, "ack": -1, "window": -1, "inferred": 0},
    ),
    "-v": (
        f"12:10:30.083284 IP ({V4})\n    {DATA.replace('],', '], cksum 0x1c2d (incorrect -> 0x3e4f),', 1)}",
        {"ttl": 63, "ip_id": 4454},
    ),
    "-v on one line": (f"12:10:30.083284 IP ({V4}) {DATA}", {"ttl": 63, "ip_id": 4454}),
    "-v -t": (f"IP ({V4})\n    {DATA}", {"ttl": 63, "time_ns": NO_TIME}),
    "-v, indentation lost": (f"IP ({V4})\n{DATA}", {"ttl": 63}),
    "-v, options and bad checksum": (
        f"12:10:30.083284 IP ({V4}, options (RR 0.0.0.0), bad cksum 1234 (->5678)!)\n    {DATA}",
        {"ttl": 63, "ip_id": 4454},
    ),
    "-vv": (
        f"12:10:30.083284 IP ({V4})\n    {DATA.replace('win 6', 'win 6, [urg 7 != 0 while URG flag not set]')}",
        {},
    ),
    "-e": (f"12:10:30.083284 {MACS}, ethertype IPv4 (0x0800), length 131: {DATA}", {"ttl": -1}),
    "-e with names": (
        f"12:10:30.083284 {MACS.replace(' >', ' (oui Unknown) >')} (oui Unknown), ethertype IPv4 (0x0800), length 131: "
        + DATA,
        {},
    ),
    "-e -t": (f"{MACS}, ethertype IPv4 (0x0800), length 131: {DATA}", {"time_ns": NO_TIME}),
    "-e -v": (f"12:10:30.083284 {MACS}, ethertype IPv4 (0x0800), length 131: ({V4})\n    {DATA}", {"ttl": 63}),
    "-e, VLAN": (
        f"12:10:30.083284 {MACS}, ethertype 802.1Q (0x8100), length 135: vlan 100, p 0, ethertype IPv4 (0x0800), "
        f"{DATA}",
        {},
    ),
    "-e, SNAP": (
        f"12:10:30.083284 {MACS}, 802.3, length 117: LLC, dsap SNAP (0xaa) Individual, ssap SNAP (0xaa) Command, "
        f"ctrl 0x03: oui Ethernet (0x000000), ethertype IPv4 (0x0800), length 117: {DATA}",
        {},
    ),
    "-e, loopback": (f"12:10:30.083284 AF IPv4 (2), length 121: {DATA}", {}),
    "-i any": (f"12:10:30.083284 eth0  In  IP {DATA}", {"interface": 0, "direction": 0}),
    "-i any, out": (f"12:10:30.083284 vethab12 Out IP {DATA}", {"direction": 1}),
    "-i any before version 4.99": (f"12:10:30.083284  In IP {DATA}", {"direction": 0}),
    "-i any -e": (
        f"12:10:30.083284 eth0  In  ifindex 2 02:00:00:00:00:01 ethertype IPv4 (0x0800), length 137: {DATA}",
        {"direction": 0},
    ),
    "802.11": (f"12:10:30.083284 7268us tsft 1.0 Mb/s 2412 MHz 11b -22dBm signal antenna 1 IP {DATA}", {}),
    "-x": (f"12:10:30.083284 IP {DATA}\n\t0x0000:  4500 0075 1166 4000 3f06 0000 0a00 0001\n", {}),
    "-X": (f"12:10:30.083284 IP {DATA}\n\t0x0000:  4500 0075 1166 4000  E..u.f@.\n", {}),
    "-A": (f"12:10:30.083284 IP {DATA}: HTTP: GET / HTTP/1.1\nE..u.f@.?.\nGET / HTTP/1.1\n12 apples > 7 pears\n\n", {}),
    "-v, HTTP": (f"12:10:30.083284 IP ({V4})\n    {DATA}: HTTP, length: 77\n\tGET / HTTP/1.1\n\tHost: a\n", {}),
    "CRLF": (f"12:10:30.083284 IP {DATA}\r\n", {}),
    "UTF-8 BOM": (f"\ufeff12:10:30.083284 IP {DATA}", {}),
    "indented": (f"      12:10:30.083284 IP {DATA}", {}),
    "indented -t": (f"    IP {DATA}", {}),
    "quoted in a mail": (f"> > 12:10:30.083284 IP {DATA}", {"time_ns": 43_830_083_284_000}),
    "from a journal": (
        f"Nov 21 05:30:00 host tcpdump[123]: 12:10:30.083284 IP {DATA}",
        {"time_ns": 43_830_083_284_000},
    ),
    "behind a log's stamp": (
        f"2024-05-01 00:00:00.123456 12:10:30.083284 IP {DATA}",
        {"time_ns": 43_830_083_284_000},
    ),
    "IPIP": (f"12:10:30.083284 IP 1.1.1.1 > 2.2.2.2: IP {DATA}", {}),
    "IPIP -v": (
        f"12:10:30.083284 IP ({V4.replace('63', '9').replace('TCP (6)', 'IPIP (4)')})\n"
        f"    1.1.1.1 > 2.2.2.2: IP ({V4})\n    {DATA}",
        {"ttl": 63},
    ),
    "GRE": (f"12:10:30.083284 IP 1.1.1.1 > 2.2.2.2: GREv0, key=0x1, length 125: IP {DATA}", {}),
    "GRE -v": (
        f"12:10:30.083284 IP ({V4.replace('TCP (6)', 'GRE (47)')})\n    1.1.1.1 > 2.2.2.2: GREv0, Flags [none], "
        f"length 121\n\tIP ({V4})\n    {DATA}",
        {"ttl": 63},
    ),
    "VXLAN": (f"12:10:30.083284 IP 1.1.1.1.9 > 2.2.2.2.4789: VXLAN, flags [I] (0x08), vni 5\nIP {DATA}", {}),
    "VXLAN -t": (f"IP 1.1.1.1.9 > 2.2.2.2.4789: VXLAN, flags [I] (0x08), vni 5\nIP {DATA}", {}),
    "VXLAN -e": (
        f"12:10:30.083284 {MACS}, ethertype IPv4 (0x0800), length 181: 1.1.1.1.9 > 2.2.2.2.4789: VXLAN, "
        f"flags [I] (0x08), vni 5\n{MACS}, ethertype IPv4 (0x0800), length 131: {DATA}",
        {},
    ),
    "Geneve": (f"12:10:30.083284 IP 1.1.1.1.9 > 2.2.2.2.6081: Geneve, Flags [none], vni 0xb: IP {DATA}", {}),
    "MPLS -v": (f"12:10:30.083284 MPLS (label 29, exp 0, [S], ttl 255)\n\tIP ({V4})\n    {DATA}", {"ttl": 63}),
    "authentication header": (
        "12:10:30.083284 IP 10.0.0.1 > 10.0.0.2: AH(spi=0x1,seq=0x1): 5000 > 80: Flags [P.], seq 1:78, ack 1, win 6, "
        "length 77",
        {},
    ),
    "first fragment": (
        f"12:10:30.083284 IP ({V4.replace('DF', '+')})\n    {DATA}",
        {"len": -1},
    ),
    "version 3": (
        "12:10:30.083284 10.0.0.1.5000 > 10.0.0.2.80: P 1:78(77) ack 1 win 6 <nop,nop,timestamp 1 2> (DF)",
        {"tsval": 1, "tsecr": 2},
    ),
    "version 3.9 -v": (
        f"12:10:30.083284 IP ({V4.replace('length 117', 'length: 117')}) 10.0.0.1.5000 > 10.0.0.2.80: "
        "P, cksum 0x1c2d (correct), 1:78(77) ack 1 win 6",
        {"ttl": 63, "ip_id": 4454},
    ),
    "service name": (f"12:10:30.083284 IP {DATA.replace('.80:', '.http:')}", {}),
    "cut short on the wire": (
        f"12:10:30.083284 IP truncated-ip - 70 bytes missing! {DATA}",
        {"len": 7},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(form: str) -> None:
    text, differs = FORMS[form]
    rows, summary = read(text)
    assert len(rows) == 1
    assert rows[0] | SAME | differs == rows[0]
    assert (summary.format, summary.frames, summary.tcp_frames) == ("tcpdump text", 1, 1)
    assert not summary.other_frames
    assert not summary.problems
    assert looks_like_tcpdump(text.encode())


@pytest.mark.parametrize(
    ("before", "after", "ttl"),
    [
        ("IP6", "", -1),
        ("IP6 (flowlabel 0x6fdbb, hlim 61, next-header TCP (6), payload length 97)", "", 61),
        ("02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv6 (0x86dd), length 151:", "", -1),
    ],
)
def test_ipv6(before: str, after: str, ttl: int) -> None:
    text = (
        f"12:10:30.083284 {before} fe80::1.5000 > 2001:db8::2.80: Flags [P.], seq 1:78, ack 1, win 6, length 77{after}"
    )
    rows, _ = read(text)
    assert rows[0] | SAME | {"src": "[fe80::1]:5000", "dst": "[2001:db8::2]:80", "ttl": ttl} == rows[0]


def test_ipv6_extension_headers_name_the_ports_alone() -> None:
    rows, _ = read("12:10:30.083284 IP6 fe80::1 > fe80::2: HBH (padn) 5000 > 80: Flags [S], seq 1, win 6, length 0")
    assert (rows[0]["src"], rows[0]["dst"], rows[0]["flags"]) == ("[fe80::1]:5000", "[fe80::2]:80", 0x02)


@pytest.mark.parametrize(
    ("letters", "flags"),
    [
        *(("S", 0x02), ("S.", 0x12), (".", 0x10), ("P.", 0x18), ("F.", 0x11), ("R", 0x04), ("R.", 0x14), ("FP.", 0x19)),
        *(("SEW", 0xC2), ("S.E", 0x52), ("U", 0x20), ("none", 0x00), (".W", 0x90), ("FSRP.UEWe", 0x1FF)),
    ],
)
def test_flags(letters: str, flags: int) -> None:
    rows, _ = read(f"12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [{letters}], seq 1, ack 1, win 6, length 0")
    assert rows[0]["flags"] == flags


@pytest.mark.parametrize(
    ("letters", "flags", "seq", "ack", "length"),
    [
        ("S 123:123(0) win 5840 <mss 1460>", 0x02, 123, -1, 0),
        ("S 123:123(0) ack 8 win 5840", 0x12, 123, 8, 0),
        (". ack 8 win 5840", 0x10, -1, 8, 0),
        ("F 5:5(0) ack 8 win 5840", 0x11, 5, 8, 0),
        ("R 5:5(0) win 0", 0x04, 5, -1, 0),
        ("SWE 5:5(0) win 0", 0xC2, 5, -1, 0),
        ("FP 1:8(7) ack 8 win 5840 urg 3", 0x39, 1, 8, 7),
    ],
)
def test_version_3(letters: str, flags: int, seq: int, ack: int, length: int) -> None:
    rows, _ = read(f"12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: {letters}")
    assert [rows[0][name] for name in ("flags", "seq", "ack", "len")] == [flags, seq, ack, length]


@pytest.mark.parametrize(
    ("rest", "known"),
    [
        ("[|tcp]", {}),
        (" [|tcp]", {}),
        (" tcp 4 [bad hdr length 8 - too short, < 20]", {}),
        ("Flags [S] [bad hdr length 40 - too long, > 28]", {"flags": 2}),
        ("Flags [S], seq 9", {"flags": 2}),
        ("Flags [S], seq 9, win 4, options [mss 1460,sackOK[|tcp]", {"flags": 2, "seq": 9, "window": 4, "len": 0}),
        ("Flags [S], seq 9, win 4, options [mss 1460,[bad opt]]", {"flags": 2, "seq": 9, "window": 4, "len": 0}),
    ],
)
def test_a_header_cut_short_leaves_the_rest_unknown(rest: str, known: dict[str, int]) -> None:
    rows, summary = read(f"12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: {rest}")
    unknown = dict.fromkeys(("flags", "seq", "ack", "window", "len"), -1)
    assert rows[0] | {"sport": 5000, "dport": 80} | unknown | known == rows[0]
    assert summary.tcp_frames == 1


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("IP 10.0.0.1.5000 > 10.0.0.2.53: 42940+ A? www.example.org. (35)", "UDP"),
        ("IP 10.0.0.1.5000 > 10.0.0.2.9: UDP, length 35", "UDP"),
        ("IP6 fe80::1.546 > ff02::1:2.547: dhcp6 solicit", "UDP"),
        ("IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 tcp port 80 unreachable, length 60", "ICMP"),
        ("IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64", "ICMP"),
        ("10.0.0.1 > 10.0.0.2: icmp: echo request (DF)", "ICMP"),
        ("IP6 fe80::1 > ff02::2: ICMP6, router solicitation, length 16", "ICMPv6"),
        ("ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28", "ARP"),
        ("arp who-has 10.0.0.2 tell 10.0.0.1", "ARP"),
        ("IP 10.0.0.1 > 10.0.0.2: ip-proto-17", "later fragment"),
        ("IP 10.0.0.1 > 10.0.0.2: tcp", "later fragment"),
        ("IP6 fe80::1 > fe80::2: frag (1232|500)", "later fragment"),
        ("10.0.0.1 > 10.0.0.2: (frag 7:500@1480)", "later fragment"),
        ("IP 10.0.0.1 > 224.0.0.22: igmp v3 report, 1 group record(s)", "IGMP"),
        ("IP 10.0.0.1 > 10.0.0.2: ESP(spi=0x1,seq=0x1), length 100", "ESP"),
        ("IP 10.0.0.1 > 10.0.0.2:  ip-proto-253 100", "IP protocol 253"),
        (
            "IP (tos 0x0, ttl 1, id 0, offset 0, flags [DF], proto VRRP (112), length 40)\n    10.0.0.1 > 10.0.0.2: x",
            "VRRP",
        ),
        ("STP 802.1d, Config, Flags [none], bridge-id 8000.00:00:00:00:00:01.8001, length 35", "STP"),
        ("LLDP, length 60: host", "LLDP"),
        (
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x88cc), length 60: ",
            "ethertype 0x88cc (unknown)",
        ),
        ("IP [|ip]", "other IP"),
        ("IP 10.0.0.1 > 10.0.0.2: [|tcp]", "TCP, unreadable"),
    ],
)
def test_what_is_not_tcp_is_counted_by_name(printed: str, name: str) -> None:
    text = f"12:10:30.083284 {printed}\n12:10:30.083285 IP {DATA}\n"
    reading = read(text)
    assert reading.summary.other_frames == {name: 1}
    assert reading.column("frame") == [2]
    assert looks_like_tcpdump(f"12:10:30.083284 {printed}".encode())


def test_an_icmp_error_quotes_a_segment_that_is_no_row() -> None:
    rows, summary = read(
        f"12:10:30.083284 IP ({V4.replace('TCP (6)', 'ICMP (1)')})\n"
        "    10.0.0.9 > 10.0.0.1: ICMP host 10.0.0.2 unreachable, length 60\n"
        f"\tIP ({V4})\n    {DATA}\n"
        f"12:10:30.083285 IP {DATA}\n"
    )
    assert [row["frame"] for row in rows] == [2]
    assert summary.other_frames == {"ICMP": 1}


def test_what_tcpdump_says_itself_is_no_packet() -> None:
    rows, summary = read(
        "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"
        "listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n"
        f"12:10:30.083284 IP {DATA}\n^C\n1 packet captured\n7 packets received by filter\n6 packets dropped by kernel\n"
        "0 packets dropped by interface\n"
    )
    assert len(rows) == summary.frames == 1
    assert summary.link_types == ["EN10MB"]
    assert summary.problems == ["tcpdump itself said: 6 packets dropped by kernel"]


def test_log_lines_around_packets_are_none() -> None:
    rows, summary = read(
        "2024-05-01 12:00:00.123456 INFO  probe started\n$ tcpdump -n port 80\n"
        f"12:10:30.083284 IP {DATA}\nretrying in 5 s ...\n12:10:30 done\n"
    )
    assert len(rows) == summary.frames == 1
    assert not summary.problems


def test_a_protocol_nobody_knows_counts_as_a_frame_and_is_said() -> None:
    reading = read(f"12:10:30.083284 IP {DATA}\n12:10:30.083285 ~~~\n12:10:30.083286 IP {DATA}\n")
    assert reading.column("frame") == [1, 3]
    assert reading.summary.other_frames == {"unrecognised": 1}
    assert "first: line 2" in reading.summary.problems[0]


def test_an_unreadable_line_is_said() -> None:
    reading = read("12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.99999: Flags [S], seq 1, win 6, length 0\n")
    assert reading.summary.other_frames == {"TCP, unreadable": 1}
    assert "first: line 1" in reading.summary.problems[0]


def test_names_count_as_addresses_of_their_own() -> None:
    reading = read(
        "12:10:30.083284 IP alpha.example.org.5000 > beta.http-alt: Flags [S], seq 1, win 6, length 0\n"
        "12:10:30.083285 IP beta.http-alt > alpha.example.org.5000: Flags [S.], seq 1, ack 2, win 6, length 0\n"
        "12:10:30.083286 IP 10.0.0.1.5000 > beta.no-such-service: Flags [S], seq 1, win 6, length 0\n"
    )
    assert reading.column("src", "dst") == [
        ("alpha.example.org:5000", "beta:8080"),
        ("beta:8080", "alpha.example.org:5000"),
        ("10.0.0.1:5000", "beta:0"),
    ]
    assert "alpha.example.org, beta" in reading.summary.problems[0]
    assert "no-such-service" in reading.summary.problems[1]


def test_interfaces_by_name() -> None:
    reading = read(
        f"12:10:30.083284 eth0  In  IP {DATA}\n"
        f"12:10:30.083285 lo    In  IP {DATA}\n"
        f"12:10:30.083286 eth0  Out IP {DATA}\n"
    )
    assert reading.summary.interfaces == ["eth0", "lo"]
    assert reading.column("interface", "direction") == [(0, 0), (1, 0), (0, 1)]


def test_frames_count_on_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"23:59:{second:02}.000000 IP {DATA}\n" for second in range(50)) + f"00:00:01.000000 IP {DATA}\n"
    whole = read(text)
    monkeypatch.setattr(tcpdump_text, "CHUNK_FRAMES", 7)
    assert read(text) == whole
    assert whole.column("frame") == list(range(1, 52))
    assert whole.rows[-1]["time_ns"] == 86_401 * 10**9
    assert (whole.summary.start_ns, whole.summary.end_ns) == (86_340 * 10**9, 86_401 * 10**9)
