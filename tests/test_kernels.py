"""Machine code: how it is called, made when it is wanted, and what is done where it cannot be."""

import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.kernels import compiler, machine_code
from tcptrace.schema import Records, allocate

LAYOUT = (0, 16, 1000, 1 << 18, 0)


@pytest.fixture(scope="module")
def made() -> bytes:
    """Machine code of all kernels, made once."""
    kernels.compiled()
    kernels._kept.cache_clear()
    code = kernels._kept()
    assert code
    return code


@pytest.fixture
def cache(made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache directory of this test's own, in which nothing has been loaded."""
    monkeypatch.setenv("TCPTRACE_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "_loaded", [])
    monkeypatch.setattr(compiler, "object_code", lambda interfaces: made)
    kernels._kept.cache_clear()
    yield tmp_path / "tcptrace"
    kernels._kept.cache_clear()


def forget() -> None:
    """As in a new process."""
    kernels._loaded.clear()
    kernels._kept.cache_clear()


def walk(data: Any, *numbers: Any, records: Records | None = None) -> Any:
    chosen = kernels.compiled()
    return chosen["capture.walk_pcap"].walk(chosen.view(data), *numbers, chosen.view(records or allocate(Records, 4)))


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


def test_the_first_run_says_that_it_compiles(cache: Path) -> None:
    notices: list[str] = []
    for _ in range(2):
        kernels.compiled(notices.append)
        forget()
    assert notices == ["compiling the kernels for the first time (some seconds)"]


def test_where_nothing_is_writable_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCPTRACE_CACHE", "/dev/null")
    notices: list[str] = []
    assert kernels.compiled(notices.append).compiled
    assert notices == ["no writable cache directory: compiling the kernels for this run only (some seconds)"]


def test_code_is_kept_when_it_can_be_read_and_is_whole(cache: Path) -> None:
    assert not kernels.are_kept()
    kernels.compiled()
    assert kernels.are_kept()
    forget()
    assert kernels.are_kept()
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert kernels.compiled(pytest.fail).compiled, "what has been read is not read again"
    forget()
    assert not kernels.are_kept()


def test_threads_that_want_kernels_at_once_get_the_same(
    cache: Path, made: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def slow(interfaces: Any) -> bytes:
        calls.append(interfaces)
        time.sleep(0.1)
        return made

    monkeypatch.setattr(compiler, "object_code", slow)
    with ThreadPoolExecutor(3) as threads:
        sets = [threads.submit(kernels.compiled) for _ in range(3)]
    assert len({id(done.result()) for done in sets}) == 1
    assert len(calls) == 1


def test_where_no_code_may_be_made_at_run_time_kernels_stay_plain(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "runs_here", lambda: False)
    notices: list[str] = []
    assert not kernels.compiled(notices.append).compiled
    assert not kernels.compiled(notices.append).compiled
    (notice,) = notices
    assert "stay plain Python" in notice


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_process_that_may_not_run_what_it_wrote_is_recognized() -> None:
    program = (
        "import ctypes, sys\n"
        "if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): sys.exit('old')\n"  # PR_SET_MDWE, since Linux 6.3
        "from tcptrace import kernels\n"
        "assert not kernels.compiled(print).compiled"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.stderr == "old\n":
        pytest.skip("this kernel cannot forbid it")
    assert done.returncode == 0, done.stderr
    assert "stay plain Python" in done.stdout


def test_this_process_may_run_what_it_wrote() -> None:
    assert machine_code.runs_here() == kernels.compiled().compiled


def test_where_nothing_can_be_compiled_kernels_stay_plain(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("TCPTRACE_CACHE", str(cache))
    monkeypatch.setattr(kernels, "_loaded", [])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    notices: list[str] = []
    assert not kernels.compiled(notices.append).compiled
    assert notices[1:] == ["the kernels cannot be compiled: kernels stay plain Python, some twenty times slower"]


def test_compilers_have_numba_as_it_is_set_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("OTHER", "1")
    started: list[dict[str, str]] = []
    monkeypatch.setattr(compiler.subprocess, "Popen", lambda command, env, **_: started.append(env))
    compiler._worker(["tcptrace.flows.assign"])
    (environment,) = started
    assert "OTHER" in environment
    assert {key: value for key, value in environment.items() if key.startswith("NUMBA_")} == {"NUMBA_OPT": "0"}


def test_kernels_out_of_a_zip_file_are_the_same(tmp_path: Path, made: bytes) -> None:
    archive = tmp_path / "app.zip"
    package = Path(kernels.__file__).parent.parent
    with zipfile.ZipFile(archive, "w") as file:
        for path in package.rglob("*.py"):
            file.write(path, path.relative_to(package.parent))
    program = f"import sys; sys.path.insert(0, {str(archive)!r}); from tcptrace import kernels; print(kernels.__file__)"
    program += "; print(kernels.are_kept(), kernels.compiled(sys.exit).compiled)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(archive / "tcptrace" / "kernels" / "__init__.py"), "True", "True"]


def test_kept_code_needs_no_compiler(made: bytes) -> None:
    program = "import sys; from tcptrace import kernels; kernels.compiled(); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
