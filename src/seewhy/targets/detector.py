"""What a detector gives, whatever its family, in one form: for each image boxes, labels and scores."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, first_of, numbers
from seewhy.errors import NotApplicable

from .aim import ImageView

OVERLAP = 0.5  # IoU from which on two raw boxes of a label are one detection
LARGEST_SHARE = 2.0  # boxes may reach beyond the image; in pixels none is so small that all of an image's would be
MOST = 1000  # raw boxes that may be detections; torchvision's RetinaNet takes as many
FORMS = (
    "what torchvision's detectors give (a list of dicts with boxes, scores and labels), DETR's logits and pred_boxes, YOLO's "
    "tensors (n, 4 + k, anchors) or (n, anchors, 5 + k), or a dict with boxes (n, q, 4) and scores (n, q, k)"
)


class Detections(NamedTuple):
    """What a detector gives for one image."""

    boxes: NDArray[np.float64]  # (q, 4): x0, y0, x1, y1 in pixels of the prepared image
    labels: NDArray[np.intp]  # (q,) indices
    chances: Array  # of each class (q, k), or of the box's own label (q,); the network's own array, with its graph
    raw: bool = False  # among overlapping boxes the best is still to be chosen

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score of each box for its label (q,)."""
        chances = as_numbers(self.chances)
        return chances if chances.ndim == 1 else chances[np.arange(len(chances)), self.labels]

    def of(self, label: int) -> Array:
        """The score of that label in each box (q,); zero where a box has another and no more is known."""
        if len(self.chances.shape) == 2:
            return self.chances[:, label]
        labelled = self.labels == label
        return self.chances * (labelled if isinstance(self.chances, np.ndarray) else self.chances.new_tensor(labelled))

    def like(self, place: int) -> "Likeness":
        """The measure of how like other boxes are to the box at that place."""
        classes = None if len(self.chances.shape) == 1 else as_numbers(self.chances)[place]
        return Likeness(self.boxes[place], int(self.labels[place]), classes)


class Likeness(NamedTuple):
    """A box and its classes: called with detections, it tells how like each of them is."""

    box: NDArray[np.float64]  # (4,)
    label: int
    classes: NDArray[np.float64] | None  # (k,), where the detector gives a probability of every class

    def __call__(self, others: Detections) -> NDArray[np.float64]:
        """IoU(b, b_j) * cos(P, P_j) for each of the boxes (q,); P is one-hot where only the label is known.

        Petsiuk et al. 2021, D-RISE, eq. 2-4.
        """
        if self.classes is None or len(others.chances.shape) == 1:
            alike = (others.labels == self.label).astype(float)
        else:
            chances = as_numbers(others.chances)
            size = np.linalg.norm(chances, axis=1) * np.linalg.norm(self.classes)
            alike = (chances @ self.classes / np.maximum(size, np.finfo(float).tiny)).clip(0, 1)
        return overlap(others.boxes, self.box) * alike


def overlap(boxes: NDArray[Any], box: NDArray[Any]) -> NDArray[np.float64]:
    """IoU of boxes (..., 4) with a box (4,); of two without area, 1 where they are the same."""
    sides = np.minimum(boxes[..., 2:], box[2:]) - np.maximum(boxes[..., :2], box[:2])
    inside = sides.clip(0).prod(-1)
    whole = area(boxes) + area(box) - inside
    return np.divide(inside, whole, out=np.isclose(boxes, box).all(-1).astype(float), where=whole > 0)


def area(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """The areas of boxes (..., 4); of a box whose corners are the wrong way round, 0."""
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)


def ranking(detections: Detections) -> list[int]:
    """The places of the detections, by falling score; of raw boxes of a label that overlap by IoU > 0.5, the best alone."""
    order = [int(j) for j in np.argsort(-detections.scores, kind="stable")]
    if not detections.raw:
        return order
    boxes, labels, best = detections.boxes, detections.labels, []
    for j in order[:MOST]:
        alike = [i for i in best if labels[i] == labels[j]]
        if not (overlap(boxes[alike], boxes[j]) > OVERLAP).any():
            best.append(j)
    return best


def detections_of(output: Any, view: ImageView) -> list[Detections]:
    """The detections in each image, of all that a network gives; NotApplicable where that has none of the known FORMS."""
    first = first_of(output)
    if isinstance(output, Mapping) and "pred_boxes" in output:
        return _from_queries(output, view)
    if isinstance(output, Mapping) and "boxes" in output:
        arrays = {key: output[key] for key in ("boxes", "scores", "labels") if key in output}
        return [_from_parts({key: array[i] for key, array in arrays.items()}, view) for i in range(len(output["boxes"]))]
    if isinstance(first, Mapping) and "boxes" in first:
        return [_from_parts(parts, view) for parts in output]
    if len(getattr(first, "shape", ())) == 3:
        return _from_anchors(first, view)
    raise NotApplicable(
        f"A Box lies in the output of a detector, and the network gives {_contents(output)}. Known are {FORMS}: "
        "wrap(output=function that makes one of these)."
    )


def is_boxes(output: Any) -> bool:
    """Is this the output of a detector that names its boxes: "boxes" or "pred_boxes"?"""
    first = first_of(output)
    return isinstance(first, Mapping) and ("boxes" in first or "pred_boxes" in first)


def is_yolo(output: Any, view: ImageView) -> bool:
    """Is this a YOLO's tensor, as its sides and the number of labels tell?"""
    first = first_of(output)
    shape, k = tuple(getattr(first, "shape", ())), class_count(view)
    return len(shape) == 3 and k is not None and sum(_yolo_layouts(shape, k)) == 1


def _contents(output: Any) -> str:
    """What kind of thing an output is, and its keys or its shape, for an error."""
    inside = [*output] if isinstance(output, Mapping) else list(getattr(output, "shape", ())) or ""
    return f"{type(output).__name__}{f' {inside}' if inside else ''}"


def _from_parts(parts: Mapping[str, Any], view: ImageView) -> Detections:
    """Of one image: boxes as the corners x0, y0, x1, y1, in pixels, or as shares of the image's sides where all are that small;
    scores (q,) beside labels (q,), or scores (q, k) of every class.
    """
    if "scores" not in parts:
        raise NotApplicable(
            f"The detections hold {', '.join(map(str, parts))}; there must be scores, (q,) beside labels or (q, k)."
        )
    boxes, scores = as_numbers(parts["boxes"]).reshape(-1, 4), parts["scores"]
    scores = scores if hasattr(scores, "shape") else np.asarray(scores, np.float64)
    flat = len(scores.shape) == 1
    labels = (
        as_numbers(parts["labels"])
        if "labels" in parts and flat
        else np.zeros(len(boxes))
        if flat
        else as_numbers(scores).argmax(1)
    )
    if len(scores) != len(boxes) or len(labels) != len(boxes):
        raise NotApplicable(
            f"There are {len(boxes)} boxes with {len(scores)} scores and {len(labels)} labels: as many are needed."
        )
    shares = boxes.size > 0 and abs(boxes).max() <= LARGEST_SHARE < min(view.space)
    boxes = boxes * np.tile(view.space[:-3:-1], 2) if shares else boxes
    return Detections(boxes, labels.astype(int), scores, raw=not flat and len(boxes) > MOST)


def _from_queries(output: Mapping[str, Any], view: ImageView) -> list[Detections]:
    """DETR: logits (n, q, k), with "no object" as a last class where the classes are softmaxed; cx, cy, w, h from 0 to 1."""
    logits = output["logits"] if "logits" in output else output.get("pred_logits")
    shape = tuple(getattr(logits, "shape", ()))
    if len(shape) != 3:
        raise NotApplicable(f"Beside pred_boxes there must be logits (n, q, k), and there is {_contents(output)}.")
    k, classes = shape[2], class_count(view)
    if classes is None or k not in (classes, classes + 1):
        reason = "the number of labels is not known" if classes is None else f"there are {classes} labels"
        raise NotApplicable(
            f"The detector gives {k} logits for a box and {reason}: with {k} labels each logit is a sigmoid's, with {k - 1} "
            "the last is softmax's no object. Tell the labels: wrap(labels=...)."
        )
    chances = _softmax(logits)[..., :classes] if k == classes + 1 else _sigmoid(logits)
    boxes = _corners(as_numbers(output["pred_boxes"])) * np.tile(view.space[:-3:-1], 2)
    return [_of_classes(b, p) for b, p in zip(boxes, chances, strict=True)]


def _from_anchors(output: Array, view: ImageView) -> list[Detections]:
    """YOLO: cx, cy, w, h in pixels of the prepared image; then classes (n, 4 + k, anchors), or objectness and classes
    (n, anchors, 5 + k).
    """
    newer, older = _yolo_layouts(tuple(output.shape), class_count(view))
    if newer == older:
        raise NotApplicable(
            f"Whether {tuple(output.shape)} is (n, 4 + k, anchors) or (n, anchors, 5 + k) of a YOLO does not tell itself"
            f"{'' if (k := class_count(view)) is None else f' with {k} labels'}. Give the labels, wrap(labels=...), or make "
            "a dict of it: wrap(output=function to dict(boxes=(n, q, 4), scores=(n, q, k)))."
        )
    rows = output.swapaxes(1, 2) if newer else output
    chances = rows[..., 4:] if newer else rows[..., 4:5] * rows[..., 5:]
    scores = as_numbers(rows[..., 4:])
    if scores.min() < 0 or scores.max() > 1:
        raise NotApplicable(
            f"The scores of a YOLO lie from 0 to 1, and these from {scores.min():.3g} to {scores.max():.3g}. Wrap the network "
            "as it runs in inference, or make probabilities: wrap(output=...)."
        )
    boxes = _corners(as_numbers(rows[..., :4]))
    return [_of_classes(b, p, raw=True) for b, p in zip(boxes, chances, strict=True)]


def _yolo_layouts(shape: Sequence[int], k: int | None) -> tuple[bool, bool]:
    """Is the shape (n, 4 + k, anchors), is it (n, anchors, 5 + k)?  Where k is not known, by which side is far the longer."""
    if k is not None:
        return shape[1] == 4 + k, shape[2] == 5 + k
    return 5 <= shape[1] <= shape[2] / 4, 6 < shape[2] <= shape[1] / 4  # six are also corners, score and label


def _of_classes(boxes: NDArray[Any], chances: Array, raw: bool = False) -> Detections:
    """Boxes (q, 4) with the score of every class (q, k): each box has the label with the highest score."""
    return Detections(boxes, as_numbers(chances).argmax(1), chances, raw)


def class_count(view: ImageView) -> int | None:
    """How many classes there are: from the configuration of a network of transformers, else as many as labels."""
    network: Any = getattr(view.model, "network", None)
    transformers: Any = sys.modules.get("transformers")
    if transformers is not None and isinstance(network, transformers.PreTrainedModel):
        return int(network.config.num_labels)
    return len(view.labels) if view.labels else None


def _corners(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """cx, cy, w, h -> x0, y0, x1, y1"""
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def _softmax(x: Array) -> Array:
    if not isinstance(x, np.ndarray):
        return x.softmax(-1)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x)) if isinstance(x, np.ndarray) else x.sigmoid()


def as_numbers(x: Any) -> NDArray[np.float64]:
    """An array, a tensor or a list as numpy in double precision, without the graph."""
    return np.asarray(numbers(x), np.float64)
