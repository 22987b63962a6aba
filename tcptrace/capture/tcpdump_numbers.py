"""Sequence numbers as tcpdump prints them, to raw ones.

Without `-S`, tcpdump keeps two base numbers for each pair of endpoints, for ever. A segment
without ACK is printed raw. The first segment with ACK, and every SYN-ACK, is printed raw and sets
the bases: its own sequence number for its sender, one less than its acknowledgement for the
other side. All others are printed less these bases, and so are SACK blocks, even those of the first.
With `-S` everything is raw. Nothing says which of the two a text is, so it is judged by
each flow's numbers: raw ones carry on where the flow stood, relative ones do once a base is added.

A segment without data, SYN, FIN or RST is printed without its sequence number, unless `-vv` was
given. Where that segment was to set its sender's base, the base stays unknown and that side's
numbers stay as printed.
"""

from tcptrace.schema import UNKNOWN

MASK_32 = 0xFFFFFFFF
_HALF = 1 << 31
_CLEARLY = 4
"""How many times nearer one reading of a number must be than the other to settle a flow's form."""
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

Blocks = tuple[tuple[int, int], ...]


class FlowNumbers:
    """What is known of the numbers between two endpoints; sides are 0 and 1."""

    __slots__ = ("_base", "_guessed", "_next", "_relative", "_settled")

    def __init__(self) -> None:
        self._base: list[int | None] | None = None
        self._guessed = UNKNOWN
        self._next: list[int | None] = [None, None]
        self._relative: bool | None = None
        self._settled = False

    def raw(self, side: int, flags: int, length: int, seq: int, ack: int) -> tuple[int, int, int]:
        """Raw sequence number, raw acknowledgement, and 1 if the former is inferred.

        `seq` and `ack` are as printed, -1 when they were not.
        """
        other = 1 - side
        if not flags & ACK:
            inferred = seq < 0 or self._unrelated(side, flags)
        elif self._base is None or flags & SYN:
            inferred = seq < 0
            self._base, self._guessed = [None, None], side if inferred else UNKNOWN
            self._base[side] = self._next[side] if inferred else seq
            self._base[other] = (ack - 1) & MASK_32 if ack >= 0 else None
        else:
            inferred = seq < 0
            if self._is_relative(((seq, side), (ack, other))):
                if side == self._guessed and not inferred:
                    self._mend_guess(side, seq)
                seq, ack = self._absolute(seq, side), self._absolute(ack, other)
        if inferred:
            expected = self._next[side]
            seq = UNKNOWN if expected is None else expected
        else:
            self._advance(side, flags, seq, length)
        if flags & ACK and ack >= 0:
            if flags & SYN:
                self._next[other] = ack  # also where made-up packets do not count the SYN
            else:
                self._move(other, ack)
        return seq, ack, int(inferred)

    def raw_blocks(self, side: int, ack: int, blocks: Blocks) -> Blocks:
        """SACK blocks of a segment for which `raw` was called, given its raw acknowledgement."""
        base = None if self._base is None else self._base[1 - side]
        relative = self._relative
        if base is None:
            return blocks
        if relative is None:
            left = blocks[0][0]
            relative = _distance(left + base, ack) < _distance(left, ack)
        shift = base if relative else 0
        return tuple(((left + shift) & MASK_32, (right + shift) & MASK_32) for left, right in blocks)

    def _unrelated(self, side: int, flags: int) -> bool:
        """Whether a number printed raw cannot be compared with the others of that side."""
        return not flags & SYN and self._relative is True and self._base is not None and self._base[side] is None

    def _mend_guess(self, side: int, printed: int) -> None:
        """Set a base taken from a SYN right, where a SYN-ACK that the text leaves out has set it."""
        assert self._base is not None
        base, stood = self._base[side], self._next[side]
        if base is not None and stood is not None and _distance(base + printed, stood + 1) == 0:
            self._base[side] = base - 1
        self._guessed = UNKNOWN

    def _absolute(self, printed: int, side: int) -> int:
        assert self._base is not None
        return printed if printed < 0 else (printed + (self._base[side] or 0)) & MASK_32

    def _is_relative(self, numbers: tuple[tuple[int, int], ...]) -> bool:
        """Judge the flow's form by how near each reading comes to where that side stood."""
        if self._settled:
            return self._relative or False
        assert self._base is not None
        if_raw = if_relative = 0
        for printed, side in numbers:
            base, stood = self._base[side], self._next[side]
            if printed >= 0 and base is not None and stood is not None:
                if_raw += _distance(printed, stood)
                if_relative += _distance(printed + base, stood)
        self._settled = min(if_raw, if_relative) * _CLEARLY < max(if_raw, if_relative)
        if self._settled or self._relative is None:
            self._relative = None if if_relative == if_raw else if_relative < if_raw
        return self._relative or False

    def _advance(self, side: int, flags: int, seq: int, length: int) -> None:
        """Note what a segment's sender has sent."""
        end = (seq + max(length, 0) + (flags & FIN) + (flags >> 1 & 1)) & MASK_32
        if flags & SYN:
            stood = self._next[side]
            if not flags & ACK and stood is not None and stood != end:
                self._next[1 - side] = None  # a new connection of the same endpoints
            self._next[side] = end
        elif not flags & RST:
            self._move(side, end)

    def _move(self, side: int, end: int) -> None:
        stood = self._next[side]
        if stood is None or 0 < (end - stood) & MASK_32 < _HALF:
            self._next[side] = end


def _distance(a: int, b: int) -> int:
    """How far apart two 32-bit numbers lie."""
    apart = (a - b) & MASK_32
    return min(apart, MASK_32 + 1 - apart)
