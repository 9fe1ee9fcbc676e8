"""The numbers of classes in files that have numbers alone."""

from collections.abc import Sequence

from .labelled import LabelledObject


class Numbering:
    """Gives each class a number from 0 on: its index in `labels`, if these are at most `most`; else its place in the order in
    which classes occur.

    labels: of the model, all of its classes; most: the greatest count that the format has room for.
    there: classes that files beside these have numbered already; they keep their numbers, and others come behind them.
    """

    def __init__(self, labels: Sequence[str] | None = None, most: int | None = None, there: Sequence[str] = ()) -> None:
        self.fixed = bool(labels) and (most is None or len(labels or ()) <= most)
        own = [*(labels or ())] if self.fixed else []
        alike = own[: len(there)] == [*there]
        self.names = own if alike else [*there, *(name for name in own if name not in set(there))]
        self._places = {name: place for place, name in reversed([*enumerate(self.names)])}

    def of(self, one: LabelledObject) -> int:
        """The number of an object's class."""
        index = one.found.index
        if self.fixed and index is not None and index < len(self.names) and self.names[index] == one.category:
            return index  # of two classes of one name the one that it is
        if one.category not in self._places:
            self._places[one.category] = len(self.names)
            self.names.append(one.category)
        return self._places[one.category]
