"""The JSON of an analysis as plain dicts; what this version cannot know yet has no key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tcptrace.capture.summary import CaptureSummary
from tcptrace.finding_json import finding_dict
from tcptrace.flow_json import Json, flow_dicts
from tcptrace.rows import of_capture

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis

SCHEMA = "tcptrace.analysis/1"


def document(analysis: "Analysis") -> Json:
    """The whole analysis as one dict."""
    import orjson  # not before JSON is asked for

    batches = flow_batches(analysis)
    return {
        "schema": SCHEMA,
        "captures": [capture_dict(summary) for summary in analysis.summaries],
        "flows": [flow for batch in batches for flow in orjson.loads(orjson.dumps(batch))],  # none shares a part
        "findings": [finding_dict(finding) for finding in analysis.found],
    }


def capture_dict(summary: CaptureSummary) -> Json:
    """One entry of `captures`."""
    return {
        "path": valid_text(summary.path),
        "format": summary.format,
        "link_types": summary.link_types,
        "interfaces": [valid_text(name) for name in summary.interfaces],
        "frames": summary.frames,
        "tcp_frames": summary.tcp_frames,
        "other_frames": {valid_text(name): count for name, count in summary.other_frames.items()},
        "start_ns": summary.start_ns,
        "end_ns": summary.end_ns,
        "dated": summary.dated,
        "truncated": summary.truncated,
        "problems": [valid_text(problem) for problem in summary.problems],
        "names": {valid_text(address): valid_text(name) for address, name in summary.context.names.items()},
    }


def flow_batches(analysis: "Analysis", first_capture: int = 0) -> Iterator[list[Json]]:
    """The entries of `flows`, in order; `first_capture` is added to each index into `captures`."""
    for capture, (book, measured) in enumerate(zip(analysis.books, analysis.measured, strict=True)):
        flows, transitions = of_capture(analysis.flow_table, capture), of_capture(analysis.transition_table, capture)
        yield from flow_dicts(first_capture + capture, flows, transitions, book, measured)


def valid_text(text: str) -> str:
    """Text that can be encoded: bytes of a file name that are no UTF-8 stay readable as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
