"""The command line's entry: `tcptrace`, and `python -m tcptrace`."""

import signal
import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line; every failure a user can cause is one message and exit status 2."""
    if sys.argv[1:] == ["--version"]:  # answered before anything slow is imported
        from importlib.metadata import version

        print(f"tcptrace {version('tcptrace')}")
        return
    if hasattr(signal, "SIGPIPE"):  # `tcptrace ... | head` ends quietly, as every other tool in a pipe
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> int:
    from tcptrace.cli import app
    from tcptrace.errors import TcptraceError
    from tcptrace.report.failure import tell

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an old terminal's encoding lacks the arrows
    try:
        app()
    except (TcptraceError, OSError) as error:
        tell(error)
        return 2
    return 0


if __name__ == "__main__":
    main()
