"""The check: paths in, a result for each case out, in their order, by as many processes as there are processors."""

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tcptrace.check.baseline import NEW, Known, forgiven, gone
from tcptrace.check.case_file import Case
from tcptrace.check.case_text import Fault, lines_of
from tcptrace.check.cases import Unusable, find_cases
from tcptrace.check.outcome import Result
from tcptrace.check.seen import look_at
from tcptrace.check.verdict import judge, unexpected
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import TcptraceError

Advance = Callable[[int, int, str], None]
"""Told how many cases are done, of how many, and which was the last."""


@dataclass(frozen=True)
class Check:
    """What a check came to."""

    results: tuple[Result, ...]
    """In the order of paths, and of names below them."""
    known: frozenset[Known] | None = None
    """Findings that do not fail; None: there is no baseline."""
    gone: tuple[Known, ...] = ()
    """Those that were not found."""

    @property
    def status(self) -> int:
        """0 all as expected, 1 not as expected, 2 a case could not be checked."""
        if any(result.problem for result in self.results):
            return 2
        return 1 if any(result.unmet for result in self.results) else 0

    def knowing(self, known: frozenset[Known]) -> "Check":
        """The same, where what is known does not fail."""
        results = tuple(forgiven(result, known) for result in self.results)
        return Check(results, known, tuple(gone(known, self.results)))


def check(
    paths: Iterable[str | Path],
    *,
    fail_on: str | None = None,
    known: frozenset[Known] | None = None,
    settings: Settings | None = None,
    jobs: int = 0,
    advance: Advance | None = None,
) -> Check:
    """Hold cases, folders of cases at any depth, and bare captures against what is expected of them.

    `fail_on` is the least severity of a finding that fails though no case mentions it, `known` what a baseline has
    (of which NEW is the default of `fail_on`), `settings` thresholds of rules, `jobs` the number of processes (0: one
    a processor). Raises UsageError where there is nothing to check; what cannot be checked, a path that is not there
    too, has a result that says why.
    """
    cases = find_cases(paths)
    least = fail_on if fail_on or known is None else NEW
    work = partial(check_case, least=least, settings=settings or {})
    results: list[Result] = []
    for result in _each(work, cases, jobs or _processors()):
        results.append(result)
        if advance:
            advance(len(results), len(cases), result.path)
    done = Check(tuple(results))
    return done if known is None else done.knowing(known)


def check_case(case: Case | Unusable, *, least: str | None, settings: Settings) -> Result:
    """One case, read and judged."""
    if isinstance(case, Unusable):
        return Result(case.path, "", case.file, faults=case.faults, inputs=case.inputs)
    began = time.monotonic()
    told = case.path, case.title, case.file or case.path
    try:
        sight = look_at(case, settings, with_flows="flow" in case.expect)
        outcomes = judge(case, sight, least)
    except (TcptraceError, OSError) as error:
        faults = (Fault(0, str(error)),)
        return Result(*told, faults=faults, seconds=time.monotonic() - began, inputs=case.inputs)
    lines = lines_of(case.text, [outcome.path for outcome in outcomes])
    stand = tuple(line if outcome.path else 0 for line, outcome in zip(lines, outcomes, strict=True))
    done = Result(*told, outcomes, stand, unexpected(case, sight), unused=case.unused, inputs=case.inputs)
    return replace(done, seconds=time.monotonic() - began)


def _each(work: Callable[[Case | Unusable], Result], cases: Sequence[Case | Unusable], jobs: int) -> Iterator[Result]:
    """The results in order. Processes are forks of this one, which has all that is needed in memory."""
    jobs = min(jobs, len(cases))
    if jobs < 2:
        yield from map(work, cases)
        return
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if can_fork else None)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        with _uninterrupted():
            results = pool.map(work, cases)
        yield from results
    except BrokenProcessPool:
        raise TcptraceError("a process of the check was ended, perhaps for want of memory\n  try -j 1") from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back an interrupt until the processes have begun: a fork that is half done would not end by it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _begin() -> None:
    """In a new process: an interrupt is the parent's to handle; memory is given back between cases."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.enable()


def _processors() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
