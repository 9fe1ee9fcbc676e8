"""A run's folder, held by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seewhy.atomic import writing
from seewhy.errors import BadParameter
from seewhy.printable import printable

LOCK = "run.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Inside, no other process writes into the run: what is done by two would be stored twice.

    The lock is the system's: it goes with the process, however that ends.  Where the system has none of that kind (Windows), a
    second process is not noticed.  Raises BadParameter where another process holds it, NotWritten where there is no writing.
    """
    try:
        import fcntl  # here, for Windows has none
    except ModuleNotFoundError:
        yield
        return
    with writing(folder / LOCK):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadParameter(
                f"Another process is working on the run in {printable(folder)}: wait for it, or give another folder."
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
