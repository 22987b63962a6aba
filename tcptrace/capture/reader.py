"""A capture, opened: what it is, and its packets chunk by chunk."""

import io
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from tcptrace.capture import pcapng
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.ahead import Ahead
from tcptrace.capture.container import Container
from tcptrace.capture.decoding import Chunk, Decoder
from tcptrace.capture.erf import Erf, looks_like_erf
from tcptrace.capture.kernel_choice import KernelChoice
from tcptrace.capture.lookalikes import OTHER_TEXT, lookalike
from tcptrace.capture.pcap import Pcap, byte_order
from tcptrace.capture.source import Source, open_source
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.text_lines import text_of
from tcptrace.capture.walking import Walked, Walker
from tcptrace.errors import CaptureError
from tcptrace.kernels import Notice


class CaptureReader:
    """An open capture. `summary` is complete once `chunks` is exhausted; `addresses` grows with it."""

    def __init__(self, source: Source, notice: Notice, addresses: AddressBook | None = None) -> None:
        self._source = source
        self._choice = KernelChoice(source.size, notice)
        self.summary = CaptureSummary(source.path, "")
        self._settles = addresses is None
        self.addresses = AddressBook(self.summary.context.names) if addresses is None else addresses
        self._ahead: Ahead[tuple[Chunk, bool]] | None = None
        self._container = identify(source, self.summary)
        kind = self._container.format if self._container else "tcpdump text"
        self.summary.format = f"{kind}, {source.compression}" if source.compression else kind

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and close the file; the addresses are settled."""
        if self._ahead is None or self._ahead.close():
            self._source.close()
            if self._settles:
                self.addresses.settle()

    def chunks(self) -> Iterator[Chunk]:
        """All packets, once; the arrays of a chunk are valid until the next is asked for.

        Ends early, and says so in the summary, where the capture is damaged.
        """
        return self._text_chunks() if self._container is None else self._binary_chunks(self._container)

    def _text_chunks(self) -> Iterator[Chunk]:
        """The packets of text printed by tcpdump."""
        from tcptrace.capture.tcpdump_text import read_text  # binary captures need none of its patterns

        kind = self.summary.format
        for packets in read_text(io.BufferedReader(self._source), self.addresses, self.summary):
            yield Chunk.of(packets, self._choice.next(self.summary.frames, 0))
        self.summary.format = kind
        if self._source.damage:
            self.summary.note_truncated(self._source.damage)

    def _binary_chunks(self, container: Container) -> Iterator[Chunk]:
        """The packets of a binary capture, read and decoded in a thread beyond the first window."""
        decoded = self._decoded(Walker(self._source, container, self.summary, self._choice).parts())
        for chunk, then_reads in decoded:
            if chunk.packets.frame.size:
                yield chunk
            if then_reads:
                self._ahead = Ahead(decoded)
                yield from (later for later, _ in self._ahead if later.packets.frame.size)
                return

    def _decoded(self, walked: Iterator[Walked]) -> Generator[tuple[Chunk, bool], None, None]:
        """The packets among some records after others, and whether more of the stream must be read for what follows."""
        decoder = Decoder(self.addresses, self.summary)
        for part in walked:
            buffer, records, first_frame, kernels, then_reads = part
            filled = len(records.offset)
            chunk = decoder.decode_chunk(buffer, records, filled, first_frame, kernels)
            self.summary.frames += filled
            self.summary.note_times(records.time_ns)
            yield chunk, then_reads
        self.summary.note_unread()


def open_capture(
    path: str | Path, notice: Notice = lambda text: None, addresses: AddressBook | None = None
) -> CaptureReader:
    """Open a capture: a path, or `-` for standard input. Raises CaptureError when it cannot be read at all.

    `notice` is told, in one line, when something will take some seconds. `addresses` are those of captures that
    were read before, and are then the caller's to settle.
    """
    source = open_source(str(path))
    try:
        return CaptureReader(source, notice, addresses)
    except CaptureError:
        source.close()
        raise


def identify(source: Source, summary: CaptureSummary) -> Container | None:
    """The container that a stream is, None for tcpdump text; CaptureError when it is no capture."""
    head = source.head
    if head.startswith(pcapng.MAGIC):
        return pcapng.Pcapng(head, summary)
    if byte_order(head):
        return Pcap(head, summary)
    from tcptrace.capture.tcpdump_text import LOOK_AHEAD_BYTES, looks_like_tcpdump

    if looks_like_tcpdump(head):
        return None
    if looks_like_erf(head):
        return Erf(summary)
    if text_of(head) and looks_like_tcpdump(source.look_ahead(LOOK_AHEAD_BYTES)):
        return None
    raise _no_capture(source)


def is_other_text(path: str) -> bool:
    """Whether a file is text that tcpdump did not print, such as notes beside a capture."""
    try:
        with closing(open_source(path)) as source:
            try:
                identify(source, CaptureSummary(path, ""))
            except CaptureError:
                return lookalike(source.head) is OTHER_TEXT
    except CaptureError:
        return False
    return False


def _no_capture(source: Source) -> CaptureError:
    """What an input is instead of a capture."""
    if source.head:
        kind = lookalike(source.head)
        inside = f"the {source.compression} data in it is" if source.compression else "is"
        return CaptureError(source.path, f"{inside} no capture: it looks like {kind.name}", kind.remedy)
    if source.damage:
        return CaptureError(source.path, f"nothing can be read: {source.damage}", source.remedy)
    inside = f"holds {source.compression} data that is empty" if source.compression else "is empty"
    return CaptureError(source.path, inside, "record it again; tcpdump -U writes every frame at once")
