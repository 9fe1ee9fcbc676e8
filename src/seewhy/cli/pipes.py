"""Where lines go: a pipe whose reader is gone, a stream that was closed before the start, a full disk."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from .saying import say

HUNG_UP = 141  # 128 and the number of SIGPIPE: what a shell sees of `ls` in `ls | head -1`


def hold_open() -> None:
    """Give streams that are closed a place where lines get lost, lest the next file that is opened takes theirs."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


@contextmanager
def heard() -> Iterator[None]:
    """Ends in silence when nobody reads what is said, as other tools do; says once that it cannot be written down."""
    try:
        yield
    except BrokenPipeError:
        _let_go()
        raise click.exceptions.Exit(HUNG_UP) from None
    except OSError as error:
        if not _let_go():
            raise
        say(f"seewhy: standard output cannot be written: {error.strerror or error}", err=True)
        raise click.exceptions.Exit(1) from None


def _let_go() -> bool:
    """Drop what waits in streams that take no more, which Python would complain of at its end.  Was there such a stream?"""
    broken = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            broken = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return broken
