"""A naive twin of tcp/zeek_history.py: an object an endpoint, all ranges beyond a hole, history as text."""

from dataclasses import dataclass, field
from typing import Any

from tcptrace.tcp.zeek_history import SERVER_PORTS


@dataclass
class End:
    port: int
    state: str = "INACTIVE"
    before: str = "INACTIVE"
    start: int = 0
    last: int = 0
    acked: int = 0
    fin_end: int | None = None
    told: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    delivered: int = 1
    beyond: list[tuple[int, int]] = field(default_factory=list)
    gave_up: bool = False

    def enter(self, state: str) -> None:
        if state != self.state:
            self.before, self.state = self.state, state

    def position(self, near: int, raw: int) -> int:
        full = near + half(raw - near)
        return full - self.start if full >= 1 << 32 else half(raw - self.start)

    def clean(self) -> bool:
        return self.state == "ESTABLISHED" or (self.state, self.before) == ("CLOSED", "ESTABLISHED")

    def size(self) -> int:
        size = max(self.last, self.acked) - self.start
        for one in (True, self.fin_end is not None):
            size -= one and size != 0
        return size


def half(number: int) -> int:
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def beyond(near: int, raw: int) -> int:
    return (near // 2**32 + (raw < near % 2**32)) * 2**32 + raw


def based(near: int, raw: int) -> int:
    return near // 2**32 * 2**32 + raw % 2**32


class Twin:
    """One connection."""

    def __init__(self, row: Any) -> None:
        self.orig, self.resp = End(row.sport), End(row.dport)
        self.history = ""
        self.told: set[tuple[bool, str]] = set()
        self.partial = False
        self.seen: set[bool] = set()
        likely = row.sport in SERVER_PORTS
        if row.flags & 18 != 2 and likely and (row.dport not in SERVER_PORTS or (not row.flags & 2 and row.sport < 80)):
            self.flip()

    def flip(self) -> None:
        self.orig, self.resp = self.resp, self.orig
        self.seen = {not is_orig for is_orig in self.seen}
        self.partial = False
        self.history += "^"

    def add(self, end: End, letter: str) -> None:
        self.history += letter if end is self.orig else letter.lower()

    def once(self, end: End, kind: str, letter: str) -> bool:
        key = (end is self.orig, kind)
        if key in self.told:
            return True
        self.told.add(key)
        self.add(end, letter)
        return False

    def anew(self, end: End, kind: str, letter: str, position: int) -> None:
        if self.once(end, kind, letter) and end.told.get(kind, 0) != position:
            self.add(end, letter)
        end.told[kind] = position

    def counted(self, end: End, letter: str) -> None:
        end.counts[letter] = end.counts.get(letter, 0) + 1
        if str(end.counts[letter]).strip("0") == "1":
            self.add(end, letter)

    def tell(self, row: Any) -> None:
        x, y = (self.orig, self.resp) if row.sport == self.orig.port else (self.resp, self.orig)
        as_orig = x is self.orig
        fin, syn, rst, ack = (bool(row.flags & bit) for bit in (1, 2, 4, 16))
        if as_orig not in self.seen:
            self.partial = not syn or ack if as_orig else self.partial or not syn
        size = row.len * (not rst) + syn + fin
        self.start(x, row, syn, (row.seq + size) % 2**32)
        position = x.position(x.last, row.seq)
        self.letters(x, row, position, "".join("FSR"[i] for i in range(3) if row.flags & 1 << i), ack)
        if row.window == 0 and not rst and y.state != "CLOSED" and x.state != "RESET":
            self.counted(x, "W")
        if fin:
            x.fin_end = position + size
        acked = self.acked(y, row.ack, rst) if ack else 0
        self.sent(x, (row.seq + size) % 2**32, row.len, syn or rst, fin)
        self.advance(x, y, as_orig, fin, syn, rst, ack, row.len)
        self.seen.add(as_orig)
        if ack:
            self.gaps(y, x, acked)
        if row.len and not row.len_cut and not rst and position >= 0:
            self.payload(x, position + syn, row.len)

    def start(self, x: End, row: Any, syn: bool, end: int) -> None:
        renewed = x.state in ("INACTIVE", "ESTABLISHED", "PARTIAL") or (x.state, x.before) == ("RESET", "INACTIVE")
        if syn and (renewed or (x.state in ("SYN_SENT", "SYN_ACK_SENT") and row.seq != x.start)):
            x.start, x.acked, x.last = row.seq, based(x.acked, row.seq), based(x.last, end)
        elif not syn and x.state == "INACTIVE":
            x.start, x.acked, x.last = (row.seq - 1) % 2**32, based(x.acked, row.seq - 1), based(x.last, row.seq)

    def letters(self, x: End, row: Any, position: int, kinds: str, ack: bool) -> None:
        if kinds == "" and (row.len or ack):
            if self.history == "H":
                self.flip()
                self.history = "^h"
                self.seen.add(True)
            self.once(x, "DATA" if row.len else "ACK", "D" if row.len else "A")
        elif kinds == "S":
            self.anew(x, "S", "H" if ack else "S", position)
        elif kinds == "F":
            self.anew(x, "F", "F", position + row.len)
        elif kinds == "R":
            self.anew(x, "R", "R", position)
        elif kinds:
            self.once(x, "I" if {*"FR"} <= {*kinds} else "Q", "I" if {*"FR"} <= {*kinds} else "Q")

    def acked(self, y: End, ack: int, rst: bool) -> int:
        if y.state == "INACTIVE":
            y.start = (ack - 1) % 2**32
            y.last, y.acked = based(y.last, ack - 1), based(y.acked, ack - 1)
            return 1
        position = y.position(y.acked, ack)
        ahead = half(ack - y.acked)
        if position >= 0 and not rst and ahead > 0 and (ack or ahead <= 1 << 20):
            y.acked = beyond(y.acked, ack)
        return max(0, position)

    def sent(self, x: End, end: int, length: int, leaps: bool, fin: bool) -> None:
        ahead = half(end - x.last)
        if leaps and abs(ahead) > 1 << 20:
            return
        only_syn = (x.last - x.start - 1) % 2**32 == 0
        if (fin and only_syn) or (x.state != "RESET" and ahead > 0):
            x.last = beyond(x.last, end)
        elif x.state != "RESET" and length:
            self.counted(x, "T")

    def advance(self, x: End, y: End, as_orig: bool, fin: bool, syn: bool, rst: bool, ack: bool, length: int) -> None:
        if x.state == "INACTIVE":
            self.first(x, y, as_orig, fin, syn, rst, ack, length)
        elif x.state in ("SYN_SENT", "SYN_ACK_SENT"):
            for state in ["CLOSED"] * fin + ["RESET"] * rst:
                x.enter(state)
        elif x.state in ("PARTIAL", "ESTABLISHED"):
            if syn and not ack and (x.state, y.state) == ("PARTIAL", "INACTIVE"):
                x.enter("SYN_SENT")
            if rst:
                x.enter("RESET")
            elif fin:
                x.enter("CLOSED")
                if (y.state, y.before) == ("RESET", "CLOSED"):
                    y.enter("CLOSED")
        elif x.state == "CLOSED" and rst and y.state != "CLOSED":
            x.enter("RESET")

    def first(self, x: End, y: End, as_orig: bool, fin: bool, syn: bool, rst: bool, ack: bool, length: int) -> None:
        if syn and as_orig:
            x.enter("SYN_ACK_SENT" if ack else "SYN_SENT")
        elif syn:
            if not ack and y.state == "SYN_ACK_SENT":
                self.flip()
                y.enter("ESTABLISHED")
                self.seen.add(True)
            if y.state == "SYN_SENT":
                y.enter("ESTABLISHED")
            x.enter("ESTABLISHED")
        if fin:
            x.enter("CLOSED")
        if rst:
            x.enter("RESET")
        if x.state == "INACTIVE" and not (not as_orig and not length and self.orig.state == "SYN_SENT"):
            if ack and y.state == "ESTABLISHED":
                x.enter("ESTABLISHED")
                self.partial = False
                self.seen.add(as_orig)
            else:
                x.enter("PARTIAL")

    def gaps(self, y: End, x: End, acked: int) -> None:
        if y.fin_end is not None and 0 <= y.fin_end <= acked:
            acked = y.fin_end - 1
        if acked <= y.delivered or (acked <= 2 and self.partial):
            return
        holes = 0
        for left, right in [*sorted(block for block in y.beyond if block[0] < acked), (acked, acked)]:
            holes += left > y.delivered
            y.delivered = max(y.delivered, right)
        for _ in range(holes if x.clean() and y.clean() and not y.gave_up else 0):
            self.counted(y, "G")
        self.deliver(y)

    def deliver(self, y: End) -> None:
        for left, right in sorted(y.beyond):
            y.delivered = max(y.delivered, right) if left <= y.delivered else y.delivered
        y.beyond = [(left, right) for left, right in y.beyond if left > y.delivered]

    def payload(self, x: End, position: int, length: int) -> None:
        acked = x.acked - x.start
        if x.gave_up or position + length <= acked:
            return
        x.beyond.append((max(position, acked), position + length))
        self.deliver(x)
        if acked in (0, 1) and x.beyond and max(right for _, right in x.beyond) - x.delivered > 16384:
            x.gave_up, x.beyond = True, []

    def conn_state(self) -> str:
        o, r = self.orig.state, self.resp.state
        silent = {"INACTIVE", "PARTIAL"}
        if r == "RESET":
            if o in ("SYN_SENT", "SYN_ACK_SENT") or (o == "RESET" and self.orig.size() == self.resp.size() == 0):
                return "REJ"
            return "RSTRH" if o in silent else "RSTR"
        if o == "RESET":
            if r not in silent:
                return "RSTO"
            history = self.history.removeprefix("^")
            until, reset, _ = history.partition("R")
            return "RSTOS0" if history[:1] == "S" and reset and not {*until} & {*"HAFGIQ"} else "OTH"
        if o == "CLOSED":
            return "SF" if r == "CLOSED" else "SH" if r in silent else "S2"
        if r == "CLOSED":
            return "SHR" if o in silent else "S3"
        return {("SYN_SENT", "INACTIVE"): "S0", ("ESTABLISHED", "ESTABLISHED"): "S1"}.get((o, r), "OTH")
