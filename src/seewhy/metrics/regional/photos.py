"""What is kept of each photo's map, so that the evidence of many photos takes little memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadImage, BadParameter, Misuse, NotApplicable
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed
from seewhy.maps.source import Source
from seewhy.methods.making.method import Method, explain
from seewhy.printable import printable
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Labels, PerImage
from seewhy.truth.evidence import EvidenceShare
from seewhy.truth.labels import named_classes

from .frames import cell_shares, framed
from .within import EvidenceRegion

AT_ONCE = 16  # photos whose maps are in memory together


@dataclass(frozen=True, eq=False)
class PhotoEvidence:
    """Where the evidence of one photo's map lies.

    place: of the photo among all; explained: the class that the map explains, in words; predicted: the class that the model
        took the photo for; truth: the classes that it truly shows, empty where they are not known.
    shares: by the name of a region, how much of the evidence lies in it; regions that are not marked on the photo are missing.
    cells: the share in each cell of the grid, (8, 8); None where no value is positive.
    """

    name: str
    place: int
    explained: str
    predicted: int | None
    truth: tuple[int, ...]
    shares: Mapping[str, EvidenceShare] = field(repr=False)
    cells: NDArray[np.float64] | None = field(repr=False)


def explained_words(source: Source, labels: Labels) -> str:
    """What a map explains, in words that no other class has: "bird", "class 3" of one without a label, "crane (134)" where
    several classes have that label; of what is no class the target.
    """
    if source.index is None:
        return printable(source.label or source.target, 100)
    alone = source.label is not None and (labels is None or [*labels].count(source.label) < 2)
    return printable(source.label, 100) if alone else named_classes((source.index,), labels)


class MeanMap:
    """The mean of maps on the frame, each scaled to a sum of 1, so that a sure answer does not outweigh others."""

    def __init__(self) -> None:
        self.count, self._sum = 0, np.zeros(())

    def add(self, frame: NDArray[np.float32]) -> None:
        """Add a map; one without evidence counts nowhere."""
        if (total := float(frame.sum(dtype=np.float64))) > 0:
            self.count, self._sum = self.count + 1, self._sum + frame / total

    @property
    def values(self) -> NDArray[np.float64]:
        """(SIDE, SIDE), summing to 1.  Only where `count` is not 0."""
        return self._sum / self.count


class EvidenceReader:
    """Explains photos a few at a time, and keeps of each where its evidence lies.

    truth: photo -> the classes that it truly shows.  `failed` has the photos that could not be explained, `unfit` what files
    mark on a photo that it does not fit, in words.
    Raises BadParameter where several targets are asked for: one map of each photo is counted.
    """

    def __init__(
        self, model: Any, method: Method[Any], target: Any, layer: str | None, regions: Sequence[EvidenceRegion],
        truth: Mapping[str, tuple[int, ...]],
    ) -> None:  # fmt: skip
        if not isinstance(target, PerImage) and len(as_targets(target, model.labels)) != 1:
            raise BadParameter("Evidence is counted of one map of each photo: give one target, or PerImage([...]).")
        self.model, self.method, self.target, self.layer = model, method, target, layer
        self.regions, self.truth = regions, truth
        self.photos: list[PhotoEvidence] = []
        self.failed: list[Failed] = []
        self.unfit: list[str] = []
        self.means: dict[str, MeanMap] = {}  # by the class that is explained
        self.warnings: dict[str, int] = {}  # of the maps, and of how many

    def read(self, images: Sequence[Any], names: list[str]) -> Iterator[int]:
        """Explain the images; gives, after each few, how many that were."""
        for first in range(0, len(images), AT_ONCE):
            some = images[first : first + AT_ONCE]
            found = self.maps(some, range(first, first + len(some)))
            for heatmap in found:
                self.add(heatmap, names[first + heatmap.place], first + heatmap.place)
            self.failed += [Failed(first + place, names[first + place], error) for place, _, error in found.failed]
            yield len(some)

    def maps(self, images: Sequence[Any], places: Sequence[int]) -> Any:
        """The maps of some of the images, which lie at these places among all."""
        target = self.target
        if isinstance(target, PerImage):
            target = PerImage([target.of(place) for place in places])
        return explain(self.model, [*images], [self.method], target, self.layer, on_error="skip")

    def add(self, heatmap: Heatmap, name: str, place: int) -> None:
        """Count the map of one photo."""
        try:
            frame = framed(heatmap)
        except NotApplicable as error:
            self.failed.append(Failed(place, name, error))
            return
        source, shares = heatmap.source, dict[str, EvidenceShare]()
        for region in self.regions:
            try:
                share = region.share(name, heatmap, frame)
            except (Misuse, BadImage) as error:
                self.unfit.append(f"{printable(name, 200)}, {region.name}: {error}")
                continue
            if share is not None:
                shares[region.name] = share
        explained = explained_words(source, self.model.labels)
        self.means.setdefault(explained, MeanMap()).add(frame)
        for warning in source.warnings:
            self.warnings[warning] = self.warnings.get(warning, 0) + 1
        predicted = None if source.predicted is None else source.predicted.index
        self.photos.append(
            PhotoEvidence(name, place, explained, predicted, self.truth.get(name, ()), shares, cell_shares(frame))
        )
