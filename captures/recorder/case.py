"""What a case of captures/ is: how it is recorded, what its captures must show, and the truth about each of them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drop import Drop
from lab import Lab

HANDSHAKE = ">S <SA >A "
CLIENT_CLOSES = ">FA <A <FA >A"
TALK = "(>D |<D |>A |<A )+"
CONVERSATION = HANDSHAKE + TALK + CLIENT_CLOSES

Rules = tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """What one capture shows and what a diagnosis of it, alone, must say.

    `shows` is a regular expression for all the segments in the order of capture, each `>` (from the
    client, whose port is 40000 or higher) or `<`, then S, F, R for the flags, D for data, A for ACK alone:
    a handshake is `>S <SA >A`. It is None where the order is left to chance; then the script itself
    proves by what it observes that the recording shows its point.

    `causes` are the rules that must be found, `near_misses` those that must stay silent although it
    looks like them; of all others nothing is said, unless `healthy`: no finding of warning or above.
    """

    shows: str | None = None
    causes: Rules = ()
    near_misses: Rules = ()
    healthy: bool = False


@dataclass(frozen=True)
class Route:
    """What became of the conversation between the points of a case, and what a diagnosis of all together must say.

    Points are `host:interface`, in the order each direction passes them. `reset_by` is the host whose
    kernel or program sent the first reset.
    """

    mode: str
    request: tuple[str, ...]
    reply: tuple[str, ...]
    causes: Rules = ()
    near_misses: Rules = ()
    healthy: bool = False
    dropped: tuple[Drop, ...] = ()
    reset_by: str = ""
    clocks: str = "every point reads the same clock"


@dataclass(frozen=True)
class Case:
    """A folder of captures/ and what makes it. `captures` tells the truth of those that differ from the rest, by file.

    `route` tells the truth of all of them together, where they are points of one path.
    `built`: real software no longer does this, or never did where it can be recorded.
    """

    name: str
    record: Callable[[Lab], None]
    shows: str | None = None
    causes: Rules = ()
    near_misses: Rules = ()
    healthy: bool = False
    captures: Mapping[str, Truth] = field(default_factory=dict)
    route: Route | None = None
    built: bool = False

    @property
    def story(self) -> str:
        return " ".join((inspect.getdoc(self.record) or "").split())

    def truth(self, capture: str) -> Truth:
        alike = Truth(self.shows, self.causes, self.near_misses, self.healthy)
        return self.captures.get(capture, alike)
