"""Progress of long work: one bar on stderr, nothing where stderr is no terminal."""

import sys
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 1.0  # seconds without a bar: short work needs none
_shown: ContextVar[bool] = ContextVar("shown", default=False)  # the outermost work has the bar


def shown(things: Iterable[T], total: int, what: str, wait: bool = True) -> Iterator[T]:
    """The things, one after the other, with a bar that says how many of `total` are done and how long the rest takes.

    It comes after PATIENCE, or at once without `wait`; work inside of what has a bar gets none.
    """
    if _shown.get() or not sys.stderr.isatty():
        yield from things
        return
    from click import progressbar

    token, start = _shown.set(True), monotonic()
    bar = progressbar(length=total, label=what, file=sys.stderr)
    drawn = False
    try:
        for done, thing in enumerate(things):
            if drawn or not wait or monotonic() - start > PATIENCE:
                bar.update(0 if drawn else done)
                drawn = True
                sys.stderr.write("\r\x1b[2K")  # what is said meanwhile gets a line of its own
                sys.stderr.flush()
            yield thing
            if drawn:
                bar.update(1)
    finally:
        if drawn:
            bar.render_finish()
        _shown.reset(token)
