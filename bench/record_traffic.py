#!/usr/bin/env python3
"""Record what the benchmark reads: real HTTP traffic between nginx and wrk, about 1 GB and over 4 GB.

    sudo python3 bench/record_traffic.py       writes bench/data/http-1gb.pcap and http-4gb.pcap

Client and server are network namespaces with a veth cable between, offloads off, so frames are
those of a wire: four loads at once, short connections of one small answer each, kept ones with
tiny, middling and large answers. The loads pause more than they work, so what is recorded hangs
little on the machine's speed: some 1.5 million frames and 14 thousand flows in the smaller file.
The larger is several such recordings, each between other addresses, one after another. Takes
about 4 minutes; needs root and the Debian packages named below, no network.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

BENCH = Path(__file__).resolve().parent
sys.path.append(str(BENCH.parent / "captures" / "recorder"))

from hosts import Host, cable  # noqa: E402  the recorder's hosts, which are no package

DATA = BENCH / "data"
SMALL, LARGE = DATA / "http-1gb.pcap", DATA / "http-4gb.pcap"
LARGE_BYTES = 4_000_000_000

SECONDS = 42
PCAP_HEADER_BYTES = 24
TCPDUMP_BUFFER_KIB = 256 * 1024
SEED = 1
PACKAGES = {
    "ip": "iproute2",
    "sysctl": "procps",
    "ethtool": "ethtool",
    "nginx": "nginx",
    "wrk": "wrk",
    "tcpdump": "tcpdump",
}


@dataclass(frozen=True)
class Load:
    """What one wrk asks for: random files of a folder, a pause (the mean) before each request."""

    folder: str
    files: int
    bytes_low: int
    bytes_high: int
    connections: int
    pause_ms: int
    keep_alive: bool


LOADS = (
    Load("tiny", 50, 100, 1_000, connections=64, pause_ms=5, keep_alive=True),
    Load("small", 200, 1_000, 20_000, connections=24, pause_ms=72, keep_alive=False),
    Load("middling", 40, 20_000, 1_000_000, connections=8, pause_ms=900, keep_alive=True),
    Load("large", 12, 1_000_000, 50_000_000, connections=2, pause_ms=500, keep_alive=True),
)

NGINX = """
user root;
daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server {{
        listen {server}:80;
        root {root}/www;
        location /large/ {{ limit_rate 1500k; }}
    }}
}}
"""

WRK = """
math.randomseed({seed})
function delay() return math.random(0, {pause_ms} * 2) end
function request()
    return wrk.format("GET", "/{folder}/" .. math.random(1, {files}), {{ ["Connection"] = "{connection}" }})
end
"""


def main() -> None:
    """Record the smaller file, and as many more as the larger takes; both appear when they are whole."""
    check_machine()
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        root = Path(folder)
        small, part, large = root / SMALL.name, root / "part.pcap", root / LARGE.name
        write_files(root / "www")
        record(root, 0, small)
        shutil.copyfile(small, large)
        number = 0
        while large.stat().st_size < LARGE_BYTES:
            number += 1
            record(root, number, part)
            append(part, large)
        small.replace(SMALL)
        large.replace(LARGE)


def check_machine() -> None:
    """Leave with a message where something needed is lacking."""
    if os.geteuid() != 0:
        sys.exit(
            "recording the benchmark's captures needs root, for network namespaces and tcpdump:\n"
            "    sudo python3 bench/record_traffic.py\n"
            "Once they are in bench/data, `make bench` needs no root."
        )
    lacking = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if lacking:
        sys.exit(
            "recording the benchmark's captures needs more programs; on Debian:\n"
            f"    apt-get install {' '.join(lacking)}"
        )


def write_files(www: Path) -> None:
    """What nginx serves; the same sizes each time."""
    sizes = random.Random(SEED)
    noise = os.urandom(max(load.bytes_high for load in LOADS))
    for load in LOADS:
        (www / load.folder).mkdir(parents=True)
        for number in range(1, load.files + 1):
            (www / load.folder / str(number)).write_bytes(noise[: sizes.randint(load.bytes_low, load.bytes_high)])


def record(root: Path, number: int, file: Path) -> None:
    """One recording of all loads, between addresses of its own."""
    client_address, server_address = f"10.{number}.0.1", f"10.{number}.0.2"
    with ExitStack() as stack:
        client, server = Host("bench-client"), Host("bench-server")
        stack.callback(client.close)
        stack.callback(server.close)
        cable(client, "eth0", server, "eth0")
        client.address("eth0", f"{client_address}/24")
        server.address("eth0", f"{server_address}/24")
        client.set("net.ipv4.ip_local_port_range=1024 65000")
        config = root / "nginx.conf"
        config.write_text(NGINX.format(root=root, server=server_address))
        stack.enter_context(running(server.command("nginx", "-c", str(config)), signal.SIGTERM))
        stack.enter_context(recording(client, file))
        time.sleep(1)
        print(f"recording {SECONDS} s of HTTP traffic, part {number + 1}", file=sys.stderr, flush=True)
        asking = [
            subprocess.Popen(client.command(*wrk(root, load, server_address)), stdout=subprocess.DEVNULL)
            for load in LOADS
        ]
        statuses = [process.wait() for process in asking]
        if any(statuses):
            sys.exit("wrk failed: see above")
        time.sleep(1)


def wrk(root: Path, load: Load, server_address: str) -> list[str]:
    """The command that puts a load on the server."""
    script = root / f"{load.folder}.lua"
    connection = "keep-alive" if load.keep_alive else "close"
    script.write_text(
        WRK.format(seed=SEED, pause_ms=load.pause_ms, folder=load.folder, files=load.files, connection=connection)
    )
    return f"wrk -t 1 -c {load.connections} -d {SECONDS}s -s {script} http://{server_address}/".split()


@contextmanager
def recording(client: Host, file: Path) -> Iterator[None]:
    """Run tcpdump at the client's end of the cable for as long as the block runs; every frame or none."""
    command = ["tcpdump", "-i", "eth0", "-w", str(file), "-B", str(TCPDUMP_BUFFER_KIB), "-Z", "root"]
    said_file = file.with_suffix(".txt")
    with said_file.open("w") as stderr, running(client.command(*command), signal.SIGINT, stderr):
        yield
    said = said_file.read_text()
    if "0 packets dropped by kernel" not in said.splitlines() or "dropped by interface" in said:
        sys.exit(f"{said}The recording is not whole: record again, with the machine idle and 6 GB free on disk.")


@contextmanager
def running(command: list[str], end: signal.Signals, stderr: TextIO | None = None) -> Iterator[None]:
    """A program for as long as the block runs."""
    process = subprocess.Popen(command, stderr=stderr)
    try:
        yield
    finally:
        process.send_signal(end)
        process.wait()


def append(part: Path, whole: Path) -> None:
    """Add a recording's records to a file of the same format."""
    with part.open("rb") as source, whole.open("r+b") as target:
        assert source.read(PCAP_HEADER_BYTES) == target.read(PCAP_HEADER_BYTES)
        target.seek(0, os.SEEK_END)
        shutil.copyfileobj(source, target, 1 << 22)


if __name__ == "__main__":
    main()
