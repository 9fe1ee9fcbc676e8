"""A network that sees each cell of a grid alone, as a model of whole grids: DiFull's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from einops import rearrange, reduce
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import NotApplicable
from seewhy.images.inputs import Images
from seewhy.models.model import Answer, Differentiable, Evidence, Examination, Head, Layer, PulledPass, Scorer, Tail, Trace
from seewhy.models.pace import Pace
from seewhy.models.rule import Rule
from seewhy.prepare.batch import Batch, batches
from seewhy.prepare.fit import Preparer
from seewhy.targets.target import Scores, Target, Weights

SLACK = 1e-3  # of the largest score: what is rounding


class SeparateCells:
    """The model of grids (n, c, size h, size w) whose scores are those of every cell, cell by cell: (n, size^2 k).

    The network runs on each cell by itself, so that nothing of one cell is known in another; what its layers emit and the
    gradients toward it are laid out as the grid is.  The score of class q in cell j is number j k + q.
    """

    labels: Sequence[str] | None = None
    prepare: Preparer | None = None
    no_classes = ""
    groups: Sequence[Sequence[int]] = ()

    def __init__(self, model: Any, size: int) -> None:
        self.model: Differentiable = model
        self.size, self.cells_of_grid = size, size**2
        self.gives, self.name, self.explains = model.gives, model.name, model.explains
        self.weights, self.untrained, self.origin = model.weights, model.untrained, model.origin

    def folded(self, x: Array) -> Array:
        """The cells of grids (n, c, size h, size w), row by row: (n size^2, c, h, w)."""
        return rearrange(x, "n c (r h) (s w) -> (n r s) c h w", r=self.size, s=self.size)

    def laid(self, cells: Array) -> Array:
        """Maps of cells (..., n size^2, c, h, w) as maps of grids (..., n, c, size h, size w)."""
        return rearrange(cells, "... (n r s) c h w -> ... n c (r h) (s w)", r=self.size, s=self.size)

    def of_cells(self, scores: NDArray[Any]) -> NDArray[Any]:
        """The scores of grids (..., n, size^2 k) as those of cells (..., n size^2, k)."""
        *lead, n, k = scores.shape
        return scores.reshape(*lead, n * self.cells_of_grid, k // self.cells_of_grid)

    def of_grids(self, scores: NDArray[Any]) -> NDArray[Any]:
        """The scores of cells (..., n size^2, k) as those of grids (..., n, size^2 k)."""
        *lead, n, k = scores.shape
        return scores.reshape(*lead, n // self.cells_of_grid, k * self.cells_of_grid)

    def _targets(self, targets: Sequence[Target]) -> list[Target]:
        """Targets of the scores of grids, as targets of the scores of cells."""

        def cellwise(target: Target) -> Callable[[Scores], Weights]:
            return lambda scores: self.of_cells(target(self.of_grids(scores)))

        return [cellwise(target) for target in targets]

    def _answer(self, answer: Answer) -> Answer:
        chances = None if answer.probabilities is None else self.of_grids(answer.probabilities)
        return answer._replace(scores=self.of_grids(answer.scores), probabilities=chances)

    def answer(self, x: Array) -> Answer:
        return self._answer(self.model.answer(self.folded(x)))

    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None, twice: bool = False,
        few: int | None = None,
    ) -> Trace:  # fmt: skip
        return self._trace(self.model.trace(self.folded(x), self._targets(targets), layers, rule, twice, few))

    def _trace(self, trace: Trace) -> Trace:
        return trace._replace(
            answer=self._answer(trace.answer),
            weights=self.of_grids(trace.weights),
            evidence={layer: self._evidence(each) for layer, each in trace.evidence.items()},
            further=lambda start: self._trace(trace.further(start)),
        )

    def _evidence(self, each: Evidence) -> Evidence:
        again = each.again
        laid = None if again is None else lambda t, v: self.laid(again(t, self.folded(v)))
        return replace(each, a=self.laid(each.a), g=self.laid(each.g), again=laid)

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        a, notes = self.model.activations(self.folded(x), layers)
        return {layer: self.laid(each) for layer, each in a.items()}, notes

    def pulled(self, x: Array, layers: Sequence[str]) -> PulledPass:
        inner = self.model.pulled(self.folded(x), layers)
        a = {name: self.of_grids(each) if each.ndim == 2 else self.laid(each) for name, each in inner.a.items()}
        flat = lambda v: self.of_cells(v) if v.ndim == 2 else self.folded(v)  # noqa: E731
        return PulledPass(a, lambda v: self.laid(inner.back({name: flat(each) for name, each in v.items()})))

    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        head = self.model.head(self.folded(x), self._targets(targets), layers)
        w = reduce(head.w, "t (n j) c -> t n c", "sum", j=self.cells_of_grid)  # of the cells that are not asked for it is zero
        a = {layer: self.laid(each) for layer, each in head.a.items()}
        return head._replace(answer=self._answer(head.answer), weights=self.of_grids(head.weights), a=a, w=w)

    @contextmanager
    def scoring(
        self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False
    ) -> Iterator[Scorer]:
        chances = None if answer.probabilities is None else self.of_cells(answer.probabilities)
        of_cells = answer._replace(scores=self.of_cells(answer.scores), probabilities=chances)
        with self.model.scoring(self.folded(x), of_cells, fast, dtype, inside) as scorer:
            yield CellScorer(self, scorer)

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        found = self.model.layers(None if x is None else self.folded(x[:1])[:1])
        return {name: self._layer(layer) for name, layer in found.items()}

    def _layer(self, layer: Layer) -> Layer:
        channels, *space = layer.shape
        return layer._replace(shape=(channels, *(self.size * side for side in space)), cells=None)

    def default(self, x: Array) -> tuple[str, Layer] | None:
        found = self.model.default(self.folded(x))
        return None if found is None else (found[0], self._layer(found[1]))

    def defaults(self, x: Array, targets: Sequence[Target]) -> Sequence[tuple[str, Layer] | None]:
        return [self.default(x)] * len(targets)

    def apart(self, x: Array) -> bool:
        return False

    def rests(self, x: Array, weights: NDArray[Any], layer: str) -> bool:
        cells = self.folded(x)
        rows = self.of_cells(weights[None])
        return any(self.model.rests(cells[j : j + 1], row, layer) for j, row in enumerate(rows) if row.any())

    def cells(self, layer: str, x: Array) -> None:
        """None: the cells of a layer are taken to divide each photo evenly."""

    def gaze(self, layer: str, x: Array) -> None:
        """None: the cells of a layer look where they lie."""

    def first_bad(self, x: Array) -> str | None:
        return self.model.first_bad(self.folded(x))

    @property
    def remarks(self) -> tuple[str, ...]:
        return tuple(self.model.remarks)

    def mixed(self, x: Array, copies: bool = False) -> bool:
        """False: the cells of a grid share a pass, whatever grids do; `check` looks whether they may."""
        return False

    def check(self, x: Array) -> None:
        """Raise NotApplicable where the network mixes images that share a pass, so that no cell is ever alone."""
        cells = self.folded(x[:1])
        together = self.model.answer(cells).scores
        alone = np.concatenate([self.model.answer(cells[j : j + 1]).scores for j in range(len(cells))])
        if not np.allclose(together, alone, rtol=0, atol=SLACK * float(abs(alone).max())):
            raise NotApplicable(
                f"{self.name} mixes the images of a batch, so the cells of a grid cannot run apart in one pass."
            )

    def takes_one(self) -> None:
        self.model.takes_one()

    def takes_signals(self) -> bool:
        return False

    def unchanged(self) -> AbstractContextManager[Any]:
        return self.model.unchanged()

    def fit(self, count: int) -> None:
        self.model.fit(count * self.cells_of_grid)

    def beside(self, place: int, count: int) -> "SeparateCells":
        return self

    def at_once(self, space: Sequence[int], whole: bool = False) -> int:
        return max(1, self.model.at_once([side // self.size for side in space], whole) // self.cells_of_grid)

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        return batches(images, None, lambda space: self.at_once(space, whole), self.name)

    def colour(self, level: int) -> NDArray[Any] | None:
        return self.model.colour(level)

    def versions(self) -> Mapping[str, str]:
        return self.model.versions()

    def weights_sha256(self) -> str:
        return self.model.weights_sha256()

    def conditions(self) -> Mapping[str, Any]:
        return {**self.model.conditions(), "cells": f"{self.size} x {self.size}, apart"}

    def host(self) -> Mapping[str, Any]:
        return self.model.host()

    def _refused(self, *_args: Any, **_options: Any) -> NoReturn:
        raise NotApplicable(
            f"Where each cell of a grid runs apart, {self.name} is explained by its scores, its layers' activations and the "
            "gradients toward them: attention, biases, units and aims are not laid out as a grid."
        )

    attended = biases = upto = with_flat_layers = grouped = aimed = kernels = _refused

    def examine(self, x: Array) -> Examination:
        return self._refused()


class CellScorer:
    """The scores of every cell, of variants of a grid."""

    def __init__(self, model: SeparateCells, scorer: Scorer) -> None:
        self.model, self.scorer = model, scorer
        self.differs, self.notes = scorer.differs, scorer.notes

    def __call__(self, x: Array) -> NDArray[Any]:
        return self.model.of_grids(np.asarray(self.scorer(self.model.folded(x))))

    def array(self, x: NDArray[Any]) -> Array:
        return self.scorer.array(x)

    def blend(self, keep: Array, image: Array, fill: Array) -> Array:
        return self.scorer.blend(keep, image, fill)

    def pace(self, together: int | None, most: int) -> Pace:
        usual = self.scorer.pace(None, most * self.model.cells_of_grid).size // self.model.cells_of_grid
        return Pace(usual if together is None else together)

    def boxed(self, image: Array) -> None:
        """None: there is no short cut."""

    def tail(self, image: Array, layer: str) -> "CellTail":
        return CellTail(self.model, [self.scorer.tail(cell, layer) for cell in self.model.folded(image[None])])


class CellTail:
    """The scores of every cell behind a layer, for edits of what it emits for the grid."""

    def __init__(self, model: SeparateCells, tails: Sequence[Tail]) -> None:
        self.model, self.tails = model, tails
        parts = [tail.a for tail in tails]
        self.a: Array = rearrange(parts, "(r s) c h w -> c (r h) (s w)", r=model.size, s=model.size)
        self.notes = tuple(dict.fromkeys(note for tail in tails for note in tail.notes))

    def __call__(self, edits: Array) -> NDArray[Any]:
        size = self.model.size
        cells = rearrange(edits, "m c (r h) (s w) -> (r s) m c h w", r=size, s=size)
        return np.concatenate([np.asarray(tail(cell)) for tail, cell in zip(self.tails, cells, strict=True)], 1)
