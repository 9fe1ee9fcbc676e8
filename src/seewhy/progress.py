"""Progress of long work: one bar on stderr, nothing where stderr is no terminal; and how a person stops it."""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeVar

from .printable import printable

T = TypeVar("T")
PATIENCE = 1.0  # seconds without a bar: short work needs none
_shown: ContextVar[bool] = ContextVar("shown", default=False)  # the outermost work has the bar
_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


def shown(things: Iterable[T], total: int, what: str, wait: bool = True, size: Callable[[T], int] = lambda _: 1) -> Iterator[T]:
    """The things, one after the other, with a bar that says how many of `total` are done and how long the rest takes.

    It comes after PATIENCE, or at once without `wait`; work inside of what has a bar gets none.  size: what each counts.
    """
    if _shown.get() or not sys.stderr.isatty():
        yield from things
        return
    from click import progressbar  # here, for who calls seewhy from Python waits for it only where there is a bar

    token, start = _shown.set(True), monotonic()
    bar = progressbar(length=total, label=what, file=sys.stderr)
    drawn, done = False, 0
    try:
        for thing in things:
            if drawn or not wait or monotonic() - start > PATIENCE:
                bar.update(0 if drawn else done)
                drawn = True
                sys.stderr.write("\r\x1b[2K")  # what is said meanwhile gets a line of its own
                sys.stderr.flush()
            yield thing
            done += size(thing)
            if drawn:
                bar.update(size(thing))
    finally:
        if drawn:
            bar.render_finish()
        _shown.reset(token)


def noted(words: str) -> None:
    """Say something in a line of its own while long work goes on, where its bar would be seen, too."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{printable(words)}\n")
        sys.stderr.flush()


@contextmanager
def stoppable(say: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """Inside, the first Ctrl-C asks long work to end with what it has, and says so; the second one ends it as usual."""
    event = threading.Event()
    token, usual = _stop.set(event), signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: Any) -> None:
        if event.is_set() and callable(usual):
            usual(number, frame)
        event.set()
        say()

    main = threading.current_thread() is threading.main_thread()  # the only one that may catch signals
    try:
        if main:
            signal.signal(signal.SIGINT, on_interrupt)
        yield event
    finally:
        if main:
            signal.signal(signal.SIGINT, usual)
        _stop.reset(token)


def stop_asked() -> bool:
    """Did a person ask the work to end?"""
    event = _stop.get()
    return event is not None and event.is_set()
