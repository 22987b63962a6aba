"""TCP options in tcpdump's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.capture.tcpdump_options import KINDS, Options, read_options


def kinds(*numbers: int) -> int:
    """Option kinds as one number, first lowest."""
    return int.from_bytes(bytes(numbers).ljust(8, b"\0"), "little", signed=True)


SYN = Options(mss=1460, window_scale=7, sack_permitted=1, tsval=1, tsecr=0, kinds=kinds(2, 4, 8, 3))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7", SYN),
        ("mss 1460,sackOK,timestamp 1 0,nop,wscale 7", SYN),
        ("nop,nop,TS val 4294967295 ecr 7", Options(tsval=0xFFFFFFFF, tsecr=7, kinds=kinds(8))),
        ("nop,nop,sack 2 {1:5}{9:12}", Options(kinds=kinds(5), blocks=((1, 5), (9, 12)))),
        ("nop,nop,sack sack 1 {1:5} ", Options(kinds=kinds(5), blocks=((1, 5),))),
        ("mss 536,eol", Options(mss=536, kinds=kinds(2))),
        ("exp-8468,mss 1460", Options(mss=1460, toa_port=33896, kinds=kinds(254, 2))),
        ("exp-0050", Options(toa_port=80, kinds=kinds(254))),
        ("exp-tfo cookie 0102030405060708", Options(kinds=kinds(254))),
        ("exp-e2d4", Options(kinds=kinds(254))),
        ("exp--1echo", Options(kinds=kinds(254))),
        ("tfo  cookiereq,nop,nop", Options(kinds=kinds(34))),
        ("unknown-69 0x0102", Options(kinds=kinds(69))),
        ("opt-30:0102", Options(kinds=kinds(30))),
        ("md5 can't check - 00112233445566778899aabbccddeeff", Options(kinds=kinds(19))),
        ("md5:valid", Options(kinds=kinds(19))),
        ("mptcp 12 capable[unknown] v1 {0xa,0xb},nop,nop", Options(kinds=kinds(30))),
        (
            "nop,nop,TS val 1 ecr 2,mptcp 20 dss ack 3 seq 4 subseq 1 len 2",
            Options(tsval=1, tsecr=2, kinds=kinds(8, 30)),
        ),
        ("mss 1460[len 5],sackOK[len 3]", Options(mss=1460, sack_permitted=1, kinds=kinds(2, 4))),
        ("mss 1460,sackOK[|tcp]", Options(mss=1460, sack_permitted=1, kinds=kinds(2, 4), cut=1)),
        ("mss 1460,[bad opt]", Options(mss=1460, kinds=kinds(2), cut=1)),
        ("nop,nop,sack invalid sack", Options(kinds=kinds(5), cut=1)),
        ("mss 99999,wscale 300", Options(kinds=kinds(2, 3))),
        (",".join(["mss 1"] * 9), Options(mss=1, kinds=kinds(*[2] * 8))),
        ("", Options()),
    ],
)
def test_options(text: str, options: Options) -> None:
    assert read_options(text) == options


WORDS = st.sampled_from([*KINDS, "exp-", "unknown-", "opt-", "val", "ecr", "{1:2}", "-1", "9" * 30, ",", " ", "[", "٣"])


@given(st.lists(WORDS, max_size=15).map("".join))
def test_any_options_fit_their_columns(text: str) -> None:
    options = read_options(text)
    assert -1 <= options.mss <= 0xFFFF
    assert -1 <= options.window_scale <= 0xFF
    assert -1 <= options.toa_port <= 0xFFFF
    assert -(2**63) <= options.kinds < 2**63
    assert max(options.tsval, options.tsecr) < 2**32
