"""The figures as Markdown, for the terminal and for docs/benchmarks.md."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from budgets import ANALYZE, Budget, Figures
from measure import Command

BEGIN, END = "<!-- figures: written by bench/run.py -->", "<!-- end of figures -->"


def render(figures: Figures, held: Sequence[Budget], versions: dict[str, str]) -> str:
    """Everything measured, in one text."""
    parts = [machine(versions)]
    for title, group, size, flows in (
        ("About 1 GB", figures.gb1, figures.gb1_bytes, figures.gb1_flows),
        ("Over 4 GB", figures.gb4, figures.gb4_bytes, figures.gb4_flows),
    ):
        parts += [f"## {title}: {size / 1e6:,.0f} MB, {flows:,} flows", readers(group)]
    parts += ["## Start-up and slope", slopes(figures)]
    if figures.single:
        parts += ["## Fixed costs", singles(figures.single.values())]
    everything = [*figures.gb1.values(), *figures.gb4.values(), *figures.single.values()]
    parts += [f"{command.name} failed: {command.failure}" for command in everything if command.failure]
    if held:
        parts += ["## Budgets", budgets(held)]
    return "\n\n".join(parts)


def machine(versions: dict[str, str]) -> str:
    """The machine, by cores and CPU, and what ran on it."""
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    lines = [
        f"{os.cpu_count()} cores of {cpu()}, {memory_gb:.0f} GB of memory, Linux {platform.release()}, "
        f"Python {platform.python_version()}; page cache warm, medians of those runs, taken in turn, that count.",
        *(f"- {name}: {said}" for name, said in versions.items()),
    ]
    return "\n".join(lines)


def cpu() -> str:
    """The CPU's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def readers(group: dict[str, Command]) -> str:
    """What each reader took, and `analyze` as a share of it."""
    ours = group[ANALYZE].median_s if ANALYZE in group else float("nan")
    rows = (
        (
            command.name,
            runs(command),
            seconds(command),
            stolen(command),
            ratio(ours / command.median_s),
            memory(command),
        )
        for command in group.values()
    )
    return table(("command", "runs", "median", "stolen", "analyze takes", "peak memory"), rows)


def slopes(figures: Figures) -> str:
    """What does not grow with the capture, and what a GB more takes."""
    rows = (
        (name, f"{figures.start_up_s(name):.2f} s", f"{figures.slope_s_per_gb(name):.3f} s/GB")
        for name in figures.gb1
        if name in figures.gb4
    )
    return table(("command", "start-up", "slope"), rows)


def singles(commands: Iterable[Command]) -> str:
    """One row a measurement of our own."""
    rows = ((command.name, runs(command), seconds(command), stolen(command), memory(command)) for command in commands)
    return table(("tcptrace analyze on", "runs", "median", "stolen", "peak memory"), rows)


def budgets(held: Sequence[Budget]) -> str:
    """Each budget: figure, most, met or missed."""
    rows = ((b.name, figure(b.value, b.unit), figure(b.most, b.unit), "met" if b.met else "**missed**") for b in held)
    return table(("budget", "measured", "at most", ""), rows)


def figure(value: float, unit: str) -> str:
    """A figure with its unit, in as many digits as mean something."""
    digits = {"MB": 0, "s": 2, "x": 3}[unit]
    return f"{value:,.{digits}f} {unit}" if value == value else "not measured"


def runs(command: Command) -> str:
    """How many runs count, of how many."""
    return f"{len(command.counted)} of {len(command.taken)}"


def stolen(command: Command) -> str:
    """What the hypervisor took meanwhile."""
    return f"{command.stolen_s:.2f} s" if command.measured else ""


def seconds(command: Command) -> str:
    """A median, or that there is none."""
    return f"{command.median_s:.2f} s" if command.measured else "failed"


def memory(command: Command) -> str:
    """A peak in 10**6 bytes."""
    return f"{command.peak_mb:,.0f} MB" if command.measured else ""


def ratio(value: float) -> str:
    """A ratio, or nothing when there is no figure of ours."""
    return f"{value:.3f}x" if value == value else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, its columns padded so that it reads as text too."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def write(file: Path, text: str) -> None:
    """Put the text between the markers of the page."""
    before, _, rest = file.read_text().partition(BEGIN)
    file.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")
