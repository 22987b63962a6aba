"""The page of a rule: its module's docstring, under fixed headings."""

import inspect
import re

from tcptrace.diagnosis.registry import Page

HEADINGS = (
    "What it detects",
    "Why it happens",
    "How to confirm",
    "How to fix",
    "When it stays silent",
    "References",
)

_HEADING = re.compile(rf"^({'|'.join(HEADINGS)})\n-+\n", re.MULTILINE)


def title(module: Page) -> str:
    """The page's first line, without its full stop."""
    return _text(module).splitlines()[0].rstrip(".")


def sections(module: Page) -> dict[str, str]:
    """Heading → text, in the order of HEADINGS. Raises KeyError when the page lacks one."""
    _, *parts = _HEADING.split(_text(module))
    found = dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    return {heading: found[heading] for heading in HEADINGS}


def _text(module: Page) -> str:
    return inspect.cleandoc(module.__doc__ or "")
