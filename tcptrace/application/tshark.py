"""What tshark finds in chosen frames, through pyshark: the one place that knows either."""

import asyncio
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

from tcptrace.application.sayings import Fields, Value
from tcptrace.errors import TcptraceError

FRAMES_MAX = 5000
TIMEOUT_S = 120.0

PREFERENCES = {"http.desegment_body": "FALSE"}
"""An answer is told where it begins, also one that never ends."""

_NUMBER = re.compile(r" \((0x)?[0-9a-f]+\)$")
_HEADER = "http2.header."


class Frame(NamedTuple):
    """One frame as tshark dissects it."""

    number: int
    flow: int
    """The innermost TCP's `tcp.stream`."""
    sport: int
    layers: Sequence[tuple[str, Fields]]
    """By name, the outermost first."""


class DecodeError(TcptraceError):
    """Tshark or pyshark is missing or fails; the message says what it said, or how to get it."""


def require() -> None:
    """Raises DecodeError where tshark or pyshark is not installed."""
    if shutil.which("tshark") is None:
        raise DecodeError(
            "tshark is not installed; get it by apt install tshark, dnf install wireshark-cli or brew install wireshark"
        )
    if find_spec("pyshark") is None:
        raise DecodeError("pyshark is not installed; get it by pip install 'tcptrace[decode]'")


def read(path: str, display_filter: str, take: Callable[[Frame], None]) -> None:
    """Hand the frames of a capture that a display filter chooses to `take`, at most FRAMES_MAX.

    Raises DecodeError when tshark fails or takes longer than TIMEOUT_S; what it gave until then was handed over.
    """
    import pyshark
    from pyshark.capture.capture import StopCapture

    left = iter(range(FRAMES_MAX - 1))

    def take_one(packet: Any) -> None:
        if "tcp" in packet:  # not only in what an ICMP error quotes
            take(_frame(packet))
        if next(left, None) is None:
            raise StopCapture

    loop = asyncio.new_event_loop()
    capture = pyshark.FileCapture(
        path,
        keep_packets=False,
        display_filter=display_filter,
        tshark_path=shutil.which("tshark"),
        override_prefs=PREFERENCES,
        eventloop=loop,
    )
    try:
        loop.run_until_complete(_read(capture, take_one))
    except TimeoutError as error:
        raise DecodeError(f"{path}: tshark took over {TIMEOUT_S:.0f} s; what it had decoded by then is told") from error
    except Exception as error:  # whatever a dissector or pyshark fails by
        raise DecodeError(f"{path}: {_reason(error)}") from error
    finally:
        capture._running_processes.clear()  # all have ended; its __del__ would look for them on a closed loop
        loop.close()


async def _read(capture: Any, take: Callable[[Any], None]) -> None:
    """As pyshark's apply_on_packets, which kills tshark when all is read, and may take that for a crash."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await capture.packets_from_tshark(take, close_tshark=False)
    finally:
        for process in capture._running_processes:
            if not capture._eof_reached and process.returncode is None:
                process.kill()
            await process.wait()
    await capture.close_async()  # raises what tshark said if it failed


def _reason(error: Exception) -> str:
    """What tshark said last, or what went wrong with it."""
    text = str(error) or type(error).__name__
    said = re.search(r"^Last error line: (.+)", text, re.MULTILINE)
    return said[1] if said else f"tshark: {text.splitlines()[0]}"


def _frame(packet: Any) -> Frame:
    tcp = [layer for layer in packet.layers if layer.layer_name == "tcp"][-1]
    layers = [(layer.layer_name.lower(), partial(_values, layer)) for layer in packet.layers]
    return Frame(int(packet.number), int(tcp.stream), int(tcp.srcport), layers)


def _values(layer: Any, name: str) -> Sequence[Value]:
    """All values of a field; of HTTP/2 also those of a header, as `http2.header.` and its name."""
    if name.startswith(_HEADER) and name not in (f"{_HEADER}name", f"{_HEADER}value"):
        names, values = (_values(layer, f"{_HEADER}{part}") for part in ("name", "value"))
        return [value for key, value in zip(names, values, strict=False) if key.show == name.removeprefix(_HEADER)]
    found = layer.get_field(name)
    return [] if found is None else [_value(one) for one in found.all_fields]


def _value(found: Any) -> Value:
    shown = found.get_default_value() or ""
    return Value(shown, _NUMBER.sub("", found.showname_value or shown))
