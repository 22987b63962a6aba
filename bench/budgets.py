"""What `tcptrace analyze` may cost, as ratios to its peers in the same run and as fixed figures."""

from dataclasses import dataclass

from measure import Command

ANALYZE, JSON = "tcptrace analyze", "tcptrace analyze --format json"
C_TCPTRACE, TSHARK = "tcptrace (C) -n -l -r -W", "tshark -q -z conv,tcp"
VERSION, SMALL_CAPTURE, SMALL_CAPTURE_FRESH = "--version", "15 frames", "15 frames, no kernels cached"
FIRST_COMPILE, FLOOD = "about 1 GB, no kernels cached", "2 million flows of one SYN"

READER_MB = 300
ONE_SEGMENT_FLOW_BYTES, FULL_FLOW_BYTES = 400, 2000
FLOOD_FLOWS = 2_000_000


@dataclass
class Figures:
    """All that was measured: commands by name for each capture, and the captures' sizes."""

    gb1: dict[str, Command]
    gb4: dict[str, Command]
    single: dict[str, Command]
    gb1_bytes: int
    gb4_bytes: int
    gb1_flows: int = 0
    gb4_flows: int = 0

    def slope_s_per_gb(self, name: str) -> float:
        """Seconds a further GB takes: what lies between the two captures."""
        return (self.gb4[name].median_s - self.gb1[name].median_s) / ((self.gb4_bytes - self.gb1_bytes) / 1e9)

    def start_up_s(self, name: str) -> float:
        """Seconds that do not grow with the capture: the line through both, at 0 bytes."""
        return self.gb1[name].median_s - self.slope_s_per_gb(name) * self.gb1_bytes / 1e9


@dataclass(frozen=True)
class Budget:
    """A figure and the most it may be."""

    name: str
    value: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the figure is known and keeps to its budget."""
        return self.value <= self.most


def budgets(figures: Figures) -> list[Budget]:
    """Every budget with its figure."""
    gb1, gb4, single = figures.gb1, figures.gb4, figures.single
    compile_s = single[FIRST_COMPILE].median_s - gb1[ANALYZE].median_s
    return [
        Budget("1 GB: analyze / tcptrace (C)", _ratio(gb1, ANALYZE, C_TCPTRACE), 0.4, "x"),
        Budget("1 GB: analyze / tshark", _ratio(gb1, ANALYZE, TSHARK), 0.1, "x"),
        Budget("1 GB: JSON / tcptrace (C)", _ratio(gb1, JSON, C_TCPTRACE), 0.6, "x"),
        Budget("4 GB: analyze / tcptrace (C)", _ratio(gb4, ANALYZE, C_TCPTRACE), 0.25, "x"),
        Budget("4 GB: analyze / tshark", _ratio(gb4, ANALYZE, TSHARK), 0.05, "x"),
        Budget("4 GB: JSON / tcptrace (C)", _ratio(gb4, JSON, C_TCPTRACE), 0.6, "x"),
        Budget("start-up of analyze", figures.start_up_s(ANALYZE), 1.0, "s"),
        Budget("1 GB: peak memory", _peak_mb(gb1), _memory_mb(figures.gb1_flows, FULL_FLOW_BYTES), "MB"),
        Budget("4 GB: peak memory", _peak_mb(gb4), _memory_mb(figures.gb4_flows, FULL_FLOW_BYTES), "MB"),
        Budget(f"{FLOOD}: peak memory", single[FLOOD].peak_mb, _memory_mb(FLOOD_FLOWS, ONE_SEGMENT_FLOW_BYTES), "MB"),
        Budget("--version", single[VERSION].median_s, 0.3, "s"),
        Budget(SMALL_CAPTURE, single[SMALL_CAPTURE].median_s, 0.5, "s"),
        Budget(SMALL_CAPTURE_FRESH, single[SMALL_CAPTURE_FRESH].median_s, 0.5, "s"),
        Budget("first compile", compile_s, 30, "s"),
        Budget("first compile: peak memory", single[FIRST_COMPILE].peak_mb, 800, "MB"),
    ]


def _ratio(group: dict[str, Command], ours: str, peer: str) -> float:
    return group[ours].median_s / group[peer].median_s if peer in group else float("nan")


def _peak_mb(group: dict[str, Command]) -> float:
    return max(group[ANALYZE].peak_mb, group[JSON].peak_mb)


def _memory_mb(flows: int, bytes_per_flow: int) -> float:
    return READER_MB + flows * bytes_per_flow / 1e6
