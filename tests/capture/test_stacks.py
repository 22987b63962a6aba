"""Every way to TCP that is known, and names for all the others."""

import struct

import pytest

from tests.frames import DST, DST6, Decoded, ethernet, ipv4, ipv6, llc, tcp, udp

SEGMENT = ipv4(tcp(b"inner"))
SEGMENT6 = ipv6(tcp(b"inner"))
FRAME = ethernet(SEGMENT)
UDP_FRAME = ethernet(ipv4(udp(9, b""), 17))


def over_udp(port: int, payload: bytes) -> bytes:
    return ethernet(ipv4(udp(port, payload), 17))


def over_gre(header: str, payload: bytes) -> bytes:
    return ethernet(ipv4(bytes.fromhex(header) + payload, 47))


def radiotap(flags: int, payload: bytes) -> bytes:
    """Radiotap with the time field and flags, behind one more presence word."""
    return struct.pack("<BBHIIIQB", 0, 0, 25, 0x80000003, 0, 0, 1, flags) + payload


def wlan(payload: bytes, control: int = 0x0802, extra: bytes = b"") -> bytes:
    return struct.pack(">HH", control, 0) + bytes(20) + extra + payload


def nflog(payload: bytes, order: str) -> bytes:
    prefix = struct.pack(f"{order}HH", 7, 10) + b"in\0\0"
    return b"\2\0\0\0" + prefix + struct.pack(f"{order}HH", 4 + len(payload), 9) + payload


STACKS = {
    "Ethernet": (1, FRAME),
    "IPv6": (1, ethernet(SEGMENT6, 0x86DD)),
    "VLAN": (1, ethernet(b"\0\5\x08\0" + SEGMENT, 0x8100)),
    "QinQ": (1, ethernet(b"\0\5\x81\0\0\6\x08\0" + SEGMENT, 0x88A8)),
    "VN-tag": (1, ethernet(bytes(4) + b"\x08\0" + SEGMENT, 0x8926)),
    "E-tag": (1, ethernet(bytes(6) + b"\x08\0" + SEGMENT, 0x893F)),
    "provider backbone": (1, ethernet(bytes(4) + FRAME, 0x88E7)),
    "FabricPath": (1, ethernet(bytes(2) + FRAME + bytes(4), 0x8903)),
    "LLC": (1, ethernet(b"\6\6\3" + SEGMENT, 3 + len(SEGMENT))),
    "SNAP": (1, ethernet(llc(SEGMENT), 8 + len(SEGMENT)) + bytes(9)),
    "bridged SNAP": (1, ethernet(b"\xaa\xaa\3\0\x80\xc2\0\7" + FRAME, 8 + len(FRAME))),
    "SLL": (113, struct.pack(">HHHQH", 0, 1, 6, 0, 0x0800) + SEGMENT),
    "SLL with VLAN": (113, struct.pack(">HHHQH", 0, 1, 6, 0, 0x8100) + b"\0\5\x86\xdd" + SEGMENT6),
    "SLL2": (276, struct.pack(">HHIHBBQ", 0x86DD, 0, 3, 1, 0, 6, 0) + SEGMENT6),
    "raw": (101, SEGMENT),
    "raw, old number": (12, SEGMENT6),
    "raw IPv4": (228, SEGMENT),
    "raw IPv6": (229, SEGMENT6),
    "null, little-endian": (0, b"\2\0\0\0" + SEGMENT),
    "null, big-endian": (0, b"\0\0\0\x1e" + SEGMENT6),
    "loop": (108, b"\0\0\0\2" + SEGMENT),
    "PPP": (9, b"\xff\3\0\x21" + SEGMENT),
    "PPP, compressed fields": (9, b"\x57" + SEGMENT6),
    "PPP over serial": (50, b"\xff\3\0\x57" + SEGMENT6),
    "PPP with direction": (204, b"\1\0\x21" + SEGMENT),
    "PPPoE": (1, ethernet(struct.pack(">BBHH", 0x11, 0, 1, 2 + len(SEGMENT)) + b"\0\x21" + SEGMENT, 0x8864)),
    "PPPoE alone": (51, struct.pack(">BBHH", 0x11, 0, 1, 2 + len(SEGMENT)) + b"\0\x21" + SEGMENT),
    "MPLS": (1, ethernet(b"\0\1\0\x40\0\2\1\x40" + SEGMENT, 0x8847)),
    "MPLS, IPv6": (1, ethernet(b"\0\2\1\x40" + SEGMENT6, 0x8848)),
    "MPLS pseudowire": (1, ethernet(b"\0\2\1\x40" + b"\0\0\0\1" + FRAME, 0x8847)),
    "MPLS pseudowire without control word": (1, ethernet(b"\0\2\1\x40" + FRAME, 0x8847)),
    "MPLS alone": (219, b"\0\2\1\x40" + SEGMENT),
    "Cisco HDLC": (104, b"\x0f\0\x08\0" + SEGMENT),
    "frame relay": (107, b"\x18\x41\3\xcc" + SEGMENT),
    "frame relay, SNAP": (107, b"\x18\x41\3\0\x80\0\0\0\x08\0" + SEGMENT),
    "frame relay, Cisco": (107, b"\x18\x41\x08\0" + SEGMENT),
    "FDDI": (10, b"\x50" + bytes(12) + llc(SEGMENT)),
    "token ring": (6, bytes(2) + bytes(6) + b"\x80" + bytes(5) + b"\4\0\0\0" + llc(SEGMENT)),
    "ARCNET, RFC 1051": (7, b"\1\2\xf0" + SEGMENT),
    "ARCNET, RFC 1201": (129, b"\1\2\0\0\xd4\0\0\1" + SEGMENT),
    "SLIP": (8, bytes(16) + SEGMENT),
    "ATM": (100, llc(SEGMENT)),
    "BSD packet filter log": (117, b"\x3d\2\0\0" + bytes(60) + SEGMENT),
    "BSD encryption": (109, bytes(12) + SEGMENT),
    "FireWire": (138, bytes(16) + b"\x08\0" + SEGMENT),
    "InfiniBand": (242, bytes(40) + b"\x86\xdd\0\0" + SEGMENT6),
    "Endace": (197, bytes(8) + struct.pack(">BBHHH", 0x82, 0, 99, 0, len(FRAME)) + bytes(10) + FRAME),
    "Juniper": (178, b"MGC\x80\0\4abcd" + FRAME),
    "packet tap": (258, struct.pack("<III", 16, 1, 101) + bytes(4) + SEGMENT),
    "NFLOG": (239, nflog(SEGMENT, "<")),
    "NFLOG, big-endian": (239, nflog(SEGMENT, ">")),
    "802.11": (105, wlan(llc(SEGMENT))),
    "802.11 QoS": (105, wlan(llc(SEGMENT), 0x8802, bytes(2))),
    "802.11 between stations": (105, wlan(llc(SEGMENT), 0x0803, bytes(6))),
    "802.11 aggregate": (105, wlan(bytes(14) + llc(SEGMENT), 0x8802, b"\x80\0")),
    "radiotap": (127, radiotap(0, wlan(llc(SEGMENT)))),
    "radiotap, check sequence and padding": (127, radiotap(0x30, wlan(llc(SEGMENT), 0x8802, bytes(4)) + bytes(4))),
    "Prism": (119, struct.pack("<II", 0x44, 144) + bytes(136) + wlan(llc(SEGMENT))),
    "AVS": (163, struct.pack(">II", 0x80211001, 64) + bytes(56) + wlan(llc(SEGMENT))),
    "per-packet information": (192, struct.pack("<BBHI", 0, 0, 12, 105) + bytes(4) + wlan(llc(SEGMENT))),
    "IPv4 options": (1, ethernet(ipv4(tcp(b"inner"), options=b"\x9a\x08\x84\x68\xc0\0\2\x09"))),
    "hop-by-hop": (1, ethernet(ipv6(b"\6\0\1\4\0\0\0\0" + tcp(b"inner"), 0), 0x86DD)),
    "routing": (1, ethernet(ipv6(b"\6\2" + bytes(22) + tcp(b"inner"), 43), 0x86DD)),
    "destination options": (1, ethernet(ipv6(b"\6\0\1\4\0\0\0\0" + tcp(b"inner"), 60), 0x86DD)),
    "atomic fragment": (1, ethernet(ipv6(b"\6\0\0\0\0\0\0\1" + tcp(b"inner"), 44), 0x86DD)),
    "authentication header": (1, ethernet(ipv4(b"\6\4\0\0" + bytes(20) + tcp(b"inner"), 51))),
    "jumbogram": (1, ethernet(ipv6(b"\6\0\xc2\4\0\0\0\x21" + tcp(b"inner"), 0, length=0), 0x86DD)),
    "IP in IP": (1, ethernet(ipv4(SEGMENT, 4))),
    "6in4": (1, ethernet(ipv4(SEGMENT6, 41))),
    "4in6": (1, ethernet(ipv6(SEGMENT, 4), 0x86DD)),
    "EtherIP": (1, ethernet(ipv4(b"\x30\0" + FRAME, 97))),
    "GRE": (1, over_gre("00000800", SEGMENT)),
    "GRE with everything": (1, over_gre("b0000800 00000000 00000001 00000002", SEGMENT)),
    "GRE routing": (1, over_gre("40000800 00000000 08000004 0a000001 00000000", SEGMENT)),
    "GRE bridging": (1, over_gre("20006558 00000001", FRAME)),
    "GRE, PPTP": (1, over_gre("3081880b 00320001 00000001 00000001", b"\xff\3\0\x21" + SEGMENT)),
    "GRE, MPLS": (1, over_gre("00008847", b"\0\2\1\x40" + SEGMENT)),
    "GRE, MikroTik": (1, over_gre("20016400 00400001", FRAME)),
    "GRE, WCCP": (1, over_gre("0000883e", b"\0\1\2\3" + SEGMENT)),
    "GRE, Aruba": (1, over_gre("00008240", wlan(llc(SEGMENT)))),
    "ERSPAN I": (1, over_gre("000088be", FRAME)),
    "ERSPAN II": (1, over_gre("100088be 00000001", b"\x10\1" + bytes(6) + FRAME)),
    "ERSPAN III": (1, over_gre("100022eb 00000001", b"\x20\1" + bytes(10) + FRAME)),
    "ERSPAN III with platform": (1, over_gre("100022eb 00000001", b"\x20\1" + bytes(9) + b"\1" + bytes(8) + FRAME)),
    "VXLAN": (1, over_udp(4789, b"\x08\0\0\0\0\0\1\0" + FRAME)),
    "VXLAN, Linux port": (1, over_udp(8472, b"\x08\0\0\0\0\0\1\0" + FRAME)),
    "VXLAN-GPE": (1, over_udp(4790, b"\x0c\0\0\1\0\0\1\0" + SEGMENT)),
    "VXLAN-GPE, NSH": (1, over_udp(4790, b"\x0c\0\0\4\0\0\1\0" + b"\0\6\1\3" + bytes(20) + FRAME)),
    "Geneve": (1, over_udp(6081, b"\1\0\x65\x58\0\0\1\0" + b"abcd" + FRAME)),
    "Geneve, IPv4": (1, over_udp(6081, b"\0\0\x08\0\0\0\1\0" + SEGMENT)),
    "GTP-U": (1, over_udp(2152, b"\x30\xff" + struct.pack(">HI", len(SEGMENT), 1) + SEGMENT)),
    "GTP-U with extension": (
        1,
        over_udp(2152, b"\x34\xff" + struct.pack(">HI", len(SEGMENT6) + 8, 1) + b"\0\0\0\x85\1\0\0\0" + SEGMENT6),
    ),
    "L2TP": (1, over_udp(1701, b"\x40\2" + struct.pack(">HHH", 99, 1, 1) + b"\xff\3\0\x21" + SEGMENT)),
    "L2TP with offset": (1, over_udp(1701, b"\x02\2\0\1\0\1\0\4abcd" + b"\0\x21" + SEGMENT)),
    "L2TPv3": (1, ethernet(ipv4(b"\0\0\0\1abcd" + FRAME, 115))),
    "L2TPv3 over UDP": (1, over_udp(1701, b"\0\3\0\0\0\0\0\1" + FRAME)),
    "Teredo": (1, over_udp(3544, SEGMENT6)),
    "Teredo with indications": (1, over_udp(3544, b"\0\1\0\0" + bytes(9) + b"\0\0\1\2\3\4\5\6" + SEGMENT6)),
    "AYIYA": (1, over_udp(5072, b"\x44\x51\x11\x29" + bytes(4 + 16 + 20) + SEGMENT6)),
    "MPLS over UDP": (1, over_udp(6635, b"\0\2\1\x40" + SEGMENT)),
    "GRE over UDP": (1, over_udp(4754, b"\0\0\x08\0" + SEGMENT)),
    "TZSP": (1, over_udp(37008, b"\1\0\0\1\0\x0a\1\5\1" + FRAME)),
    "CAPWAP": (1, over_udp(5247, b"\0\x10\0\0\0\0\0\0" + FRAME)),
    "CAPWAP, 802.11": (1, over_udp(5247, b"\0\x10\3\0\0\0\0\0" + b"\2\x08" + wlan(llc(SEGMENT))[2:])),
    "nested": (1, over_udp(4789, bytes(8) + over_gre("00000800", ipv4(ipv4(SEGMENT, 4), 4)))),
}


@pytest.mark.parametrize("stack", STACKS)
def test_stack(stack: str):
    link_type, frame = STACKS[stack]
    row = Decoded([frame], link_type)
    assert row.summary.other_frames == {}
    assert (row.sport, row.dport, row.seq, row.len, row.quoted) == (1000, 80, 7, 5, 0)
    assert row.ends in [("10.0.0.1:1000", "10.0.0.2:80"), ("[2001:db8::1]:1000", "[2001:db8::2]:80")]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("rest", [b"", b"\xff" * 40], ids=["nothing", "ones"])
def test_every_cut_ends_in_a_count(stack: str, rest: bytes):
    """No cut raises, nor does a row appear without the ports."""
    link_type, frame = STACKS[stack]
    for there in range(len(frame)):
        cut = Decoded([frame[:there] + rest[: len(frame) - there]], link_type, original=len(frame))
        assert cut.rows + sum(cut.summary.other_frames.values()) >= 1


@pytest.mark.parametrize(("packet_type", "direction"), [(0, 0), (1, 0), (3, 0), (4, 1), (7, -1)])
def test_cooked_headers_tell_direction_and_interface(packet_type: int, direction: int):
    one = Decoded([struct.pack(">HHHQH", packet_type, 1, 6, 0, 0x0800) + SEGMENT], 113)
    two = Decoded([struct.pack(">HHIHBBQ", 0x0800, 0, 42, 1, packet_type, 6, 0) + SEGMENT], 276)
    assert (one.direction, one.if_index) == (direction, -1)
    assert (two.direction, two.if_index) == (direction, 42)


NAMES = {
    "UDP": (1, UDP_FRAME),
    "ICMP": (1, ethernet(ipv4(b"\x08\0" + bytes(30), 1))),
    "ICMPv6": (1, ethernet(ipv6(b"\x87\0" + bytes(22), 58), 0x86DD)),
    "SCTP": (1, ethernet(ipv4(bytes(12), 132))),
    "ESP": (1, ethernet(ipv4(bytes(12), 50))),
    "ARP": (1, ethernet(bytes(28), 0x0806)),
    "LLDP": (1, ethernet(bytes(28), 0x88CC)),
    "STP": (1, ethernet(b"\x42\x42\3" + bytes(35), 38)),
    "CDP": (1, ethernet(b"\xaa\xaa\3\0\0\x0c\x20\0" + bytes(20), 28)),
    "PPP LCP": (9, b"\xff\3\xc0\x21" + bytes(8)),
    "later fragment": (1, ethernet(ipv6(b"\6\0\0\x09\0\0\0\1" + bytes(20), 44), 0x86DD)),
    "tunnel control": (1, over_udp(1701, b"\xc8\2" + bytes(18))),
    "unknown payload of a tunnel": (1, ethernet(b"\0\2\1\x40" + b"\x91" + bytes(60), 0x8847)),
    "802.11 encrypted": (105, wlan(bytes(60), 0x0842)),
    "802.11 without data": (105, wlan(bytes(60), 0x8000)),
    "IP protocol 253 (unknown)": (1, ethernet(ipv4(bytes(12), 253))),
    "ethertype 0x9999 (unknown)": (1, ethernet(bytes(28), 0x9999)),
    "LLC SAP 0x12 (unknown)": (1, ethernet(b"\x12\x12\3" + bytes(35), 38)),
    "PPP protocol 0x0099 (unknown)": (9, b"\xff\3\0\x99" + bytes(8)),
    "address family 77 (unknown)": (0, b"\x4d\0\0\0" + bytes(20)),
    "cooked protocol 0x0005 (unknown)": (113, struct.pack(">HHHQH", 0, 1, 6, 0, 5) + bytes(30)),
    "NLPID 0x55 (unknown)": (107, b"\x18\x41\3\x55" + bytes(20)),
    "link type 189 (USB_LINUX)": (189, bytes(64)),
    "link type 9999 (unknown)": (9999, bytes(64)),
    "cut short": (1, b"\1\2\3"),
    "malformed": (101, b"\x95" + bytes(40)),
}


@pytest.mark.parametrize("name", NAMES)
def test_other_frames_are_counted_by_name(name: str):
    link_type, frame = NAMES[name]
    assert Decoded([frame], link_type).summary.other_frames == {name: 1}


VIA, FINAL = bytes.fromhex("20010db80000000000000000000000f1"), bytes.fromhex("20010db80000000000000000000000f2")
VIA4, FINAL4 = b"\x0a\0\0\xf1", b"\x0a\0\0\xf2"


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize(
    ("header", "is_final"),
    [
        (b"\6\4\0\1" + bytes(4) + VIA + FINAL, True),
        (b"\6\4\0\0" + bytes(4) + VIA + FINAL, False),
        (b"\6\2\2\1" + bytes(4) + FINAL, True),
        (b"\6\2\3\1" + bytes(4) + FINAL, True),
        (b"\6\5\3\1\0\x80\0\0" + VIA + FINAL + bytes(8), True),
        (b"\6\4\3\1\x88\x80\0\0" + VIA + VIA, False),
        (b"\6\4\4\1\1\0\0\0" + FINAL + VIA, True),
        (b"\6\2\1\1" + bytes(4) + FINAL, False),
        (b"\6\0\0\1" + bytes(4), False),
        (b"\6\0\4\1" + bytes(4), False),
        (b"\6\1\4\1" + bytes(4) + FINAL[:8], False),
        (b"\6\4\2\1" + bytes(4) + FINAL + VIA, True),
        (b"\6\5\0\1" + bytes(4) + VIA + FINAL + bytes(8), True),
        (b"\x83\x0b\4" + VIA4 + FINAL4 + b"\0", True),
        (b"\1\x89\7\4" + FINAL4, True),
        (b"\x89\x0b\x0c" + VIA4 + FINAL4 + b"\0", False),
        (b"\x89\x0b\5" + VIA4 + FINAL4 + b"\0", False),
        (b"\7\x0b\4" + VIA4 + FINAL4 + b"\0", False),
        (b"\0\x83\7\4" + FINAL4[:3] + b"\0", False),
        (b"\x83\x2b\4" + FINAL4 + b"\0", False),
        (b"\x83\x06\4" + FINAL4 + b"\0", False),
        (b"\x83\0\4" + FINAL4 + b"\0", False),
    ],
)
def test_a_source_route_tells_in_the_end_whom_a_packet_is_for(header: bytes, is_final: bool, compiled: bool) -> None:
    if header[0] == 6:
        found = Decoded([ethernet(ipv6(header + tcp(b"inner"), 43), 0x86DD)], compiled=compiled)
        final, named = "2001:db8::f2", DST6
    else:
        found = Decoded([ethernet(ipv4(tcp(b"inner"), options=header))], compiled=compiled)
        final, named = "10.0.0.242", DST
    assert found.book.text(found.dst) == (final if is_final else named)


@pytest.mark.parametrize(
    ("layer", "core"),
    [
        (b"\0\5\x81\0", ethernet(b"", 0x8100)),
        (ipv4(b"", 4, length=0), ethernet(b"")),
        (bytes.fromhex("00000800") + ipv4(b"", 47, length=0), ethernet(ipv4(b"", 47, length=0))),
        (b"\x3c\0\1\4\0\0\0\0", ethernet(ipv6(b"", 60, length=60000), 0x86DD)),
    ],
    ids=["VLAN", "IP in IP", "GRE", "options"],
)
def test_nesting_without_end_ends(layer: bytes, core: bytes):
    decoded = Decoded([core + layer * 2000])
    assert decoded.summary.other_frames == {"nested too deep": 1}
