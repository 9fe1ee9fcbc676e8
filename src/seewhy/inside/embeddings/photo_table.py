"""What is known of the photos of an embedding beside their features: columns, one place for each photo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import printable, quoted
from seewhy.truth.labels import Classes

NONE = -1  # in the place of a class, where there is none
KINDS = ("truth", "prediction")
LONGEST = 100  # characters of a name in an error


class LeftOutPhoto(NamedTuple):
    """A photo that has no features: its place among all that were given, where it lies, and why."""

    number: int
    path: str
    why: str

    def __str__(self) -> str:
        return self.why if self.path in self.why else f"{self.path}: {self.why}"


class PhotoRecord(NamedTuple):
    """One photo, as it goes into the columns."""

    number: int
    path: str
    truth: Classes = ()
    predicted: int = NONE
    score: float = float("nan")
    probability: float = float("nan")
    true_probability: float = float("nan")
    measures: Mapping[str, float] = {}


@dataclass(frozen=True, eq=False)
class EmbeddedPhotos:
    """The photos of an embedding, column by column, each (n,).

    numbers: the place of each among all that were given (in a run: its `item`); paths: where each lies, or the name of an image
        in memory.
    truth: its true classes, none where they are not known.
    predicted: the class that it is taken for, -1 where there is none; scores, probabilities: of that class, NaN where there is
        none; true_probabilities: of the likeliest true class.
    labels: of the model's classes.  measures: further numbers by name, NaN where they are not known: of a run the shares of the
        evidence, such as "on_object".
    """

    numbers: NDArray[np.int64]
    paths: tuple[str, ...]
    truth: tuple[Classes, ...]
    predicted: NDArray[np.int32]
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    true_probabilities: NDArray[np.float32]
    labels: tuple[str, ...] | None = None
    measures: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, photos: Sequence[PhotoRecord], labels: Sequence[str] | None) -> "EmbeddedPhotos":
        """The columns of photos, one after the other."""
        names = [*dict.fromkeys(name for photo in photos for name in photo.measures)]
        score, chance, true = (
            np.array([getattr(photo, name) for photo in photos], np.float32)
            for name in ("score", "probability", "true_probability")
        )
        return cls(
            np.array([photo.number for photo in photos], np.int64), tuple(photo.path for photo in photos),
            tuple(tuple(photo.truth) for photo in photos), np.array([photo.predicted for photo in photos], np.int32),
            score, chance, true, None if labels is None else tuple(map(str, labels)),
            {name: np.array([photo.measures.get(name, np.nan) for photo in photos], np.float32) for name in names},
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def right(self) -> NDArray[np.int8]:
        """1 where the prediction is a true class, 0 where it is not, -1 where that is not known: (n,)."""
        known = [
            NONE if not truth or answer == NONE else answer in truth
            for truth, answer in zip(self.truth, self.predicted.tolist(), strict=True)
        ]
        return np.array(known, np.int8)

    def kinds(self, by: str) -> NDArray[np.int32]:
        """The class of each photo by "truth" (of several the first) or "prediction", -1 where there is none: (n,)."""
        if by not in KINDS:
            raise BadParameter(f"Photos have classes by 'truth' and by 'prediction', not by {quoted(by)}.")
        if by == "prediction":
            return self.predicted
        return np.array([truth[0] if truth else NONE for truth in self.truth], np.int32)

    def name(self, index: int) -> str:
        """The label of a class, or its number where it has none; "" of none."""
        if index == NONE:
            return ""
        return self.labels[index] if self.labels is not None and 0 <= index < len(self.labels) else f"class {index}"

    def truth_name(self, place: int) -> str:
        """The true classes of a photo, in words."""
        return " or ".join(map(self.name, self.truth[place]))

    def place(self, photo: Any) -> int | None:
        """The place of a photo that is named by its number, by its path, or by the end of its path; None of any other image.

        Raises BadParameter for a number that no photo has, and for the end of several paths.
        """
        if isinstance(photo, int | np.integer) and not isinstance(photo, bool):
            found = np.flatnonzero(self.numbers == photo)
            if len(found):
                return int(found[0])
            raise BadParameter(
                f"No photo of the embedding has the number {photo}: they have {self.numbers.min()} to {self.numbers.max()}, "
                f"{len(self)} in all; a photo that could not be read has no features."
            )
        text = str(photo) if hasattr(photo, "__fspath__") or isinstance(photo, str) else None
        if text is None:
            return None
        if text in self.paths:
            return self.paths.index(text)
        ends = [place for place, path in enumerate(self.paths) if path.replace("\\", "/").endswith(f"/{text}")]
        if len(ends) > 1:
            some = ", ".join(printable(self.paths[place], LONGEST) for place in ends[:3])
            raise BadParameter(f"{len(ends)} photos end in {quoted(text)}: {some}. Give more of the path, or the number.")
        return ends[0] if ends else None
