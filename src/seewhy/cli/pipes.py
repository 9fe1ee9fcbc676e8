"""Where lines go: a pipe whose reader is gone, a stream that was closed before the start, a full disk."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import walk_tb

import click

from .printing import say

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
        if not _said(error):
            raise
        _let_go()
        with suppress(OSError):
            say(f"seewhy: what is said cannot be written: {error.strerror or error}", err=True)
        raise click.exceptions.Exit(1) from None


def _said(error: OSError) -> bool:
    """Was it raised by what prints, not by a file or a network?"""
    *_, (frame, _line) = walk_tb(error.__traceback__)
    return frame.f_code is click.echo.__code__


def _let_go() -> None:
    """Drop what waits in streams that take no more, which Python would complain of at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
