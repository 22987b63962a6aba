"""The check: paths in, a result for each case out, in their order, by as many processes as there are processors."""

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tcptrace.check.baseline import Known, gone
from tcptrace.check.case_file import Case
from tcptrace.check.cases import Unusable, find_cases
from tcptrace.check.outcome import Result
from tcptrace.check.seen import look_at
from tcptrace.check.verdict import Terms, judge, unexpected
from tcptrace.correlation.points import CASE_FILE
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import TcptraceError

Advance = Callable[[int, int, str], None]
"""Told how many cases are done, of how many, and which was the last."""


@dataclass(frozen=True)
class Check:
    """What a check came to."""

    results: tuple[Result, ...]
    """In the order of paths, and of names below them."""
    terms: Terms = field(default_factory=Terms)
    gone: tuple[Known, ...] = ()
    """What the baseline knows and was not found."""

    @property
    def status(self) -> int:
        """0 all as expected, 1 not as expected, 2 a case could not be checked."""
        if any(result.problem for result in self.results):
            return 2
        return 1 if any(result.unmet for result in self.results) else 0


def check(
    paths: Iterable[str | Path],
    *,
    fail_on: str | None = None,
    known: Collection[Known] | None = None,
    settings: Settings | None = None,
    jobs: int = 0,
    advance: Advance | None = None,
) -> Check:
    """Hold cases, folders of cases at any depth, and bare captures against what is expected of them.

    `fail_on` is the least severity of a finding that fails though no case mentions it, `known` what a baseline has,
    `settings` thresholds of rules, `jobs` the number of processes (0: one a processor). Raises UsageError for a path
    that is not there and where there is nothing to check; a case that cannot be checked has a result that says why.
    """
    cases = find_cases(paths)
    work = partial(check_case, terms=Terms(fail_on, known), settings=settings or {})
    results: list[Result] = []
    for result in _each(work, cases, jobs or _processors()):
        results.append(result)
        if advance:
            advance(len(results), len(cases), result.path)
    return Check(tuple(results), Terms(fail_on, known), tuple(gone(known or (), results)))


def check_case(case: Case | Unusable, *, terms: Terms, settings: Settings) -> Result:
    """One case, read and judged."""
    if isinstance(case, Unusable):
        return Result(case.path, "", str(Path(case.path) / CASE_FILE), problem=case.problem)
    began = time.monotonic()
    told = case.path, case.title, case.file or case.path
    try:
        sight = look_at(case, settings, with_flows="flow" in case.expect)
        outcomes = judge(case, sight, terms)
    except (TcptraceError, OSError) as error:
        return Result(*told, problem=str(error), seconds=time.monotonic() - began)
    lines = tuple(case.line(outcome.path) if outcome.path else 0 for outcome in outcomes)
    return Result(*told, outcomes, lines, unexpected(case, sight), seconds=time.monotonic() - began)


def _each(
    work: Callable[[Case | Unusable], Result], cases: Sequence[Case | Unusable], jobs: int
) -> Iterator[Result]:
    """The results in order. Processes are forks of this one, which has all that is needed in memory."""
    jobs = min(jobs, len(cases))
    if jobs < 2:
        yield from map(work, cases)
        return
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if can_fork else None)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        yield from pool.map(work, cases)
    except BrokenProcessPool:
        raise TcptraceError("a process of the check was ended, perhaps for want of memory\n  try -j 1") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """In a new process: an interrupt is the parent's to handle; memory is given back between cases."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.enable()


def _processors() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
