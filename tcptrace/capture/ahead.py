"""Items made in a thread, a few ahead of the one that works on them."""

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

ITEMS_ALIVE = 3
"""Items that exist at a time: one worked on, one ready, one in the making."""

_CLOSE_SECONDS = 0.2


class _End(NamedTuple):
    """No item follows: the generator is exhausted, or raised `error`."""

    error: BaseException | None


class Ahead(Generic[T]):
    """Runs a generator in a thread from the first `next` on; call `close` when done.

    An item must stay valid until ITEMS_ALIVE - 1 further ones are made: the generator is not asked for
    another before the consumer has asked for the one after it. What the generator raises, `next` raises.
    """

    def __init__(self, items: Generator[T, None, None]) -> None:
        self._items = items
        self._ready: SimpleQueue[T | _End] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # a semaphore takes the interpreter's lock for longer
        for _ in range(ITEMS_ALIVE - 1):
            self._room.put(None)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="tcptrace-read", daemon=True)

    def __iter__(self) -> Iterator[T]:
        """The items, once."""
        self._thread.start()
        while not isinstance(item := self._ready.get(), _End):
            yield item
            self._room.put(None)
        if item.error is not None:
            raise item.error

    def close(self) -> bool:
        """Ask for no more items; whether the thread has ended. One that waits for a pipe ends with the process."""
        self._closed = True
        self._room.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """The thread: make items until there are no more or none are wanted."""
        error: BaseException | None = None
        try:
            for item in self._items:
                self._ready.put(item)
                self._room.get()
                if self._closed:
                    break
        except BaseException as raised:
            error = raised  # for the consumer
        self._ready.put(_End(error))
