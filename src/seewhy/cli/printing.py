"""What the command line says.  Every line of every command goes through here, so that no label, name of a file or message of
another library obeys the terminal, and every JSON line is JSON.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click

from seewhy.printable import printable, words_of

LABEL = 100  # characters of a name among other words
STDOUT = "seewhy.stdout"  # what is remembered of the command: where its own lines go


def say(line: object = "", err: bool = False, nl: bool = True, **style: Any) -> None:
    """One line, with the spaces it has; style: as of click.style."""
    said = printable(line, spaces=True)
    stream = sys.stderr if err else stdout()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    said = said.encode(encoding, "backslashreplace").decode(encoding)  # what this terminal cannot show
    click.echo(click.style(said, **style) if style else said, stream, nl=nl)


def say_json(facts: Mapping[str, Any] | str) -> None:
    """One JSON object on one line; facts: what it holds, or the line itself."""
    from seewhy.json_text import as_json

    click.echo(facts if isinstance(facts, str) else as_json(facts), stdout())


@contextmanager
def apart(ctx: click.Context):
    """Inside, stdout is for what seewhy says; what a person's own code prints, at any time, goes to stderr."""
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
    """The words of an error, of one that is not seewhy's what it is and how to see more; never nothing."""
    from seewhy.errors import SeewhyError
    from seewhy.memory import out_of_memory, short

    words = words_of(error)
    if words and isinstance(error, SeewhyError):
        return words
    if out_of_memory(error):
        return str(short("else", "", error))
    if words and isinstance(error, OSError):
        return words
    return f"{type(error).__name__}: {words or 'it gives no reason'} (seewhy --debug ... shows where)"


@contextmanager
def safe_usage():
    """What click says of the arguments, which it quotes, on lines that a terminal shows and never obeys."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message)
        raise


def say_traceback(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """For sys.excepthook: as Python's own, and safe to read."""
    from traceback import format_exception

    for line in "".join(format_exception(kind, error, trace)).splitlines():
        say(line, err=True)


def safe_logs() -> Callable[[], None]:
    """What libraries log becomes a line, too, until what this returns is called."""
    import logging  # which takes a while

    class Line(logging.LogRecord):
        def getMessage(self) -> str:  # noqa: N802 - logging's own name
            return printable(super().getMessage())

    usual = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Line)
    return lambda: logging.setLogRecordFactory(usual)


def say_warning(message: Warning | str, *_where: Any, **_more: Any) -> None:
    """For warnings.showwarning: in a line, without the place in the code, which is no user's."""
    say(f"seewhy: note: {message}", err=True)
