"""What a network is called with: the images, and other inputs that are never changed."""

import sys
from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter
from seewhy.models.settings import IMAGE, Fixed, Placeholder
from seewhy.targets.target import PerImage


class Inputs:
    """How a batch of images x (n, c, *space) becomes the arguments of a network: `wrap(inputs=)`.

    template: None (x alone), a name (x as that keyword), a tuple or list (the positional arguments) or a dict (the keywords),
        with seewhy.IMAGE where x belongs, at any depth; or a function of x that returns such, or the one argument.
    """

    def __init__(self, template: Any = None, listed: bool = False) -> None:
        self.listed = listed  # the images go in as a list, where nothing else is asked for
        self.template: Any = list(template) if isinstance(template, tuple) else template
        if isinstance(template, str):
            self.template = {template: IMAGE}
        self.rows: list[Any] = []  # the inputs that have a row of their own for each image
        if template is None or _is_function(self.template):
            return
        if not isinstance(self.template, Mapping | list):
            kinds = "a keyword's name, a tuple, a dict, or a function of the images"
            raise BadParameter(f"inputs={template!r}: give {kinds}. {HOW}")
        leaves: list[Any] = []
        _filled(self.template, lambda leaf: leaves.append(leaf) or leaf)
        if not any(isinstance(leaf, Placeholder) for leaf in leaves):
            raise BadParameter(f"inputs= holds no seewhy.IMAGE, so the network would never see one. {HOW}")
        self.rows = [leaf for leaf in leaves if isinstance(leaf, PerImage)]
        for row in self.rows:
            _stacked(row)
            if len(row.targets) != len(self.rows[0].targets):
                raise BadParameter("inputs= holds PerImage of different lengths: each has one row for every image.")

    def fit(self, count: int) -> None:
        """Raise BadParameter where an input that has a row for each image has another number of rows than `count`."""
        if self.rows and len(self.rows[0].targets) != count:
            there = len(self.rows[0].targets)
            raise BadParameter(
                f"inputs= holds PerImage of {there} rows, one for each image; there {'is' if count == 1 else 'are'} {count} "
                f"image{'s' * (count != 1)}. Wrap the network again with as many rows as images."
            )

    def of(self, place: int, count: int) -> "Inputs":
        """The inputs of `count` images from `place` on."""
        if not self.rows:
            return self
        if place + count > len(self.rows[0].targets):
            there = len(self.rows[0].targets)
            raise BadParameter(f"inputs= holds PerImage of {there} rows, one for each image; there are {place + count} images.")
        part = Inputs()
        part.template = _filled(self.template, lambda leaf: _part(leaf, place, count))
        part.rows = [_part(row, place, count) for row in self.rows]
        return part

    def __call__(self, x: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and keyword arguments of the network for images x."""
        if self.template is None:
            return ([*x.unbind()] if self.listed else x,), {}
        made = self.template(x) if _is_function(self.template) else _filled(self.template, lambda leaf: _given(leaf, x))
        if isinstance(made, Mapping) and all(isinstance(key, str) for key in made):
            return (), dict(made)
        return (tuple(made), {}) if isinstance(made, tuple | list) else ((made,), {})


def detects(network: nn.Module) -> bool:
    """Is it one of torchvision's detectors, which take a list of images?"""
    kinds = sys.modules.get("torchvision.models.detection")
    if kinds is None:
        return False
    return isinstance(network, kinds.generalized_rcnn.GeneralizedRCNN | kinds.RetinaNet | kinds.FCOS | kinds.ssd.SSD)


def queries_behind(network: nn.Module) -> int:
    """How many tokens behind those of the image ask for boxes: so it is in YOLOS."""
    transformers = sys.modules.get("transformers")
    known = transformers is not None and isinstance(network, transformers.PreTrainedModel)
    return getattr(network.config, "num_detection_tokens", 0) if known else 0


def by_proposal(network: nn.Module, name: str) -> bool:
    """Are the rows of this layer proposals, not images?  So it is inside the head of Faster R-CNN and its like."""
    roi_heads = sys.modules.get("torchvision.models.detection.roi_heads")
    parts = name.split(".")
    above = (".".join(parts[:i]) for i in range(1, len(parts)))
    try:
        return roi_heads is not None and any(isinstance(network.get_submodule(each), roi_heads.RoIHeads) for each in above)
    except AttributeError:  # of a module in a plain list
        return False


HOW = 'For example inputs=(seewhy.IMAGE, metadata), inputs={"pixel_values": seewhy.IMAGE, "input_ids": ids}.'


def _is_function(template: Any) -> bool:
    return isinstance(template, Callable) and not isinstance(template, Placeholder)


def _filled(part: Any, fill: Callable[[Any], Any]) -> Any:
    """A copy of the structure in which `fill` replaces each leaf."""
    if isinstance(part, PerImage | Fixed | Placeholder):
        return fill(part)
    if is_dataclass(part) and not isinstance(part, type):  # also a ModelOutput, which is a mapping that refuses changes
        return replace(part, **{f.name: _filled(getattr(part, f.name), fill) for f in fields(part) if f.init})
    if isinstance(part, MutableMapping):
        made = copy(part)
        made.update({key: _filled(value, fill) for key, value in part.items()})
        return made
    if isinstance(part, list | tuple):
        items = [_filled(value, fill) for value in part]
        return part._make(items) if isinstance(part, tuple) and hasattr(part, "_make") else type(part)(items)  # type: ignore[attr-defined]
    return fill(part)


def _part(leaf: Any, place: int, count: int) -> Any:
    return PerImage(leaf.targets[place : place + count]) if isinstance(leaf, PerImage) else leaf


def _given(leaf: Any, x: Tensor) -> Any:
    """A leaf for the batch x: its images; rows of their own, as often as the images are there; one row for all, repeated."""
    if isinstance(leaf, Placeholder):
        return x
    if isinstance(leaf, Fixed):
        return _placed(leaf.value, x)
    if isinstance(leaf, PerImage):
        rows = _stacked(leaf)
        rows = rows if len(x) % len(rows) == 0 else rows[:1]  # a look at the network, whatever the image
        rows = rows.repeat(len(x) // len(rows), *[1] * (rows.ndim - 1))
        return _placed(rows, x)
    placed = _placed(leaf, x)
    single = isinstance(placed, Tensor) and placed.ndim > 0 and len(placed) == 1
    return placed.repeat(len(x), *[1] * (placed.ndim - 1)) if single else placed


def _stacked(rows: PerImage) -> Tensor:
    """The rows of all images as one tensor, of the precision in which the person gave them."""
    try:
        return torch.stack([row if isinstance(row, Tensor) else torch.as_tensor(np.asarray(row)) for row in rows.targets])
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadParameter(
            f"inputs= holds PerImage of rows that make no array ({str(error).splitlines()[0]}). Give numbers, arrays or "
            "tensors, all of one shape: pad texts to one length, and make words token ids."
        ) from None


def _placed(value: Any, x: Tensor) -> Any:
    """Arrays and tensors on the device of x, and of its precision; anything else as it is."""
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    if not isinstance(value, Tensor):
        return value
    value = value.detach().clone()
    return value.to(x.device, x.dtype if value.is_floating_point() else None)
