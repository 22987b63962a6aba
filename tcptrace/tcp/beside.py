"""Work on a second core."""

from collections.abc import Callable
from threading import Thread
from types import TracebackType


class Beside(Thread):
    """Does some work in a thread while a `with` block does other work; what it raises, leaving the block raises."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="tcptrace-beside", daemon=True)
        self._work = work
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work."""
        try:
            self._work()
        except BaseException as error:
            self._error = error  # for the one who waits

    def __enter__(self) -> None:
        self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.join()
        if self._error is not None:
            raise self._error
