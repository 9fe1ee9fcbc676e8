"""What `seewhy localize` says of each photo, and of all at the end.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .printing import LABEL, printable, say, say_json
from .question import PhotoMaps
from .wording import spoken
from .writing import answer_words

if TYPE_CHECKING:
    from seewhy.localize.labels.labelled import LabelledImage, LabelledObject
    from seewhy.maps.image_boxes import ImageBoxes

CLASSES = 10  # of which each is told how many boxes it has


class Localized(NamedTuple):
    """What was found on one photo: its maps, their boxes, and these as they were written."""

    found: PhotoMaps
    boxes: "ImageBoxes"
    image: "LabelledImage"
    scored: tuple[str, ...] = ()  # how that compares with the true objects, in words
    picture: Path | None = None


class Tally:
    """Counts what was found on all photos.  kind: what they are, "photos" or "volumes"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.photos = 0
        self.boxes: Counter[str] = Counter()  # by class
        self.without: dict[str, list[str]] = defaultdict(list)  # photos without a box, by the reason

    def add(self, file: str, result: Localized) -> None:
        self.photos += 1
        self.boxes.update(each.category for each in result.image.objects)
        if not result.image.objects:
            self.without[result.image.why].append(file)

    def lines(self) -> Iterator[str]:
        """The summary, in lines."""
        from seewhy.truth.labels import some

        if not self.photos:
            return
        count, classes = self.boxes.total(), self.boxes.most_common(CLASSES)
        names = ", ".join(f"{printable(name, LABEL)} {number}" for name, number in classes)
        more = f" and {len(self.boxes) - CLASSES} classes more" if len(self.boxes) > CLASSES else ""
        said = f"{_counted(count, 'box', 'boxes')} on {_counted(self.photos, self.kind[:-1], self.kind)}"
        yield f"{said}: {names}{more}" if count else said
        for why, files in self.without.items():
            yield f"  without a box: {len(files)} ({some(files)}): {why}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def print_text(result: Localized, err: bool = False) -> None:
    """Say on one line what the model took a photo for, and which boxes were found or why there is none; below it which maps
    have none, what was left out, how it compares with the truth, and what makes maps suspect.
    """
    found = result.found
    answer = answer_words(found.predicted, found.known, found.maps[0].source.weights)
    drawn = "" if result.picture is None else f"  -> {result.picture}"
    say(f"{found.name}: {answer}: {box_words(result)}{drawn}", err=err)
    for line in (*(result.boxes.notes if result.image.objects else ()), *result.scored):
        say(f"    {line}", err=err)
    for warning in dict.fromkeys(warning for heatmap in found.maps for warning in heatmap.source.warnings):
        say(f"    ! {spoken(warning)}", err=err)


def box_words(result: Localized) -> str:
    """The boxes on one photo, the surest first, those of a class together."""
    objects, said = result.image.objects, list[str]()
    if not objects:
        return f"no box: {result.image.why}"
    answer = result.found.predicted.label if result.found.predicted else None
    several = len({each.category for each in objects}) > 1
    for category in dict.fromkeys(each.category for each in objects):
        own = [each for each in objects if each.category == category]
        name = f"{printable(category, LABEL)} " if several or category != answer else ""
        noun = "box" if len(own) == 1 else f"{len(own)} boxes"
        said.append(f"{name}{noun} {', '.join(map(_box, own))}")
    return "; ".join(said)


def _box(each: "LabelledObject") -> str:
    size = each.found.size_mm
    sides = "" if size is None else f", {' x '.join(f'{side:.4g}' for side in size)} mm"
    return f"({', '.join(map(str, each.found.edges))}){sides} {each.score:.2f}"


def print_json(result: Localized, labels: str) -> None:
    """Say the objects of one photo as one JSON object.  labels: the file or folder that they were written into."""
    found, image = result.found, result.image
    source = found.maps[0].source
    objects = [_facts(each) for each in image.objects]
    say_json(
        {
            "image": found.name,
            "size": list(image.size),
            "predicted": asdict(found.predicted) if found.predicted else None,
            "objects": objects,
            "why": image.why,
            "notes": list(result.boxes.notes),
            "labels": labels,
            "compared": list(result.scored),
            **({"picture": str(result.picture)} if result.picture else {}),
            "model": source.model,
            "method": source.method,
            "layer": source.layer,
            "warnings": list(dict.fromkeys(warning for heatmap in found.maps for warning in heatmap.source.warnings)),
            **found.known.facts,
        }
    )


def _facts(each: "LabelledObject") -> dict[str, Any]:
    box = each.found
    facts = {
        "label": each.category,
        "index": box.index,
        "probability": box.probability,
        "box": list(box.edges),
        "score": each.score,
        "strength": box.score,
        "area": box.area,
        "evidence": box.evidence,
    }
    if box.size_mm is not None:
        facts |= {"size_mm": list(box.size_mm), "corners_mm": [list(corner) for corner in box.corners_mm or ()]}
    return facts
