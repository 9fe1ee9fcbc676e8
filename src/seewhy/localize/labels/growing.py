"""One file of many images that grows with each, in constant memory, and is whole whenever it is closed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from seewhy.atomic import replacing
from seewhy.errors import NotWritten
from seewhy.json_text import whole_text

Output = Path | Callable[[str], object]  # a file; or what takes the text piece by piece, as a pipe does


class NothingAdded(Exception):
    """Keeps an empty file from taking the place of another."""


class GrowingFile:
    """Text that is written piece by piece.

    output: the file, which takes the place of an older one when it is closed and not before; or a function that takes
        each piece.
    over: take the place of a file that is there; else it is an error.
    What one `add` gives is written whole or not at all: where the disk gets full, the file goes back to the last whole piece,
    so that it can still be closed.  A file that nothing was added to is not written at all.
    """

    def __init__(self, output: Output, over: bool = True) -> None:
        self._path = output if isinstance(output, Path) else None
        self._hand = output if callable(output) else None
        self._over, self._stack, self._end = over, ExitStack(), 0
        self._file: FileIO | None = None

    @property
    def empty(self) -> bool:
        return not self._end

    def add(self, text: str) -> None:
        """Write one piece.  Raises NotWritten."""
        try:
            self._append(text)
        except OSError as error:
            raise _refusal(f"{self._path} cannot be written", error, "What was added before is kept.") from error

    def close(self, tail: Iterable[str] = ()) -> None:
        """Write the pieces of the end, and put the file into its place.

        Raises NotWritten; where there is no room for the end, none of the file is left, and what was there before is as it was.
        """
        with suppress(NothingAdded), self._stack:
            try:
                if self.empty:
                    raise NothingAdded
                for piece in tail:
                    self._append(piece)
            except OSError as error:
                raise _refusal(
                    f"{self._path} cannot be written", error, "Make room for its last part: none is left."
                ) from error
            finally:
                if self._file is not None:
                    self._file.close()
        self._end = 0

    def _append(self, text: str) -> None:
        data = whole_text(text).encode()
        if self._hand is not None:
            self._hand(data.decode())
        elif self._path is not None:
            file = self._opened(self._path)
            try:
                _write(file, data)
            except OSError:
                file.truncate(self._end)
                file.seek(self._end)
                raise
        self._end += len(data)

    def _opened(self, path: Path) -> FileIO:
        if self._file is None:
            self._file = _opened(self._stack.enter_context(replacing(path, self._over, "labels")))
        return self._file


def _refusal(what: str, error: OSError, left: str) -> NotWritten:
    if isinstance(error, NotWritten):
        return error
    refusal = NotWritten(f"{what}: {error.strerror}. {left}")
    refusal.errno = error.errno
    return refusal


def _opened(beside: Path) -> FileIO:
    file = beside.open("wb", buffering=0)
    return file


def _write(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]


class LaterText:
    """Text that stands at the end of a file, kept on the disk until then."""

    def __init__(self) -> None:
        self._file, self._ends = TemporaryFile(buffering=0), (0, 0)  # noqa: SIM115 - closed with whoever has it

    def __enter__(self) -> "LaterText":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Keep one piece.  Raises NotWritten."""
        data, end = whole_text(text).encode(), self._ends[1]
        try:
            self._file.seek(end)
            _write(self._file, data)
        except OSError as error:
            raise _refusal("A temporary file cannot be written", error, "What was added before is kept.") from error
        self._ends = end, end + len(data)

    def take_back(self) -> None:
        """Forget the last piece."""
        self._ends = self._ends[0], self._ends[0]

    def pieces(self) -> Iterator[str]:
        """The text again, in pieces that are whole text."""
        self._file.truncate(self._ends[1])
        self._file.seek(0)
        with TextIOWrapper(BufferedReader(self._file), "utf-8", newline="") as text:
            yield from iter(lambda: text.read(2**18), "")
