"""torchvision's networks by name, `torchvision/resnet50`: classifiers, detectors and segmenters."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch.hub

from seewhy.errors import NoSuchName, closest
from seewhy.prepare.fit import Fit
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing_torch, seeded
from .sources import Loaded, Request, construct, fetch, need, reach
from .weights import fill, with_facts

DETECTION, SEGMENTATION = "detection", "segmentation"  # modules of torchvision.models beside the classifiers


def torchvision_network(request: Request) -> Loaded:
    """The network of that name, with its pretrained weights from torch's cache or fetched, or with those of the request."""
    draws = seeded(request)
    request, name, weights, options = draws.request, request.name, request.weights, draws.request.options
    models = need("torchvision", "torchvision.models")
    known, kind = network_names(models), kind_of(models, name)
    if name not in known:
        raise NoSuchName("model", f"torchvision/{name}", closest(name, known), "All: torchvision.models.list_models().")
    tags = models.get_model_weights(name)
    is_tag = weights in tags.__members__
    tag = tags[weights] if is_tag else getattr(tags, "IMAGENET1K_V1", tags.DEFAULT) if weights else tags.DEFAULT
    labels = labels_of(tag.meta.get("categories"), options)
    prepare = fit_of(kind, tag.transforms())
    if weights is not None and not is_tag:
        with drawing_torch(draws.seed):
            network = construct(lambda: models.get_model(name, weights=None, **blank_options(kind, options)), request)
        if weights == RANDOM:
            return Loaded(network, prepare, labels, drawn_text(draws.seed))
        draws.unused()
        tag_of_file, facts = fill(network, weights, request.trust)
        return Loaded(network, with_facts(prepare, facts, weights), labels, tag_of_file)
    draws.unused()
    if not (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(tag.url).path).name).exists():
        reach(tag.url, request.spec)
    tag.get_state_dict = partial(type(tag).get_state_dict, tag, weights_only=not request.trust)  # the builders call it
    network = fetch(lambda: models.get_model(name, weights=tag, **options), request)
    return Loaded(network, prepare, labels, str(tag))


def kind_of(models: Any, name: str) -> str:
    """The module of torchvision.models that holds a network: "" for the classifiers, or one of detectors or segmenters."""
    kinds = (kind for kind in (DETECTION, SEGMENTATION) if name in models.list_models(module=getattr(models, kind)))
    return next(kinds, "")


def network_names(models: Any) -> list[str]:
    """All that can be loaded by name."""
    return [name for module in (models, models.detection, models.segmentation) for name in models.list_models(module=module)]


def blank_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments for an untrained network: without them, torchvision would fetch weights for its backbone."""
    return {**({"weights_backbone": None} if kind else {}), **options}


def labels_of(categories: list[str] | None, options: Mapping[str, Any]) -> list[str] | None:
    """The names of the classes of the weights; None where the network is made for another number of classes."""
    count = options.get("num_classes")
    return categories if categories is not None and count in (None, len(categories)) else None


def fit_of(kind: str, transforms: Any) -> Any:
    """torchvision's preprocessing as a `Fit`, so that the part of the photo that the network saw is known exactly.

    Detectors resize and normalise inside the network, so that nothing is left to do before it.  Transforms that have
    no such numbers stay as they are.
    """
    if kind == DETECTION:
        return Fit(None, None, 0.0, 1.0)
    try:
        size, crop = transforms.resize_size, None if kind else transforms.crop_size[0]
        return Fit(size and size[0], crop, tuple(transforms.mean), tuple(transforms.std), transforms.interpolation.value)
    except AttributeError:
        return transforms
