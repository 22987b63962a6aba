"""Compare what the table of directions says with `tcptrace -l -r -n --csv` (the C program, version 6.6.7).

Connections are paired by their endpoints and the time of their first segment; those count that the C
program calls complete: a SYN and a FIN each way. Needs the C program.
"""

import argparse
import csv
import ipaddress
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from tcptrace.capture.reader import open_capture
from tcptrace.errors import TcptraceError
from tcptrace.rows import records
from tcptrace.tcp.direction_table import direction_table
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker

DIRECTIONS = ("a2b", "b2a")
NOT_AVAILABLE = "NA"


class Field(NamedTuple):
    """A field of the C program's and what it is here.

    `value` takes a row of DirectionStatistics, with RoundTrips after `rtt_` and the half of the handshake.
    """

    value: Callable[[Any], float | str]
    tolerance: float = 0


def column(name: str) -> Field:
    """A column as it stands; the C program says 0 where nothing is known."""
    return Field(lambda row: max(0, getattr(row, name)))


def seconds(name: str, unit_ns: int, digits: int) -> Field:
    """A column in ns, printed by the C program in another unit and rounded."""
    return Field(lambda row: max(0, getattr(row, name)) / unit_ns, 1.01 * 10**-digits)


FIELDS = {
    "total_packets": column("packets"),
    "unique_bytes_sent": column("unique_bytes"),
    "rexmt_data_pkts": column("retransmitted_packets"),
    "rexmt_data_bytes": column("retransmitted_bytes"),
    "outoforder_pkts": column("out_of_order_packets"),
    "RTT_samples": column("rtt_samples"),
    "RTT_min": seconds("rtt_min_ns", 10**6, 1),
    "RTT_max": seconds("rtt_max_ns", 10**6, 1),
    "RTT_avg": Field(lambda row: row.rtt_samples * row.rtt_mean_ns / (row.rtt_samples + 0.0001) / 10**6, 0.101),
    "RTT_stdev": Field(lambda row: row.rtt_stdev_ns / 10**6 if row.rtt_samples > 2 else 0, 0.101),
    "RTT_from_3WHS": Field(lambda row: max(0, row.handshake_half_ns) / 10**6 if row.syns == 1 else 0, 0.101),
    "resets_sent": column("resets"),
    "ack_pkts_sent": column("acks"),
    "pure_acks_sent": column("pure_acks"),
    "sack_pkts_sent": column("sacks"),
    "sacks_sent": column("sacks"),
    "dsack_pkts_sent": column("dsacks"),
    "max_sack_blks/ack": column("sack_blocks_max"),
    "actual_data_pkts": column("data_packets"),
    "actual_data_bytes": column("data_bytes"),
    "zwnd_probe_pkts": column("zero_window_probes"),
    "zwnd_probe_bytes": column("zero_window_probe_bytes"),
    "pushed_data_pkts": column("pushed_packets"),
    "SYN/FIN_pkts_sent": Field(lambda row: f"{row.syns}/{row.fins}"),
    "req_1323_ws/ts": Field(lambda row: "NY"[row.window_scale >= 0] + "/" + "NY"[row.timestamps]),
    "req_sack": Field(lambda row: "NY"[row.sack_permitted]),
    "adv_wind_scale": column("window_scale"),
    "urgent_data_pkts": column("urgent_packets"),
    "urgent_data_bytes": column("urgent_bytes"),
    "mss_requested": Field(lambda row: max(0, row.mss) + (2**32 - 2**16 if row.mss >= 2**15 else 0)),  # signed there
    "max_segm_size": column("segment_max_bytes"),
    "min_segm_size": column("segment_min_bytes"),
    "avg_segm_size": Field(lambda row: int(row.data_bytes / (row.data_packets + 0.001))),  # as it is there
    "max_win_adv": column("window_max_bytes"),
    "min_win_adv": column("window_min_bytes"),
    "zero_win_adv": column("zero_windows"),
    "avg_win_adv": column("window_mean_bytes"),
    "initial_window_bytes": column("initial_window_bytes"),
    "initial_window_pkts": column("initial_window_packets"),
    "ttl_stream_length": column("stream_bytes"),
    "missed_data": column("missed_bytes"),
    "truncated_data": column("truncated_bytes"),
    "truncated_packets": column("truncated_packets"),
    "data_xmit_time": seconds("data_time_ns", 10**9, 3),
    "idletime_max": seconds("idle_max_ns", 10**6, 1),
    "throughput": Field(lambda row: max(0, row.throughput), 1),
    "duplicate_acks": column("duplicate_acks"),
    "max_#_retrans": column("segment_repeats_max"),
    "max_retr_time": seconds("repeat_wait_max_ns", 10**6, 1),
    "triple_dupacks": column("triple_duplicate_acks"),
    "max_owin": Field(lambda row: row.outstanding_max_bytes + 1),
    "avg_owin": Field(lambda row: row.outstanding_mean_bytes + 1, 1),
}
"""What is compared, made as the C program makes it: one byte more outstanding than there is, means of a little less."""

Key = tuple[str, int, str, int, int]
"""First sender's address and port, the other's, and the time of the first segment in us."""


def address(text: str) -> str:
    """An address in one spelling; the C program leaves out one colon of `::1`."""
    return str(ipaddress.ip_address(":" + text if text.startswith(":") and text[1:2] != ":" else text))


def theirs(program: str, path: Path) -> Iterator[tuple[Key, dict[str, str]]]:
    """What the C program says of each complete connection of a capture."""
    words = [program, "-l", "-r", "-n", "-W", "--csv", str(path)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    table = (line for line in lines if line and not line.startswith("#"))
    for line in csv.DictReader(table, skipinitialspace=True):
        told = {name: value.strip() for name, value in line.items() if name and value is not None}
        if all("0" not in told[f"SYN/FIN_pkts_sent_{direction}"].split("/") for direction in DIRECTIONS):
            second, fraction = told["first_packet"].split(".")
            start_us = int(second) * 1_000_000 + int(fraction)  # printed without leading zeros
            ends = address(told["host_a"]), int(told["port_a"]), address(told["host_b"]), int(told["port_b"])
            yield (*ends, start_us), told


def ours(path: Path) -> dict[Key, tuple[Any, Any]]:
    """Both directions of each flow of a capture, the first sender's first."""
    tracker = Tracker()
    with open_capture(path) as reader:
        for chunk in reader.chunks():
            tracker.take(chunk)
    sides = client_sides(tracker)
    flows = flow_table(tracker, *sides)
    rows = list(records(direction_table(tracker, sides[0], flows.flow)))
    measured = Measured(tracker, sides[0])
    round_trips = [list(records(measured.round_trips(flows.flow, side))) for side in (0, 1)]
    found = {}
    for i, flow in enumerate(records(flows)):
        client = reader.addresses.text(flow.client), flow.client_port
        server = reader.addresses.text(flow.server), flow.server_port
        start_us = flow.start_ns // 1000
        of_client, of_server = (
            SimpleNamespace(
                **rows[2 * i + side]._asdict(),
                **{f"rtt_{name}": value for name, value in round_trips[side][i]._asdict().items()},
                handshake_half_ns=(flow.syn_to_synack_ns, flow.synack_to_ack_ns)[side],
            )
            for side in (0, 1)
        )
        if sides[0][flow.flow] == 0:
            found[(*client, *server, start_us)] = of_client, of_server
        else:
            found[(*server, *client, start_us)] = of_server, of_client
    return found


def captures(paths: Iterable[Path]) -> Iterator[Path]:
    """The files given, and those below the folders given."""
    for path in paths:
        yield from sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def differs(field: Field, row: Any, told: str) -> bool:
    """Whether a field of one direction says something else here."""
    here = field.value(row)
    if isinstance(here, str):
        return here != told
    return abs(here - (0 if told == NOT_AVAILABLE else float(told))) > field.tolerance


def main() -> None:
    """Print, for each field, how many complete connections agree, and examples of those that do not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="captures, or folders of them")
    parser.add_argument("--program", default="/usr/bin/tcptrace", help="the C program (default: %(default)s)")
    parser.add_argument("--examples", type=int, default=3, help="differences shown for each field (default: 3)")
    asked = parser.parse_args()
    connections, lacking = 0, []
    different: Counter[str] = Counter()
    examples: dict[str, list[str]] = {name: [] for name in FIELDS}
    for path in captures(asked.paths):
        complete = list(theirs(asked.program, path))
        try:
            found = ours(path) if complete else {}
        except TcptraceError as error:
            print(f"{path}: {error}", file=sys.stderr)
        for key, told in complete:
            connections += 1
            if key not in found:
                lacking.append(f"{path}: {key}")
                continue
            for name, field in FIELDS.items():
                pairs = zip(found[key], (told[f"{name}_{direction}"] for direction in DIRECTIONS), strict=True)
                wrong = [f"{field.value(row)} for {value}" for row, value in pairs if differs(field, row, value)]
                if wrong:
                    different[name] += 1
                    examples[name].append(f"{path}: {key[0]}:{key[1]} {key[2]}:{key[3]}: {', '.join(wrong)}")
    print(f"{connections} complete connections, {len(lacking)} of them told apart otherwise here")
    for example in lacking[: asked.examples]:
        print(f"    {example}")
    compared = connections - len(lacking)
    for name in FIELDS:
        equal = compared - different[name]
        print(f"{name:22} {equal:6} of {compared} equal, {100 * equal / max(compared, 1):6.2f} %")
        for example in examples[name][: asked.examples]:
            print(f"    {example}")


if __name__ == "__main__":
    main()
