"""What is kept of a direction while it is measured (a kernel module: names of fields).

A direction is what one side sends; its row owns WIDTH values. Positions are unwrapped sequence
numbers, -1 while unknown; times are ns.
"""

BEGUN = 0  # 1 once anything was sent this way
NEXT = 1  # position after the highest byte sent
HIGH_NS = 2  # when NEXT moved last
HIGH_IP_ID = 3  # of the segment that moved it; -1 unknown
HIGH_TSVAL = 4
LAST_NS = 5  # when anything with a number of its own (payload, SYN, FIN) was sent last
ACKED = 6  # highest acknowledgement by the peer
ACKED_NS = 7  # when the peer acknowledged anything last
RAISED_NS = 8  # when ACKED moved last
DUPLICATES = 9  # duplicate ACKs by the peer since then
SACKED = 10  # bytes above ACKED that the peer's latest segment reports
SENT_BELOW_NS = 11  # latest transmission of anything below ACKED
FIRST_NODE = 12  # unacknowledged ranges in order of position, see `unacked`; 0 none
LAST_NODE = 13
NODES = 14
IN_FLIGHT_MAX = 15
REPEATS = 16  # segments sent again
REORDERED = 17
COPIES = 18  # frames the capture holds twice
SPURIOUS = 19  # repeats of what had been acknowledged, or proved needless later
TIMEOUTS = 20
BACKOFF = 21  # timeouts in a row
LAST_KIND = 22  # of the last repeat
LAST_REPEAT_END = 23
RECOVER = 24  # recovery lasts until this is acknowledged; -1 outside
RECOVERY_NS = 25  # when it began
RECOVERIES = 26
RECOVERED_NS = 27  # time spent in all that ended
DSACKS = 28
SEEN_0 = 29  # what tells the last segments from others, a ring of SEEN
SEEN = 4
SEEN_NEXT = 33
LARGEST = 34  # payload of the largest segment
WINDOW = 35  # bytes the sender of this direction offers; -1 unknown
SAME_ID = 36  # 1: different segments had the same IP identification, which so proves nothing
SYN_AT = 37  # position of its SYN
PREVIOUS_NS = 38  # of the flow, in the row of side 0: time of its previous segment plus 1
LIMITED_NS = 39  # of the flow, in the row of side 0: time by cause, as `limits` names them
FIRST_DATA_NS = 44  # when its first payload was sent, plus 1
ROUND_END = 45  # position whose acknowledgement ends the round: a flight and its acknowledgements
ROUND_MAX = 46  # most bytes in flight in the round so far
GROWN_TO = 47  # most bytes in flight in the round before
SLOW_START_END_NS = 48  # when the flights stopped growing, plus 1; 0: they still do
SLOW_START_BYTES = 49  # how large they were then
ROUND_TRIPS = 50  # as `round_trips` names them: by acknowledgement, then the sums by timestamp
