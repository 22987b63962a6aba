"""What a frame says about its segment: lengths, what is empty, options."""

import struct

import pytest

from tcptrace.capture.address_book import FIRST_ROOM
from tcptrace.capture.addresses import WIDTH
from tcptrace.capture.decode import ADDRESSES_MAX
from tests.frames import DST, SRC, Decoded, ethernet, ipv4, ipv6, tcp, udp


def test_a_plain_segment():
    row = Decoded([ethernet(ipv4(tcp(b"hello")))])
    assert row.ends == ("10.0.0.1:1000", "10.0.0.2:80")
    assert (row.frame, row.seq, row.ack, row.flags, row.window, row.len) == (1, 7, 9, 0x18, 500, 5)
    assert (row.ttl, row.ip_id, row.if_index, row.direction, row.quoted) == (63, 0x1234, -1, -1, 0)
    assert (row.mss, row.tsval, row.option_kinds, row.options_cut, row.toa_src) == (-1, -1, 0, 0, -1)
    assert row.summary.tcp_frames == 1
    assert row.summary.other_frames == {}


def test_rows_carry_frame_number_time_and_nothing_of_other_frames():
    frames = [ethernet(ipv4(tcp())), ethernet(b"", 0x0806), ethernet(ipv4(udp(53, b"?"), 17)), ethernet(ipv4(tcp()))]
    decoded = Decoded(frames)
    assert decoded.columns["frame"] == [1, 4]
    assert decoded.columns["time_ns"] == [0, 3000]
    assert decoded.columns["src"] == [0, 0]
    assert decoded.summary.other_frames == {"ARP": 1, "UDP": 1}


def test_all_twelve_flags():
    assert Decoded([ethernet(ipv4(tcp(flags=0xFFF)))]).flags == 0xFFF


def test_ethernet_padding_is_no_payload():
    assert Decoded([ethernet(ipv4(tcp(b""))) + bytes(6)]).len == 0


def test_offload_leaves_the_length_to_the_frame():
    assert Decoded([ethernet(ipv4(tcp(b"x" * 900), length=0))]).len == 900
    assert Decoded([ethernet(ipv6(tcp(b"x" * 900), length=0), 0x86DD)]).len == 900


def test_cut_by_snaplen_keeps_the_length_on_the_wire():
    row = Decoded([ethernet(ipv4(tcp(b"x" * 900)))[:60]], original=954)
    assert (row.len, row.seq, row.flags) == (900, 7, 0x18)


def test_length_beyond_the_frame_counts_to_its_end():
    assert Decoded([ethernet(ipv4(tcp(b"xyz"), length=1500))]).len == 3


@pytest.mark.parametrize("original", [0, 1, 57, 100])
def test_what_was_captured_was_there_though_the_original_length_denies_it(original: int):
    row = Decoded([ethernet(ipv4(tcp(b"x" * 100)))], original=original)
    assert (row.len, row.len_cut, row.seq) == (100, 0, 7)
    offloaded = Decoded([ethernet(ipv4(tcp(b"x" * 100), length=0))], original=original)
    assert (offloaded.len, offloaded.len_cut) == (100, 0)
    padded = Decoded([ethernet(ipv4(tcp(b""))) + bytes(6)], original=original)
    assert padded.len == 0


def test_first_fragment_has_a_segment_of_unknown_length():
    row = Decoded([ethernet(ipv4(tcp(b"x" * 100), fragment=0x2000))])
    assert (row.seq, row.flags, row.len) == (7, 0x18, -1)


def test_later_fragments_are_counted():
    later = Decoded([ethernet(ipv4(b"x" * 100, fragment=100))])
    assert later.summary.other_frames == {"later fragment": 1}


@pytest.mark.parametrize("there", range(4, 16))
def test_below_sixteen_bytes_only_the_ports(there: int):
    row = Decoded([ethernet(ipv4(tcp()[:there], length=44))], original=58)
    assert (row.sport, row.dport) == (1000, 80)
    assert (row.seq, row.ack, row.flags, row.window, row.len) == (-1, -1, -1, -1, -1)


@pytest.mark.parametrize("there", range(4))
def test_below_four_bytes_no_row(there: int):
    assert Decoded([ethernet(ipv4(tcp()[:there], length=44))], original=58).summary.other_frames == {"cut short": 1}


def test_data_offset_below_five_hides_flags_and_ack():
    row = Decoded([ethernet(ipv4(tcp(offset=4)))])
    assert (row.seq, row.ack, row.flags, row.len) == (7, -1, -1, 8)


def test_header_longer_than_the_segment_hides_its_length():
    row = Decoded([ethernet(ipv4(tcp(b"abcd", offset=15)))])
    assert (row.len, row.flags, row.options_cut) == (-1, 0x18, 1)


@pytest.mark.parametrize("bad", [ipv4(tcp(), length=10), b"\x44" + ipv4(tcp())[1:], b"\x35" + ipv4(tcp())[1:]])
def test_bad_ip_headers_are_malformed(bad: bytes):
    assert Decoded([ethernet(bad)]).summary.other_frames == {"malformed": 1}


SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a 00000064 00000000 01 030307")


def test_syn_options():
    row = Decoded([ethernet(ipv4(tcp(b"", SYN_OPTIONS, flags=2)))])
    assert (row.mss, row.window_scale, row.sack_permitted, row.tsval, row.tsecr) == (1460, 7, 1, 100, 0)
    assert row.option_kinds.to_bytes(8, "little") == bytes([2, 4, 8, 3, 0, 0, 0, 0])
    assert row.options_cut == 0


def test_usual_timestamps():
    row = Decoded([ethernet(ipv4(tcp(b"x", bytes.fromhex("0101080a 80000000 ffffffff"))))])
    assert (row.tsval, row.tsecr, row.option_kinds, row.len) == (0x80000000, 0xFFFFFFFF, 8, 1)


def test_sack_blocks():
    options = b"\1\1\5\x1a" + struct.pack(">6I", 1, 2, 3, 4, 0xFFFFFFF0, 5)
    decoded = Decoded([ethernet(ipv4(tcp(b"", options)))])
    assert decoded.sack_count == 3
    assert decoded.columns["sack"][:6] == [1, 2, 3, 4, 0xFFFFFFF0, 5]


@pytest.mark.parametrize(("length", "blocks"), [(34, 4), (42, 0), (33, 0), (2, 0), (255, 0)])
def test_no_more_sack_blocks_than_a_row_has_room_for(length: int, blocks: int):
    full = ethernet(ipv4(tcp(b"", bytes([5, length]) + struct.pack(">8I", *range(8)) + b"\1" * 6)))
    decoded = Decoded([full, ethernet(ipv4(tcp()))])
    assert decoded.columns["sack_count"] == [blocks, 0]
    assert decoded.columns["sack"] == [*range(2 * blocks), *[-1] * (16 - 2 * blocks)]


def test_kinds_of_unknown_and_multipath_options_are_kept():
    options = b"\x1e\4\0\0" + b"\xfd\4\xf9\x89" + b"\x45\2" + b"\1\1"
    assert Decoded([ethernet(ipv4(tcp(b"", options)))]).option_kinds == 0x45FD1E


def test_the_eighth_kind_may_be_above_127():
    row = Decoded([ethernet(ipv4(tcp(b"", b"\x50\2" * 7 + b"\xf0\2" + b"\x51\2")))])
    assert row.option_kinds.to_bytes(8, "little", signed=True) == b"\x50" * 7 + b"\xf0"


@pytest.mark.parametrize("broken", [b"\2\0\5\xb4", b"\2\1\5\xb4", b"\2\5\5\xb4", b"\1\1\1\2"])
def test_broken_option_lists(broken: bytes):
    row = Decoded([ethernet(ipv4(tcp(b"", broken)))])
    assert (row.options_cut, row.mss) == (1, -1)


def test_options_cut_by_snaplen():
    row = Decoded([ethernet(ipv4(tcp(b"", SYN_OPTIONS)))[: 14 + 40 + 10]], original=78)
    assert (row.mss, row.sack_permitted, row.tsval, row.options_cut) == (1460, 1, -1, 1)


def test_an_option_of_the_wrong_length_is_not_believed():
    row = Decoded([ethernet(ipv4(tcp(b"", b"\2\3\5" + b"\3\4\7\7" + b"\1")))])
    assert (row.mss, row.window_scale, row.option_kinds, row.options_cut) == (-1, -1, 0x0302, 0)


TOA = b"\xfe\x08" + struct.pack(">H", 33896) + bytes([192, 0, 2, 9])


@pytest.mark.parametrize(
    ("option", "client"),
    [
        (TOA, "192.0.2.9:33896"),
        (b"\xfe\x14\x84\x68" + bytes.fromhex("20010db8000000000000000000000009"), "[2001:db8::9]:33896"),
    ],
)
def test_client_address_behind_a_load_balancer(option: bytes, client: str):
    row = Decoded([ethernet(ipv4(tcp(b"", option)))])
    assert row.book.endpoint(row.toa_src, row.toa_port) == client


@pytest.mark.parametrize(
    ("option", "flags"),
    [
        (b"\xfe\x08\0\0\xc0\0\2\x09", 0x10),
        (b"\xfe\x08\x84\x68\0\0\2\x09", 0x10),
        (b"\xfe\x08\x84\x68\x7f\0\0\1", 0x10),
        (b"\xfe\x08\x84\x68\xe0\0\0\1", 0x10),
        (b"\xfe\x0a\x84\x68\xc0\0\2\x09\0\0", 0x10),
        (b"\xfe\x08\xf9\x89\xc0\0\2\x09", 0x02),
    ],
)
def test_other_uses_of_the_experimental_kind(option: bytes, flags: int):
    row = Decoded([ethernet(ipv4(tcp(b"", option, flags=flags)))])
    assert (row.toa_src, row.toa_port, row.option_kinds & 0xFF) == (-1, -1, 254)


def clients(*last_bytes: int) -> bytes:
    """TOA options of as many clients."""
    return b"".join(TOA[:-1] + bytes([last]) for last in last_bytes)


def test_of_many_clients_the_first_plausible_one_counts():
    loopback = TOA[:4] + b"\x7f\0\0\1"
    decoded = Decoded([ethernet(ipv4(tcp(b"", loopback + clients(9, 8, 7, 6))))])
    assert decoded.book.endpoint(decoded.toa_src, decoded.toa_port) == "192.0.2.9:33896"
    assert len(decoded.book) == ADDRESSES_MAX - 1


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("before", range(FIRST_ROOM - ADDRESSES_MAX - 2, FIRST_ROOM + 1))
def test_a_row_of_many_addresses_stays_within_their_room(before: int, compiled: bool):
    """Whatever is left of it: of five clients one at most is taken, and where four do not fit, room is made."""
    known = [struct.pack(">I", 0x0B000000 + i) for i in range(before - 1)]
    frames = [ethernet(ipv4(tcp()).replace(b"\x0a\0\0\1", address)) for address in known]
    segment = tcp(b"PORT 192,0,2,10,19,136\r\n", clients(9, 8, 7, 6, 5)).replace(
        b"\x03\xe8\0\x50", b"\x03\xe8\0\x15", 1
    )
    worst = ipv4(segment).replace(b"\x0a\0\0\2", b"\x0a\0\0\3")
    decoded = Decoded([*frames, ethernet(worst)], compiled=compiled)
    assert len(decoded.book) == before + ADDRESSES_MAX
    room = len(decoded.book.table.words) // WIDTH
    assert (room == FIRST_ROOM) == (before + ADDRESSES_MAX <= FIRST_ROOM)
    ends = [decoded.book.text(decoded.columns[name][-1]) for name in ("src", "dst", "toa_src")]
    assert ends == [SRC, "10.0.0.3", "192.0.2.9"]
    assert decoded.book.text(decoded.columns["announced"][-1] >> 16) == "192.0.2.10"


@pytest.mark.parametrize("quote", [8, 12, 16, 24])
def test_icmp_errors_quote(quote: int):
    error = b"\3\4\0\0\0\0\5\xdc" + ipv4(tcp(b"x" * 500))[: 20 + quote]
    row = Decoded([ethernet(ipv4(error, 1))])
    assert (row.quoted, row.sport, row.seq) == (1, 1000, 7)
    assert (row.window >= 0) == (quote >= 16)
    assert row.summary.other_frames == {"ICMP": 1}
    assert row.summary.tcp_frames == 0


def test_icmpv6_errors_quote():
    row = Decoded([ethernet(ipv6(b"\2\0\0\0\0\0\5\0" + ipv6(tcp(b"")), 58), 0x86DD)])
    assert (row.quoted, row.window) == (1, 500)
    assert row.summary.other_frames == {"ICMPv6": 1}


def test_what_an_error_quotes_keeps_its_frame_icmp():
    assert Decoded([ethernet(ipv4(b"\3\3" + bytes(6) + ipv4(udp(53, b"?"), 17), 1))]).summary.other_frames == {
        "ICMP": 1
    }


def test_room_for_addresses_grows():
    frames = [ethernet(ipv4(tcp()).replace(b"\x0a\0\0\1", struct.pack(">I", 0x0B000000 + i))) for i in range(3000)]
    decoded = Decoded(frames)
    assert len(set(decoded.columns["src"])) == 3000
    assert decoded.book.text(decoded.columns["src"][2999]) == "11.0.11.183"
    assert decoded.book.text(decoded.columns["dst"][0]) == DST


def test_directions_of_one_pair_share_addresses():
    there = ipv4(tcp())
    back = there[:12] + there[16:20] + there[12:16] + there[20:]
    decoded = Decoded([ethernet(there), ethernet(back), ethernet(there)])
    src, dst = decoded.columns["src"], decoded.columns["dst"]
    assert [decoded.book.text(number) for number in src] == [SRC, DST, SRC]
    assert src == [dst[1], dst[0], dst[1]]


def test_compiled_kernels_say_the_same():
    frames = [ethernet(ipv4(tcp(b"", SYN_OPTIONS))), ethernet(ipv4(tcp(b"", TOA))), ethernet(ipv6(tcp()), 0x86DD)]
    assert Decoded(frames, compiled=True).columns == Decoded(frames).columns


@pytest.mark.parametrize(("kept", "cut"), [(58, 0), (57, 1), (54, 4), (50, 4)])
def test_payload_that_the_capture_did_not_keep(kept: int, cut: int):
    assert Decoded([ethernet(ipv4(tcp(b"data")))[:kept]], original=58).len_cut == cut


def test_urgent_pointer():
    pointed = bytearray(tcp(b"data", flags=0x38))
    pointed[18:20] = 0x0102.to_bytes(2, "big")
    assert Decoded([ethernet(ipv4(bytes(pointed)))]).urgent == 0x0102
    pointed[13] = 0x18
    assert Decoded([ethernet(ipv4(bytes(pointed)))]).urgent == -1
