"""Printing of the command line.  Every line of every command goes through here, so that no label, file name or message of
another library can control the terminal, and every JSON line is valid JSON.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click

from seewhy.printable import printable, words_of

from .wording import spoken

LABEL = 100  # characters at most of a name within a line
STDOUT = "seewhy.stdout"  # the key under which click's context keeps the stream for the command's own lines


def say(line: object = "", err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print one line, its spaces unchanged.  style: arguments of click.style."""
    said = printable(line, spaces=True)
    stream = sys.stderr if err else stdout()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    said = said.encode(encoding, "backslashreplace").decode(encoding)  # characters that the encoding lacks are escaped
    click.echo(click.style(said, **style) if style else said, stream, nl=nl)


def say_json(facts: Mapping[str, Any] | str) -> None:
    """Print one JSON object on one line.  facts: its contents, or the line itself."""
    from seewhy.json_text import as_json

    click.echo(facts if isinstance(facts, str) else as_json(facts), stdout())


def say_text(text: str) -> None:
    """Print text of a file on stdout: as it is, but safe where a terminal shows it."""
    if not text:
        return
    stream = stdout()
    if stream.isatty():
        text = "\n".join(printable(line, spaces=True) for line in text.split("\n"))
    click.echo(text, stream, nl=False)


@contextmanager
def apart(ctx: click.Context):
    """In the block, only seewhy's own lines go to stdout; what other code prints, such as a user's model, goes to stderr.

    A block inside of another changes nothing, as where a command loads two models.
    """
    if STDOUT in ctx.meta:
        yield
        return
    ctx.meta[STDOUT] = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        del ctx.meta[STDOUT]


def stdout() -> Any:
    ctx = click.get_current_context(silent=True)
    return (ctx and ctx.meta.get(STDOUT)) or sys.stdout


def fault(error: BaseException) -> str:
    """The text of an error.  For errors that seewhy does not raise itself, their class, and how to see more, are added."""
    from seewhy.errors import SeewhyError
    from seewhy.memory import out_of_memory, short

    words = words_of(error)
    if words and isinstance(error, SeewhyError):
        return error.typed or words
    if out_of_memory(error):
        return str(short("else", "", error))
    if words and isinstance(error, OSError):
        return words
    return f"{type(error).__name__}: {words or 'it gives no reason'} (seewhy --debug ... shows where)"


class Misused(click.ClickException):
    """An error of click's own, on one line."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        say(f"seewhy: {self.message}", err=True)


@contextmanager
def safe_usage():
    """Say click's own errors on one line, safe to print, for they quote the arguments; with where the options are listed."""
    try:
        yield
    except (Misused, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        words = printable(error.format_message()).rstrip()
        words += "" if words.endswith((".", "?", ")")) else "."
        command = " ".join(["seewhy", *(error.ctx.command_path.split()[1:] if error.ctx else [])])
        raise Misused(f"{words} `{command} --help` says what there is.") from error
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message)
        raise


def say_traceback(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """For sys.excepthook: the traceback as Python prints it, made safe to print."""
    from traceback import format_exception

    for line in "".join(format_exception(kind, error, trace)).splitlines():
        say(line, err=True)


def safe_logs() -> Callable[[], None]:
    """Make the messages that libraries log safe to print, until the function that this returns is called."""
    import logging  # only here, as its import takes a while

    class Line(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - logging's own name
            return printable(super().getMessage())

    usual = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Line)
    return lambda: logging.setLogRecordFactory(usual)


def say_warning(message: Warning | str, *_where: Any, **_more: Any) -> None:
    """For warnings.showwarning: one line, without the place in the code, which tells a user nothing."""
    say(f"seewhy: note: {spoken(str(message))}", err=True)
