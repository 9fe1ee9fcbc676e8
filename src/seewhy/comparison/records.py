"""What came of a comparison: a record for each photo, worst first, and what they say together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.images.places import Extent
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed
from seewhy.maps.source import Predicted
from seewhy.printable import in_percent, printable, quoted

from .common_grid import FlatMaps
from .picture import drift_picture, save_picture


@dataclass(frozen=True, eq=False)
class PhotoDrift:
    """How far the prediction and the map of one photo moved from model A to model B.

    image, place: its name, and its place among those given; a, b: the maps of the same class, as each model gives them.
    predicted_a, predicted_b: what each took it for; None of a regression, and of a network that gives boxes or a map.
    same_top1: both took it for the same class (of a single probability: for the same side of one half); None as above.
    top5_overlap: the share of A's five top classes that are among B's; None where a model has no more than five.
    spearman: the rank correlation of the maps, -1 to 1; None where a map is the same everywhere (`flat` tells which:
        "a", "b" or "both"), for then it is not defined.
    energy_shift: the share of the positive evidence that lies elsewhere, 0 to 1: the total-variation distance of the maps'
        positive parts, each divided by its sum.
    centre_shift: how far the centre of the positive evidence moved, in pixels of the photo (voxels of a volume, samples of a
        signal); None where a map has no positive evidence.
    notes: what has to be known of these numbers.
    Maps are compared where both networks saw the photo, at its size, larger ones at 256 pixels on the longer side; exact
    definitions and their sources: `seewhy.comparison.measures`, docs/drift.md.
    """

    image: str
    place: int
    a: Heatmap = field(repr=False)
    b: Heatmap = field(repr=False)
    predicted_a: Predicted | None
    predicted_b: Predicted | None
    same_top1: bool | None
    top5_overlap: float | None
    spearman: float | None
    energy_shift: float
    centre_shift: float | None
    flat: FlatMaps = ""
    notes: tuple[str, ...] = ()

    @property
    def score_change(self) -> float | None:
        """Score of the explained class by B minus that by A; None where there is none, or where they are of two kinds (logits
        and probabilities).
        """
        a, b = self.a.source, self.b.source
        return None if a.score is None or b.score is None or a.scores != b.scores else b.score - a.score

    @property
    def probability_change(self) -> float | None:
        """Probability of the explained class by B minus that by A, -1 to 1; None where a model gives none."""
        a, b = self.a.source.probability, self.b.source.probability
        return None if a is None or b is None else b - a

    @property
    def facts(self) -> dict[str, Any]:
        """All numbers and names, for JSON; the maps as what their Sources say of class, layer, score and probability."""
        sides = {
            key: {name: getattr(each.source, name) for name in ("index", "label", "layer", "score", "probability")}
            for key, each in (("a", self.a), ("b", self.b))
        }
        for key, predicted in (("a", self.predicted_a), ("b", self.predicted_b)):
            sides[key]["predicted"] = asdict(predicted) if predicted else None
        return {
            "image": self.image, "same_top1": self.same_top1, "top5_overlap": self.top5_overlap,
            "score_change": self.score_change, "probability_change": self.probability_change, "spearman": self.spearman,
            "energy_shift": self.energy_shift, "centre_shift": self.centre_shift, "flat": self.flat, "notes": list(self.notes),
            **sides,
        }  # fmt: skip

    def picture(self) -> Image.Image:
        """The photo, both maps over it, and how much more or less of the evidence lies where in B's: RGB, with a legend."""
        return drift_picture(self.a, self.b, self.words)

    def save(self, path: str | Path, over: bool = True) -> Path:
        """Write the `picture` as .png.  Raises BadParameter for another suffix, NotWritten where that fails."""
        return save_picture(Path(path), self.picture(), self.a.source, self.b.source, over)

    @property
    def unit(self) -> str:
        """Of the centre's shift: "px", of a volume or a clip "voxels", of a signal "samples"."""
        return "px" if isinstance(self.a.box, Extent) else "samples" if self.a.values.ndim == 1 else "voxels"

    @property
    def words(self) -> str:
        """The numbers on one line, for a caption."""
        rank = f"not defined ({self.flat} flat)" if self.spearman is None else f"{self.spearman:.3f}"
        parts = [f"Spearman {rank}", f"energy shift {in_percent(self.energy_shift)}"]
        parts += [] if self.centre_shift is None else [f"centre moved {self.centre_shift:.1f} {self.unit}"]
        parts += [] if self.probability_change is None else [f"probability {100 * self.probability_change:+.1f} %"]
        said = [each.label or str(each.index) for each in (self.predicted_a, self.predicted_b) if each]
        parts += [f"predicted {printable(said[0], 60)}, then {printable(said[1], 60)}"] if self.same_top1 is False else []
        return ", ".join(parts)

    def breaches(
        self, min_spearman: float | None, max_energy_shift: float | None, same_top1: bool = False,
        max_centre_shift: float | None = None,
    ) -> list[str]:  # fmt: skip
        """In words, which of these bounds it does not keep; a bound of None is none.

        Where no rank correlation is defined, the photo keeps the bound only if both maps are the same everywhere.  Where no
        centre is, the energy shift tells of it.  Raises BadParameter for a bound that is no number.
        """
        check_bounds(min_spearman, max_energy_shift, max_centre_shift)
        found = []
        if same_top1 and self.same_top1 is False:
            said = [each.label or str(each.index) for each in (self.predicted_a, self.predicted_b) if each]
            found.append(f"predicted {printable(said[0], 60)}, then {printable(said[1], 60)}")
        if min_spearman is not None and self.spearman is None and self.flat != "both":
            found.append(f"Spearman not defined, as the map of {self.flat.upper()} is the same everywhere")
        if min_spearman is not None and self.spearman is not None and self.spearman < min_spearman:
            found.append(f"Spearman {self.spearman:.4f} < {min_spearman:g}")
        if max_energy_shift is not None and self.energy_shift > max_energy_shift:
            found.append(f"energy shift {self.energy_shift:.4f} > {max_energy_shift:g}")
        if max_centre_shift is not None and self.centre_shift is not None and self.centre_shift > max_centre_shift:
            found.append(f"centre moved {self.centre_shift:.1f} {self.unit} > {max_centre_shift:g}")
        return found


@dataclass(frozen=True, eq=False)
class Drift(Sequence[PhotoDrift]):
    """How far predictions and maps moved from model A to model B: a record for each photo, worst first.

    Worst first: photos that B takes for another class, then by the energy shift.
    a, b: the models; method: with which the maps were made, and why, where nobody named one; target: as it was asked.
    failed: the photos that `on_error="skip"` left out.  notes: what was taken for granted of all photos.
    """

    photos: tuple[PhotoDrift, ...]
    a: str
    b: str
    method: str
    method_why: str
    target: str
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photos)

    @overload
    def __getitem__(self, at: int) -> PhotoDrift: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[PhotoDrift, ...]: ...
    def __getitem__(self, at: int | slice) -> PhotoDrift | tuple[PhotoDrift, ...]:
        return self.photos[at]

    def __iter__(self) -> Iterator[PhotoDrift]:
        return iter(self.photos)

    @property
    def summary(self) -> dict[str, float | int | None]:
        """Over all photos: how many; the shares of the same top class, and of top five; the largest change of the explained
        score and probability (absolute); means and extremes of the rest.  None where no photo has such a number.
        """
        return {
            "photos": len(self), "failed": len(self.failed),
            "top1_agreement": self._over("same_top1", np.mean), "top5_overlap": self._over("top5_overlap", np.mean),
            "max_score_change": self._over("score_change", _largest),
            "max_probability_change": self._over("probability_change", _largest),
            "mean_spearman": self._over("spearman", np.mean), "min_spearman": self._over("spearman", np.min),
            "without_spearman": sum(photo.spearman is None for photo in self),
            "mean_energy_shift": self._over("energy_shift", np.mean), "max_energy_shift": self._over("energy_shift", np.max),
            "max_centre_shift": self._over("centre_shift", np.max),
        }  # fmt: skip

    def _over(self, name: str, joined: Callable[[Any], Any]) -> float | None:
        values = [value for photo in self if (value := getattr(photo, name)) is not None]
        return float(joined(values)) if values else None

    def breaches(
        self, min_spearman: float | None = None, max_energy_shift: float | None = None, same_top1: bool = False
    ) -> list[tuple[PhotoDrift, list[str]]]:
        """The photos that do not keep these bounds, worst first, each with what it breaks: see `PhotoDrift.breaches`."""
        check_bounds(min_spearman, max_energy_shift)
        found = [(photo, photo.breaches(min_spearman, max_energy_shift, same_top1)) for photo in self]
        return [(photo, broken) for photo, broken in found if broken]

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        failed = [left.facts for left in self.failed]
        head = {name: getattr(self, name) for name in ("a", "b", "method", "method_why", "target", "notes")}
        return {**head, "summary": self.summary, "photos": [photo.facts for photo in self], "failed": failed}

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in self.summary.items() if value is not None)
        return f"<Drift of {printable(self.method, 100)} from {printable(self.a, 100)} to {printable(self.b, 100)}: {numbers}>"


def worst_first(photos: Sequence[PhotoDrift]) -> tuple[PhotoDrift, ...]:
    """In the order of a `Drift`."""
    return tuple(sorted(photos, key=lambda photo: (photo.same_top1 is not False, -photo.energy_shift)))


def check_bounds(
    min_spearman: float | None, max_energy_shift: float | None, max_centre_shift: float | None = None
) -> None:  # fmt: skip
    """Raise BadParameter for a bound that no number could keep or break: NaN, or what is beyond the range of the number."""
    for name, bound, low, high in (
        ("min_spearman", min_spearman, -1.0, 1.0),
        ("max_energy_shift", max_energy_shift, 0.0, 1.0),
        ("max_centre_shift", max_centre_shift, 0.0, inf),
    ):
        if bound is not None and not (isinstance(bound, int | float | np.number) and low <= bound <= high):
            raise BadParameter(f"{name} is {quoted(bound)}; it lies between {low:g} and {high:g}, or is None for no bound.")


def _largest(values: Sequence[float]) -> float:
    return max(map(abs, values))
