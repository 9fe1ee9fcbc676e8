"""Why any of these classes?  A group of classes, explained as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.printable import quoted

from .class_names import class_index, classes_with, first_name
from .grammar import bare_or_quoted, operand, pieces, unreadable
from .target import Labels, class_given, is_index

SHOWN = 4  # classes of a group that its caption names
LONGEST = 200  # characters of a word that an error repeats
WORD = 10_000  # characters of a word
HOW = "any:WORD, as in any:cat, or any:A+B, as in any:281+tiger cat."


@dataclass(frozen=True)
class AnyOf:
    """Any of several classes: the logarithm of the sum of their exponentials, so that it does not matter which of them it is.

    of: a word, for all classes one of whose names holds it as a whole word, in upper or lower case: AnyOf("cat") is of "tiger
        cat", and of no "catamaran"; or the classes themselves, by index or exact name: AnyOf(["tabby", "tiger cat"]).
    Explained: log sum_j exp(y_j) over the classes j of the group, for logits y and log-probabilities; where probabilities are
        explained, their sum.  This is a function of the network's output in each variant of the image, not of the untouched
        image alone, and its gradient there is the softmax-weighted mean of the classes' own.
    `seewhy labels MODEL WORD` lists the classes that a word stands for.  Raises NoSuchName where there is none.
    """

    of: str | int | Sequence[int | str]

    def __post_init__(self) -> None:
        if isinstance(self.of, str) and self.of.strip() and len(self.of) <= WORD:
            return
        wrong = BadParameter(f"AnyOf({quoted(self.of)}): give a whole word of a label, as in AnyOf('cat'), or classes.")
        if isinstance(self.of, str):
            raise wrong
        several: Sequence[Any] = tuple(self.of) if isinstance(self.of, Sequence | np.ndarray) else (self.of,)
        try:
            several = tuple(dict.fromkeys(map(class_given, several)))
        except (BadParameter, TypeError):
            raise wrong from None
        if not several or not all(isinstance(each, int) or each.strip() for each in several):
            raise wrong
        object.__setattr__(self, "of", several)

    def known(self, labels: Labels) -> "Group":
        """The classes that are meant.  Raises NoSuchName where no label holds the word, or a class of the list is none."""
        if isinstance(self.of, str):
            classes = classes_with(self.of, labels)
            if not classes:
                raise self._none(labels)
            return Group(tuple(classes), str(self), f"any {self.of.strip()}: {_listed(classes, labels)}")
        classes = [*dict.fromkeys(class_index(each, labels) for each in self._several)]
        return Group(tuple(classes), str(self), f"any of {_listed(classes, labels)}")

    @property
    def _several(self) -> Sequence[int | str]:
        return (self.of,) if isinstance(self.of, str | int) else self.of

    def _none(self, labels: Labels) -> NoSuchName | BadParameter:
        """The error that no label holds the word, with words that some do."""
        word = str(self.of)[:LONGEST]
        if not labels:
            return BadParameter(
                f"AnyOf({quoted(word)}) looks for a word in the labels, and the model has none: give wrap(labels=...), or a "
                "list of indices.",
                typed=f"any:{word} looks for a word in the labels, and the model has none: give --labels FILE, or indices: "
                "any:281+282.",
            )
        words = [*dict.fromkeys(part for label in labels for part in label.replace(",", " ").replace("_", " ").split())]
        where = "It has to be a whole word of a label."
        return NoSuchName(
            "label with the word", word, closest(word, words), f"{where} All {len(labels)} labels: model.labels.",
            f"{where} All {len(labels)} labels: seewhy labels MODEL",
        )  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> "AnyOf":
        """any:WORD, or any:A+B+C of classes by index or name."""
        written = pieces(text.partition(":")[2], "+")
        parts = [operand(piece) for piece in written]
        if "" in parts:
            raise unreadable(text, "", HOW)
        word = len(parts) == 1 and isinstance(parts[0], str) and not is_index(written[0])
        return cls(parts[0] if word else parts)

    def __str__(self) -> str:
        if isinstance(self.of, str):
            return f"any:{bare_or_quoted(self.of, '+')}"
        classes = [str(each) if isinstance(each, int) else bare_or_quoted(each, "+") for each in self._several]
        alone = len(classes) == 1 and isinstance(self._several[0], str)  # which by itself would be a word
        return f"any:{'+'.join(classes * (1 + alone))}"


@dataclass(frozen=True)
class Group:
    """The classes of an AnyOf, now that the labels are known: what the engine explains.

    classes: their indices; text: from which the same is made again; words: for a caption.
    """

    classes: tuple[int, ...]
    text: str
    words: str

    def chance(self, probabilities: NDArray[Any] | None) -> float | None:
        """The probability of any of the classes, from those of all classes (k,); None where these are not of one label each, as
        then nothing tells how often two of them come together.
        """
        if probabilities is None or (len(self.classes) > 1 and abs(probabilities.sum(dtype=np.float64) - 1) > LOOSE):
            return None
        return float(probabilities[[*self.classes]].sum(dtype=np.float64))

    def __str__(self) -> str:
        return self.text


def are_summed(explains: str, normalised: bool) -> bool:
    """Is the score of a group the sum of its classes' scores, since these are probabilities?

    explains: the kind of scores; normalised: what the network gives are probabilities.
    """
    return explains == "probability" or (normalised and explains != "log-probability")


LOOSE = 5e-3  # by which probabilities in half precision may miss one in sum


def checked(groups: Sequence[Sequence[int]], k: int) -> None:
    """Raise NoSuchName where one of the classes is none of k."""
    for index in (index for group in groups for index in group if index >= k):
        raise NoSuchName("class", index, [], f"The model's classes are 0 to {k - 1}.")


def joined(scores: NDArray[Any], groups: Sequence[Sequence[int]], summed: bool) -> NDArray[Any]:
    """The scores of classes (n, k) as those of groups of them (n, g): log sum exp; summed: the sum, as of probabilities."""
    checked(groups, scores.shape[1])
    parts = [scores[:, [*group]] for group in groups]
    if summed:
        return np.stack([part.sum(1) for part in parts], 1)
    highest = [part.max(1, keepdims=True) for part in parts]
    return np.stack([np.log(np.exp(p - top).sum(1)) + top[:, 0] for p, top in zip(parts, highest, strict=True)], 1)


def slopes(scores: NDArray[Any], groups: Sequence[Sequence[int]], summed: bool) -> NDArray[Any]:
    """The derivatives (n, g, k) of the scores of groups by those of classes (n, k)."""
    result = np.zeros((len(scores), len(groups), scores.shape[1]))
    for g, group in enumerate(groups):
        part = scores[:, [*group]]
        e = np.ones_like(part) if summed else np.exp(part - part.max(1, keepdims=True))
        result[:, g, [*group]] = e if summed else e / e.sum(1, keepdims=True)
    return result


def _listed(classes: Sequence[int], labels: Labels) -> str:
    """The first classes of a group by name, and how many there are."""
    names = ", ".join(first_name(i, labels) for i in classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
    return f"{names} ({len(classes)} class{'es' * (len(classes) > 1)})"
