#!/usr/bin/env python3
"""Record the cases of captures/: what the kernel's own TCP and real software did, in network namespaces, by tcpdump.

    sudo python3 captures/recorder/record.py                 all cases
    sudo python3 captures/recorder/record.py half-close      one, or several, by name
    python3 captures/recorder/record.py --list               their names and titles

Needs root on Debian 12 or alike with iproute2, ethtool, nftables, iptables, tcpdump, tshark (its
dumpcap), nginx, haproxy, curl, openssl, user-mode-linux, kmod and ipvsadm. No network, but once for
Envoy, which pip installs (programs.py). A recording that lacks a frame or does not show what its case
is about is made again. The truth that a diagnosis is held against stands beside the captures, in truth.json.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import clocks
import closing
import cookies
import crowds
import directing
import healthy
import idle
import keep_alive
import lifetimes
import links
import losses
import misaligned
import misdirecting
import offloads
import opening
import order
import overlay
import path_mtu
import paws
import proxies
import queues
import random_loss
import refusals
import rejecting
import resets
import reuse
import routing
import services
import sidecars
import stalls
import tapping
import tls
import translation
import vanishing
import vip_less
import web
import windows
from case import Case
from lab import CLIENT, Lab, NotShownError

MODULES = (
    queues,
    cookies,
    paws,
    translation,
    idle,
    opening,
    refusals,
    closing,
    resets,
    lifetimes,
    links,
    sidecars,
    directing,
    misdirecting,
    vanishing,
    proxies,
    services,
    tls,
    windows,
    web,
    tapping,
    stalls,
    routing,
    path_mtu,
    order,
    losses,
    keep_alive,
    healthy,
    clocks,
    misaligned,
    overlay,
    offloads,
    random_loss,
    vip_less,
    rejecting,
    crowds,
    reuse,
)
CASES = tuple(case for module in MODULES for case in module.CASES)

CAPTURES = Path(__file__).resolve().parent.parent
ATTEMPTS = 5

SEGMENT = re.compile(r"\.(\d+) > \S+: Flags \[(\S+)\].* length (\d+)")
"""What tcpdump prints of a segment, be it inside tags or tunnels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[[], *(case.name for case in CASES)], metavar="CASE")
    parser.add_argument("--list", action="store_true", help="print the names and titles of the cases, record none")
    asked = parser.parse_args()
    wanted = [case for case in CASES if not asked.case or case.name in asked.case]
    if asked.list:
        for case in wanted:
            print(f"{case.name:28}  {title(case)}")
        return
    if os.geteuid() != 0:
        sys.exit("record.py: network namespaces and tcpdump need root")
    for case in wanted:
        record(case)


def title(case: Case) -> str:
    told = CAPTURES / case.name / "case.toml"
    return tomllib.loads(told.read_text())["title"] if told.exists() else case.story


def record(case: Case) -> None:
    """Record a case until each capture shows it, then put the captures and their truth in place."""
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory() as folder:
            missed, lab = attempted(case, Path(folder))
            if not missed:
                keep(case, sorted(Path(folder).iterdir()), lab)
                return
        print(f"{case.name}, attempt {attempt}: {missed}", file=sys.stderr)
    sys.exit(f"{case.name}: not shown in {ATTEMPTS} attempts")


def attempted(case: Case, folder: Path) -> tuple[str, Lab]:
    """Record a case once; what the recording misses (nothing when it is good), and the lab with what it observed."""
    with Lab(folder) as lab:
        try:
            case.record(lab)
        except NotShownError as error:
            return str(error), lab
        if not lab.stop_recording():
            return "frames were dropped while recording", lab
    shown = {capture.name: segments(capture) for capture in sorted(folder.glob("*.pcap*"))}
    unlike = [f"{name} shows {text}" for name, text in shown.items() if not fits(case.truth(name).shows, text)]
    return "; ".join(unlike), lab


def fits(shows: str | None, text: str) -> bool:
    return shows is None or re.fullmatch(shows, text) is not None


def segments(capture: Path) -> str:
    """The segments of a capture in the words of `Truth.shows`."""
    told = subprocess.run(["tcpdump", "-nnr", str(capture)], capture_output=True, text=True)
    return " ".join(_word(int(port), flags, int(length)) for port, flags, length in SEGMENT.findall(told.stdout))


def _word(port: int, flags: str, length: int) -> str:
    arrow = ">" if port >= CLIENT[1] else "<"
    controls = "".join(letter for letter in "SFR" if letter in flags)
    if not controls:
        return arrow + ("D" if length else "A")
    return arrow + controls + ("A" if "." in flags else "")


def keep(case: Case, files: list[Path], lab: Lab) -> None:
    """Put the captures in place with any tables of a director, and the truth about them beside them."""
    place = CAPTURES / case.name
    place.mkdir(exist_ok=True)
    for file in files:
        shutil.copyfile(file, place / file.name)
        print(f"captures/{case.name}/{file.name}  {file.stat().st_size} bytes", flush=True)
    truth = {
        "story": case.story,
        "built": case.built,
        "captures": {file.name: judged(case, file.name) for file in files if file.match("*.pcap*")},
        **({"path": dataclasses.asdict(case.route) | lab.path} if case.route else {}),
        "observed": lab.observed,
    }
    (place / "truth.json").write_text(json.dumps(truth, indent=2, ensure_ascii=False) + "\n")


def judged(case: Case, capture: str) -> dict[str, Any]:
    truth = case.truth(capture)
    return {"causes": truth.causes, "near_misses": truth.near_misses, "healthy": truth.healthy}


if __name__ == "__main__":
    main()
