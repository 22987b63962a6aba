"""The evidence alone: frames of a flow or of a finding, as they were, with what was found written on them."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import tcptrace
from tcptrace import cli
from tcptrace.capture.frames import Frame, FrameReader
from tests.capture_files import SECOND, Pcapng, pcap, tcp_frame
from tests.export.shown import needs_tshark, shown

CASES = Path(__file__).parents[2] / "captures"
STALL = CASES / "rto-stall" / "server.pcap"
FLOOD = CASES / "syn-flood-cookies" / "server.pcap"


def frames(path: Path) -> list[Frame]:
    return list(FrameReader([str(path)]).frames())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.pcapng"


def test_a_flow_is_all_of_its_frames_and_nothing_else(tmp_path: Path, out: Path) -> None:
    """At two interfaces of different link types; the second flow's frames stay away."""
    file = Pcapng().section().interface((2, b"eth0")).interface((2, b"tun0"), link_type=101)
    file.enhanced(tcp_frame(1000, seq=1), SECOND * 10**6)
    file.enhanced(tcp_frame(2000, seq=1), SECOND * 10**6 + 1)
    file.enhanced(tcp_frame(1000, seq=6)[14:], SECOND * 10**6 + 2, interface=1, original=900)
    path = tmp_path / "two.pcapng"
    path.write_bytes(file.data)
    assert tcptrace.extract(path, out, flow=0).frames == 2
    reader = FrameReader([str(out)])
    assert list(reader.frames()) == [
        Frame(1, 0, 1, SECOND * 10**9, tcp_frame(1000, seq=1), len(tcp_frame())),
        Frame(2, 1, 101, SECOND * 10**9 + 2000, tcp_frame(1000, seq=6)[14:], 900),
    ]
    assert reader.interfaces == ["eth0", "tun0"]


def test_what_was_extracted_is_told_as_it_was_in_the_whole(out: Path) -> None:
    tcptrace.extract(STALL, out, flow=0)
    there, whole = tcptrace.analyze(out), tcptrace.analyze(STALL)
    assert [finding.summary for finding in there.found] == [finding.summary for finding in whole.found]
    assert there.summaries[0].start_ns == whole.summaries[0].start_ns


def test_an_icmp_error_belongs_to_the_flow_it_quotes(out: Path) -> None:
    path = CASES / "icmp-rejected" / "client.pcap"
    assert tcptrace.extract(path, out, flow=0).frames == 4
    assert tcptrace.analyze(out).found[0].rule == "icmp-rejected"


def test_a_finding_is_the_flows_it_is_about(out: Path) -> None:
    analysis = tcptrace.analyze(FLOOD)
    flood = analysis.found[0]
    assert (flood.rule, flood.number) == ("syn-flood", 1)
    tcptrace.extract(FLOOD, out, finding=1)
    there = tcptrace.analyze(out)
    assert len(there.flow_table.flow) == len(flood.flows) < len(analysis.flow_table.flow)
    assert there.found[0].rule == "syn-flood"


def test_a_finding_of_the_whole_capture_is_its_frames(out: Path) -> None:
    path = CASES / "offload" / "client.pcap"
    finding = tcptrace.analyze(path).found[0]
    assert (finding.rule, finding.flows) == ("truncated-frames", ())
    tcptrace.extract(path, out, finding=1)
    whole = frames(path)
    wanted = [whole[number - 1] for number in finding.frames]
    assert [(one.data, one.original_len) for one in frames(out)] == [(one.data, one.original_len) for one in wanted]


def test_a_threshold_may_be_what_makes_a_finding(out: Path) -> None:
    settings = {"rto-stall": {"silence_ms": 100_000.0}}
    wanted = tcptrace.Wanted(settings=settings)
    told = {one.number: one for one in tcptrace.analyze(STALL, wanted=wanted).found}
    assert tcptrace.extract(STALL, out, finding=max(told), wanted=wanted).frames == 35
    with pytest.raises(tcptrace.UsageError, match=f"no finding {max(told) + 1}"):
        tcptrace.extract(STALL, out, finding=max(told) + 1, wanted=wanted)


@needs_tshark
def test_tshark_shows_what_was_found_at_the_frames_that_show_it(out: Path) -> None:
    written = tcptrace.extract(STALL, out, finding=1)
    comments = {number: said for number, said in shown(out, "frame.number", "frame.comment") if said}
    (first, second) = tcptrace.analyze(STALL).found
    assert list(comments) == [str(frame) for frame in sorted({*first.frames, *second.frames})]
    assert comments["18"] == f"tcptrace: rto-stall: {first.summary} [frame 18 of server.pcap]"
    assert (written.frames, written.commented) == (35, len(comments))


@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        ("-", {"flow": 0}, "standard input: its frames are read after its findings are known\n  save it"),
        ("/dev/null", {"flow": 0}, "/dev/null: its frames are read after"),
        (STALL, {"flow": 1}, "no flow 1\n  its flow numbers are 0 to 0"),
        (STALL, {"finding": 3}, "no finding 3\n  its findings are numbered from 1 to 2"),
        (CASES / "close-client-first" / "client.pcap", {"finding": 1}, "no finding 1\n  nothing was found"),
        (STALL, {}, "extract takes a flow or a finding\n  --flow N or --finding N"),
        (STALL, {"flow": 0, "finding": 1}, "extract takes a flow or a finding"),
        ("/no/such.pcap", {"flow": 0}, "no such file"),
        (CASES / "lvs-dr" / "client.txt", {"flow": 0}, r"client\.txt: is text, which holds no frames\n  name the"),
    ],
)
def test_what_cannot_be_extracted(path: str, asked: dict[str, Any], told: str, out: Path) -> None:
    with pytest.raises(tcptrace.TcptraceError, match=told):
        tcptrace.extract(path, out, **asked)
    assert list(out.parent.iterdir()) == []


def test_an_input_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "here.pcap"
    path.write_bytes(pcap([tcp_frame()]))
    with pytest.raises(tcptrace.UsageError, match="is an input"):
        tcptrace.extract(path, path, flow=0)
    assert path.read_bytes() == pcap([tcp_frame()])


def test_the_command(out: Path) -> None:
    result = CliRunner().invoke(cli.app, ["extract", str(STALL), "--finding", "2", "-o", str(out)])
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == f"{out}: 35 frames, 5 of them with comments"
    assert result.stdout == ""
    assert len(frames(out)) == 35
    quiet = CliRunner().invoke(cli.app, ["extract", str(STALL), "--flow", "0", "-o", str(out), "--quiet"])
    assert quiet.output == ""
    assert CliRunner().invoke(cli.app, ["extract", str(STALL), "--flow", "0"]).exit_code == 2
