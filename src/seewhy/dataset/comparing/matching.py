"""Which photo of one run is which of another: by their bytes, else by their paths."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from seewhy.dataset.photo_rows import MapRow, PhotoRow
from seewhy.maps.source import Predicted


@dataclass(frozen=True, eq=False, slots=True)
class KeptPhoto:
    """What is kept of a photo of a run: a kilobyte or two, so that runs of many photos can be held against each other."""

    item: int
    path: str
    sha256: str | None
    size: tuple[int, int] | None
    truth: tuple[str, ...]
    predicted: Predicted | None
    right: bool | None
    true_probability: float | None
    maps: tuple[MapRow, ...] = field(repr=False)
    error: str | None

    def map(self, target: str, method: str) -> MapRow | None:
        """The map of a target by a method; that of "true" is that of "top" where the answer is right."""
        target = "top" if target == "true" and self.right else target
        return next((one for one in self.maps if one.target == target and one.method == method), None)


def kept(photo: PhotoRow) -> KeptPhoto:
    """Of a photo what a comparison needs."""
    truth = tuple(label or str(index) for label, index in zip(photo.truth_labels or photo.truth, photo.truth, strict=True))
    truth = tuple(str(label) for label in truth)
    maps = tuple(replace(one, seen=None) for one in photo.maps)
    return KeptPhoto(
        photo.item, photo.path, photo.sha256, photo.size, truth, photo.predicted, photo.right, photo.true_probability, maps,
        photo.error,
    )  # fmt: skip


class PhotoMatches:
    """The photos of run A, of which those of run B are found.

    changed: photos of B that lie where one of A lies, and have other bytes; only_b: those that A has not at all.
    """

    def __init__(self, photos: Iterable[KeptPhoto]) -> None:
        self._by_bytes: dict[str, list[KeptPhoto]] = {}
        self._by_path: dict[str, KeptPhoto] = {}
        self._left: dict[int, KeptPhoto] = {}
        self.changed: list[str] = []
        self.only_b: list[str] = []
        for photo in photos:
            self._left[photo.item] = photo
            self._by_path[photo.path] = photo
            if photo.sha256 is not None:
                self._by_bytes.setdefault(photo.sha256, []).append(photo)

    def pairs(self, photos: Iterable[KeptPhoto]) -> Iterator[tuple[KeptPhoto, KeptPhoto]]:
        """Each photo of B with that of A which it is.  Copies of one file are matched by their paths, else in their order."""
        for photo in photos:
            other = self._same(photo)
            if other is None:
                beside = self._by_path.get(photo.path)
                (self.changed if beside is not None and beside.item in self._left else self.only_b).append(photo.path)
                continue
            del self._left[other.item]
            yield other, photo

    def _same(self, photo: KeptPhoto) -> KeptPhoto | None:
        here = self._by_path.get(photo.path)
        here = None if here is None or here.item not in self._left else here
        if photo.sha256 is None:
            return here
        alike = [one for one in self._by_bytes.get(photo.sha256, ()) if one.item in self._left]
        if here is not None and (here in alike or here.sha256 is None):
            return here
        return alike[0] if alike else None

    @property
    def only_a(self) -> list[str]:
        """The photos of A that B has not, those that were changed left out; known once all of B were looked at."""
        changed = {*self.changed}
        return [photo.path for photo in self._left.values() if photo.path not in changed]
