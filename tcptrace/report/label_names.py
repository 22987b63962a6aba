"""The names of a segment's labels."""

from functools import cache

from tcptrace.schema import LABELS


@cache
def label_names(bits: int) -> tuple[str, ...]:
    """Wireshark's names of what a segment is, in the order of LABELS."""
    return tuple(name for place, name in enumerate(LABELS) if bits >> place & 1)
