import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tcptrace.errors import UsageError
from tcptrace.report.output import open_output


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    with open_output(place) as out:
        out.write("one ")
        out.flush()
        out.buffer.write(b"two\n")
        assert not place.exists()
    assert place.read_text() == "one two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    place.write_text("before")

    def fail() -> None:
        with open_output(place) as out:
            out.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert place.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_replaced_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    place, link = tmp_path / "real.csv", tmp_path / "link.csv"
    place.write_text("before")
    place.chmod(0o640)
    link.symlink_to(place)
    with open_output(link) as out:
        out.write("after")
    assert place.read_text() == "after"
    assert link.is_symlink()
    assert stat.S_IMODE(place.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with open_output(tmp_path / "out.csv") as out:
            out.write("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o640


def test_what_an_earlier_run_left_is_not_in_the_way(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    (tmp_path / f".out.json.{os.getpid()}.part").write_text("left")
    with open_output(place) as out:
        out.write("whole")
    assert place.read_text() == "whole"


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    place = tmp_path / ("a" * 250)
    with open_output(place) as out:
        out.write("whole")
    assert place.read_text() == "whole"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no /dev/null here")
def test_a_device_is_written_to_not_replaced() -> None:
    with open_output(Path("/dev/null")) as out:
        out.write("gone")
    assert Path("/dev/null").is_char_device()


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_text("precious")
    with pytest.raises(UsageError, match="is an input"), open_output(tmp_path / "." / "a.pcap", [str(capture)]):
        pass
    assert capture.read_text() == "precious"


def test_nor_is_what_standard_input_comes_from(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(b"precious")
    command = [sys.executable, "-m", "tcptrace", "packets", "-", "-o", str(capture)]
    with capture.open("rb") as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"is an input" in done.stderr
    assert capture.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["missing/out.json", ".", "circle"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    tmp_path.joinpath("circle").symlink_to("circle")
    with pytest.raises(UsageError, match="cannot be written"), open_output(tmp_path / name):
        pass
