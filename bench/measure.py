"""Wall time and peak memory of commands, run in turn so that all meet the same machine."""

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""An installed program finds its bytecode, whatever the shell that measures it says."""


COUNTED = 2 / 3
"""Of a command's runs: those from which the hypervisor took least. What it gives to others meanwhile tells of them."""


class Run(NamedTuple):
    """What a run took: wall time, and processor time that the hypervisor took from the machine meanwhile."""

    stolen_s: float
    seconds: float


@dataclass
class Command:
    """A command to measure, and what its runs took."""

    name: str
    words: Sequence[str]
    runs: int
    environment: dict[str, str] = field(default_factory=dict)
    output: Path = Path(os.devnull)
    taken: list[Run] = field(default_factory=list)
    peak_bytes: int = 0
    failure: str = ""

    @property
    def measured(self) -> bool:
        """Whether its figures mean anything."""
        return bool(self.taken) and not self.failure

    @property
    def counted(self) -> list[Run]:
        """The runs that count."""
        return sorted(self.taken)[: math.ceil(len(self.taken) * COUNTED)]

    @property
    def median_s(self) -> float:
        """The median of the wall times that count; not a number when it failed or has not run."""
        return statistics.median(run.seconds for run in self.counted) if self.measured else float("nan")

    @property
    def stolen_s(self) -> float:
        """The median of what was stolen meanwhile."""
        return statistics.median(run.stolen_s for run in self.counted) if self.measured else float("nan")

    @property
    def peak_mb(self) -> float:
        """The most memory any run had resident, in 10**6 bytes."""
        return self.peak_bytes / 1e6 if self.measured else float("nan")

    def run(self) -> None:
        """One run; its standard output goes to `output`."""
        with self.output.open("wb") as out, Path(os.devnull).open("rb") as empty:
            stolen, start = stolen_s(), time.perf_counter()
            process = subprocess.Popen(
                self.words,
                stdin=empty,
                stdout=out,
                stderr=subprocess.PIPE,
                env=os.environ | INSTALLED | self.environment,
            )
            assert process.stderr is not None
            said = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            self.taken.append(Run(stolen_s() - stolen, time.perf_counter() - start))
            process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)
        if process.returncode:
            last_line = said.decode(errors="replace").strip().rpartition("\n")[2]
            self.failure = f"exit status {process.returncode}: {last_line}"


def stolen_s() -> float:
    """Processor time that the hypervisor has taken so far: steal in /proc/stat; 0 where there is none."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    return int(first[8]) / os.sysconf("SC_CLK_TCK")


def in_turn(commands: Collection[Command], file: Path) -> None:
    """Run all commands once, then all again, ... until each has had its runs: A B C A B C.

    Before each run the capture is read once, so that all find it in the page cache: a kernel that
    is short of memory, or reclaims ahead of need, may have dropped it meanwhile.
    """
    for round_number in range(max((command.runs for command in commands), default=0)):
        for command in commands:
            if round_number < command.runs and not command.failure:
                print(f"{file.name}, round {round_number + 1}: {command.name}", file=sys.stderr, flush=True)
                subprocess.run(["cat", str(file)], stdout=subprocess.DEVNULL, check=True)
                command.run()
