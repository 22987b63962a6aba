"""What tcpdump prints of ICMP errors, ARP and DNS."""

import pytest

from tcptrace.capture.context import Context
from tcptrace.capture.tcpdump_context import arp_reply, icmp_error
from tests.tcpdump_reading import read

SYN = "10:00:00.000000 IP 10.0.0.1.40000 > 10.0.1.2.443: Flags [S], seq 5, win 64240, length 0\n"
V4, V6 = "10.0.0.254 > 10.0.0.1: ICMP ", "fd00::fe > fd00::1: ICMP6, "


def context(text: str) -> Context:
    return read(text).summary.context


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{V4}host 10.0.1.2 unreachable, length 68", (4, 3, 1, -1, "", "10.0.1.2", "")),
        (f"{V4}net 10.0.1.2 unreachable - unknown, length 68", (4, 3, 6, -1, "", "10.0.1.2", "")),
        (f"{V4}host 10.0.1.2 unreachable - admin prohibited filter, length 68", (4, 3, 13, -1, "", "10.0.1.2", "")),
        (f"{V4}host 10.0.1.2 unreachable - admin prohibited, length 68", (4, 3, 10, -1, "", "10.0.1.2", "")),
        (f"{V4}10.0.1.2 tcp port 443 unreachable, length 68", (4, 3, 3, -1, "", "10.0.1.2", "443")),
        (f"{V4}10.0.1.2 unreachable - need to frag (mtu 1300), length 556", (4, 3, 4, 1300, "", "10.0.1.2", "")),
        (f"{V6}destination unreachable,  unreachable prohibited fd01::2, length 88", (6, 1, 1, -1, "", "fd01::2", "")),
        (f"{V6}destination unreachable, unreachable route fd01::2, length 88", (6, 1, 0, -1, "", "fd01::2", "")),
        (
            f"{V6}destination unreachable, unreachable port, fd01::2 tcp port 80, length 88",
            (6, 1, 4, -1, "", "fd01::2", "80"),
        ),
        (
            f"{V4}time exceeded in-transit, length 36 IP (tos 0x0, ttl 1) 10.0.0.1.4 > 10.0.1.2.80: Flags [S], seq 1",
            (4, 11, 0, -1, "4", "10.0.1.2", "80"),
        ),
        (
            f"{V6}packet too big, mtu 1280, length 60 (hlim 1) fd00::1.4 > fd01::2.80: Flags [.], ack 1",
            (6, 2, 0, 1280, "4", "fd01::2", "80"),
        ),
    ],
)
def test_an_error_in_words(line: str, told: tuple[object, ...]) -> None:
    error = icmp_error(f"IP {line}")
    assert error is not None
    src, reporter = ("fd00::1", "fd00::fe") if error.version == 6 else ("10.0.0.1", "10.0.0.254")
    assert error[4:6] == (reporter, src)
    assert (*error[:4], *error[6:]) == told


@pytest.mark.parametrize(
    "line",
    [
        f"{V4}echo request, id 1, seq 1, length 64",
        f"{V4}10.0.1.2 udp port 53 unreachable, length 36",
        f"{V4}10.0.1.2 protocol 47 unreachable, length 36",
        f"{V4}time exceeded in-transit, length 36",
        f"{V6}packet too big, mtu 1280, length 60",
        f"{V6}destination unreachable, unreachable port, fd01::2 udp port 80, length 88",
        f"{V6}neighbor solicitation, who has fd00::1, length 32",
        f"{V4}host 10.0.1.2 unreachable - in words of its own, length 68",
    ],
)
def test_what_is_no_error_about_tcp_or_names_no_flow(line: str) -> None:
    assert icmp_error(f"IP {line}") is None


def test_an_error_has_its_frame_and_time() -> None:
    (error,) = context(f"{SYN}10:00:00.001000 IP {V4}host 10.0.1.2 unreachable, length 68\n").icmp
    assert (error.frame, error.time_ns, error.sport, error.dport) == (2, 36_000_001_000_000, -1, -1)


def test_with_v_the_quoted_header_gives_the_ports() -> None:
    verbose = f"""\
10:00:00.001 IP (tos 0xc0, ttl 64, id 1, offset 0, flags [none], proto ICMP (1), length 88)
    {V4}host 10.0.1.2 unreachable, length 68
\tIP (tos 0x0, ttl 63, id 2, offset 0, flags [DF], proto TCP (6), length 60)
    10.0.0.1.40000 > 10.0.1.2.443: Flags [S], seq 5, win 64240, length 0
{SYN}"""
    found = context(verbose)
    assert [(error.sport, error.dport) for error in found.icmp] == [(40000, 443)]


def test_an_arp_reply() -> None:
    line = "10:00:00.5 ARP, Reply 10.0.0.5 is-at 02:00:00:00:00:01, length 28\n"
    (claim,) = context(SYN + line).arp
    assert (claim.frame, claim.address, claim.mac) == (2, "10.0.0.5", "02:00:00:00:00:01")
    assert arp_reply("arp reply 10.0.0.5 is-at 02:00:00:00:00:01") == ("10.0.0.5", "02:00:00:00:00:01")
    assert arp_reply("ARP, Request who-has 10.0.0.5 tell 10.0.0.1, length 28") is None


def test_an_answer_names_the_addresses_of_what_was_asked() -> None:
    text = """\
08:41:29.1 IP 10.0.0.1.13671 > 10.0.0.53.53: 14422+ A? shop.example. (31)
08:41:29.2 IP 10.0.0.1.13671 > 10.0.0.53.53: 14423+ AAAA? Shop.Example. (31)
08:41:29.3 IP 10.0.0.53.53 > 10.0.0.1.13671: 14422 2/0/1 CNAME lb.example., A 10.0.0.2 (63)
08:41:29.4 IP 10.0.0.53.53 > 10.0.0.1.13671: 14423* 1/0/0 AAAA 2001:db8::2 (63)
08:41:29.5 IP 10.0.0.53.53 > 10.0.0.1.9: 14422 1/0/0 A 10.0.0.3 (63)
08:41:29.6 IP 10.0.0.1.13671 > 10.0.0.53.53: 7+ PTR? 2.0.0.10.in-addr.arpa. (31)
"""
    assert context(text).names == {"10.0.0.2": "shop.example", "2001:db8::2": "shop.example"}


def test_with_v_the_answer_repeats_the_question() -> None:
    text = (
        "08:41:29.3 IP 10.0.0.53.53 > 10.0.0.1.1: [udp sum ok] 5 q: A? shop.example. 1/1/1 shop.example. [5m] A"
        " 10.0.0.2 ns: example. NS ns.example. ar: ns.example. A 10.0.0.9 (63)\n"
    )
    assert context(text).names == {"10.0.0.2": "shop.example"}
