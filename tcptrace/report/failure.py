"""A failure as one message on standard error."""

import sys

from tcptrace.report.escape import printable


def tell(error: Exception) -> None:
    """Say what went wrong, with the file and the remedy the error names; never with power over the terminal."""
    text = str(error)
    if isinstance(error, OSError):
        text = f"{error.filename or 'standard output'}: {error.strerror or error}"
    first, *more = text.splitlines() or [type(error).__name__]
    print(
        f"tcptrace: {printable(first)}", *(f"  {printable(line.strip())}" for line in more), sep="\n", file=sys.stderr
    )
