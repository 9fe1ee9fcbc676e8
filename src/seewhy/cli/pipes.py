"""Output streams that take no more: a pipe whose reader has ended, a stream closed before the start, a full disk."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import walk_tb

import click

from .printing import say

HUNG_UP = 141  # exit code: 128 and the number of SIGPIPE, as of `ls` in `ls | head -1`


def hold_open() -> None:
    """Open the null device in place of standard streams that are closed, lest the next file opened gets their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


@contextmanager
def output_guard() -> Iterator[None]:
    """End the command when its output cannot be written.

    If the reader of a pipe has ended, nothing is said, as other tools do; other causes, such as a full disk, are said once.
    """
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        raise click.exceptions.Exit(HUNG_UP) from None
    except OSError as error:
        if not _raised_by_output(error):
            raise
        _drop_output()
        with suppress(OSError):
            say(f"seewhy: what is said cannot be written: {error.strerror or error}", err=True)
        raise click.exceptions.Exit(1) from None


def _raised_by_output(error: OSError) -> bool:
    """Was the error raised while printing, and not by a file or a network?"""
    *_, (frame, _line) = walk_tb(error.__traceback__)
    return frame.f_code is click.echo.__code__


def _drop_output() -> None:
    """Drop what is buffered for streams that take no more: Python would complain of it when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
