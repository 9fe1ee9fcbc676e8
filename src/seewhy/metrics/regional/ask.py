"""The public question: where does the evidence of these photos lie?"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seewhy.arguments import known_names
from seewhy.comparison.drift import image_name
from seewhy.errors import BadParameter
from seewhy.images.inputs import PreparedBatch, sort_out
from seewhy.methods.making.method import Method, lookup
from seewhy.progress import shown
from seewhy.targets.class_names import class_index
from seewhy.targets.parse import short_text
from seewhy.targets.target import Labels, Top
from seewhy.truth.given import FOLDERS, GivenTruth

from .photos import EvidenceReader, PhotoEvidence
from .report import EvidenceReport, means_of
from .search import DRAWS, EXAMPLES, EvidencePile, PileExample, piles, searchable
from .shares import region_shares
from .within import named_regions, regions_of


@known_names("method")
def evidence(
    model: Any,
    photos: Any,
    within: str | Sequence[str] = (),
    labels: Any = None,
    search: bool = False,
    method: str | Method[Any] = "grad-cam",
    target: Any = Top(),
    layer: str | None = None,
    boxes: str | Path | None = None,
    masks: str | Path | None = None,
    seed: int = 0,
) -> EvidenceReport:
    """Which share of the evidence of many photos lies in a region, class by class, beside the region's share of the area.

    Evidence is the positive part of a map (of RISE's mean scores, how far they lie above the least), over what the network saw
    of a photo.  A class is what the map explains: by default what the model took the photo for.

    photos: paths, PIL images or uint8 arrays.
    within: "border" or "border:0.1" (its width, a share of each side), "corner:ne" or "corner:ne:0.25" (nw, ne, sw, se, and
        its size), "box:FILE" and "mask:FILE" (what a file or folder marks on each photo, as docs/truth.md has them),
        "outside-object" (all but `boxes` or `masks`); or several of these.
    labels: what the photos truly show, for the cells of the confusion matrix: a table of files and labels, "folders" where
        photos lie in folders named by their labels, or a class (index or label) for each photo.
    search: also look for regions where the evidence of one class piles up: more than its area, and at least twice what maps
        of other classes have there, beyond what chance gives anywhere.
    target: of each photo one, or `PerImage`.  seed: of intervals and tests.
    Raises BadParameter where neither regions nor a search are asked for, or what is given is none of these.
    """
    if not within and not search:
        raise BadParameter('Say where evidence is to be counted: within="border", or search=True for where it piles up.')
    images = sort_out(photos)
    if isinstance(images, PreparedBatch):
        raise BadParameter("Evidence is counted on photos: give paths, PIL images or uint8 arrays, and no prepared batch.")
    names = [image_name(image, place) for place, image in enumerate(images)]
    regions = regions_of(named_regions(within, _path(boxes), _path(masks)), names, model.labels)
    reader = EvidenceReader(model, lookup(method), target, layer, regions, truth_of(labels, names, model.labels))
    for _ in shown(reader.read(images, names), len(images), "explaining", size=lambda count: count):
        pass
    return report_of(reader, images, search, seed)


def report_of(reader: EvidenceReader, images: Sequence[Any], search: bool, seed: int = 0, draws: int = DRAWS) -> EvidenceReport:
    """The record of what a reader has read of these images.  Raises the first failure where all of them failed.

    draws: of the search, at least.
    """
    photos, model = reader.photos, reader.model
    if not photos and reader.failed:
        raise reader.failed[0].error
    rows = region_shares(photos, [region.name for region in reader.regions], model.labels, seed)
    found = None
    if search:
        found = tuple(_with_examples(pile, reader, images) for pile in piles(photos, seed, draws))
    classes = dict[str, int]()
    for photo in photos:
        classes[photo.explained] = classes.get(photo.explained, 0) + 1
    target = short_text(str(reader.target), model.labels)
    return EvidenceReport(
        model.name, reader.method.name, target, len(photos), rows, found, classes, means_of(reader.means),
        tuple(searchable(photos)) if search else (), tuple(reader.failed), tuple(_notes(reader)),
    )  # fmt: skip


def _with_examples(pile: EvidencePile, reader: EvidenceReader, images: Sequence[Any]) -> EvidencePile:
    """The pile with the maps, made once more, of the photos that have most of their evidence there."""

    def share(photo: PhotoEvidence) -> float:
        return 0.0 if photo.cells is None else pile.share_of(photo.cells)

    own = sorted((photo for photo in reader.photos if photo.explained == pile.explained), key=share, reverse=True)[:EXAMPLES]
    maps = [replace(reader.maps([images[photo.place]], [photo.place])[0], place=photo.place) for photo in own]
    return replace(
        pile, examples=tuple(PileExample(photo.name, share(photo), each) for photo, each in zip(own, maps, strict=True))
    )


def _notes(reader: EvidenceReader) -> list[str]:
    """What is to be known of all maps: regions that are not marked, maps without evidence, warnings of many."""
    count, notes = len(reader.photos), list[str]()
    if empty := sum(photo.cells is None for photo in reader.photos):
        notes.append(f"{empty} of {count} maps have no positive evidence, and count nowhere")
    for region in reader.regions:
        if missing := sum(region.name not in photo.shares for photo in reader.photos):
            notes.append(f"{region.name}: nothing of it is known or was seen on {missing} of {count} photos")
    notes += reader.unfit[:3] + ([f"and {len(reader.unfit) - 3} more that do not fit"] if len(reader.unfit) > 3 else [])
    return notes + [f"{warning} ({often} of {count} maps)" for warning, often in reader.warnings.items()]


def truth_of(given: Any, names: Sequence[str], labels: Labels) -> dict[str, tuple[int, ...]]:
    """The classes that photos of these names truly show, as `evidence` takes them.

    Raises BadParameter where a table or a class is none, or there are not as many classes as photos.
    """
    if given is None:
        return {}
    if isinstance(given, str | Path):
        folders = str(given) == FOLDERS
        return dict(GivenTruth.read(FOLDERS if folders else str(given)).of(names, labels).classes)
    each = [*given]
    if len(each) != len(names):
        raise BadParameter(f"labels has {len(each)} classes for {len(names)} photos: give one for each, or a table of them.")
    return {name: (class_index(one, labels),) for name, one in zip(names, each, strict=True)}


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
