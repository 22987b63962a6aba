"""Round trip times of one direction in bounded memory (a kernel module).

The smoothed round trip, its variation and the timer are those of RFC 6298 section 2. The first
EXACT samples are kept as they are; with more of them a histogram takes their place, four buckets to
a power of two, so that a quantile, interpolated within its bucket, is off by about a tenth at most.
"""

from tcptrace.schema import I64

COUNT = 0
MIN_NS = 1
MAX_NS = 2
SUM_NS = 3
SRTT_NS = 4
RTTVAR_NS = 5
SUMS_WIDTH = 6  # where that is all
HISTOGRAM = 6  # number of its histogram, from 1; 0: none
SAMPLES = 7  # the first EXACT of them
EXACT = 8
WIDTH = 15

FIRST_POWER = 13  # 8 us: all below falls into the first bucket
LAST_POWER = 37  # 137 s
PER_POWER = 4
BUCKETS = (LAST_POWER - FIRST_POWER) * PER_POWER
WORDS = BUCKETS // 2  # two counts of 32 bits in each

INITIAL_RTO_NS = 1_000_000_000  # RFC 6298 section 2.1; also the least, section 2.4
LINUX_RTO_MIN_NS = 200_000_000  # TCP_RTO_MIN, include/net/tcp.h


def bucket_of(sample_ns: int) -> int:
    """The bucket a sample falls into."""
    rest = min(sample_ns, (1 << LAST_POWER) - 1) >> FIRST_POWER
    if rest == 0:
        return 0
    power = FIRST_POWER
    for step in (16, 8, 4, 2, 1):
        if rest >> step != 0:
            rest >>= step
            power += step
    part = (min(sample_ns, (1 << LAST_POWER) - 1) >> (power - 2)) - PER_POWER
    return (power - FIRST_POWER) * PER_POWER + part


def count_in(histograms: I64, number: int, sample_ns: int) -> None:
    """Count a sample in a histogram."""
    bucket = bucket_of(sample_ns)
    histograms[number * WORDS + (bucket >> 1)] += 1 if bucket & 1 == 0 else 1 << 32


def smooth(rows: I64, at: int, sample_ns: int) -> None:
    """RFC 6298 (2.2) and (2.3)."""
    if rows[at + COUNT] == 0:
        rows[at + SRTT_NS] = sample_ns
        rows[at + RTTVAR_NS] = sample_ns // 2
    else:
        error_ns = abs(rows[at + SRTT_NS] - sample_ns)
        rows[at + RTTVAR_NS] += (error_ns - rows[at + RTTVAR_NS]) // 4
        rows[at + SRTT_NS] += (sample_ns - rows[at + SRTT_NS]) // 8


def add_up(rows: I64, at: int, sample_ns: int) -> None:
    """Take a sample into the group of fields that begins at `at`, but for its quantiles."""
    smooth(rows, at, sample_ns)
    count = rows[at + COUNT]
    rows[at + COUNT] = count + 1
    rows[at + SUM_NS] += sample_ns
    rows[at + MIN_NS] = sample_ns if count == 0 else min(rows[at + MIN_NS], sample_ns)
    rows[at + MAX_NS] = max(rows[at + MAX_NS], sample_ns)


def add_sample(rows: I64, at: int, histograms: I64, used: I64, sample_ns: int) -> None:
    """Take a sample into the group of fields that begins at `at`; `used[1]` counts histograms."""
    count = rows[at + COUNT]
    add_up(rows, at, sample_ns)
    if count < EXACT:
        rows[at + SAMPLES + count] = sample_ns
        return
    if count == EXACT:
        rows[at + HISTOGRAM] = used[1] + 1
        used[1] += 1
        for kept in range(EXACT):
            count_in(histograms, rows[at + HISTOGRAM] - 1, rows[at + SAMPLES + kept])
    count_in(histograms, rows[at + HISTOGRAM] - 1, sample_ns)


def timer_ns(rows: I64, at: int) -> int:
    """How long a sender waits for an acknowledgement: RFC 6298 with the least that Linux takes."""
    if rows[at + COUNT] == 0:
        return INITIAL_RTO_NS
    return int(rows[at + SRTT_NS] + max(LINUX_RTO_MIN_NS, 4 * rows[at + RTTVAR_NS]))
