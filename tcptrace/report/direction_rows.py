"""What each side of a flow did, a line a figure: the rows of the table that shows one flow in full."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tcptrace.report.flow_table import STATE_TEXTS
from tcptrace.report.units import duration, size

Side = Mapping[str, int]
"""What is known of one side, by the names of columns without `client_` or `server_`; -1 unknown."""

UNKNOWN = "-"


class Row(NamedTuple):
    """One figure of both sides."""

    title: str
    cell: Callable[[Side], str]
    style: str = ""
    """Where the figure is above 0."""


def number(name: str) -> Callable[[Side], str]:
    """`1,460`."""
    return lambda side: UNKNOWN if side[name] < 0 else f"{side[name]:,}"


def time(name: str) -> Callable[[Side], str]:
    """`301 µs`."""
    return lambda side: UNKNOWN if side[name] < 0 else duration(side[name])


def rate(name: str) -> Callable[[Side], str]:
    """`4.93k B/s`."""
    return lambda side: UNKNOWN if side[name] < 0 else f"{size(side[name])} B/s"


def state(side: Side) -> str:
    """`ESTABLISHED`; of a listener that never spoke nothing shows that it listens."""
    name = STATE_TEXTS[side["state"]]
    return "?" if name == "LISTEN" and side["frames"] == 0 else name


def recoveries(side: Side) -> str:
    """`2 in 450 ms`: how often, and the time of those that ended."""
    return f"{side['recoveries']:,}" + (f" in {duration(side['recovery_ns'])}" if side["recovery_ns"] else "")


def repeats_of_one(side: Side) -> str:
    """`3, 1.6 s apart at most`: most times the same part was sent again, and the longest wait between two sendings."""
    most = side["segment_repeats_max"]
    return f"{most:,}, {duration(side['repeat_wait_max_ns'])} apart at most" if most else "0"


def by_timestamps(side: Side) -> str:
    """`3, mean 10.4 ms`: samples by timestamp."""
    samples = side["timestamp_rtt_samples"]
    return f"{samples:,}, mean {duration(side['timestamp_rtt_mean_ns'])}" if samples else "0"


def slow_start(side: Side) -> str:
    """`14,600 after 30.1 ms`: bytes in flight when they stopped growing, and the time since the first payload."""
    ended = side["slow_start_ns"] >= 0
    return f"{side['slow_start_bytes']:,} after {duration(side['slow_start_ns'])}" if ended else UNKNOWN


def offer(side: Side) -> str:
    """`mss 1460 ws 9 sack ts`: what its SYN had."""
    if side["syns"] == 0:
        return UNKNOWN
    words = [f"mss {side['mss']}"] * (side["mss"] >= 0) + [f"ws {side['window_scale']}"] * (side["window_scale"] >= 0)
    return " ".join([*words, *["sack"] * side["sack_permitted"], *["ts"] * side["timestamps"]]) or "nothing"


GROUPS = (
    (
        Row("state", state, "title"),
        Row("packets", number("packets")),
        Row("payload bytes, unique", number("unique_bytes")),
        Row("throughput", rate("throughput")),
        Row("idle at most", time("idle_max_ns")),
    ),
    (
        Row("retransmissions", number("retransmissions"), "odd"),
        Row("  by timeout", number("timeouts"), "odd"),
        Row("  spurious", number("spurious"), "odd"),
        Row("  of one segment", repeats_of_one),
        Row("reordered", number("reordered"), "odd"),
        Row("copies in the capture", number("copies"), "dim"),
        Row("triple duplicate ACKs", number("triple_duplicate_acks"), "odd"),
        Row("loss recoveries", recoveries, "odd"),
        Row("  longest", time("recovery_max_ns")),
        Row("bytes the capture lacks", number("missed_bytes"), "odd"),
    ),
    (
        Row("round trips, samples", number("rtt_samples")),
        Row("  min", time("rtt_min_ns")),
        Row("  mean", time("rtt_mean_ns")),
        Row("  p50", time("rtt_p50_ns")),
        Row("  p99", time("rtt_p99_ns")),
        Row("  max", time("rtt_max_ns")),
        Row("  stdev", time("rtt_stdev_ns")),
        Row("  by timestamps", by_timestamps),
        Row("  srtt / rto at the end", lambda side: f"{time('srtt_ns')(side)} / {time('rto_ns')(side)}"),
    ),
    (
        Row("bytes in flight, max", number("in_flight_max_bytes")),
        Row("  at slow start's end", slow_start),
        Row("window, min", number("window_min_bytes")),
        Row("  avg", number("window_mean_bytes")),
        Row("  max", number("window_max_bytes")),
        Row("  zero windows", number("zero_windows"), "odd"),
        Row("segment bytes, min", number("segment_min_bytes")),
        Row("  avg", number("segment_mean_bytes")),
        Row("  max", number("segment_max_bytes")),
        Row("offered", offer),
    ),
)
"""In groups, an empty line between."""
