"""The commands: options in, a report out. There is no logic here that the library does not offer."""

import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tcptrace.analysis import Analysis, analyze_one, known_in_one
from tcptrace.analysis import packets as read_packets
from tcptrace.analysis import timeline as read_timeline
from tcptrace.check.parts import Part
from tcptrace.command_options import (
    Baseline,
    BinaryCapture,
    Capture,
    Captures,
    CheckFormatOption,
    CheckPaths,
    ConnectionOption,
    ConnectionTop,
    CorrelationFormatOption,
    Decode,
    DirectorTables,
    ExplainedRule,
    FailOn,
    Flow,
    FormatOption,
    Host,
    Init,
    Jobs,
    NoColor,
    OneFlow,
    Output,
    Parts,
    Pcapng,
    PointWords,
    Port,
    Quiet,
    Raw,
    Rules,
    Set,
    SeverityOption,
    Since,
    Top,
    TrustClocks,
    Until,
    UpdateCases,
    Utc,
    WriteBaseline,
)
from tcptrace.diagnosis.settings import Settings, find_settings, merged, parse_settings, spelled
from tcptrace.diagnosis.wanted import Severity, Wanted
from tcptrace.errors import CaptureError, UsageError
from tcptrace.report.check.formats import CheckFormat, check_report
from tcptrace.report.correlation.formats import CorrelationFormat, correlation_report
from tcptrace.report.failure import tell
from tcptrace.report.formats import Format, report
from tcptrace.report.output import open_output
from tcptrace.report.progress import checking, reading
from tcptrace.report.units import count
from tcptrace.report.view import View
from tcptrace.selection import Selection
from tcptrace.times import parse_time

if TYPE_CHECKING:
    from tcptrace.export.commented_writer import Written

app = typer.Typer(
    name="tcptrace",
    help="Read packet captures and rebuild the TCP state of both endpoints of every connection over time.",
    epilog="Begin with: tcptrace analyze capture.pcap\n\n"
    "Large captures are read by machine code, made once and kept in ~/.cache; TCPTRACE_CACHE names another folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tcptrace {version('tcptrace')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]


@app.callback()
def tcptrace(show_version: Version = False) -> None:
    """Read packet captures and rebuild the TCP state of both endpoints of every connection over time."""


MEASURES: dict[Format, dict[str, bool]] = {
    Format.TABLE: {"statistics": False, "zeek": False},
    Format.JSON: {"statistics": False},
    Format.JSONL: {},
    Format.CSV: {},
    Format.MARKDOWN: {},
}
"""What each format does without; the table of one flow shows as much as CSV."""


@app.command(epilog="Example: tcptrace analyze client.pcap server.pcap.gz --host 10.0.0.1")
def analyze(
    captures: Captures,
    format: FormatOption = Format.TABLE,
    output: Output = None,
    flow: Flow = None,
    host: Host = None,
    port: Port = None,
    since: Since = None,
    until: Until = None,
    utc: Utc = False,
    top: Top = View.top,
    rules: Rules = None,
    severity: SeverityOption = Severity.INFO,
    set_: Set = None,
    decode: Decode = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Say what went wrong in each capture, and show its flows, their states at both ends, and how they closed."""
    selection = _selection(flow, host, port, since, until, utc)
    wanted = Wanted(tuple(map(spelled, rules or ())), severity.value, _settings(set_), decode)
    failed: list[CaptureError] = []
    needed = MEASURES[Format.CSV if format is Format.TABLE and flow is not None else format]
    analyses = known_in_one(_analyses(captures, selection, wanted, quiet, failed, needed))
    first = next(analyses, None)
    if first is not None:
        with open_output(output, captures) as out:
            view = _view(output, no_color, utc=utc, top=top, full=flow is not None)
            report(format).write_analyses(chain([first], analyses), out, view)
    if failed:
        raise typer.Exit(2)


@app.command(epilog="Example: tcptrace timeline client.pcap --flow 0")
def timeline(
    capture: Capture,
    flow: OneFlow,
    format: FormatOption = Format.TABLE,
    output: Output = None,
    raw: Raw = False,
    utc: Utc = False,
    no_color: NoColor = False,
    rules: Rules = None,
    severity: SeverityOption = Severity.INFO,
    set_: Set = None,
    decode: Decode = False,
    quiet: Quiet = False,
) -> None:
    """Show one flow as a ladder: every segment between the states of its two ends, findings at their frames."""
    wanted = Wanted(tuple(map(spelled, rules or ())), severity.value, _settings(set_), decode)
    with reading(capture, quiet=quiet) as notice:
        result = read_timeline(capture, flow, wanted, notice=notice)
    with open_output(output, [capture]) as out:
        report(format).write_timeline(result, out, _view(output, no_color, utc=utc, raw=raw))


@app.command(epilog="Example: tcptrace packets client.pcap --flow 0 --format csv -o flow0.csv")
def packets(
    capture: Capture,
    format: FormatOption = Format.TABLE,
    output: Output = None,
    flow: Flow = None,
    host: Host = None,
    port: Port = None,
    since: Since = None,
    until: Until = None,
    raw: Raw = False,
    utc: Utc = False,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """List every TCP frame with the flow it belongs to."""
    selection = _selection(flow, host, port, since, until, utc)
    with reading(capture, quiet=quiet, progress=output is not None) as notice, open_output(output, [capture]) as out:
        chunks = read_packets(capture, selection, notice=notice)
        first = list(islice(chunks, 1))  # before the first word is written: is there what is asked for?
        report(format).write_packets(capture, chain(first, chunks), out, _view(output, no_color, utc=utc, raw=raw))


@app.command(epilog="Example: tcptrace correlate client=client.pcap lvs:eth0=in.pcap lvs:eth1=out.pcap rs=rs.pcap")
def correlate(
    points: PointWords,
    format: CorrelationFormatOption = CorrelationFormat.TABLE,
    output: Output = None,
    connection: ConnectionOption = None,
    host: Host = None,
    port: Port = None,
    director_tables: DirectorTables = None,
    trust_clocks: TrustClocks = False,
    utc: Utc = False,
    top: ConnectionTop = View.top,
    rules: Rules = None,
    severity: SeverityOption = Severity.INFO,
    set_: Set = None,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Join captures of several points: the path each way, clocks, delays, losses, rewrites, and who did it.

    A point is HOST:INTERFACE or a name; a CAPTURE may be several rotated files, A,B or a quoted pattern. A folder with
    a case.toml names its points itself.
    """
    from tcptrace.correlation.points import from_words, inputs_of  # here: the other commands begin the sooner
    from tcptrace.joint_analysis import correlate as run_correlate

    wanted = Wanted(tuple(map(spelled, rules or ())), severity.value, _settings(set_))
    captures = from_words(points)
    with reading(" ".join(captures), quiet=quiet) as notice:
        result = run_correlate(
            captures, director_tables=director_tables or (), trust_clocks=trust_clocks, wanted=wanted, notice=notice
        ).chosen(connection=connection, host=host, port=port)
    inputs = [path for one in inputs_of(captures) for path in one.paths]
    with open_output(output, inputs) as out:
        correlation_report(format).write_correlation(result, out, _view(output, no_color, utc=utc, top=top))


@app.command(epilog="Example: tcptrace extract client.pcap --finding 1 -o evidence.pcapng")
def extract(
    capture: BinaryCapture,
    output: Pcapng,
    flow: Annotated[int | None, typer.Option(min=0, metavar="N", help="The flow of this number.")] = None,
    finding: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The flows of the finding of this number.")
    ] = None,
    set_: Set = None,
    quiet: Quiet = False,
) -> None:
    """Write the frames of a flow, or of what a finding is about, to a pcapng; findings stand in it as comments.

    Numbers are those that analyze shows.
    """
    from tcptrace.export.extract import extract as run_extract

    with reading(capture, quiet=quiet) as notice:
        wanted = Wanted(settings=_settings(set_))
        written = run_extract(capture, output, flow=flow, finding=finding, wanted=wanted, notice=notice)
        notice(_told(output, written))


@app.command(epilog="Example: tcptrace merge client=client.pcap lvs:eth0=in.pcap lvs:eth1=out.pcap -o all.pcapng")
def merge(
    points: PointWords,
    output: Pcapng,
    director_tables: DirectorTables = None,
    trust_clocks: TrustClocks = False,
    set_: Set = None,
    quiet: Quiet = False,
) -> None:
    """Write the captures of several points to one pcapng for Wireshark: an interface a point, times by one clock.

    Points are given as to correlate; the first one's clock is the reference. Findings stand in it as comments.
    """
    from tcptrace.correlation.points import from_words
    from tcptrace.export.merge import merge as run_merge

    captures = from_words(points)
    with reading(" ".join(captures), quiet=quiet) as notice:
        tables, wanted = director_tables or (), Wanted(settings=_settings(set_))
        written = run_merge(
            captures, output, director_tables=tables, trust_clocks=trust_clocks, wanted=wanted, notice=notice
        )
        notice(_told(output, written))


@app.command(epilog="Example: tcptrace check captures/ --format junit -o check.xml")
def check(
    paths: CheckPaths,
    format: CheckFormatOption = CheckFormat.TABLE,
    output: Output = None,
    fail_on: FailOn = None,
    baseline: Baseline = None,
    write_baseline: WriteBaseline = False,
    init: Init = False,
    update: UpdateCases = False,
    parts: Parts = None,
    jobs: Jobs = 0,
    set_: Set = None,
    no_color: NoColor = False,
    quiet: Quiet = False,
) -> None:
    """Hold recorded captures against what their case.toml expects, for continuous integration.

    A case is a folder with captures and a case.toml; cases are found at any depth. Of a capture without one nothing
    is expected but that no error is found. Exit status: 0 all as expected, 1 not as expected, 2 could not run.
    """
    from tcptrace.check import baseline as known_findings  # as above
    from tcptrace.check.run import check as run_check

    settings = _settings(set_)
    if init or update:
        from tcptrace.report.check.case_files import write_new_cases, write_updates

        of_check = baseline, write_baseline, fail_on, output, jobs, quiet, format is not CheckFormat.TABLE
        if any(of_check) or (init and (update or parts)):
            raise UsageError(
                "--init and --update each stand alone, with --set, --no-color, --update with --part too\n"
                "  run the check by itself"
            )
        if init:
            raise typer.Exit(write_new_cases(paths, settings))
        raise typer.Exit(write_updates(paths, settings, parts or [*Part], _view(output, no_color)))
    if parts or (write_baseline and not baseline):
        raise UsageError("--part needs --update, --write-baseline needs --baseline FILE\n  give both")
    is_new = write_baseline and baseline is not None and not baseline.exists()
    known = None if baseline is None else frozenset() if is_new else known_findings.read(baseline)
    with checking(quiet=quiet) as advance:
        done = run_check(paths, fail_on=fail_on, known=known, settings=settings, jobs=jobs, advance=advance)
    inputs = [path for result in done.results for path in result.inputs]
    if write_baseline and baseline is not None:
        known = known_findings.renewed(known or frozenset(), done.results)
        with open_output(baseline, inputs, "give --baseline another file") as out:
            out.write(known_findings.document(known, baseline.parent))
        done = done.knowing(known)
    with open_output(output, [*inputs, *map(str, filter(None, [baseline]))]) as out:
        check_report(format).write_check(done, out, _view(output, no_color))
    raise typer.Exit(done.status)


@app.command(epilog="Example: tcptrace explain sidecar-reset")
def explain(rule: ExplainedRule = None, no_color: NoColor = False) -> None:
    """Explain a rule: what it detects, why it happens, how to confirm and fix it. Without a name: list the rules."""
    from tcptrace.report.explanation import write_explanation

    write_explanation(rule, sys.stdout, color=not no_color)


def _told(output: Path, written: "Written") -> str:
    """`out.pcapng: 35 frames, 4 of them with comments`."""
    return f"{output}: {count(written.frames, 'frame')}, {written.commented:,} of them with comments"


def _settings(texts: list[str] | None) -> Settings:
    return merged(find_settings(Path.cwd()), parse_settings(texts or []))


def _analyses(
    captures: list[str],
    selection: Selection,
    wanted: Wanted,
    quiet: bool,
    failed: list[CaptureError],
    needed: dict[str, bool],
) -> Iterator[Analysis]:
    """Each capture that can be read; of the others the user is told, and `failed` keeps the error."""
    if captures.count("-") > 1:
        raise UsageError("-: standard input can be read only once")
    for path in captures:
        try:
            with reading(path, quiet=quiet) as notice:
                analysis = analyze_one(path, selection, wanted, notice, **needed)
        except CaptureError as error:
            tell(error)
            failed.append(error)
        else:
            yield analysis


def _selection(
    flow: int | None, host: str | None, port: int | None, since: str | None, until: str | None, utc: bool
) -> Selection:
    first, last = (None if text is None else parse_time(text, utc=utc) for text in (since, until))
    return Selection(flow=flow, host=host, port=port, since=first, until=last)


def _view(
    output: Path | None,
    no_color: bool,
    *,
    utc: bool = False,
    top: int = View.top,
    full: bool = False,
    raw: bool = False,
) -> View:
    return View(utc=utc, top=top, full=full, raw=raw, color=output is None and not no_color)
