"""Cases of several segments lost at random at one place, of which it is known: which."""

import re
import socket
import subprocess
from collections import Counter
from pathlib import Path

from case import Case, Route
from directing import FORTH, PAST
from drop import Drop
from fates import LoseAtRandom
from ipvs import CLIENT, VIP, Site
from lab import Lab, close_in_turn, must, pause, read
from programs import output
from uml import under_uml

SMALLEST_MTU = "296"
"""Segments of 244 bytes: many of them in a small file."""

UPLOAD_BYTES, ANSWER_BYTES = 20_000, 6_000
SHARE, SEED = 0.05, 7
LOST_MIN = 3

HEADERS_BYTES, BARE_MAX = 52, 80
"""Of IP, and of TCP with timestamps, which is all that data carry here; with selective acknowledgements at most."""

EVERYONE_LOGS = Path("/proc/sys/net/netfilter/nf_log_all_netns")
LOGGED = re.compile(r"(begun|doomed) .*SRC=(\S+) .*LEN=(\d+) .*SPT=(\d+) .*SEQ=(\d+)")


def _exchange(near: socket.socket, far: socket.socket) -> None:
    """A long request and its answer, then the client closes."""
    near.settimeout(60)
    far.settimeout(60)
    for sender, receiver, length in ((near, far, UPLOAD_BYTES), (far, near, ANSWER_BYTES)):
        sender.sendall(b"." * length)
        read(receiver, length)
    pause(0.3)
    close_in_turn(near, far)


@under_uml
def between_hosts(lab: Lab) -> None:
    """DR: of the segments with data that a client sends, the wire between the director and the realserver loses
    5 in 100 by dice. The client repeats each."""
    site = Site(lab, "dr")
    site.client.ip("link", "set", "eth0", "mtu", SMALLEST_MTU)
    site.record()
    dice = LoseAtRandom(SHARE, SEED)
    site.back.treat("left", dice)
    with site.listen() as listener:
        near, far = site.connect(listener)
    _exchange(near, far)
    must(len(dice.lost) >= LOST_MIN, "too few were lost")
    lab.dropped(*(Drop("client", seq, length, "lvs:eth1", "rs:bond1", n) for (_, seq, length), n in dice.lost.items()))
    must(lab.count(site.client, "TcpRetransSegs")["TcpRetransSegs"] >= dice.lost.total(), "losses were not repaired")


@under_uml
def inside_the_director(lab: Lab) -> None:
    """NAT: the director's packet filter drops 5 in 100 of the segments with data, by chance, requests between its
    eth0 and its eth1, answers the other way. Its log names each."""
    site = Site(lab, "nat")
    site.client.ip("link", "set", "eth0", "mtu", SMALLEST_MTU)
    EVERYONE_LOGS.write_text("1")
    for chain, port in (("INPUT", "--dport"), ("FORWARD", "--sport")):
        _doom(site, chain, port)
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    _exchange(near, far)
    dropped = Counter(_logged())
    lab.dropped(*(Drop(*key, times) for key, times in dropped.items()))
    rules = output(site.director, "iptables-legacy", "-L", "doom", "-nvx").splitlines()
    counted = [" ".join(rule.split()) for rule in rules if "DROP" in rule]
    lab.observe("lvs", "iptables", counted)
    must(counted[0].startswith(f"{dropped.total()} "), "the log does not name what was dropped")
    senders = {sender for sender, *_ in dropped}
    must(senders == {"client", "server"} and len(dropped) >= LOST_MIN, "too few were dropped")


def _doom(site: Site, chain: str, port: str) -> None:
    """Log where each side's numbers begin; log and drop some of its data."""
    if chain == "INPUT":
        for words in ("-N doom", "-A doom -j LOG --log-prefix doomed  --log-tcp-sequence", "-A doom -j DROP"):
            site.director.run("iptables-legacy", *_words(words))
    its = f"-A {chain} -p tcp {port} {VIP[1]}"
    data = f"-m length --length {BARE_MAX + 1}: -m statistic --mode random --probability {SHARE} -j doom"
    begun = "--tcp-flags SYN SYN -j LOG --log-prefix begun  --log-tcp-sequence"
    for words in (f"{its} {begun}", f"{its} --tcp-flags SYN NONE {data}"):
        site.director.run("iptables-legacy", *_words(words))


def _words(text: str) -> list[str]:
    """Arguments; a prefix for the log ends in a blank."""
    return [word if word not in ("begun", "doomed") else f"{word} " for word in text.split()]


def _logged() -> list[tuple[str, int, int, str, str]]:
    """What the kernel's log says was dropped."""
    isn: dict[str, int] = {}
    dropped = []
    for kind, address, length, port, number in LOGGED.findall(subprocess.check_output(["dmesg"], text=True)):
        sender = "client" if int(port) == CLIENT[1] else "server"
        if kind == "begun":
            isn[sender] = int(number)
            continue
        ends = ("lvs:eth0", "lvs:eth1") if address == CLIENT[0] else ("lvs:eth1", "lvs:eth0")
        dropped.append((sender, (int(number) - isn[sender]) % 2**32, int(length) - HEADERS_BYTES, *ends))
    return dropped


NEAR = ("capture-loss", "untranslated-reply", "director-timeout", "vip-arp-conflict")

CASES = (
    Case(
        "random-loss",
        between_hosts,
        route=Route("dr", FORTH, PAST, ("lost-between", "asymmetric-path"), ("vanished-in-host", *NEAR)),
    ),
    Case(
        "random-loss-in-director",
        inside_the_director,
        route=Route("nat", FORTH, FORTH[::-1], ("vanished-in-host",), ("lost-between", "asymmetric-path", *NEAR)),
    ),
)
