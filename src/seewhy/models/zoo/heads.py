"""Networks by name that do not end in scores of classes: torchvision's detectors and segmenters, and transformers'."""

from collections.abc import Mapping
from typing import Any

from seewhy.prepare.fit import Fit

DENSE = ("ForObjectDetection", "ForSemanticSegmentation", "ForDepthEstimation")  # in the names of transformers' classes
BOXES, MAPS = "detection", "segmentation"  # torchvision's modules of them


def torchvision_kind(models: Any, name: str) -> str:
    """The module of torchvision.models that holds a network: "" for the classifiers, or one of detectors or segmenters."""
    kinds = (kind for kind in (BOXES, MAPS) if name in models.list_models(module=getattr(models, kind)))
    return next(kinds, "")


def torchvision_names(models: Any) -> list[str]:
    """All that can be loaded by name."""
    return [name for module in (models, models.detection, models.segmentation) for name in models.list_models(module=module)]


def blank_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the constructor of an untrained network is given: torchvision would fetch weights for its backbone."""
    return {**({"weights_backbone": None} if kind else {}), **options}


def own_labels(categories: list[str] | None, options: Mapping[str, Any]) -> list[str] | None:
    """The names of the weights' classes, where the network is made for as many."""
    asked = options.get("num_classes")
    return categories if categories is not None and asked in (None, len(categories)) else None


def heads_fit(kind: str, transforms: Any) -> Any:
    """torchvision's own preprocessing, as numbers; detectors resize and normalise within."""
    if kind == BOXES:
        return Fit(None, None, 0.0, 1.0)
    try:
        size = transforms.resize_size
        return Fit(size and size[0], None, tuple(transforms.mean), tuple(transforms.std), transforms.interpolation.value)
    except AttributeError:
        return transforms


def unlike_fit(settings: Mapping[str, Any]) -> bool:
    """Does an image processor do what a `Fit` has no numbers for: bound the longer side too, or go without a mean?"""
    size = settings.get("size")
    bounded = isinstance(size, Mapping) and bool(size.get("longest_edge")) and bool(size.get("shortest_edge"))
    return bounded or "image_mean" not in settings
