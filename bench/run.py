#!/usr/bin/env python3
"""Time `tcptrace analyze` beside its peers, and hold the figures against their budgets.

    make bench                          prints the figures and writes them into docs/benchmarks.md
    .venv/bin/python bench/run.py --peers   the peers alone

Reads bench/data/; what is missing there is made first, by record_traffic.py (needs root, nginx,
wrk, tcpdump) and syn_flood.py. A peer that is not installed is left out. Exit status 1: a budget
is missed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import page
import record_traffic
import syn_flood
from budgets import (
    ANALYZE,
    C_TCPTRACE,
    FIRST_COMPILE,
    FLOOD,
    JSON,
    SMALL_CAPTURE,
    SMALL_CAPTURE_FRESH,
    TSHARK,
    VERSION,
    Figures,
    budgets,
)
from measure import Command, in_turn

BENCH = Path(__file__).resolve().parent
HTTP_1GB, HTTP_4GB, SYN_FLOOD = record_traffic.SMALL, record_traffic.LARGE, syn_flood.FILE
FEW_FRAMES = BENCH.parent / "captures" / "close-client-first" / "client.pcap"
PAGE = BENCH.parent / "docs" / "benchmarks.md"
OURS = str(Path(sys.executable).with_name("tcptrace"))


def main() -> int:
    """Measure, print, write docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="time the peers only; docs/benchmarks.md stays as it is")
    peers_only = parser.parse_args().peers
    make_captures()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        figures = Figures(
            readers(HTTP_1GB, scratch, runs=6, slow_runs=1, ours=not peers_only),
            readers(HTTP_4GB, scratch, runs=6, slow_runs=1, ours=not peers_only),
            {} if peers_only else singles(scratch),
            HTTP_1GB.stat().st_size,
            HTTP_4GB.stat().st_size,
        )
        if not peers_only:
            warm_up()
        for file, group in ((HTTP_1GB, figures.gb1), (HTTP_4GB, figures.gb4), (SYN_FLOOD, figures.single)):
            in_turn(group.values(), file)
        figures.gb1_flows, figures.gb4_flows = (flows(scratch / f"{file.stem}.txt") for file in (HTTP_1GB, HTTP_4GB))
    held = [] if peers_only else budgets(figures)
    text = page.render(figures, held, versions())
    print(text)
    if not peers_only:
        page.write(PAGE, text)
    return 0 if all(budget.met for budget in held) else 1


def make_captures() -> None:
    """Make what is missing of the captures; they stay for later runs."""
    if not (HTTP_1GB.exists() and HTTP_4GB.exists()):
        record_traffic.main()
    if not SYN_FLOOD.exists():
        syn_flood.main()


def warm_up() -> None:
    """Python's byte code, as an installation has it, and the kernels' machine code, as a second run finds it."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(BENCH.parent / "tcptrace")], check=True)
    subprocess.run([OURS, "analyze", str(HTTP_1GB)], stdout=subprocess.DEVNULL, check=True)


def readers(file: Path, scratch: Path, runs: int, slow_runs: int, *, ours: bool) -> dict[str, Command]:
    """All that reads a capture: ours first (the default view, the JSON of all flows), then the peers."""
    path, json = str(file), str(scratch / f"{file.stem}.json")
    mine = [
        Command(ANALYZE, [OURS, "analyze", path], runs),
        Command(JSON, [OURS, "analyze", path, "--format", "json", "-o", json], runs),
    ]
    peers = [
        Command(C_TCPTRACE, [c_tcptrace(), "-n", "-l", "-r", "-W", path], runs),
        Command(TSHARK, ["tshark", "-r", path, "-q", "-z", "conv,tcp"], slow_runs, output=scratch / f"{file.stem}.txt"),
        Command("capinfos -csdu", ["capinfos", "-csdu", path], runs),
        Command("cat", ["cat", path], runs),
    ]
    present = [peer for peer in peers if shutil.which(peer.words[0])]
    return {command.name: command for command in [*(mine if ours else []), *present]}


def singles(scratch: Path) -> dict[str, Command]:
    """Our own fixed costs: start-up, first compile, and memory where flows are all there is."""
    few = [OURS, "analyze", str(FEW_FRAMES)]
    fresh, fresh_small = (
        {key: str(scratch / name) for key in ("TCPTRACE_CACHE", "XDG_CACHE_HOME", "HOME")}
        for name in ("compile", "small")
    )
    without_kernels = ["sh", "-c", 'rm -rf "$TCPTRACE_CACHE" && exec "$0" "$@"']
    return {
        command.name: command
        for command in (
            Command(VERSION, [OURS, "--version"], 5),
            Command(SMALL_CAPTURE, few, 5),
            Command(SMALL_CAPTURE_FRESH, few, 1, fresh_small),
            Command(FIRST_COMPILE, [*without_kernels, OURS, "analyze", str(HTTP_1GB)], 3, fresh),
            Command(FLOOD, [OURS, "analyze", str(SYN_FLOOD)], 2),
        )
    }


def c_tcptrace() -> str:
    """The C program of the same name: a tcptrace on the PATH that is no script."""
    for folder in os.get_exec_path():
        file = Path(folder, "tcptrace")
        if file.is_file() and file.read_bytes()[:2] != b"#!":
            return str(file)
    return "tcptrace (C) is not installed"


def flows(conversations: Path) -> int:
    """How many TCP conversations tshark found."""
    if not conversations.exists():
        return 0
    with conversations.open() as lines:
        return sum("<->" in line for line in lines)


def versions() -> dict[str, str]:
    """What was measured, and each peer by the line in which it says its version."""
    asked = {"tcptrace": [OURS, "--version"], "tcptrace (C)": [c_tcptrace(), "-v"], "tshark": ["tshark", "--version"]}
    said = {}
    for name, words in asked.items():
        if shutil.which(words[0]):
            done = subprocess.run(words, capture_output=True, text=True)
            lines = (done.stdout + done.stderr).splitlines()
            said[name] = next((line.strip() for line in lines if re.search(r"\d\.\d", line)), "?")
    return said


if __name__ == "__main__":
    sys.exit(main())
