"""What correlation tells: points, streams, connections and what became of them on their path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tcptrace.correlation.directions import REPLY

MODES = ["direct", "dr", "nat", "fullnat", "tun", "proxy", "unknown"]


@dataclass(frozen=True)
class Point:
    """A place where a capture was taken: `host:interface`, or a name, which then is a host's."""

    name: str
    host: str
    """Points of one host share its clock."""
    recording: int
    """Index into the recordings; several points may share one."""
    interface: int | None = None
    """Which of the recording's interfaces, as recording.way numbers them; None: all of them."""


@dataclass(frozen=True)
class ClockStep:
    """A host's clock was set while it recorded."""

    time_ns: int
    """When, by that clock, just after."""
    by_ns: int
    """How far its own time jumped."""
    frames: Mapping[int, int] = field(default_factory=dict)
    """By point of the host, the first frame after it: where time went back, times do not tell what came after."""
    low_ns: int | None = None
    """Least jump that causality allows; None: unbounded."""
    high_ns: int | None = None


@dataclass(frozen=True)
class Clock:
    """A host's clock beside the reference clock, that of the first point given."""

    host: str
    offset_ns: int
    """Added to a time of this host, at its first frame, it gives reference time."""
    low_ns: int | None
    """Least offset that causality allows; None: unbounded."""
    high_ns: int | None
    """Greatest; None: unbounded."""
    drift_ppm: float | None
    """Rate of change of the offset, millionths; None: not told."""
    start_ns: int
    """By its own clock: what `offset_ns` holds at."""
    steps: tuple[ClockStep, ...] = ()
    basis: str = ""
    """What the offset rests on, as text."""


@dataclass(frozen=True)
class Leg:
    """A flow at a point as part of a connection."""

    point: int
    """Index into the points."""
    flow: int
    """Number of the flow in the point's recording."""
    client: str
    """`10.0.0.1:40000`, as this point sees it."""
    server: str
    evidence: tuple[str, ...]
    """Why it belongs to its connection."""
    confidence: float


@dataclass(frozen=True)
class Stream:
    """One TCP connection as its two ends know it, whatever rewrites its addresses on the way."""

    stream: int
    legs: tuple[Leg, ...]

    @property
    def points(self) -> tuple[int, ...]:
        """Where it was seen, each point once."""
        return tuple(dict.fromkeys(leg.point for leg in self.legs))


@dataclass(frozen=True)
class Delay:
    """How long segments took over a hop, and how far that may be wrong: by clocks of two hosts."""

    min_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    low_ns: int
    """The least the median can be, as the clocks' intervals and the units of their times allow."""
    high_ns: int
    tick_ns: int = 1
    """The unit that delays are whole numbers of: that of the coarser times."""


@dataclass(frozen=True)
class Hop:
    """Two neighbouring points on a stream's path, one way."""

    direction: int
    """REQUEST or REPLY."""
    source: int
    """Index into the points."""
    target: int
    stream: int
    """The stream it belongs to: a connection through a proxy has several."""
    frames: int
    """Segments seen at both."""
    lost: int
    """Segments seen at `source` and at no later point."""
    lost_frames: tuple[int, ...]
    """Their frames at `source`."""
    duplicated: int
    reordered: int
    delay: Delay | None
    """None where the clocks do not allow to tell."""
    missed: int = 0
    """Segments that later points or an acknowledgement show to have arrived: the capture at `target` lacks them."""
    missed_frames: tuple[int, ...] = ()
    """Their frames at `source`."""


@dataclass(frozen=True)
class Rewrite:
    """What a field of a direction's packets was before and after a hop."""

    direction: int
    source: int
    target: int
    field: str
    """`client address`, `server address`, `MSS`, `window scale`, `timestamps`, `initial sequence number`, ..."""
    before: str
    after: str
    frames: tuple[int, int]
    """A frame at `source` and the same at `target` that show it."""


@dataclass(frozen=True)
class ResetOrigin:
    """Where a connection's first RST came into being."""

    point: int
    """The first point on its way that has it."""
    side: str
    """`client`, `server`, or `middlebox`."""
    host: str
    """The host that sent it: of the point, where that is the end or a middlebox; empty: none that was captured at."""
    frame: int
    evidence: tuple[str, ...]
    direction: int = REPLY
    """In whose name it came: REQUEST for the client's, REPLY for the server's."""


@dataclass(frozen=True)
class DirectorStep:
    """A change of what a director believes of a connection."""

    time_ns: int | None
    """By reference time; None where only bounds are known."""
    low_ns: int | None
    high_ns: int | None
    before: str
    """IPVS's own names: NONE, SYN_RECV, ..."""
    after: str
    event: str
    basis: str
    """`capture`, `log` or `neighbours`."""


@dataclass(frozen=True)
class Director:
    """A load balancer's own state of a connection, by its table."""

    host: str
    table: str
    """`input_only` (DR and TUN) or `nat`."""
    timeline: tuple[DirectorStep, ...]


@dataclass(frozen=True)
class Connection:
    """One conversation over all points."""

    connection: int
    client: str
    """As the client's end sees itself."""
    server: str
    """As the client calls it."""
    mode: str
    """One of MODES."""
    mode_confidence: float
    mode_evidence: tuple[str, ...]
    streams: tuple[Stream, ...]
    """From the client to the server; more than one where proxies lie between."""
    path: tuple[tuple[int, ...], tuple[int, ...]]
    """Points in the order a request passes them, and a reply."""
    hops: tuple[Hop, ...]
    rewrites: tuple[Rewrite, ...]
    reset_origin: ResetOrigin | None
    director: Director | None
    states: tuple[str, str]
    """Last states of the client and of the server, of the ends of the whole conversation."""

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Of all its streams."""
        return tuple(leg for stream in self.streams for leg in stream.legs)


@dataclass(frozen=True)
class Candidate:
    """Streams that may belong together, and did not get joined since as much speaks for another."""

    streams: tuple[int, ...]
    evidence: tuple[str, ...]
    confidence: float


@dataclass(frozen=True)
class Translation:
    """What a director's table or log says that it does with a client's connection; ends as `10.0.0.1:80`."""

    client: str
    virtual: str
    """What the client calls."""
    local: str
    """Who the director is to the realserver; empty: the client itself."""
    realserver: str
    state: str = ""
    """What the director believed of it when the table was printed, by its own name; empty in a log."""
    expire_s: int | None = None
    """When it would have forgotten it."""


Clocks = Mapping[str, Clock]
"""By host."""

Points = Sequence[Point]
