"""One recording, read: its analysis, and the sightings of its segments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.schema import Flows, Sightings, Transitions
from tcptrace.tcp.measures import Measured

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Recording:
    """What one input gave: a capture, or the rotated files of one, read one after the other."""

    paths: tuple[str, ...]
    summary: CaptureSummary
    book: AddressBook
    flows: Flows
    transitions: Transitions
    measured: Measured
    sightings: Sightings
    """Their `point` is an index into the points of all recordings."""
