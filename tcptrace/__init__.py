"""tcptrace: packet captures in, both endpoints' TCP states out.

>>> import tcptrace
>>> result = tcptrace.analyze("capture.pcap")  # doctest: +SKIP
>>> result.flows[["client", "server", "client_state", "server_state"]]  # doctest: +SKIP

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline, analyze, packets, timeline
    from tcptrace.diagnosis.wanted import Wanted
    from tcptrace.errors import CaptureError, TcptraceError, UsageError
    from tcptrace.export.extract import extract
    from tcptrace.export.merge import merge
    from tcptrace.joint_analysis import Correlation, correlate
    from tcptrace.selection import Selection

__all__ = [
    "Analysis",
    "CaptureError",
    "Correlation",
    "Selection",
    "TcptraceError",
    "Timeline",
    "UsageError",
    "Wanted",
    "analyze",
    "correlate",
    "extract",
    "merge",
    "packets",
    "timeline",
]

_HOMES = {
    "tcptrace.analysis": ("Analysis", "Timeline", "analyze", "packets", "timeline"),
    "tcptrace.joint_analysis": ("Correlation", "correlate"),
    "tcptrace.diagnosis.wanted": ("Wanted",),
    "tcptrace.errors": ("CaptureError", "TcptraceError", "UsageError"),
    "tcptrace.export.extract": ("extract",),
    "tcptrace.export.merge": ("merge",),
    "tcptrace.selection": ("Selection",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
