"""What is kept of a direction while it is measured (a kernel module: names of fields).

A direction is what one side sends; its row owns WIDTH values. Positions are unwrapped sequence
numbers, -1 while unknown; times are ns, -1 where the capture has none.
"""

MARKS = 0  # bits, named below; 0: nothing is known of the flow
NEXT = 1  # position after the highest byte sent
HIGH_NS = 2  # when NEXT moved last
HIGH_IP_ID = 3  # of the segment that moved it; -1 unknown
HIGH_TSVAL = 4
LAST_NS = 5  # when anything with a number of its own (payload, SYN, FIN) was sent last
ACKED = 6  # highest acknowledgement by the peer
ACKED_NS = 7  # when the peer acknowledged anything last
RAISED_NS = 8  # when ACKED moved last
DUPLICATES = 9  # duplicate ACKs by the peer since then
SACKED = 10  # bytes above ACKED that the peer has reported
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
RECOVERY_KIND = 22  # of the repeat that began the recovery, or of a timeout in it
REPEATED = 23  # acknowledged ranges that were sent again, the newest first, see `unacked`; 0 none
RECOVER = 24  # recovery lasts until this is acknowledged; -1 outside
RECOVERY_NS = 25  # when it began
RECOVERIES = 26
RECOVERED_NS = 27  # time spent in all that ended
DSACKS = 28
SEEN_0 = 29  # what tells the last SEEN segments from others, as `copies` has it
SEEN = 4
SEEN_WORDS = 2
SEEN_NEXT = 37
SEEN_LAST = 38  # more of the last segment, where it has no IP identification
LARGEST = 39  # payload of the largest segment
WINDOW = 40  # bytes the sender of this direction offers; -1 unknown
ID_STEPS = 41  # how often in a row the IP identification counted up; -1: different segments had the same one
SYN_AT = 42  # position of its SYN
MSS = 43  # the peer's, from its SYN; 0 where that was not seen
LAST_LEN = 44  # payload of the last segment that moved NEXT; 0 once that was a FIN
PREVIOUS_NS = 45  # of the flow, in the row of side 0: time of its previous segment plus 1
LIMITED_NS = 46  # of the flow, in the row of side 0: time by cause, as `limits` names them
FIRST_DATA_NS = 52  # when its first payload was sent, plus 1
ROUND_END = 53  # position whose acknowledgement ends the round: a flight and its acknowledgements
ROUND_MAX = 54  # most bytes in flight in the round so far
GROWN_TO = 55  # most bytes in flight in the rounds before
SLOW_START_END_NS = 56  # when the flights stopped growing, plus 1; 0: they still do; below 0: perhaps then
SLOW_START_BYTES = 57  # how large they were then
REPEATED_MOST = 58  # most times a range was sent again before its acknowledgement
REPEAT_WAIT_MAX_NS = 59  # longest time from one sending of a range to the next
RECOVERED_MAX_NS = 60  # longest recovery of those that ended
ROUND_TRIPS = 61  # as `round_trips` names them: by acknowledgement, then the sums by timestamp

BEGUN = 1  # in MARKS: the row is set up
SPOKEN = 2  # it sent a segment without SYN
WATCHED = 4  # its flights may be in slow start, which its SYN and first payload were seen to begin
FULL = 8  # the last segment that moved NEXT was full, or several that an offload joined
CROSSED = 16  # ROUND_END is acknowledged, and what that releases is being sent
FILLED = 32  # acknowledgements released full segments in this round
DRY = 64  # all was acknowledged in this round, and the last segment was not full
WINDOW_BOUND = 128  # acknowledgements have released full segments: the sender has met its own window
ANSWERED = 256  # it sent a SYN-ACK
