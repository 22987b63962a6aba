"""Machine code is kept between runs, in a place that is the user's own, and never run when it is damaged."""

import os
from pathlib import Path
from typing import Any

import pytest

from tcptrace.kernels import kept_code

SOURCE = b"def kernel() -> None: ..."


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory of this test's own."""
    monkeypatch.setenv("TCPTRACE_CACHE", str(tmp_path))
    place = kept_code.writable_place()
    assert place == tmp_path / "tcptrace"
    return place


def test_code_is_kept_and_read_again(cache: Path) -> None:
    assert kept_code.read(SOURCE) is None
    kept_code.write(cache, SOURCE, b"code")
    assert kept_code.read(SOURCE) == b"code"
    assert [file.suffix for file in cache.iterdir()] == [".o"]
    assert kept_code.read(SOURCE + b"#") is None


@pytest.mark.parametrize(
    "damage", [lambda kept: kept[:-1], lambda kept: b"", lambda kept: kept[:32], lambda kept: kept[:40] + b"?"]
)
def test_damaged_code_is_never_run(cache: Path, damage: Any) -> None:
    kept_code.write(cache, SOURCE, b"some machine code")
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert kept_code.read(SOURCE) is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and modes here")
class TestOwners:
    def test_the_place_is_the_users_alone(self, cache: Path) -> None:
        kept_code.write(cache, SOURCE, b"code")
        (file,) = cache.iterdir()
        assert cache.stat().st_mode & 0o777 == 0o700
        assert file.stat().st_mode & 0o777 == 0o600
        cache.chmod(0o777)
        assert kept_code.read(SOURCE) is None
        assert kept_code.writable_place() == cache
        assert kept_code.read(SOURCE) == b"code"

    def test_a_file_that_others_can_write_to_is_not_run(self, cache: Path) -> None:
        kept_code.write(cache, SOURCE, b"code")
        (file,) = cache.iterdir()
        for mode in (0o620, 0o602):
            file.chmod(mode)
            assert kept_code.read(SOURCE) is None
        file.chmod(0o644)
        assert kept_code.read(SOURCE) == b"code"

    def test_a_link_and_a_pipe_are_not_read(self, cache: Path) -> None:
        kept_code.write(cache, SOURCE, b"code")
        (file,) = cache.iterdir()
        file.rename(cache / "elsewhere")
        file.symlink_to(cache / "elsewhere")
        assert kept_code.read(SOURCE) is None
        file.unlink()
        os.mkfifo(file)
        assert kept_code.read(SOURCE) is None

    def test_what_belongs_to_another_user_is_not_run(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kept_code.write(cache, SOURCE, b"code")
        monkeypatch.setattr(os, "geteuid", lambda: cache.stat().st_uid + 1)
        assert (kept_code.read(SOURCE) is None) == (cache.stat().st_uid != 0)


def test_the_oldest_files_go(cache: Path) -> None:
    (cache / "other.o").touch()
    for age in range(5):
        kept_code.write(cache, SOURCE * (age + 1), b"code")
        for file in cache.glob("kernels-*.o"):
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
    assert [kept_code.read(SOURCE * n) for n in range(1, 6)] == [None, None, b"code", b"code", b"code"]
    assert (cache / "other.o").exists()


def test_a_place_that_is_named_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TCPTRACE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept_code.writable_place() == tmp_path / "tcptrace"
    monkeypatch.setenv("TCPTRACE_CACHE", "/dev/null")
    assert kept_code.writable_place() is None
