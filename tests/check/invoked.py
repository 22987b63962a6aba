"""`tcptrace check`, invoked, and what there is to check."""

from pathlib import Path

from typer.testing import CliRunner, Result

from tcptrace import cli
from tests.check.recorded import CAPTURES

BASELINE = "known.json"
FORMATS = ("table", "json", "junit", "sarif", "github", "markdown")
REFUSED = CAPTURES / "refused" / "client.pcap"
HEALTHY = CAPTURES / "http" / "client.pcap"
STALL = CAPTURES / "rto-stall" / "client.pcap"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["check", *map(str, words)], env={"COLUMNS": "100", "TERM": "dumb"})


def problem(*words: str | Path) -> str:
    """The message of a run that could not begin."""
    outcome = invoke(*words)
    assert outcome.exception is not None
    assert not isinstance(outcome.exception, SystemExit)
    return str(outcome.exception)
