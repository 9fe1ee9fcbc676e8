"""What holds for a whole process: switches and locks that its threads share; a forked process finds them as they should be."""

import os
from collections.abc import Callable
from threading import Lock, get_ident
from typing import Any


class Alone:
    """A lock: one thread at a time is inside.  In a process that was forked meanwhile nobody is."""

    def __init__(self) -> None:
        self.lock = Lock()
        on_fork(self._forked)

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self.lock.release()

    def _forked(self) -> None:
        self.lock = Lock()


class WhileAny:
    """A state that lasts while any thread is inside.  begin: brings it about, and returns what ends it."""

    def __init__(self, begin: Callable[[], Callable[[], Any]]) -> None:
        self.begin, self.lock = begin, Lock()
        self.end: Callable[[], Any] = lambda: None
        self.inside: list[int] = []  # which threads
        on_fork(self._forked)

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.end = self.begin()
            self.inside.append(get_ident())

    def __exit__(self, *_: Any) -> None:
        with self.lock:
            self._leave([get_ident()])

    def _leave(self, threads: list[int]) -> None:
        for thread in threads:
            self.inside.remove(thread)
        if threads and not self.inside:
            self.end()

    def _forked(self) -> None:
        self.lock = Lock()
        self._leave([thread for thread in self.inside if thread != get_ident()])


def on_fork(call: Callable[[], None]) -> None:
    """Call this in each process that is forked from now on, where only the thread that forked goes on."""
    if hasattr(os, "register_at_fork"):  # not everywhere
        os.register_at_fork(after_in_child=call)
