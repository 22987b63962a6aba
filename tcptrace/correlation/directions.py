"""Which way a segment goes, and where it was not seen."""

from tcptrace.schema import UNKNOWN

REQUEST, REPLY = 0, 1
"""Directions: what the client sends, what the server sends; a sighting's `side` is the same number."""
DIRECTIONS = ["request", "reply"]

NOWHERE = UNKNOWN
"""In place of a point, frame or row: not seen."""
