"""The command line's entry: `tcptrace`, and `python -m tcptrace`."""

import gc
import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

gc.disable()  # a run is short and leaves no cycles that count; collecting takes a tenth of its start
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # nothing is multiplied here; a second thread spins for work


def main() -> NoReturn:
    """Run the command line; every failure a user can cause is one message and exit status 2."""
    try:
        status = _run()
    except KeyboardInterrupt:
        status = 130
    except OSError as error:
        status = _failed(error)
    except MemoryError:
        status = _failed(MemoryError("not enough memory\n  read a part of the capture, or on a larger machine"))
    _leave(status)


def _run() -> int:
    if sys.argv[1:] == ["--version"]:  # answered before anything slow is imported
        from importlib.metadata import version

        print(f"tcptrace {version('tcptrace')}")
        return 0
    if hasattr(signal, "SIGPIPE"):  # `tcptrace ... | head` ends quietly, as every other tool in a pipe
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup wants it ignored
            signal.signal(number, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an old terminal's encoding lacks the arrows

    from tcptrace.cli import app
    from tcptrace.errors import TcptraceError

    try:
        app()
    except TcptraceError as error:
        return _failed(error)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def _failed(error: Exception) -> int:
    """Say what went wrong; the exit status for it."""
    from tcptrace.report.failure import tell

    tell(error)
    return 2


def _stop(number: int, frame: object) -> NoReturn:
    """End as by an exception, so that an unfinished output file is removed."""
    raise SystemExit(128 + number)


def _leave(status: int) -> NoReturn:
    """End the process at once: taking numba down takes a third of a second, and nothing is left to do."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:  # a full disk
            if stream is sys.stdout:
                status = status or _failed(error)
    os._exit(status)


if __name__ == "__main__":
    main()
