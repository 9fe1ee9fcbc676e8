"""Networks by name, with the preprocessing and the labels that belong to their weights."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.memory import memory_for
from seewhy.models.zoo.code import code_network, names_code
from seewhy.models.zoo.heads import blank_options, heads_fit, own_labels, torchvision_kind, torchvision_names
from seewhy.models.zoo.hugging_face import hugging_face
from seewhy.models.zoo.sources import Loaded, Request, fetched, made, need, reach
from seewhy.models.zoo.timm import timm_network, with_facts
from seewhy.prepare.batch import preparer
from seewhy.prepare.fit import Fit
from seewhy.printable import printable
from seewhy.targets.labels import read_labels

from .model import RANDOM, Differentiable, Model
from .wrap import wrap

SAVED = (".pt2", ".pt", ".pth", ".torchscript", ".ts", ".ckpt", ".bin", ".safetensors")  # files that may hold a network


def load(
    spec: str, weights: str | Path | None = None, labels: Any = None, options: Mapping[str, Any] | None = None,
    trust: bool = False, **as_wrap: Any,
) -> Differentiable:  # fmt: skip
    """A model by name: `load("torchvision/resnet50")`, `load("timm/vit_base_patch16_224")`, `load("demo/honest")`.

    spec: also a detector or segmenter, as in "torchvision/fasterrcnn_resnet50_fpn"; `hf/ORG/NAME` or a folder that transformers
        saved; `path/to/file.py:net` or `package.module:net`, a network or a function that makes one; or a file of torch.export
        (.pt2), or, where it is trusted, TorchScript.
    weights: a safetensors file or a state dict that torch.load(weights_only=True) reads, also inside a checkpoint or behind a
        prefix, loaded strictly, halves cast up; a torchvision tag such as "IMAGENET1K_V2"; "random" for an untrained network
        (to look at its layers); or None for the library's own pretrained weights.
    labels: as in `wrap`; by default those of the weights.
    options: what the library's constructor takes, such as {"num_classes": 3}; of a function in a file, its arguments.
    trust: run code that comes with the weights: TorchScript, whole pickled modules, checkpoints with hyper-parameters that
        need classes, repositories that bring their own Python; and follow a folder's links.  See docs/security.md.
    as_wrap: further arguments of `seewhy.wrap`; `prepare=` replaces the weights' own preprocessing.
    Raises NoSuchName for an unknown spec, BadWeights for weights that do not fit or cannot be fetched, BadNetwork where
    the code that should make the network fails.
    """
    source, name = _source(str(spec))
    weights = None if weights is not None and not str(weights) else weights
    with memory_for("load", f"while {printable(spec, 200)} was loaded"):
        found = source(Request(str(spec), name, weights, dict(options or {}), trust))
    settings: dict[str, Any] = {"prepare": found.prepare, "name": spec, **found.settings, **as_wrap}
    if isinstance(found.network, Model):
        return _as_asked(found.network, labels, str(spec), as_wrap)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(found.network, torch.nn.Module):
        found.network.eval()
    return wrap(found.network, labels=read_labels(labels) or found.labels, weights=found.weights, **settings)


def _source(spec: str) -> tuple[Callable[[Request], Loaded], str]:
    """Who makes the network, and its name there."""
    family, _, name = spec.partition("/")
    if family == "timm" and name.startswith(("hf_hub:", "hf-hub:")):
        return hugging_face, name[len("hf_hub:") :]
    if family in FAMILIES and name:
        return FAMILIES[family], name
    if names_code(spec):
        return code_network, spec
    if Path(spec).suffix in SAVED:
        return _saved, spec
    if spec and (Path(spec).is_dir() or spec.startswith(("/", "./", "../", "~"))):
        return hugging_face, spec
    near = [f"{known}/{name}" for known in closest(family, [*FAMILIES])] if name else []
    if not name and family not in FAMILIES:
        near = [f"torchvision/{family}", f"timm/{family}"]
    raise NoSuchName("model", spec, near, SPECS)


SPECS = (
    "A spec is torchvision/NAME, timm/NAME, hf/ORG/NAME, demo/NAME, a folder of transformers, path/to/file.py:NAME, "
    "module:NAME, or a .pt2 or TorchScript file."
)


def _as_asked(model: Any, labels: Any, spec: str, as_wrap: Mapping[str, Any]) -> Any:
    """A model that was wrapped where it was made, with what can still be said of it."""
    stray = [key for key, value in as_wrap.items() if value is not None]
    if {*stray} - {"prepare"}:
        raise BadParameter(f"{spec} is a seewhy model already: give {', '.join(stray)} to `wrap` where it is made.")
    if labels is not None:
        model.labels = read_labels(labels)
    if as_wrap.get("prepare") is not None:
        model.prepare = preparer(as_wrap["prepare"])
    return model


def _saved(asked: Request) -> Loaded:
    need("torch")
    from seewhy.models.zoo.saved import saved_network

    return saved_network(asked)


def _demo(asked: Request) -> Loaded:
    need("torch")
    need("safetensors")
    from seewhy.demo import KINDS
    from seewhy.demo.networks import NETWORKS, PREPARE, blank, build
    from seewhy.models.zoo.weights import fill

    name, weights = asked.name, asked.weights
    if name not in NETWORKS:
        raise NoSuchName("model", f"demo/{name}", closest(name, [*NETWORKS]), f"There are: {', '.join(NETWORKS)}.")
    if asked.options:
        raise BadParameter(f"demo/{name} takes no options, not {', '.join(asked.options)}.")
    if weights is None:
        return Loaded(build(name), PREPARE, list(KINDS), "embedded")
    network = blank(name)
    tag = RANDOM if weights == RANDOM else fill(network, weights, asked.trust)[0]
    return Loaded(network, PREPARE, list(KINDS), tag)


def _torchvision(asked: Request) -> Loaded:
    name, weights, options = asked.name, asked.weights, asked.options
    models = need("torchvision", "torchvision.models")
    known, kind = torchvision_names(models), torchvision_kind(models, name)
    if name not in known:
        raise NoSuchName("model", f"torchvision/{name}", closest(name, known), "All: torchvision.models.list_models().")
    tags = models.get_model_weights(name)
    is_tag = weights in tags.__members__
    tag = tags[weights] if is_tag else getattr(tags, "IMAGENET1K_V1", tags.DEFAULT) if weights else tags.DEFAULT
    labels = own_labels(tag.meta.get("categories"), options)
    prepare = heads_fit(kind, tag.transforms()) if kind else _torchvision_fit(tag.transforms())
    if weights is not None and not is_tag:
        from seewhy.models.zoo.weights import fill

        network = made(lambda: models.get_model(name, weights=None, **blank_options(kind, options)), asked)
        source, facts = (RANDOM, {}) if weights == RANDOM else fill(network, weights, asked.trust)
        return Loaded(network, with_facts(prepare, facts, weights), labels, source)
    hub = import_module("torch.hub")
    if not (Path(hub.get_dir()) / "checkpoints" / Path(urlparse(tag.url).path).name).exists():
        reach(tag.url, asked.spec)
    tag.get_state_dict = partial(type(tag).get_state_dict, tag, weights_only=not asked.trust)  # its builders ask the tag
    network = fetched(lambda: models.get_model(name, weights=tag, **options), asked)
    return Loaded(network, prepare, labels, str(tag))


def _torchvision_fit(transforms: Any) -> Any:
    """torchvision's own numbers, so that the box that was seen is exact."""
    try:
        return Fit(transforms.resize_size[0], transforms.crop_size[0], tuple(transforms.mean), tuple(transforms.std),
                   transforms.interpolation.value)  # fmt: skip
    except AttributeError:
        return transforms


FAMILIES: dict[str, Callable[[Request], Loaded]] = {
    "torchvision": _torchvision,
    "timm": timm_network,
    "hf": hugging_face,
    "demo": _demo,
}
