"""The photos of an audit, read one after the other: what is kept of each takes a few kilobytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadImage, BadParameter, Misuse, NotApplicable
from seewhy.images.photo import opened_bytes
from seewhy.images.places import Extent
from seewhy.maps.heatmaps import Failed
from seewhy.metrics.regional.photos import AT_ONCE, EvidenceReader, PhotoEvidence
from seewhy.photo_sets.items import Item
from seewhy.photo_sets.reading import read_bytes
from seewhy.printable import printable

from .facts import file_facts, rim_facts, view_of


@dataclass(frozen=True, eq=False)
class AuditPhoto:
    """What is kept of a photo.

    index: of the class that its map explains; facts: of its file and rim, by name; view: what the network saw of it.
    """

    item: Item
    index: int | None
    evidence: PhotoEvidence = field(repr=False)
    facts: dict[str, Any] = field(repr=False)
    view: NDArray[np.uint8] = field(repr=False)

    @property
    def explained(self) -> str:
        """The class, in words."""
        return self.evidence.explained


class ReadFile:
    """A photo's pixels and the facts of its file.  Raises BadImage where it cannot be read."""

    def __init__(self, item: Item) -> None:
        content = read_bytes(item.path)
        opened = opened_bytes(content, item.path)
        self.pixels: Image.Image = opened.decode().pixels
        self.facts = file_facts(*self.pixels.size, len(content), opened.format, opened.quantization)


class AuditReader:
    """Explains photos a few at a time.  `failed` has those of which there is no map, by their place among the items."""

    def __init__(self, reader: EvidenceReader, items: Sequence[Item]) -> None:
        self.reader, self.items = reader, items
        self.photos: list[AuditPhoto] = []
        self.failed: list[Failed] = []

    def read(self) -> Iterator[int]:
        """Explain the photos; gives, after each few, how many that were.  Raises BadParameter for a regression."""
        for first in range(0, len(self.items), AT_ONCE):
            files = dict[int, ReadFile]()
            some = range(first, min(first + AT_ONCE, len(self.items)))
            for place in some:
                try:
                    files[place] = ReadFile(self.items[place])
                except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is of this photo alone
                    self._fail(place, error)
            if files:
                self._explain(files)
            yield len(some)

    def _explain(self, files: dict[int, ReadFile]) -> None:
        places = [*files]
        found = self.reader.maps([file.pixels for file in files.values()], places)
        for refused in found.refused:
            raise refused.error
        for at, _, error in found.failed:
            self._fail(places[at], error)
        for heatmap in found:
            if heatmap.source.index is not None and heatmap.source.probability is None:
                raise BadParameter(
                    f"An audit asks class by class, and the scores of {self.reader.model.name} are the amounts of a "
                    "regression, of which none is the class that a photo is taken for."
                )
            place = places[heatmap.place]
            item, file = self.items[place], files[place]
            before = len(self.reader.photos)
            self.reader.add(heatmap, item.path, place)
            if len(self.reader.photos) == before or not isinstance(heatmap.box, Extent):
                self._fail(place, self.reader.failed[-1].error)
                continue
            view = view_of(heatmap.box.cut(file.pixels))
            facts = file.facts | rim_facts(view)
            self.photos.append(AuditPhoto(item, heatmap.source.index, self.reader.photos[-1], facts, view))

    def _fail(self, place: int, error: BaseException) -> None:
        told = error if isinstance(error, Exception) else NotApplicable(str(error))
        self.failed.append(Failed(place, printable(self.items[place].path, 300), told))


def seen_pixels(model: Any, item: Item) -> tuple[NDArray[np.uint8], Extent] | None:
    """A photo again, (h, w, 3), and the part of it that the network sees; None where that cannot be said any more."""
    try:
        pixels = np.asarray(ReadFile(item).pixels)
        seen = next(iter(model.batches([pixels]))).boxes[0]
    except (BadImage, NotApplicable, Misuse, OSError):
        return None
    return (pixels, seen) if isinstance(seen, Extent) else None
