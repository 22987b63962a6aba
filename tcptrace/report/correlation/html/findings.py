"""Findings on the page: the bar that filters by them, and all that is said of each."""

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from tcptrace.diagnosis.rule import Finding
from tcptrace.report.correlation.html.marked import anchor
from tcptrace.report.correlation.html.markup import NOTHING, Markup, element, group, text
from tcptrace.report.correlation.mentions import place
from tcptrace.report.findings import MARKS, confidence, story, tally
from tcptrace.report.units import count

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def findings(correlation: "Correlation", *, top: int) -> Markup:
    """The first `top` in full, below the bar; one line where there are none."""
    if not correlation.found:
        told = f"no findings in {count(len(correlation.connections), 'connection')}"
        return element("p", text(told), class_="good")
    cards = (_card(correlation, finding, number) for number, finding in enumerate(correlation.found[:top]))
    more = len(correlation.found) - top
    others = element("p", text(f"… and {count(more, 'more finding')}: --top, --format json"), class_="dim")
    return element(
        "section",
        element("h2", text("Findings")),
        element("p", text(tally(correlation.found))),
        _bar(correlation),
        *cards,
        others if more > 0 else NOTHING,
    )


def _bar(correlation: "Correlation") -> Markup:
    """A button for every rule that found something; the script shows it, since without it there is nothing to press."""
    severity = {finding.rule: finding.severity for finding in reversed(correlation.found)}
    rules = Counter(finding.rule for finding in correlation.found)
    buttons = (
        element("button", text(f"{MARKS[severity[rule]].text} {rule} {number}"), type="button", data_filter=rule)
        for rule, number in rules.items()
    )
    everything = element("button", text("all"), type="button", data_filter="", aria_pressed="true")
    return element("div", text("show "), everything, *buttons, class_="bar", role="group", hidden="")


def _card(correlation: "Correlation", finding: Finding, number: int) -> Markup:
    between, where = place(correlation, finding)
    mark = element("span", text(MARKS[finding.severity].text), class_="mark")
    facts = " · ".join(filter(None, (where, confidence(finding))))
    only = element("button", text("show only this"), type="button", data_filter=anchor(number), hidden="")
    return element(
        "article",
        element("h3", mark, text(f" {finding.rule}")),
        element("p", text(between), class_="ends"),
        element("p", _where(finding, facts), only, class_="dim"),
        element("p", text(finding.summary)),
        element("dl", _story(finding)),
        id=anchor(number),
        class_=f"finding {finding.severity}",
        data_shows=f"{finding.rule} {anchor(number)}",
    )


def _where(finding: Finding, facts: str) -> Markup:
    if finding.connection is None:
        return text(facts)
    return element("a", text(facts), href=f"#connection-{finding.connection}")


def _story(finding: Finding) -> Markup:
    """A label once, with all that it stands for."""
    parts = []
    for label, told in groupby(story(finding), key=lambda line: line.label):
        parts.append(element("dt", text(label)))
        parts += [element("dd", element("code", text(one.text)) if one.exact else text(one.text)) for one in told]
    return group(*parts)
