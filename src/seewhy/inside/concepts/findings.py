"""What was found of the concepts of a layer, as numbers and sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.errors import NoSuchName
from seewhy.images.places import Cells
from seewhy.maps.source import ModelFacts, Predicted
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent

from .crops import CropPlace
from .importance import ConceptImportance, MeanImportance

TOLD = 3  # concepts that `says` names of each score


@dataclass(frozen=True)
class FoundSettings:
    """With which settings concepts were looked for."""

    count: int
    crops: float | None
    samples: int
    most: int
    every: bool
    seed: int


class TypicalCrop(NamedTuple):
    """A part of a photo with much of a concept: the photo's place among those of the result, where it lies, how much."""

    photo: int
    place: CropPlace
    amount: float


@dataclass(frozen=True, eq=False)
class ConceptPhoto:
    """A photo that concepts were found in.

    number: its place among those given.  predicted: what it is taken for.  view: the part of it that the network saw.
    maps: (k, *grid) float32, how much of each concept there is in each cell.  space: the sides of the network's input.
    cells: where the cells lie in it; None: they share it out evenly.
    """

    number: int
    name: str
    predicted: Predicted | None
    view: Thumbnail | None = field(repr=False)
    maps: NDArray[np.float32] = field(repr=False)
    space: tuple[int, ...]
    cells: Cells | None = field(repr=False)


@dataclass(frozen=True, eq=False)
class ConceptFindings:
    """The concepts of a layer, the most important first.

    bank: (k, c), each concept as a direction of length 1 in the layer's channels.
    photos: those that they were found in.  typical: for each concept the crops with most of it, each of another photo.
    importances: for each score that was asked for, how much it rests on each concept.
    shares: (k,), of all that the concepts make up the part that each makes up; they sum to one.
    error: |A - U W| / |A| over all cells of the photos: what of the layer's activations the concepts leave out.
    negative: the part of the layer's squared activations that is below zero.
    failed: the name of each photo that could not be read, and why.  notes: what a person should know.
    names: of the classes that photos are taken for, by their index.
    """

    model: ModelFacts
    layer: str
    settings: FoundSettings
    bank: NDArray[np.float64] = field(repr=False)
    photos: tuple[ConceptPhoto, ...] = field(repr=False)
    typical: tuple[tuple[TypicalCrop, ...], ...] = field(repr=False)
    importances: tuple[ConceptImportance, ...] = field(repr=False)
    shares: NDArray[np.float64] = field(repr=False)
    error: float
    negative: float
    failed: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.bank)

    def __str__(self) -> str:
        return "\n".join(self.says)

    @property
    def says(self) -> tuple[str, ...]:
        """What was found, a sentence each."""
        how = f"crops of {self.settings.crops:g} of each side" if self.settings.crops else "the cells"
        lines = [
            f"{len(self)} concepts of {self.layer} of {self.model.name}, from {how} of {len(self.photos)} photos. They make up "
            f"{in_percent(1 - self.error**2, 0)} of the squares of what the layer emits (relative error {self.error:.2f})."
        ]
        if self.negative:
            lines.append(
                f"{in_percent(self.negative, 0)} of these squares are of values below zero: the positive and the negative part "
                "of each channel were factorised as channels of their own, so directions have signs."
            )
        for each in self.importances:
            mean = each.mean(seed=self.settings.seed)
            best = np.argsort(-mean.mean, kind="stable")[:TOLD]
            told = ", ".join(f"{i + 1} ({spanned(mean, i)})" for i in best)
            lines.append(
                f"Most important for {each.words}, by Sobol's total index in {len(each.photos)} photos: concepts {told}. The "
                f"concepts alone give the same answer in {each.kept} of them."
            )
        if self.failed:
            name, why = self.failed[0]
            told = why if name in why else f"{name}: {why}"
            lines.append(f"{len(self.failed)} photo{'s' * (len(self.failed) > 1)} could not be read; the first: {told}")
        return (*lines, *(f"{note[:1].upper()}{note[1:]}." for note in self.notes))

    @property
    def facts(self) -> dict[str, Any]:
        """The numbers, as JSON has them; concepts count from 1."""
        return {
            "model": self.model.name,
            "weights_sha256": self.model.weights_sha256,
            "layer": self.layer,
            "settings": asdict(self.settings),
            "error": self.error,
            "negative": self.negative,
            "photos": len(self.photos),
            "failed": [{"photo": name, "error": why} for name, why in self.failed],
            "notes": [*self.notes],
            "concepts": [self._facts_of(k) for k in range(len(self))],
        }

    def _facts_of(self, k: int) -> dict[str, Any]:
        seed = self.settings.seed
        return {
            "concept": k + 1,
            "share": self.shares[k],
            "importances": [
                {
                    "target": each.target,
                    "photos": len(each.photos),
                    "sobol": _row(each.mean("sobol", seed), k),
                    "gradient": None if each.gradient is None else _row(each.mean("gradient", seed), k),
                    "loss": _row(each.mean("loss", seed), k),
                    "changed": each.changed[k],
                }
                for each in self.importances
            ],
            "typical": [
                {
                    "photo": self.photos[crop.photo].name,
                    "first": crop.place.first,
                    "side": crop.place.side,
                    "amount": crop.amount,
                }
                for crop in self.typical[k]
            ],
        }

    def place(self, concept: int) -> int:
        """The place in `bank` of a concept by its number, which counts from 1."""
        if isinstance(concept, int | np.integer) and 1 <= concept <= len(self):
            return int(concept) - 1
        raise NoSuchName("concept", concept, [], f"There are concepts 1 to {len(self)}, the most important first.")

    def crop(self, crop: TypicalCrop) -> Image.Image | None:
        """The picture of a typical crop; None of what is no photo."""
        view = self.photos[crop.photo].view
        if view is None:
            return None
        (top, left), (bottom, right) = crop.place.first, crop.place.last
        w, h = view.size
        return view.picture.crop((round(left * w), round(top * h), max(1, round(right * w)), max(1, round(bottom * h))))


def spanned(of: MeanImportance, k: int) -> str:
    """The mean for a concept with its interval: "0.42, 0.30 to 0.51"; the mean alone where no interval is known."""
    mean, low, high = of.mean[k], of.low[k], of.high[k]
    return f"{mean:.2f}" if np.isnan(low) else f"{mean:.2f}, {low:.2f} to {high:.2f}"


def _row(mean: Any, k: int) -> dict[str, float]:
    return {"mean": mean.mean[k], "low": mean.low[k], "high": mean.high[k]}


def most_typical(amounts: Sequence[Floats], places: Sequence[Sequence[CropPlace]], count: int) -> tuple[TypicalCrop, ...]:
    """The crops with most of one concept, one of each photo at most.

    amounts: of each photo, how much of it there is in each crop (m,); places: where these lie, of each photo.
    """
    best = [(int(each.argmax()), float(each.max(initial=0))) for each in amounts]
    order = sorted(range(len(best)), key=lambda i: -best[i][1])[:count]
    return tuple(TypicalCrop(i, places[i][best[i][0]], best[i][1]) for i in order if best[i][1] > 0)
