#!/usr/bin/env python3
"""Record what the benchmark reads: real HTTP traffic between nginx and wrk, about 1 GB and over 4 GB.

    sudo python3 bench/record_traffic.py       writes bench/data/http-1gb.pcap and http-4gb.pcap

Client and server are network namespaces with a veth cable between, offloads off, so frames are
those of a wire: four loads at once, short connections of one small answer each, kept ones with
tiny, middling and large answers. The larger file is several such recordings, each with other
client addresses, one after another. Needs root, nginx, wrk, tcpdump, iproute2 and ethtool; no
network.
"""

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.append(str(BENCH.parent / "captures" / "recorder"))

from hosts import Host, cable  # noqa: E402  the recorder's hosts, which are no package

DATA = BENCH / "data"
SMALL, LARGE = DATA / "http-1gb.pcap", DATA / "http-4gb.pcap"
LARGE_BYTES = 4_200_000_000

SECONDS = 14
PCAP_HEADER_BYTES = 24
TCPDUMP_BUFFER_KIB = 256 * 1024
SEED = 1


@dataclass(frozen=True)
class Load:
    """What one wrk asks for: random files of a folder, a pause before each request."""

    folder: str
    files: int
    bytes_low: int
    bytes_high: int
    connections: int
    pause_ms: int
    keep_alive: bool


LOADS = (
    Load("tiny", 50, 100, 1_000, connections=16, pause_ms=1, keep_alive=True),
    Load("small", 200, 1_000, 20_000, connections=24, pause_ms=22, keep_alive=False),
    Load("middling", 40, 20_000, 1_000_000, connections=8, pause_ms=200, keep_alive=True),
    Load("large", 12, 1_000_000, 50_000_000, connections=10, pause_ms=500, keep_alive=True),
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
        location /large/ {{ limit_rate 3m; }}
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
    """Record the smaller file, and as many more as the larger takes."""
    if os.geteuid() != 0:
        sys.exit("record_traffic.py: network namespaces and tcpdump need root")
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        root = Path(folder)
        write_files(root / "www")
        record(root, 0, SMALL)
        shutil.copyfile(SMALL, LARGE)
        number = 0
        while LARGE.stat().st_size < LARGE_BYTES:
            number += 1
            part = root / "part.pcap"
            record(root, number, part)
            append(part, LARGE)
    for file in (SMALL, LARGE):
        print(f"{file.relative_to(BENCH.parent)}  {file.stat().st_size / 1e6:,.0f} MB")


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
        tcpdump = ["tcpdump", "-i", "eth0", "-w", str(file), "-B", str(TCPDUMP_BUFFER_KIB), "-Z", "root"]
        stack.enter_context(running(client.command(*tcpdump), signal.SIGINT))
        time.sleep(1)
        asking = [subprocess.Popen(client.command(*wrk(root, load, server_address))) for load in LOADS]
        for process in asking:
            process.wait()
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
def running(command: list[str], end: signal.Signals) -> Iterator[None]:
    """A program for as long as the block runs."""
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.send_signal(end)
        process.wait()


def append(part: Path, whole: Path) -> None:
    """Add a recording's records to a file of the same format."""
    with part.open("rb") as source, whole.open("ab") as target:
        magic, *_ = struct.unpack("<I", source.read(PCAP_HEADER_BYTES)[:4])
        with whole.open("rb") as first:
            assert magic == struct.unpack("<I", first.read(4))[0]
        shutil.copyfileobj(source, target, 1 << 22)


if __name__ == "__main__":
    main()
