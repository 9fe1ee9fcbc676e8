"""How scores change when the image changes: the engine of every method that reads nothing but scores."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seewhy.arrays import Array, Floats
from seewhy.errors import BadNetwork, BadParameter, Misuse, NoService, SeewhyError
from seewhy.explaining.blank import UNMOVED
from seewhy.explaining.case import Case
from seewhy.models.pace import Pace
from seewhy.printable import words_of
from seewhy.progress import shown

from .baseline import baseline
from .budget import Budget

if TYPE_CHECKING:
    from seewhy.models.model import Scorer

MOST = 256  # variants in one pass, at most
ROOM = 2**26  # bytes of images in one pass, at most; activations take more


class Part(NamedTuple):
    """Some variants of the image with their scores."""

    of: range  # the numbers of these variants
    kept: Any  # what `make` returned with them, such as their masks
    y: Floats  # (m, t) the explained scores


class Made(NamedTuple):
    """Some variants of the image that are to be scored."""

    kept: Any
    inputs: Sequence[Array]  # arguments of the scorer; for the network itself, images (m, c, *space)


class Probe:
    """One image, and the explained scores of any number of its variants.

    image: (c, *space), as the model's own kind of array, on its device; x: the same as numpy.
    y: (t,) the explained scores of the untouched image.
    """

    def __init__(self, case: Case, place: int, scorer: "Scorer", budget: Budget, tolerance: float | None, name: str) -> None:
        self.case, self.place, self.scorer = case, place, scorer
        self.budget, self.tolerance, self.name = budget, tolerance, name
        self.x: Floats = case.images[place]
        self.image = scorer.array(self.x)
        answer, weights = case.pinned
        self.weights = weights[:, place]  # (t, k)
        self.y: Floats = answer.scores[place] @ self.weights.T
        self.off = np.zeros(len(self.y))  # by how much the scores of a faster copy of the network differ
        if scorer.differs:
            score = self.explained(scorer(self.image[None] + 0))[0]
            self.y, self.off = score, score - self.y
        scale = abs(answer.scores[place]) @ abs(self.weights.T)
        self.rounding = 8 * float(np.finfo(answer.scores.dtype).eps) * scale  # (t,)
        self.moved = np.zeros(len(self.y))  # the largest change of the score by any variant
        self.planned = 0  # forwards
        self.ended = ""  # why not all variants were scored
        self.failure: SeewhyError | None = None
        self._look = 64  # forwards after which the error is looked at

    def __getstate__(self) -> Any:
        raise TypeError(
            f"A Probe ({self.name}) lives while its network is asked, and cannot be copied or sent. Send the method, the model "
            "and the image, and ask there."
        )

    @property
    def space(self) -> tuple[int, ...]:
        return self.x.shape[1:]

    def fill(self, choice: Any) -> Array:
        """The image (c, *space) that lies where pixels are hidden, as the model's own kind of array."""
        values = baseline(self.case, choice, f"{self.name}: the fill")
        return self.scorer.array(np.broadcast_to(values[self.place if len(values) > 1 else 0], self.x.shape))

    def hidden(self, keep: Callable[[range], Array], fill: Array) -> Callable[[range], Made]:
        """What `scored` takes as `make`: the image where masks (m, *space) keep it, the fill elsewhere, with the masks."""

        def make(of: range) -> Made:
            masks = keep(of)
            return Made(masks, (self.scorer.blend(masks, self.image, fill),))

        return make

    @property
    def limited(self) -> bool:
        """May the work end early, by a budget or a tolerance?"""
        return self.budget.request is not None or self.tolerance is not None

    def explained(self, scores: Floats) -> Floats:
        """The explained scores (m, t) of scores (m, k)."""
        each = [self.weights @ row for row in np.asarray(scores, np.float64)]  # row by row: alike for any m
        return np.array(each).reshape(len(scores), len(self.weights))

    def asked(self, image: Array) -> Floats:
        """The explained scores (t,) of one variant (c, *space)."""
        self.budget.spent += 1
        return self.explained(self.scorer(image[None] + 0))[0]  # a copy: a network may write into its input

    def scored(
        self, count: int, make: Callable[[range], Made], ask: Callable[..., Floats] | None = None,
        together: int | None = None, least: int = 1,
    ) -> Iterator[Part]:  # fmt: skip
        """Make and score `count` variants, until they or the budget end.

        make: makes the variants of a range, when they are needed; ask: scores them, by default the network; together: how many
        share a pass, by default as many images as is usual for the model; least: with fewer variants there is no map.
        A failure after the first pass ends the work and is kept in `failure`, so that the scores so far are not lost.
        """
        left = self.budget.forwards - self.budget.spent
        if left < least:
            least += self.budget.spent
            raise BadParameter(f"{self.name}: budget={self.budget.request} is too little: it needs {least} forwards at least.")
        most = min(MOST, max(1, ROOM // self.x.nbytes)) if together is None else together
        parts = self._parts(count, make, ask or self.scorer, self.scorer.pace(together, most), least)
        yield from shown(parts, int(min(count, left)), self.name, size=lambda part: len(part.of))

    def _parts(self, count: int, make: Any, ask: Any, pace: Pace, least: int) -> Iterator[Part]:
        done, before = 0, self.budget.spent
        self.planned = before + count
        while done < count:
            if done >= least and (ended := self.ended or self.budget.over):
                spent = f"{ended} after {before + done} of {before + count} forwards"
                self.ended = "tolerance" if self.ended == "tolerance" else spent
                return
            allowed = max(1, least - done, self.budget.left(pace.rate))
            size = int(min(pace.size, count - done, allowed))
            of = range(done, done + size)
            try:
                start = perf_counter()
                beside, inputs = make(of)
                scores = _checked(ask(*inputs), size, self.weights.shape[1])
            except MemoryError as error:
                if size > 1:
                    pace.halve()
                    continue
                if not self.budget.spent:
                    raise
                self._fail(error, of, count)
                return
            except Misuse:  # such as a fill that the network does not take
                raise
            except Exception as error:  # noqa: BLE001 - whatever a person's function raises
                self._fail(error, of, count)
                return
            pace.took(size, perf_counter() - start)
            done += size
            self.budget.spent += size
            y = self.explained(scores)
            self.moved = np.maximum(self.moved, abs(y - self.y).max(0))
            yield Part(of, beside, y)

    def _fail(self, error: Exception, of: range, count: int) -> None:
        what = f"variants {of.start} to {of.stop - 1} of {count}" if len(of) > 1 else f"variant {of.start} of {count}"
        said = str(error) if isinstance(error, SeewhyError) else f"{type(error).__name__}: {words_of(error)}"
        kind = NoService if isinstance(error, NoService) else BadNetwork
        failure = kind(f"{self.name}, {what}: {said}")
        failure.__cause__ = error
        if not self.budget.spent:
            raise failure
        spent = self.budget.spent
        self.failure = failure
        self.ended = f"{self.case.model.name} failed after {spent} of {spent - of.start + count} forwards"

    def enough(self, error: Callable[[], Floats]) -> None:
        """End the work once the standard error is nowhere above the tolerance."""
        if self.tolerance is None or self.budget.spent < self._look:
            return
        self._look = int(self._look * 1.25)
        if np.max(error()) <= self.tolerance:
            self.ended = "tolerance"

    @property
    def notes(self) -> tuple[str, ...]:
        notes = [f"{self.ended}: the map is an estimate from these"] if self.ended not in ("", "tolerance") else []
        if self.budget.spent and (self.moved <= self.rounding).all():
            notes.append(UNMOVED)
        return (*notes, *self.scorer.notes)


def _checked(scores: Any, m: int, k: int) -> Floats:
    if np.shape(scores) != (m, k):
        raise BadNetwork(
            f"the scores are {np.shape(scores)}; for the untouched image there were {k}, so ({m}, {k}) was expected."
        )
    if not np.isfinite(scores).all():
        raise BadNetwork("the scores hold NaN or infinity.")
    return scores
