"""Every rule's page and declaration are whole, and say what is so."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from tcptrace.diagnosis import rules
from tcptrace.diagnosis.handbook import HEADINGS, sections, title
from tcptrace.diagnosis.registry import ALL_RULES, BY_NAME, PATH_RULES, RULES, Page
from tcptrace.diagnosis.rule import FAMILIES, SEVERITIES

CATALOGUE = {
    "handshake": "syn-unanswered connection-refused icmp-rejected synack-source-mismatch half-open "
    "accept-queue-overflow syn-cookies syn-flood syn-dropped-by-server paws-nat-drop port-reuse stale-connection "
    "port-exhaustion simultaneous-open handshake-slow",
    "reset": "sidecar-reset first-data-reset abortive-close write-after-close reset-injected idle-timeout "
    "challenge-ack",
    "close": "close-wait-stuck fin-retransmission empty-reply simultaneous-close half-close",
    "transfer": "high-retransmission rto-stall spurious-retransmission reordering zero-window nagle-delayed-ack "
    "pmtu-black-hole keepalive-timeout",
    "capture": "capture-loss one-sided-capture truncated-frames truncated-file duplicate-frames clock-step "
    "offloaded-segments",
    "path": "lost-between vanished-in-host untranslated-reply asymmetric-path director-timeout upstream-refused "
    "backend-down routing-loop vip-arp-conflict field-rewritten clock-unaligned",
}
"""Names that users' scripts and case.toml files know: they are added to, never changed."""

KNOWN = {name: family for family, names in CATALOGUE.items() for name in names.split()}

UNITS = {"%": "percent"}
"""Units whose word in a name is another."""


def name(module: Page) -> str:
    return module.RULE.name


every_rule = pytest.mark.parametrize("module", ALL_RULES, ids=name)


def test_every_file_is_a_rule_of_the_same_name() -> None:
    (folder,) = rules.__path__
    files = {path.stem.replace("_", "-") for path in Path(folder).glob("*.py")} - {"--init--"}
    assert files == set(BY_NAME)
    assert len(ALL_RULES) == len(BY_NAME)
    assert all(vars(module)["__name__"].endswith(f".{name(module).replace('-', '_')}") for module in ALL_RULES)


@every_rule
def test_a_page_has_a_title_and_all_headings(module: Page) -> None:
    first, blank, *_ = str(module.__doc__).splitlines()
    assert first.endswith(".")
    assert blank == ""
    assert title(module) == first[:-1]
    assert list(sections(module)) == list(HEADINGS)
    assert all(len(text) > 20 for text in sections(module).values())
    assert str(module.__doc__).count("\n---") == len(HEADINGS)


@every_rule
def test_a_page_shows_how_to_see_it_in_wireshark(module: Page) -> None:
    assert "Wireshark" in sections(module)["How to confirm"]


FILTER = re.compile(r"In Wireshark: ([a-z]+\.[a-z_.]+(?: .*)?)")
"""A line that begins with a field, so that it is to be pasted."""

PROSE = re.compile(r"[,;.](?= |$)| (?!in )[a-z]+ [a-z]+ |  ")
"""What no display filter holds outside of braces: marks of a sentence, two words in a row."""


@every_rule
def test_what_stands_behind_wireshark_can_be_pasted(module: Page) -> None:
    for pasted in FILTER.findall(sections(module)["How to confirm"]):
        assert not PROSE.search(re.sub(r"\{[^}]*\}", "{}", pasted)), pasted
        assert "tcp.flags == 0x012" not in pasted, "SYN-ACKs that agree on ECN have more flags"


@pytest.mark.parametrize(
    ("pasted", "is_prose"),
    [
        ("tcp.stream == N && tcp.flags.fin == 1", False),
        ("frame.number in {1, 2} || tcp.analysis.keep_alive", False),
        ("tcp.flags.syn == 1, with ip.ttl as a column", True),
        ("tcp.flags.fin == 1 shows one FIN only", True),
    ],
)
def test_prose_is_told_from_a_filter(pasted: str, is_prose: bool) -> None:
    assert bool(PROSE.search(re.sub(r"\{[^}]*\}", "{}", pasted))) == is_prose


@every_rule
def test_a_rule_is_of_a_family_and_a_severity(module: Page) -> None:
    assert module.RULE.family in FAMILIES
    assert module.RULE.severity in SEVERITIES


@every_rule
def test_a_threshold_ends_in_its_unit_and_says_what_it_decides(module: Page) -> None:
    for threshold, told in module.RULE.thresholds.items():
        unit = UNITS.get(told.unit, told.unit)
        assert threshold.endswith(f"_{unit}") or threshold == unit or not unit, threshold
        assert threshold.replace("_", "").isalnum()
        assert 0 <= told.value < float("inf")
        assert told.meaning
        assert not told.meaning.endswith(".")


@every_rule
def test_what_a_rule_explains_is_a_rule(module: Page) -> None:
    assert set(module.RULE.explains) <= set(BY_NAME) | set(KNOWN)


@every_rule
def test_no_rule_explains_itself_over_others(module: Page) -> None:
    met: set[str] = set()
    symptoms = set(module.RULE.explains)
    while symptoms:
        met |= symptoms
        symptoms = {below for symptom in symptoms & set(BY_NAME) for below in BY_NAME[symptom].RULE.explains} - met
    assert name(module) not in met, "each would fold the other away"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_rule_of_the_catalogue_is_there(family: str) -> None:
    assert set(CATALOGUE[family].split()) <= set(BY_NAME)


@every_rule
def test_a_rule_of_the_catalogue_keeps_its_family(module: Page) -> None:
    assert KNOWN.get(name(module), module.RULE.family) == module.RULE.family


def test_rules_of_a_family_stand_together() -> None:
    families = [family for family, _ in groupby(module.RULE.family for module in RULES)]
    assert sorted(families) == sorted(FAMILIES)


def test_path_rules_are_of_the_path_family_or_look_at_one_capture_as_well() -> None:
    assert all(module.RULE.family == "path" or module in RULES for module in PATH_RULES)
