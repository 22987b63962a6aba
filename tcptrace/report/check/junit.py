"""JUnit XML, as GitLab and Jenkins show it: a suite for each case, a test case for each expectation."""

import re
import socket
from datetime import UTC, datetime
from typing import TextIO
from xml.etree import ElementTree as Xml

from tcptrace.check.outcome import Outcome, Result
from tcptrace.check.run import Check
from tcptrace.report.check.outcome_words import notes, outcome_text, where
from tcptrace.report.escape import printable
from tcptrace.report.view import View

COULD_NOT_RUN = "can be checked"
"""The one test of a case that could not be checked."""


def write_check(check: Check, out: TextIO, view: View) -> None:
    """All suites; the order of elements and the attributes are those that the published schemas ask for."""
    root = Xml.Element("testsuites")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for number, result in enumerate(check.results):
        root.append(_suite(result, check, number, now))
    Xml.indent(root)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write(Xml.tostring(root, encoding="unicode") + "\n")


def _suite(result: Result, check: Check, number: int, now: str) -> Xml.Element:
    suite = Xml.Element(
        "testsuite",
        name=valid(result.title or result.path),
        package=valid(result.path),
        id=str(number),
        tests=str(len(result.outcomes) or 1),
        failures=str(len(result.unmet)),
        errors=str(int(bool(result.problem))),
        skipped="0",
        time=f"{result.seconds:.3f}",
        timestamp=now,
        hostname=socket.gethostname() or "localhost",
    )
    Xml.SubElement(suite, "properties")
    if result.problem:
        test = _test(suite, result, COULD_NOT_RUN, result.seconds)
        _tell(test, "error", "CouldNotRun", result.problem.splitlines()[0], result.problem)
    for place, outcome in enumerate(result.outcomes):
        test = _test(suite, result, outcome.name, result.seconds / len(result.outcomes))
        if not outcome.met:
            _tell(
                test, "failure", _kind(outcome), _message(outcome), f"{where(result, place)}\n{outcome_text(outcome)}"
            )
    Xml.SubElement(suite, "system-out").text = valid("\n".join(notes(result, check.known)), lines=True) or None
    Xml.SubElement(suite, "system-err")
    return suite


def _test(suite: Xml.Element, result: Result, name: str, seconds: float) -> Xml.Element:
    """The reading of captures is shared out among the expectations."""
    return Xml.SubElement(suite, "testcase", classname=valid(result.path), name=valid(name), time=f"{seconds:.3f}")


def _tell(test: Xml.Element, tag: str, kind: str, message: str, text: str) -> None:
    Xml.SubElement(test, tag, type=kind, message=valid(message)).text = valid(text, lines=True)


def _kind(outcome: Outcome) -> str:
    """`findings`, `absent`, `flow`, `limits`, ..."""
    return re.split(r"[: ]", outcome.name)[0]


def _message(outcome: Outcome) -> str:
    return f"expected {outcome.expected}; found {outcome.found}"


def valid(text: str, *, lines: bool = False) -> str:
    """Text that XML can hold, harmless on a terminal; with `lines` it may have several."""
    return "\n".join(map(printable, text.split("\n"))) if lines else printable(text)
