"""Round trip times of one direction in bounded memory (a kernel module).

The smoothed round trip, its variation and the timer are those of RFC 6298 section 2. The first
EXACT samples are kept as they are; with more of them a histogram takes their place, four buckets to
a power of two, each at most 1.191 times as wide as the last: a sample told as the geometric middle of
its bucket is off by a tenth at most.
"""

from tcptrace.schema import I64

COUNT = 0
MIN_NS = 1
MAX_NS = 2
SUM_NS = 3
SUMS_WIDTH = 4  # where that is all
SRTT_NS = 4
RTTVAR_NS = 5
HISTOGRAM = 6  # number of its histogram, from 1; 0: none
SAMPLES = 7  # the first EXACT of them
EXACT = 8
WIDTH = 15

FIRST_POWER = 13  # 8 us: all below falls into the first bucket
LAST_POWER = 37  # 137 s
PER_POWER = 4
EDGE_BITS = 8  # the buckets of a power begin at 1, EDGE_1, EDGE_2 and EDGE_3 by 2**EDGE_BITS
EDGE_1 = 304
EDGE_2 = 362
EDGE_3 = 431
BUCKETS = (LAST_POWER - FIRST_POWER) * PER_POWER
WORDS = BUCKETS // 2  # two counts of 32 bits in each

RTO_MIN_NS = 1_000_000_000  # RFC 6298 section 2.4: what a timer SHOULD be rounded up to
LINUX_RTO_MIN_NS = 200_000_000  # TCP_RTO_MIN, include/net/tcp.h
LONGEST_NS = 1 << 56  # two years, which leaves room to multiply


def elapsed_ns(since_ns: int, until_ns: int) -> int:
    """Time from one segment to another, at most LONGEST_NS; -1 where there is no time, or the clock went back."""
    return min(until_ns - since_ns, LONGEST_NS) if 0 <= since_ns <= until_ns else -1


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
    part = min(sample_ns, (1 << LAST_POWER) - 1) >> (power - EDGE_BITS)
    return (power - FIRST_POWER) * PER_POWER + int(part >= EDGE_1) + int(part >= EDGE_2) + int(part >= EDGE_3)


def count_in(histograms: I64, number: int, sample_ns: int) -> None:
    """Count a sample in a histogram."""
    bucket = bucket_of(sample_ns)
    histograms[number * WORDS + (bucket >> 1)] += 1 if bucket & 1 == 0 else 1 << 32


def smooth(rows: I64, at: int, sample_ns: int) -> None:
    """RFC 6298 (2.2) and (2.3)."""
    if rows[at + COUNT] == 0:
        rows[at + SRTT_NS] = sample_ns
        rows[at + RTTVAR_NS] = sample_ns >> 1
    else:
        error_ns = abs(rows[at + SRTT_NS] - sample_ns)
        rows[at + RTTVAR_NS] += (error_ns - rows[at + RTTVAR_NS]) >> 2
        rows[at + SRTT_NS] += (sample_ns - rows[at + SRTT_NS]) >> 3


def add_up(rows: I64, at: int, sample_ns: int) -> None:
    """Take a sample into the sums of the group of fields that begins at `at`."""
    count = rows[at + COUNT]
    rows[at + COUNT] = count + 1
    rows[at + SUM_NS] += sample_ns
    rows[at + MIN_NS] = sample_ns if count == 0 else min(rows[at + MIN_NS], sample_ns)
    rows[at + MAX_NS] = max(rows[at + MAX_NS], sample_ns)


def add_sample(rows: I64, at: int, histograms: I64, used: I64, sample_ns: int) -> None:
    """Take a sample into the group of fields that begins at `at`; `used[1]` counts histograms."""
    count = rows[at + COUNT]
    smooth(rows, at, sample_ns)
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
