"""How well label maps agree with masks: the mean IoU of a set of photos, and a table from raw maps to the trained network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.images.files import guarded, open_picture
from seewhy.json_text import plain
from seewhy.pictures.label_map import VOID
from seewhy.progress import shown
from seewhy.truth.confusion import class_iou, confusion
from seewhy.truth.masks import find_masks

from .cues import refined_labels, strongest
from .photos import LabelledFiles, class_maps
from .predicting import segmented

# The background's score beside maps from 0 to 1, on scenes that are not reported: of raw maps and seeds the best of 0.10, 0.15,
# ... 0.50 on 200 of them; of refined seeds the best of a few, as with the CRF's reach, on 60
THRESHOLDS = {"raw maps": 0.35, "seeds": 0.35, "refined seeds": 0.25}
TOLD = "trained, told the classes"
RESAMPLES = 1000
SCORES = "scores.json"


class ScoreRow(NamedTuple):
    """One way to label pixels, and how well it does on all photos together."""

    name: str
    iou: float  # the mean over classes
    low: float  # of the 95 % interval, by resampling photos
    high: float
    by_class: Mapping[str, float]


def ious(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """The IoU of each class in matrices (..., k, k + 1) of all photos together; NaN of classes nobody has and nobody found."""
    both = np.diagonal(matrix, axis1=-2, axis2=-1)
    return class_iou(both, matrix[..., :-1].sum(-2), matrix.sum(-1))


def row(name: str, matrices: NDArray[Any], names: Sequence[str], seed: int = 0) -> ScoreRow:
    """The mean IoU of photos by their matrices (n, k, k + 1), with an interval by resampling the photos with replacement."""
    n = len(matrices)
    every = ious(matrices.sum(0))
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    resampled = np.nanmean(ious(np.tensordot(draws, matrices, 1)), -1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    by_class = {label: float(value) for label, value in zip(names, every, strict=True) if np.isfinite(value)}
    return ScoreRow(name, float(np.nanmean(every)), float(low), float(high), by_class)


def true_masks(folder: Path, files: Sequence[str], classes: int) -> Iterator[NDArray[np.uint8]]:
    """The mask of each photo: (h, w), 0 background, else a class's place plus one, 255 not to be counted.

    Raises BadParameter where a photo has none, or it holds other numbers.
    """
    masks = find_masks(folder)
    for file in files:
        path = masks.get(Path(file).stem)
        if path is None:
            raise BadParameter(f"{folder} has no mask of {Path(file).name}: name it {Path(file).stem}.png.")
        with guarded(str(path)), open_picture(path, str(path)) as picture:
            mask = np.asarray(picture)
        if mask.ndim != 2 or not np.isin(mask, [*range(classes), VOID]).all():
            raise BadParameter(
                f"{path} is no label map of {classes - 1} classes: each pixel is 0 for background, 1 to {classes - 1} in the "
                f"order of the labels, or {VOID} where it is not to be counted, in one channel or with a palette."
            )
        yield mask.astype(np.uint8)


def scored_rows(model: Any, segmenter: Any, known: LabelledFiles, masks: Path) -> list[ScoreRow]:
    """Mean IoU of raw maps, of seeds, of refined seeds, and of the trained network, on photos with masks.

    raw maps: Grad-CAM, each by its greatest value, the strongest class of the photo's own, or background below THRESHOLDS.
    seeds: the same of maps averaged over SCALES and mirror images.  refined seeds: with a dense CRF behind.
    These three are told the photo's classes.  trained network: it is not, and has a CRF behind, as the paper tests it, also
    named where it is TOLD them; network alone: not told, and no CRF.
    """
    labels = [*segmenter.labels]
    if strange := [name for name in known.names if name not in labels]:
        raise BadParameter(f"The segmenter was not trained on {', '.join(strange)}, which photos to score on show.")
    numbers = np.array([labels.index(name) for name in known.names], np.uint8)
    matrices: dict[str, list[NDArray[Any]]] = {}
    work = zip(known.files, true_masks(masks, known.files, len(labels)), known.present, strict=True)
    for file, true, present in shown(work, len(known.files), "scoring", wait=False):
        own = np.array([0, *numbers[present]], np.uint8)
        net, behind = (next(segmented(segmenter, [file], crf)) for crf in (False, True))
        told = next(segmented(segmenter, [file], among=own.tolist()))
        ways = labelled(model, file, np.asarray(net.photo), [known.classes[k] for k in np.flatnonzero(present)])
        found = {way: own[label_map] for way, label_map in ways.items()}
        found |= {"trained network": behind.label_map, TOLD: told.label_map, "network alone": net.label_map}
        for way, label_map in found.items():
            if label_map.shape != true.shape:
                raise BadParameter(f"The mask of {file} is {true.shape[1]} x {true.shape[0]} pixels, and the photo is not.")
            matrices.setdefault(way, []).append(confusion(label_map, true, len(labels)))
    return [row(kind, np.stack(each), labels) for kind, each in matrices.items()]


def labelled(model: Any, file: Any, pixels: NDArray[np.uint8], classes: Sequence[int]) -> dict[str, NDArray[np.uint8]]:
    """The label maps of one photo (h, w, 3) by raw maps, seeds and refined seeds: 0 background, else a place in classes + 1.

    file: the photo's, or the photo prepared for the model.
    """
    if not classes:
        nothing = np.zeros(pixels.shape[:2], np.uint8)
        return dict.fromkeys(THRESHOLDS, nothing)
    raw, several = class_maps(model, file, classes, ()), class_maps(model, file, classes)
    return {
        "raw maps": strongest(raw, THRESHOLDS["raw maps"]),
        "seeds": strongest(several, THRESHOLDS["seeds"]),
        "refined seeds": refined_labels(several, pixels, THRESHOLDS["refined seeds"]),
    }


def write_scores(folder: Path, rows: Sequence[ScoreRow], photos: int) -> None:
    """The table, for whoever shows it later: `scores.json` in the segmenter's folder."""
    facts = {"photos": photos, "thresholds": THRESHOLDS, "rows": [each._asdict() for each in rows]}
    with replacing(folder / SCORES, of="the table") as beside:
        beside.write_text(json.dumps(plain(facts), indent=1) + "\n", "utf-8")
