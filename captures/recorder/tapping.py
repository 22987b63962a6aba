"""Cases of the capture itself: what it lacks, what it holds twice, and where it was cut off."""

import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from case import CLIENT_CLOSES, CONVERSATION, TALK, Case, Truth
from hosts import cable, run
from lab import CLIENT, SERVER, Lab, close_in_turn, must, pause, talk
from topology import Station, plug

SMALL_BUFFER_KIB = "64"
DISK_BYTES = 20_480
DROPPED = re.compile(r"([1-9]\d*) packets dropped by kernel")

ABSENT = ("syn-unanswered", "half-open", "close-wait-stuck", "empty-reply", "capture-loss")
"""Rules that rest on the absence of a segment."""

ONCE = ("high-retransmission", "spurious-retransmission", "fin-retransmission", "routing-loop", "reordering")
"""What frames that are there twice look like."""

TWICE = r">S >S <SA <SA >A >A .*>FA >FA .*<FA <FA >A >A"


def capture_loss(lab: Lab) -> None:
    """tcpdump with a buffer of 64 KiB does not get to run for a while (SIGSTOP): the kernel drops what it cannot keep.

    The transfer itself loses nothing, as a second tcpdump with a large buffer shows.
    """
    lab.two_hosts()
    lab.record("whole")
    command = ["tcpdump", "-i", "eth0", "-Z", "root", "-U", "--immediate-mode", "-B", SMALL_BUFFER_KIB]
    tcpdump = lab.start_recorder(lab.client, [*command, "-w", str(lab.folder / "client.pcap")])
    client, server = lab.connect()
    talk(client, server)
    tcpdump.send_signal(signal.SIGSTOP)
    talk(client, server, answer_bytes=80_000)
    tcpdump.send_signal(signal.SIGCONT)
    pause(0.2)
    talk(client, server, answer_bytes=10_000)
    close_in_turn(client, server)
    pause(0.3)
    said = _end(tcpdump, signal.SIGINT)
    lab.observe("client", "tcpdump", said)
    must(DROPPED.search(" ".join(said)) is not None, "no frame was dropped")
    must(not lab.count(lab.server, "TcpRetransSegs")["TcpRetransSegs"], "the network lost something")


def one_sided(lab: Lab) -> None:
    """The client's tap takes one direction only: what goes out (-Q out), and what comes in (-Q in)."""
    lab.two_hosts()
    lab.record("out", lab.client, "eth0", "-Q", "out")
    lab.record("in", lab.client, "eth0", "-Q", "in")
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(client, server)


def truncated_frames(lab: Lab) -> None:
    """With a snap length of 68 bytes: SYNs lose some of their options, data all but its header."""
    lab.two_hosts()
    lab.record("client", lab.client, "eth0", "-s", "68")
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(client, server)


def truncated_file(lab: Lab) -> None:
    """Recorders that did not end well: one killed, two on full disks of 20 KiB; each file ends within a frame."""
    lab.two_hosts()
    full = [_disk(lab) / "full-disk.pcap", _disk(lab) / "full-disk.pcapng"]
    unwell = {lab.folder / "killed.pcap": signal.SIGKILL} | dict.fromkeys(full, signal.SIGINT)
    recorders = {file: lab.start_recorder(lab.client, _unflushed(file)) for file in unwell}
    client, server = lab.connect()
    talk(client, server, answer_bytes=40_000)
    pause(1.5)
    for file, recorder in recorders.items():
        lab.observe(file.name, "said", _end(recorder, unwell[file]))
    for file in full:
        shutil.copy(file, lab.folder)
    for file in lab.folder.iterdir():
        reader = subprocess.run(["tcpdump", "-nr", str(file)], capture_output=True, text=True)
        must("truncated" in reader.stderr, f"{file.name} is whole")


def span(lab: Lab) -> None:
    """A switch copies to a monitor what enters and what leaves both its ports: the monitor gets every frame twice."""
    lab.client, lab.server, monitor = lab.host("client"), lab.host("server"), lab.host("monitor")
    switch = plug(lab, "switch", Station(lab.client, "eth0", (CLIENT[0],)), Station(lab.server, "eth0", (SERVER[0],)))
    cable(monitor, "eth0", switch, "monitor")
    hooks = [(port, hook) for port in ("client-eth0", "server-eth0") for hook in ("ingress", "egress")]
    switch.nft("table netdev span {" + "".join(_copies(port, hook) for port, hook in hooks) + "}")
    lab.record("monitor", monitor)
    client, server = lab.connect()
    talk(client, server, answer_bytes=20_000)
    close_in_turn(client, server)


def any_over_bridge(lab: Lab) -> None:
    """On all interfaces of a client whose address is on a bridge: every frame twice, on br0 and on its port eth0."""
    lab.two_hosts()
    host, mac = lab.client, lab.client.mac("eth0")
    host.ip("link", "add", "br0", "address", mac, "type", "bridge")
    host.ip("address", "flush", "dev", "eth0")
    host.ip("link", "set", "eth0", "master", "br0")
    host.run("ethtool", "-K", "br0", *(word for name in ("tso", "gso", "gro", "tx", "sg") for word in (name, "off")))
    host.ip("link", "set", "br0", "addrgenmode", "none", "up")
    host.address("br0", f"{CLIENT[0]}/24")
    host.neighbours("br0", lab.server.mac("eth0"), SERVER[0])
    lab.record("any", host, "any", "-y", "LINUX_SLL2")
    client, server = lab.connect()
    talk(client, server, answer_bytes=20_000)
    close_in_turn(client, server)


def _copies(port: str, hook: str) -> str:
    name = f"{hook}_{port.replace('-', '_')}"
    return f'chain {name} {{ type filter hook {hook} device "{port}" priority 0; dup to "monitor"; }}\n'


def _disk(lab: Lab) -> Path:
    """A disk of its own that is soon full."""
    place = Path(lab.enter_context(tempfile.TemporaryDirectory()))
    run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(place))
    lab.callback(run, "umount", str(place))
    return place


def _unflushed(file: Path) -> list[str]:
    """A recorder as it runs unless told otherwise: it writes by the buffer, not by the frame."""
    if file.suffix == ".pcapng":
        return ["dumpcap", "-q", "-i", "eth0", "-w", str(file)]
    return ["tcpdump", "-i", "eth0", "-Z", "root", "-w", str(file)]


def _end(recorder: subprocess.Popen[str], how: signal.Signals) -> list[str]:
    """End a recorder; its last words."""
    recorder.send_signal(how)
    _, said = recorder.communicate()
    return said.splitlines()


CASES = (
    Case(
        "capture-loss",
        capture_loss,
        causes=("capture-loss",),
        near_misses=("high-retransmission", "reordering", "rto-stall"),
        captures={"whole.pcap": Truth(CONVERSATION, near_misses=("capture-loss",), healthy=True)},
    ),
    Case(
        "one-sided-capture",
        one_sided,
        r"(>\w+ ?)+|(<\w+ ?)+",
        causes=("one-sided-capture",),
        near_misses=ABSENT,
        healthy=True,
    ),
    Case(
        "truncated-frames",
        truncated_frames,
        rf">A {TALK}{CLIENT_CLOSES}",
        causes=("truncated-frames",),
        near_misses=("truncated-file", "capture-loss", "field-rewritten"),
        healthy=True,
    ),
    Case(
        "truncated-file",
        truncated_file,
        causes=("truncated-file",),
        near_misses=("truncated-frames", "capture-loss", "half-open"),
    ),
    Case("duplicate-frames", any_over_bridge, TWICE, causes=("duplicate-frames",), near_misses=ONCE, healthy=True),
    Case("span", span, TWICE, causes=("duplicate-frames",), near_misses=ONCE, healthy=True),
)
