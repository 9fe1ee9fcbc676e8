"""The rows of a photo: what the network said of it, and each of its maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadImage, BadParameter
from seewhy.inside.embeddings.looking import PhotoAnswer
from seewhy.inside.embeddings.pooling import looked_at, pooled
from seewhy.json_text import whole_text
from seewhy.maps.heatmap import Heatmap
from seewhy.photo_sets.ahead import ReadPhoto
from seewhy.printable import printable, words_of
from seewhy.targets.target import Class, Labels, name_of
from seewhy.truth.given import GroundTruth, ObjectMark

from .photo_rows import TOP, TRUE
from .placing import half
from .restoring import map_columns
from .summary import evidence_of

BEST = 5  # classes of the column `top`
LONGEST = 1000  # characters of an error


@dataclass(frozen=True)
class BestTrue:
    """The target of a photo that shows several classes: of these, the one with the highest score."""

    classes: tuple[int, ...]

    def __call__(self, scores: NDArray[Any]) -> NDArray[Any]:
        """One at that class of each row: (n, k)."""
        each = np.stack([Class(index)(scores) for index in self.classes])  # (classes, n, k)
        return each[(each * scores).sum(2).argmax(0), np.arange(len(scores))]

    def __str__(self) -> str:
        return "true"


def failed_row(photo: ReadPhoto, labels: Labels, error: BaseException) -> dict[str, Any]:
    """The row of a photo of which there is no map."""
    words = printable(words_of(error), LONGEST)
    return _clean({**_of_file(photo, labels), "error": f"{type(error).__name__}: {words}" if words else type(error).__name__})


def photo_rows_of(
    photo: ReadPhoto, answer: PhotoAnswer, maps: Sequence[Heatmap], targets: Sequence[str], labels: Labels, marks: GroundTruth
) -> list[dict[str, Any]]:
    """The rows of a photo, in the order method, target.

    maps: of the first target and then of the second, if there are two.
    """
    said = {**_of_file(photo, labels), **_of_answer(photo.item.truth, answer, labels)}
    if answer.a is not None:
        embedding = pooled(answer.a)
        said |= {"embedding": half(embedding), "embedding_size": len(embedding)}
    top = None if answer.scores is None else int(_falling(answer.scores)[0])
    rows = dict[tuple[str, int | None], dict[str, Any]]()
    methods = list(dict.fromkeys(heatmap.source.method for heatmap in maps))
    for heatmap in maps if TOP in targets or photo.item.truth else ():
        source = heatmap.source
        if (source.method, source.index) in rows:  # both targets are one class, or none
            continue
        if source.target == str(BestTrue(())) and source.index is not None:
            heatmap = replace(heatmap, source=replace(source, target=str(Class(source.index))))
        mine = map_columns(heatmap) | {"target": TOP if source.index in (None, top) else TRUE}
        seen = None if answer.a is None else looked_at(answer.a, heatmap.values)
        mine |= {"seen": None if seen is None else half(seen)}
        try:
            mine |= {"evidence": evidence_of(heatmap, _mark(photo, heatmap, marks))}
        except (BadParameter, BadImage) as error:  # of where the object is said to be, which does not fit the photo
            mine |= {"evidence": evidence_of(heatmap)}
            mine["warnings"] = [*mine["warnings"], f"its box or mask is left out: {printable(error, LONGEST)}"]
        rows[source.method, source.index] = said | mine
    ordered = sorted(rows.values(), key=lambda row: methods.index(row["method"]))  # which is stable
    return [_clean(row) for row in ordered or [said]]


def _of_file(photo: ReadPhoto, labels: Labels) -> dict[str, Any]:
    item = photo.item
    names = [_label(labels, index) for index in item.truth]
    return {"item": item.number, "path": item.path, "truth": list(item.truth), "truth_labels": names, **photo.facts}


def _of_answer(truth: Sequence[int], answer: PhotoAnswer, labels: Labels) -> dict[str, Any]:
    """The columns of what the network said.  Raises NoSuchName where a true class is none of the network's."""
    scores, chances = answer.scores, answer.probabilities
    if scores is None or chances is None or np.isnan(chances).any():
        return {"predicted": None, "right": None}  # amounts of a regression, or no numbers: none is the class it is taken for
    order = _falling(scores)
    best = [_class(int(index), chances, labels) for index in order[:BEST]]
    said: dict[str, Any] = {f"predicted{name}": best[0][key] for name, key in _PREDICTED.items()} | {"top": best, "right": None}
    if truth:
        best_true = int(BestTrue(tuple(truth))(scores[None])[0].argmax())
        place = int(np.flatnonzero(order == best_true)[0])
        said |= {"right": place == 0, "true_rank": place + 1, "true_probability": float(chances[best_true])}
    return said


def _falling(scores: NDArray[Any]) -> NDArray[np.intp]:
    """The classes by falling score, as `Top` has them."""
    return np.argsort(-scores, kind="stable")


_PREDICTED = {"": "index", "_label": "label", "_probability": "probability"}


def _class(index: int, chances: NDArray[Any], labels: Labels) -> dict[str, Any]:
    return {"index": index, "label": _label(labels, index), "probability": float(chances[index])}


def _label(labels: Labels, index: int) -> str | None:
    name = name_of(labels, index)
    return None if name is None else whole_text(name)


def _mark(photo: ReadPhoto, heatmap: Heatmap, marks: GroundTruth) -> ObjectMark | None:
    """Where the photo's object is: by a mask, else by the boxes of its true class, else by all of its boxes."""
    path = photo.item.path
    return marks.mask_mark(path, heatmap.image) or marks.box_mark(path, heatmap.image, photo.item.truth)


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row, its texts without halves of surrogate pairs, which no file of text has."""
    texts = {name: whole_text(value) for name, value in row.items() if isinstance(value, str)}
    return row | texts | ({"warnings": list(map(whole_text, row["warnings"]))} if row.get("warnings") else {})
