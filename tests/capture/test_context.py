"""What frames without TCP say: ICMP errors, ARP, names."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.capture import context, dns
from tcptrace.capture.context import AddressClaim
from tests.frames import DST, SRC, SRC6, Decoded, ethernet, ipv4, ipv6, tcp, udp

SEGMENT = ipv4(tcp(seq=7, flags=2))
OTHER_MAC = "020000000001"


def icmp(kind: int, code: int, rest: bytes = bytes(4), quoted: bytes = SEGMENT) -> bytes:
    return ethernet(ipv4(struct.pack(">BBH", kind, code, 0) + rest + quoted, 1))


def icmp6(kind: int, code: int, rest: bytes = bytes(4)) -> bytes:
    return ethernet(ipv6(struct.pack(">BBH", kind, code, 0) + rest + ipv6(tcp(seq=7)), 58), 0x86DD)


def arp(operation: int, owner: str = "0a000005", asked: str = "0a000001", head: str = "0001080006 04") -> bytes:
    return ethernet(bytes.fromhex(f"{head}{operation:04x}{OTHER_MAC}{owner}{'0' * 12}{asked}"), 0x0806)


def name(*labels: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


A, CNAME, AAAA = 1, 5, 28
ASKED = b"\xc0\x0c"
"""A pointer to the question's name."""


def answer(
    *records: bytes, question: bytes = name("Shop", "Example"), flags: int = 0x8180, questions: int = 1
) -> bytes:
    head = struct.pack(">HHHHHH", 1, flags, questions, len(records), 0, 0)
    return head + question + struct.pack(">HH", A, 1) + b"".join(records)


def from_dns(message: bytes, port: int = 53) -> bytes:
    return ethernet(ipv4(struct.pack(">HHHH", port, 50000, 8 + len(message), 0) + message, 17))


class TestIcmpErrors:
    def test_an_error_says_who_reported_what_about_which_segment(self) -> None:
        decoded = Decoded([icmp(3, 13)])
        (error,) = decoded.summary.context.icmp
        assert (error.frame, error.time_ns, error.version, error.type, error.code) == (1, 0, 4, 3, 13)
        assert (error.reporter, error.mtu, error.flags, error.seq) == (SRC, -1, 2, 7)
        assert [decoded.book.endpoint(error.src, error.sport), decoded.book.endpoint(error.dst, error.dport)] == [
            f"{SRC}:1000",
            f"{DST}:80",
        ]
        assert error.is_unreachable
        assert not error.is_too_big
        assert not error.is_expired

    def test_too_big_says_the_mtu_of_the_next_hop(self) -> None:
        errors = Decoded([icmp(3, 4, struct.pack(">HH", 0, 1300)), icmp6(2, 0, struct.pack(">I", 1280))]).summary
        four, six = errors.context.icmp
        assert (four.mtu, four.is_too_big, four.is_unreachable) == (1300, True, False)
        assert (six.mtu, six.is_too_big, six.version, six.reporter) == (1280, True, 6, SRC6)

    @pytest.mark.parametrize(("frame", "six"), [(icmp(11, 0), False), (icmp6(3, 0), True)])
    def test_an_expired_ttl(self, frame: bytes, six: bool) -> None:
        (error,) = Decoded([frame]).summary.context.icmp
        assert error.is_expired
        assert not error.is_unreachable
        assert (error.version == 6) is six

    def test_eight_bytes_of_the_segment_are_enough(self) -> None:
        (error,) = Decoded([icmp(3, 1, quoted=ipv4(tcp()[:8], length=40))]).summary.context.icmp
        assert (error.sport, error.dport, error.seq, error.flags) == (1000, 80, 7, -1)

    def test_of_a_tunnel_the_outermost_reporter_counts(self) -> None:
        inner = ipv4(ipv4(tcp()), 4)
        (error,) = Decoded([icmp(3, 0, quoted=inner)]).summary.context.icmp
        assert (error.type, error.code, error.dport) == (3, 0, 80)

    @pytest.mark.parametrize("frame", [icmp(8, 0), icmp(3, 3, quoted=ipv4(udp(53, b""), 17)), icmp(3, 1, quoted=b"")])
    def test_what_quotes_no_tcp_is_left_out(self, frame: bytes) -> None:
        assert Decoded([frame]).summary.context.icmp == []

    def test_the_first_thousands_are_read_and_the_rest_is_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(context, "READ_MAX", 3)
        summary = Decoded([icmp(3, 1)] * 5).summary
        assert [error.frame for error in summary.context.icmp] == [1, 2, 3]
        assert summary.context.unread(context.ICMP_ERRORS) == 2
        summary.note_unread()
        assert len(summary.problems) == 1
        assert "2 ICMP errors" in summary.problems[0]

    def test_frames_are_counted_as_before(self) -> None:
        summary = Decoded([icmp(3, 1), arp(2), from_dns(answer()), icmp6(1, 1)]).summary
        assert summary.other_frames == {"ICMP": 1, "ARP": 1, "UDP": 1, "ICMPv6": 1}


class TestArp:
    def test_an_answer_says_whose_an_address_is(self) -> None:
        (claim,) = Decoded([arp(2)]).summary.context.arp
        assert claim == AddressClaim(1, 0, 0, "10.0.0.5", "02:00:00:00:00:01", is_answer=True)

    @pytest.mark.parametrize("operation", [1, 2])
    def test_an_announcement_was_not_asked_for(self, operation: int) -> None:
        (claim,) = Decoded([arp(operation, asked="0a000005")]).summary.context.arp
        assert claim.address == "10.0.0.5"
        assert not claim.is_answer

    def test_behind_a_vlan_tag_and_in_a_cooked_capture(self) -> None:
        message = arp(2)[14:]
        tagged = ethernet(b"\0\5\x08\x06" + message, 0x8100)
        cooked = struct.pack(">HHHQH", 0, 1, 6, 0, 0x0806) + message
        assert len(Decoded([tagged]).summary.context.arp) == 1
        assert len(Decoded([cooked], link_type=113).summary.context.arp) == 1

    @pytest.mark.parametrize(
        "frame", [arp(1), arp(3), arp(2)[:40], arp(2, head="00060800 0604"), ethernet(b"", 0x0806)]
    )
    def test_questions_and_what_is_cut_or_of_other_networks_say_nothing(self, frame: bytes) -> None:
        assert Decoded([frame]).summary.context.arp == []


class TestNames:
    def test_an_address_has_the_name_that_was_asked_for(self) -> None:
        message = answer(record(ASKED, A, b"\x0a\0\0\2"), record(ASKED, AAAA, bytes(15) + b"\1"))
        assert Decoded([from_dns(message)]).summary.context.names == {"10.0.0.2": "shop.example", "::1": "shop.example"}

    def test_aliases_are_followed_to_the_name_that_was_asked_for(self) -> None:
        message = answer(
            record(ASKED, CNAME, name("lb", "example")),
            record(name("LB", "example"), CNAME, name("cdn", "net")),
            record(name("cdn", "net"), A, b"\x0a\0\0\2"),
            record(name("else", "net"), A, b"\x0a\0\0\3"),
        )
        assert list(dns.addresses(message)) == [("10.0.0.2", "shop.example")]

    def test_of_several_names_the_first_stays(self) -> None:
        second = answer(record(ASKED, A, b"\x0a\0\0\2"), question=name("other"))
        frames = [from_dns(answer(record(ASKED, A, b"\x0a\0\0\2"))), from_dns(second)]
        assert Decoded(frames).summary.context.names == {"10.0.0.2": "shop.example"}

    @pytest.mark.parametrize(
        "message",
        [
            answer(record(ASKED, A, b"\x0a\0\0\2"), flags=0x0100),
            answer(record(ASKED, A, b"\x0a\0\0\2"), questions=0),
            answer(record(ASKED, A, b"\x0a\0\0")),
            answer(record(ASKED, A, b"\x0a\0\0\2"))[:-1],
            answer(record(ASKED, 16, b"text")),
            answer(record(b"\xc0\x1d", A, b"\x0a\0\0\2"), question=b"\xc0\x0c"),
            b"",
        ],
    )
    def test_questions_and_what_makes_no_sense_say_nothing(self, message: bytes) -> None:
        assert list(dns.addresses(message)) == []

    def test_a_name_that_points_at_itself_ends(self) -> None:
        assert list(dns.addresses(answer(record(b"\xc0\x1e", A, bytes(4)), record(b"\xc0\x1e", A, bytes(4))))) == []

    def test_unusual_bytes_are_escaped(self) -> None:
        message = answer(record(ASKED, A, b"\x0a\0\0\2"), question=name("a.b\x1b[", "x"))
        assert list(dns.addresses(message)) == [("10.0.0.2", r"a\046b\027\091.x")]

    def test_another_port_is_no_dns(self) -> None:
        assert Decoded([from_dns(answer(record(ASKED, A, b"\x0a\0\0\2")), port=54)]).summary.context.names == {}

    def test_no_more_names_are_kept_than_there_is_room_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(context, "NAMES_MAX", 2)
        records = [record(ASKED, A, bytes([10, 0, 0, host])) for host in range(5)]
        assert len(Decoded([from_dns(answer(*records))]).summary.context.names) == 2

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, noise: bytes) -> None:
        for message in (noise, answer(noise), answer(question=noise), answer(record(noise, A, b""))):
            assert all(isinstance(found, tuple) for found in dns.addresses(message))


@given(st.binary(max_size=60), st.sampled_from([(1, 0x0800), (58, 0x86DD), (17, 0x0800), (0, 0x0806)]))
def test_no_frame_raises(noise: bytes, kind: tuple[int, int]) -> None:
    protocol, ethertype = kind
    payload = {0x0800: ipv4(noise, protocol), 0x86DD: ipv6(noise, protocol), 0x0806: noise}[ethertype]
    Decoded([ethernet(payload, ethertype), icmp(3, 1, quoted=noise), icmp6(1, 0)[: 40 + len(noise)], from_dns(noise)])


def test_compiled_kernels_tell_the_same() -> None:
    frames = [icmp(3, 13), icmp6(2, 0, struct.pack(">I", 1280)), arp(2), from_dns(answer(record(ASKED, A, bytes(4))))]
    plain, compiled = (Decoded(frames, compiled=way).summary.context for way in (False, True))
    assert plain == compiled
    assert len(plain.icmp) == 2
    assert plain.names == {"0.0.0.0": "shop.example"}


def test_segments_that_were_cut_are_counted_and_the_first_named() -> None:
    whole, cut = ethernet(ipv4(tcp(b"x" * 40))), ethernet(ipv4(tcp(b"x" * 100), length=140))[:70]
    summary = Decoded([whole, *[cut] * 7], original=154).summary
    assert (summary.cut_frames, summary.cut_examples, summary.cut_to_bytes) == (7, [2, 3, 4, 5, 6], 70)
