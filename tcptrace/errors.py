"""The errors a user can meet; each message names the file and what to do."""


class TcptraceError(Exception):
    """Base of all errors that end in a clear message instead of a traceback."""


class CaptureError(TcptraceError):
    """An input cannot be read at all: missing, no capture, unknown format."""

    def __init__(self, path: str, problem: str, remedy: str = "") -> None:
        self.path, self.problem, self.remedy = path, problem, remedy
        name = "standard input" if path == "-" else path
        super().__init__(f"{name}: {problem}" + (f"\n  {remedy}" if remedy else ""))


class UsageError(TcptraceError):
    """A request that cannot be met: a flow that does not exist, a time that cannot be parsed."""
