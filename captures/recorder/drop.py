"""A loss that a recording shows and its truth tells."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Drop:
    """Segments that were dropped between two points. `seq` is relative: the sender's SYN is 0, its first byte 1.

    `times` of 0: each time they were sent. `client` tells which connection, where there are several.
    """

    sender: str
    seq: int
    len_bytes: int
    seen_at: str
    never_at: str
    times: int = 1
    client: str = ""
