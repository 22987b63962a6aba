"""The options of the commands, each described once."""

from pathlib import Path
from typing import Annotated

import typer

from tcptrace.check.parts import Part
from tcptrace.diagnosis.wanted import Severity
from tcptrace.report.check.formats import CheckFormat
from tcptrace.report.correlation.formats import CorrelationFormat
from tcptrace.report.formats import Format

CAPTURE = "A pcap or pcapng file, plain or compressed (gzip, zstd, lz4, xz), text printed by tcpdump, or - for stdin."
TIME = "2024-05-01T14:03:11, seconds since the epoch, or 14:03:11 on the day the capture begins."

Capture = Annotated[str, typer.Argument(metavar="CAPTURE", help=CAPTURE, show_default=False)]
Captures = Annotated[list[str], typer.Argument(metavar="CAPTURE...", help=CAPTURE, show_default=False)]
BinaryCapture = Annotated[
    str, typer.Argument(metavar="CAPTURE", help="A pcap or pcapng file, plain or compressed.", show_default=False)
]
FormatOption = Annotated[Format, typer.Option("--format", help="How the result is written.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, all or nothing; - is standard output."),
]
Pcapng = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The pcapng to write, all or nothing; - is standard output.",
        show_default=False,
    ),
]
Flow = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the flow of this number.")]
OneFlow = Annotated[
    int, typer.Option("--flow", min=0, metavar="N", help="The flow's number, as analyze shows it.", show_default=False)
]
Host = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only flows of this address, at either end.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Only flows of this port.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help=f"Nothing before TIME: {TIME}")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Nothing after TIME.")]
Utc = Annotated[bool, typer.Option("--utc", help="Times in UTC, shown and given, instead of local time.")]
Top = Annotated[int, typer.Option(min=1, metavar="N", help="Findings, and flows, that a table shows of each capture.")]
Raw = Annotated[bool, typer.Option("--raw", help="Sequence numbers in the table as on the wire, not relative.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Without colour; NO_COLOR in the environment does the same.")]
Rules = Annotated[
    list[str] | None, typer.Option("--rule", metavar="RULE", help="Only findings of this rule; may be repeated.")
]
SeverityOption = Annotated[Severity, typer.Option("--severity", help="Only findings at least so severe.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="RULE.THRESHOLD=VALUE", help="Set a threshold, e.g. rto-stall.silence_ms=500."),
]
Decode = Annotated[
    bool, typer.Option("--decode", help="With what the application said in flows that have findings, by tshark.")
]
PointWords = Annotated[
    list[str],
    typer.Argument(
        metavar="POINT=CAPTURE...", help="A capture of each point, or a folder of them.", show_default=False
    ),
]
CorrelationFormatOption = Annotated[CorrelationFormat, typer.Option("--format", help="How the result is written.")]
ConnectionOption = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the connection of this number.")]
DirectorTables = Annotated[
    list[Path] | None,
    typer.Option(
        "--director-table", metavar="FILE", help="What a director printed: ipvsadm -lnc, conntrack -L, DPVS's log."
    ),
]
TrustClocks = Annotated[
    bool, typer.Option("--trust-clocks", help="Use times as they are: the clocks are known to agree.")
]
ConnectionTop = Annotated[
    int, typer.Option(min=1, metavar="N", help="Connections, the worst first, that a table shows.")
]
CheckPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Cases, folders of cases, captures; --init: POINT=CAPTURE too.", show_default=False
    ),
]
CheckFormatOption = Annotated[CheckFormat, typer.Option("--format", help="How the result is written.")]
FailOn = Annotated[
    Severity | None,
    typer.Option(
        "--fail-on", help="Fail on findings at least so severe, in cases too, unless expected. Bare captures: error."
    ),
]
Baseline = Annotated[
    Path | None, typer.Option("--baseline", metavar="FILE", help="Findings that FILE knows do not fail, new ones do.")
]
WriteBaseline = Annotated[
    bool, typer.Option("--write-baseline", help="Write to the file of --baseline what is found, and does not fail.")
]
Init = Annotated[bool, typer.Option("--init", help="Write a case.toml from what the captures show now.")]
UpdateCases = Annotated[
    bool,
    typer.Option("--update", help="Write into each case.toml what no longer holds, as it is now; show the change."),
]
Parts = Annotated[
    list[Part] | None, typer.Option("--part", help="Of a case.toml, what --update may change; may be repeated.")
]
Jobs = Annotated[
    int, typer.Option("-j", "--jobs", min=0, metavar="N", help="Processes; 0: one a processor.", show_default=False)
]
ExplainedRule = Annotated[str | None, typer.Argument(metavar="RULE", help="The rule's name.", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", help="The result only, without progress and notes.")]
