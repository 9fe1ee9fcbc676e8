"""A cache of the values that were used last: however many keys come by, memory stays bounded."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MOST = 48


class Recent(Generic[K, V]):
    """A cache of at most `most` values by key; a new value displaces the one whose last use is longest ago.

    Threads may share it; its pickle is empty.

    It needs no lock, which a forked process could inherit locked: each step is one of the dict's own, and what another thread
    took away meanwhile is no harm.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of the key; None where the cache has none."""
        value = self._values.get(key)
        if value is not None:
            with suppress(KeyError):
                self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> V:
        """Put a value into the cache, and return it."""
        self._values[key] = value
        while len(self._values) > self.most:
            with suppress(KeyError):
                self._values.popitem(last=False)
        return value

    def of(self, key: K, make: Callable[[], V]) -> V:
        """The value of the key, made by `make` where the cache has none; threads that ask at once all get the same object."""
        value = self.get(key)
        if value is None:
            new = make()
            value = self.get(key)  # another thread may have been quicker
            if value is None:
                return self.keep(key, new)
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __reduce__(self) -> Any:
        return (type(self), (self.most,))
