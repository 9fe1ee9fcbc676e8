"""Guards round other libraries' decoders: what they raise becomes BadImage, what they warn of or log is dropped or noted."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING

from seewhy.errors import BadImage, SeewhyError
from seewhy.printable import printable

from .files import HEADERS

if TYPE_CHECKING:
    from logging import LogRecord

PLAIN = (OSError, EOFError, ValueError)  # errors whose text is clear without the name of their class
MOST_REMARKS = 3  # how many remarks of a decoder are noted for one file


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raise as BadImage what a decoder raises in the block; it begins with `what` ("scan.nii cannot be read as a volume")."""
    try:
        yield
    except SeewhyError:
        raise
    except MemoryError as short:
        raise BadImage(f"{what}: there is not enough memory for it. {printable(short, 200)}".rstrip()) from short
    except Exception as broken:
        kind = type(broken).__name__
        text = printable(broken, 300)
        text = text if text and isinstance(broken, PLAIN) else f"{kind}: {text}" if text else kind
        raise BadImage(f"{what}: {text}") from broken


@contextmanager
def quietly(logger: str) -> Iterator[list[str]]:
    """Suppress warnings, and collect what the logger of that name says in this thread in a list, instead of on stderr."""
    import logging  # here, to keep start-up light: importing it takes a tenth as long as seewhy

    remarks: list[str] = []
    thread = get_ident()

    def passes(record: "LogRecord") -> bool:
        if record.thread != thread:
            return True
        text = printable(record.getMessage(), 200)
        if len(remarks) < MOST_REMARKS and text not in remarks:
            remarks.append(text)
        return False

    speaking = logging.getLogger(logger)
    with HEADERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        speaking.addFilter(passes)
        try:
            yield remarks
        finally:
            speaking.removeFilter(passes)
