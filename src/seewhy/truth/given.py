"""All that a person says of photos beforehand, and what of it concerns which photo and which class of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from seewhy.errors import BadParameter, Misuse
from seewhy.images.volume import Volume
from seewhy.printable import printable, quoted
from seewhy.targets.class_names import class_index
from seewhy.targets.target import Labels, name_of

from .boxes import read_boxes
from .evidence import BoxEdges, MarkedObject
from .files import matched
from .labels import Classes, Entries, classes_of, classes_of_folders, read_entries, some
from .marked import PhotoBoxes
from .masks import drawn_mask, find_masks, is_label_file, masks_in_labels, read_mask

FOLDERS = "folders"  # in the place of a table: the folder that a photo lies in is named after its label


class ObjectMark(NamedTuple):
    """Where a photo's object lies: by boxes or by a mask, as `Heatmap.evidence_in` takes them, and in words."""

    words: str
    boxes: list[BoxEdges] | None = None
    mask: MarkedObject | None = None

    @property
    def empty(self) -> bool:
        """Is it a mask in which nothing is marked, as of a healthy scan?"""
        return self.mask is not None and not self.mask.inside.any()


@dataclass(frozen=True)
class GroundTruth:
    """What is known of the photos that one model is asked about.

    classes: photo -> its classes; boxes, masks: photo -> its boxes, the file of its mask or the objects whose masks a file of
        labels has.  Photos of which nothing is known are in none of them.
    box_classes: the labels of boxes that are the model's -> the class; labels: of the model.
    remarks: for the person who gave it.
    """

    classes: Mapping[str, Classes] = field(default_factory=dict)
    boxes: Mapping[str, PhotoBoxes] = field(default_factory=dict)
    masks: Mapping[str, Path | PhotoBoxes] = field(default_factory=dict)
    box_classes: Mapping[str, int] = field(default_factory=dict)
    labels: Labels = None
    remarks: tuple[str, ...] = ()

    def box_mark(self, photo: str, image: Any, explained: Sequence[int | None]) -> ObjectMark | None:
        """The photo's boxes: those of the classes that a map explains, if there are any, else all; None where there is none.

        Raises BadParameter where the boxes were drawn on an image of another size.
        """
        known = self.boxes.get(photo)
        if known is None or not known.boxes:
            return None
        every = known.on(None if isinstance(image, Volume) else getattr(image, "size", None))
        own = [box for box in every if self.box_classes.get(box.label or "", -1) in explained]
        boxes = own or every
        names = ", ".join(dict.fromkeys(self._named(box.label) for box in boxes if box.label))
        noun = "box" if len(boxes) == 1 else f"{len(boxes)} boxes"
        return ObjectMark(f"the {noun}" + (f" of {printable(names, 100)}" if names else ""), [box.edges for box in boxes])

    def _named(self, label: str) -> str:
        """The class that a box is labelled with, by the model's name for it, else the label itself."""
        return printable(name_of(self.labels, self.box_classes.get(label)) or label, 60)

    def mask_mark(self, photo: str, image: Any) -> ObjectMark | None:
        """The photo's mask, which may mark nothing; None where there is none.

        Raises BadImage or BadParameter where it is broken or does not fit.
        """
        known = self.masks.get(photo)
        if known is None:
            return None
        return ObjectMark(
            "the mask", mask=drawn_mask(known, image) if isinstance(known, PhotoBoxes) else read_mask(known, image)
        )


@dataclass(frozen=True)
class GivenTruth:
    """What was read of a person's files, before it is known which photos and which model it is about."""

    entries: Entries | None = None
    table: Path | None = None  # that the entries were read from
    folders: bool = False  # are photos' folders named after their labels?
    boxes: Mapping[str, PhotoBoxes] | None = None
    boxes_path: Path = Path()
    masks: Mapping[str, Path | PhotoBoxes] | None = None
    masks_path: Path = Path()

    @classmethod
    def read(cls, labels: str | None = None, boxes: Path | None = None, masks: Path | None = None) -> "GivenTruth":
        """Read a table of labels (or "folders"), a file or folder of boxes, a folder or file of masks.

        Raises BadParameter where one is none.
        """
        table = Path(labels) if labels is not None and labels != FOLDERS else None
        return cls(
            entries=read_entries(table) if table else None,
            table=table,
            folders=labels == FOLDERS,
            boxes=read_boxes(boxes) if boxes else None,
            boxes_path=boxes or Path(),
            masks=(masks_in_labels(masks) if is_label_file(masks) else find_masks(masks)) if masks else None,
            masks_path=masks or Path(),
        )

    def of(self, photos: Sequence[str], labels: Labels) -> GroundTruth:
        """What of it concerns these photos, by the classes of a model with these labels.

        Raises BadParameter where a file says nothing of any of the photos, or labels that are not the model's.
        """
        classes, told = dict[str, Classes](), dict[str, Any]()
        if self.folders:
            classes = classes_of_folders(photos, labels)
        elif self.entries is not None and self.table is not None:
            classes = classes_of(self.entries, photos, labels, self.table)
            told = {photo: self.entries[key] for photo, key in matched(self.entries, photos, self.table.parent, "").items()}
        boxes = self._boxes_of(photos)
        known = known_classes([box.label for photo in boxes.values() for box in photo.boxes], labels)
        masks = self._masks_of(photos)
        remarks = *known.remarks, *_absent(self.entries, told, self.table or Path())
        remarks = *remarks, *_absent(self.boxes, boxes, self.boxes_path)
        if is_label_file(self.masks_path):
            remarks = *remarks, *_absent(self.masks, masks, self.masks_path)
        return GroundTruth(classes, boxes, masks, known.classes, labels, remarks)

    def _boxes_of(self, photos: Sequence[str]) -> dict[str, PhotoBoxes]:
        if self.boxes is None:
            return {}
        found = matched(self.boxes, photos, self.boxes_path.parent, str(self.boxes_path))
        if not found:
            has = f"it has {some(self.boxes)}, and the photos are {some(photos)}"
            raise BadParameter(f"{self.boxes_path} has boxes of none of the photos: {has}.")
        return {photo: self.boxes[key] for photo, key in found.items()}

    def _masks_of(self, photos: Sequence[str]) -> dict[str, Path | PhotoBoxes]:
        if self.masks is None:
            return {}
        of_labels = is_label_file(self.masks_path)
        if self.masks_path.is_file() and not of_labels:
            if len(photos) > 1:
                raise BadParameter(
                    f"{self.masks_path} is one mask for {len(photos)} images: give a folder of masks named like them."
                )
            return dict[str, Path | PhotoBoxes].fromkeys(photos, self.masks_path)
        beside = self.masks_path.parent if of_labels else self.masks_path
        found = matched(self.masks, photos, beside, str(self.masks_path))
        if not found and of_labels:
            has = f"it has {some(self.masks)}, and the photos are {some(photos)}"
            raise BadParameter(f"{self.masks_path} has masks of none of the photos: {has}.")
        if not found:
            raise BadParameter(
                f"The folder {self.masks_path} has masks of none of the images: it has {some(self.masks)}, and the images are "
                f"{some(photos)}. A mask is named like its image, as in cat.png or cat_mask.png for cat.jpg."
            )
        return {photo: self.masks[key] for photo, key in found.items()}


def _absent(said: Mapping[str, Any] | None, found: Mapping[str, Any], path: Path) -> list[str]:
    """A remark where a file of labels names photos that are not among those given."""
    count = len(said or ()) - len(found)
    if count < 1 or said is None:
        return []
    used = {id(value) for value in found.values()}
    names = some(name for name, value in said.items() if id(value) not in used)
    return [
        f"{path} also names {'a photo that is' if count == 1 else f'{count} photos that are'} not among those given: {names}"
    ]


class KnownLabels(NamedTuple):
    classes: dict[str, int]
    remarks: tuple[str, ...]


def known_classes(names: Sequence[str | None], labels: Labels) -> KnownLabels:
    """The classes of a model that the labels of boxes are, of those that are any; a remark where some are not."""
    known, unknown = dict[str, int](), list[str]()
    for name in dict.fromkeys(names):
        if name is None:
            continue
        try:
            known[name] = class_index(name, labels)
        except Misuse:
            unknown.append(name)
    some_are = f"boxes have labels that are not the model's ({some(map(quoted, unknown))}): they count where no other box does"
    return KnownLabels(known, (some_are,) if unknown else ())
