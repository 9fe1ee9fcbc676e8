"""The items of a set: photos, each with its number, where it lies, and what it truly shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from os.path import isabs
from typing import NamedTuple, overload

from seewhy.truth.given import GroundTruth
from seewhy.truth.labels import Classes


class Item(NamedTuple):
    """One photo of a set.

    number: its place in the listing, from 0 on; path: where it lies, as `read_bytes` reads it; truth: its classes, each of
    which is right; empty where none is known.
    """

    number: int
    path: str
    truth: Classes


class PhotoPlace(NamedTuple):
    """What the photos lie in: a folder, an archive, an address; the path of each begins and ends with it."""

    before: str = ""
    after: str = ""
    local: bool = True  # are they files of their own on this machine?

    def path(self, name: str) -> str:
        """Where the photo of that name lies.  Of files, a name that is a whole path or address stays as it is."""
        return name if not self.after and (isabs(name) or "://" in name) else f"{self.before}{name}{self.after}"


@dataclass(frozen=True)
class Listing(Sequence[Item]):
    """The photos of a set in a fixed order.  Its names are all that it keeps of them, so that millions fit.

    data: as it was given; place: what they lie in; names: theirs in there, with / between folders.
    classes: of each; marks: the boxes and masks that are known, by path; remarks: for the person who gave it.
    """

    data: str
    place: PhotoPlace
    names: Sequence[str]
    classes: Sequence[Classes]
    marks: GroundTruth = field(default_factory=GroundTruth)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return Item(number, self.place.path(self.names[number]), self.classes[number])

    @cached_property
    def digest(self) -> str:
        """The SHA-256, as 64 digits, of the names, the classes, the boxes and the names of masks: of a set that was moved as a
        whole it is the same.
        """
        total = sha256()
        for item, name in zip(self, self.names, strict=True):
            total.update(f"{name}\0{','.join(map(str, item.truth))}\n".encode())
            if (photo := self.marks.boxes.get(item.path)) is not None:
                total.update(repr((photo.size, photo.shares, [(box.edges, box.label) for box in photo.boxes])).encode())
            if (mask := self.marks.masks.get(item.path)) is not None:
                total.update(f"\1{getattr(mask, 'name', '')}\n".encode())
        return total.hexdigest()

    def known_of(self, items: Sequence[Item]) -> GroundTruth:
        """What is known of some of them alone; it can be sent to another process with them."""
        paths = [item.path for item in items]
        return GroundTruth(
            classes={item.path: item.truth for item in items if item.truth},
            boxes={path: self.marks.boxes[path] for path in paths if path in self.marks.boxes},
            masks={path: self.marks.masks[path] for path in paths if path in self.marks.masks},
            box_classes=self.marks.box_classes,
            labels=self.marks.labels,
        )
