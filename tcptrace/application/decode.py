"""Puts what the application said into the findings about its flows."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tcptrace.application import tshark
from tcptrace.application.sayings import DATA, SAYINGS, first_words, sayings
from tcptrace.application.tshark import DecodeError, Frame
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.rule import Finding
from tcptrace.kernels import Notice
from tcptrace.rows import places
from tcptrace.schema import Flows

FLOWS_MAX = 20
FLOWS_PER_FINDING = 3
"""Of a finding that is about many flows."""
FIRST, LAST = 3, 3
"""Messages told of a flow: what it began with, and what was said last."""

MESSAGES = (
    f'frame.protocols matches "tcp:(.+:)?({"|".join([*SAYINGS, DATA])})(:|$)" && !tcp.analysis.retransmission'
    " && (!http || http.request || http.response) && (!tls || tls.handshake.type || tls.alert_message)"
    " && (!data || tcp.seq == 1)"
)
"""Frames that say something new: not the rest of a body, nothing encrypted, of what is not known the beginning."""


@dataclass
class Conversation:
    """What was said in one flow, as far as it is told."""

    client_port: int
    first: list[str] = field(default_factory=list)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    count: int = 0

    def add(self, text: str) -> None:
        """One more message."""
        self.count += 1
        if len(self.first) < FIRST:
            self.first.append(text)
        else:
            self.last.append(text)

    def lines(self) -> list[str]:
        """The first and the last messages, and how many there are between."""
        between = self.count - len(self.first) - len(self.last)
        return [*self.first, *[f"… {between:,} more"] * (between > 0), *self.last]


def decoded(found: Sequence[Finding], summary: CaptureSummary, flows: Flows, notice: Notice) -> tuple[Finding, ...]:
    """The findings of one capture, with what the application said in their flows; the worst findings first.

    At most FLOWS_MAX flows of `flows` are decoded. Where that cannot be done, `notice` is told why and what helps.
    """
    asked = list(dict.fromkeys(flow for finding in found for flow in _flows_of(finding, flows)))
    if len(asked) > FLOWS_MAX:
        notice(f"--decode: {len(asked):,} flows have findings, the first {FLOWS_MAX} are decoded; --flow N decodes one")
    said = _conversations(flows, asked[:FLOWS_MAX])
    try:
        _require_payload(summary)
        tshark.require()
        if said:
            tshark.read(summary.path, _filter(said), lambda frame: _take(frame, said))
    except DecodeError as error:
        notice(f"--decode: {error}")
    return tuple(replace(finding, application=tuple(_told(finding, flows, said))) for finding in found)


def _require_payload(summary: CaptureSummary) -> None:
    """Raises DecodeError for a capture that tshark cannot read after us, or that holds nothing to decode."""
    if summary.is_text:
        raise DecodeError(f"{summary.path} is text printed by tcpdump, without payload; a pcap (tcpdump -w) has it")
    if summary.path == "-":
        raise DecodeError("standard input can be read only once; save the capture to a file first")


def _flows_of(finding: Finding, flows: Flows) -> list[int]:
    """The flows of a finding that are decoded: of those chosen, those that carried anything."""
    rows = places(flows.flow, finding.flows)
    carried = flows.client_payload_bytes[rows] + flows.server_payload_bytes[rows] > 0
    return list(map(int, flows.flow[rows[carried][:FLOWS_PER_FINDING]]))


def _conversations(flows: Flows, numbers: Sequence[int]) -> dict[int, Conversation]:
    rows = places(flows.flow, numbers)
    ports = zip(flows.flow[rows].tolist(), flows.client_port[rows].tolist(), strict=True)
    return {flow: Conversation(port) for flow, port in ports}


def _filter(said: dict[int, Conversation]) -> str:
    return f"tcp.stream in {{{', '.join(map(str, said))}}} && {MESSAGES}"


def _take(frame: Frame, said: dict[int, Conversation]) -> None:
    """Add what one frame says to its flow's conversation."""
    if frame.flow in said:
        conversation = said[frame.flow]
        arrow = "→" if frame.sport == conversation.client_port else "←"
        for text in _texts(frame):
            conversation.add(f"{arrow} {text} (frame {frame.number})")


def _texts(frame: Frame) -> Iterator[str]:
    """What each layer says; of what tshark does not know the first line, if it is text."""
    for name, fields in frame.layers:
        yield from sayings(name, fields)
    (above, _), (name, fields) = frame.layers[-2:]
    if above == "tcp" and name == DATA and (payload := fields("data.data")):
        text = first_words(bytes.fromhex(payload[0].show.replace(":", "")))
        yield from [text] if text else []


def _told(finding: Finding, flows: Flows, said: dict[int, Conversation]) -> Iterator[str]:
    """The lines of a finding; the flow is named where there are several."""
    for flow in _flows_of(finding, flows):
        name = f"flow {flow} " if len(finding.flows) > 1 else ""
        yield from (f"{name}{line}" for line in (said[flow].lines() if flow in said else ()))
