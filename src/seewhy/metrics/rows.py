"""A result that is the sequence of its rows, each of which is of one method."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, overload

from seewhy.errors import NoSuchName, closest


class OfMethod(Protocol):
    """A row that says of which method it is."""

    @property
    def method(self) -> str: ...


R = TypeVar("R", bound=OfMethod)


class MethodRows(Sequence[R]):
    """A record that is the sequence of its rows."""

    rows: tuple[R, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> R: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[R, ...]: ...
    def __getitem__(self, at: int | slice) -> R | tuple[R, ...]:
        return self.rows[at]

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def rows_of(self, method: str) -> tuple[R, ...]:
        """The rows of one method, in their order.  Raises NoSuchName where it was not asked for."""
        asked = method.replace("_", "-")
        found = tuple(row for row in self.rows if row.method == asked)
        if not found:
            there = [*dict.fromkeys(row.method for row in self.rows)]
            raise NoSuchName("method", method, closest(asked, there), f"There are: {', '.join(there)}.")
        return found
