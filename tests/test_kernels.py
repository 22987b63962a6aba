"""Machine code: how it is called, kept between runs, and made anew when it is damaged or lost."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.kernels import compiler, kept_code
from tcptrace.schema import Records, allocate

LAYOUT = (0, 16, 1000, 1 << 18, 0)
SOURCES = (Path(__file__), Path(kept_code.__file__))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory of this test's own, in which nothing has been loaded."""
    monkeypatch.setenv("TCPTRACE_CACHE", str(tmp_path))
    for key in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(key, str(tmp_path / "nowhere"))
    monkeypatch.setattr(kernels, "_loaded", [])
    return tmp_path / "tcptrace"


@pytest.fixture(scope="module")
def made() -> bytes:
    """Machine code of all kernels, made once."""
    kernels.compiled()
    code = kept_code.read(kernels._sources())
    assert code
    return code


def walk(data: Any, *numbers: Any, records: Records | None = None) -> Any:
    return kernels.compiled()["capture.walk_pcap"].walk(data, *numbers, records or allocate(Records, 4))


def test_results_come_back_as_ints() -> None:
    assert walk(np.zeros(40, np.uint8), 0, 40, LAYOUT) == (32, 2, 0)


@pytest.mark.parametrize(
    "data",
    [np.zeros(40, np.int8), np.zeros(80, np.uint8)[::2], np.frombuffer(bytes(40), np.uint8)],
    ids=["dtype", "strided", "read-only"],
)
def test_arrays_that_machine_code_would_misread_are_refused(data: Any) -> None:
    with pytest.raises(TypeError):
        walk(data, 0, 40, LAYOUT)


def test_a_number_too_few_is_refused() -> None:
    with pytest.raises(TypeError, match="takes 7 ints and arrays of uint8, int64"):
        walk(np.zeros(40, np.uint8), 40, LAYOUT)


def test_code_is_kept_and_read_again(cache: Path) -> None:
    assert not kept_code.is_there(SOURCES)
    assert kept_code.read(SOURCES) is None
    place = kept_code.writable_place()
    assert place == cache
    kept_code.write(place, SOURCES, b"code")
    assert kept_code.is_there(SOURCES)
    assert kept_code.read(SOURCES) == b"code"
    assert [file.suffix for file in cache.iterdir()] == [".o"]
    assert not kept_code.is_there(SOURCES[:1])


@pytest.mark.parametrize(
    "damage", [lambda kept: kept[:-1], lambda kept: b"", lambda kept: kept[:40] + b"?" + kept[41:]]
)
def test_damaged_code_is_never_run(cache: Path, damage: Any) -> None:
    cache.mkdir()
    kept_code.write(cache, SOURCES, b"some machine code")
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert kept_code.read(SOURCES) is None


def test_the_first_run_says_that_it_compiles(cache: Path, made: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "object_code", lambda *_: made)
    notices: list[str] = []
    for _ in range(2):
        kernels.compiled(notices.append)
        kernels._loaded.clear()
    assert notices == ["compiling the kernels for the first time (some seconds)"]


def test_where_nothing_is_writable_it_says_so(cache: Path, made: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("TCPTRACE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(key, "/dev/null")
    monkeypatch.setattr(compiler, "object_code", lambda *_: made)
    notices: list[str] = []
    assert kernels.compiled(notices.append).compiled
    assert notices == ["no writable cache directory: compiling the kernels for this run only (some seconds)"]


def test_kept_code_needs_no_compiler(made: bytes) -> None:
    program = "import sys; from tcptrace import kernels; kernels.compiled(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
