"""Networks by name, with the preprocessing and the labels that belong to their weights."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from math import floor
from os import environ
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from ..errors import BadParameter, BadWeights, MissingExtra, NoSuchName, closest
from ..labels import read_labels
from ..prepare import Fit
from . import Differentiable, wrap

RANDOM = "random"  # weights as the constructor draws them
PATIENCE = 3.0  # seconds to find out that there is no network


class Found(NamedTuple):
    """A network with its weights in, and what travels with them."""

    network: Any
    prepare: Any
    labels: list[str] | None
    weights: str


def load(
    spec: str, weights: str | Path | None = None, labels: Any = None, options: Mapping[str, Any] | None = None, **as_wrap: Any
) -> Differentiable:
    """A model by name: `load("torchvision/resnet50")`, `load("timm/vit_base_patch16_224")`, `load("demo/honest")`.

    weights: a safetensors file or a state dict that torch.load(weights_only=True) reads, loaded strictly, halves cast
        up; a torchvision tag such as "IMAGENET1K_V2"; "random" for an untrained network (to look at its layers); or
        None for the library's own pretrained weights.
    labels: as in `wrap`; by default those of the weights.
    options: what the library's constructor takes, such as {"num_classes": 3}.
    as_wrap: further arguments of `seewhy.wrap`; `prepare=` replaces the weights' own preprocessing.
    Raises NoSuchName for an unknown spec, BadWeights for weights that do not fit or cannot be fetched.
    """
    family, _, name = str(spec).partition("/")
    if family not in FAMILIES or not name:
        near = [f"{known}/{name}" for known in closest(family, [*FAMILIES])] if name else []
        if not name and family not in FAMILIES:
            near = [f"torchvision/{family}", f"timm/{family}"]
        raise NoSuchName("model", spec, near, "A spec is torchvision/NAME, timm/NAME or demo/NAME.")
    if weights is not None and not str(weights):
        weights = None
    found = FAMILIES[family](name, weights, dict(options or {}))
    settings: dict[str, Any] = {"prepare": found.prepare, "name": spec, **as_wrap}
    return wrap(found.network.eval(), labels=read_labels(labels) or found.labels, weights=found.weights, **settings)


def _demo(name: str, weights: Any, options: dict[str, Any]) -> Found:
    _need("torch")
    _need("safetensors")
    from ..demo import KINDS
    from ..demo.networks import NETWORKS, PREPARE, blank, build

    if name not in NETWORKS:
        raise NoSuchName("model", f"demo/{name}", closest(name, [*NETWORKS]), f"There are: {', '.join(NETWORKS)}.")
    if options:
        raise BadParameter(f"demo/{name} takes no options, not {', '.join(options)}.")
    if weights is None:
        return Found(build(name), PREPARE, list(KINDS), "embedded")
    network = blank(name)
    tag = RANDOM if weights == RANDOM else fill(network, weights)[0]
    return Found(network, PREPARE, list(KINDS), tag)


def _torchvision(name: str, weights: Any, options: dict[str, Any]) -> Found:
    models = _need("torchvision", "torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        raise NoSuchName("model", f"torchvision/{name}", closest(name, known), "All: torchvision.models.list_models().")
    tags = models.get_model_weights(name)
    is_tag = weights in tags.__members__
    tag = tags[weights] if is_tag else getattr(tags, "IMAGENET1K_V1", tags.DEFAULT) if weights else tags.DEFAULT
    labels = tag.meta.get("categories") if options.get("num_classes", 1000) == 1000 else None
    if weights is not None and not is_tag:
        network = _made(lambda: models.get_model(name, weights=None, **options), f"torchvision/{name}", options)
        source, facts = (RANDOM, {}) if weights == RANDOM else fill(network, weights)
        return Found(network, _with_facts(_torchvision_fit(tag.transforms()), facts, weights), labels, source)
    hub = import_module("torch.hub")
    if not (Path(hub.get_dir()) / "checkpoints" / Path(urlparse(tag.url).path).name).exists():
        _reach(tag.url, f"torchvision/{name}")
    network = _fetched(lambda: models.get_model(name, weights=tag, **options), f"torchvision/{name}", options)
    return Found(network, _torchvision_fit(tag.transforms()), labels, str(tag))


def _torchvision_fit(transforms: Any) -> Any:
    """torchvision's own numbers, so that the box that was seen is exact."""
    try:
        return Fit(transforms.resize_size[0], transforms.crop_size[0], tuple(transforms.mean), tuple(transforms.std),
                   transforms.interpolation.value)  # fmt: skip
    except AttributeError:
        return transforms


def _timm(name: str, weights: Any, options: dict[str, Any]) -> Found:
    timm = _need("timm")
    known = timm.list_models(name.partition(".")[0], include_tags=True) or timm.list_models()
    plain = {one.partition(".")[0] for one in known}
    if name not in known and name not in plain:
        raise NoSuchName("model", f"timm/{name}", closest(name, sorted({*known, *plain})), "All: timm.list_models().")
    spec = f"timm/{name}"
    if weights is not None:
        network = _made(lambda: timm.create_model(name, pretrained=False, **options), spec, options)
        source, facts = (RANDOM, {}) if weights == RANDOM else fill(network, weights)
        return Found(network, _with_facts(_timm_fit(timm, network), facts, weights), _timm_labels(network), source)
    config = timm.get_pretrained_cfg(name)
    if config is None or not (config.url or config.hf_hub_id or config.file):
        raise BadWeights(f"timm has no pretrained weights for {name}. Give a file of your own: weights=, or --weights FILE.")
    overlay = _timm_cached(config)
    if overlay is None and not config.file:
        _reach(config.url or import_module("huggingface_hub.constants").ENDPOINT, spec)
    make = partial(timm.create_model, name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    network = _fetched(make, spec, options)
    tag = f"{config.architecture}.{config.tag}" if config.tag else name
    return Found(network, _timm_fit(timm, network), _timm_labels(network), tag)


def _timm_cached(config: Any) -> dict[str, Any] | None:
    """Weights that were fetched before, so that nobody waits for a network that is not there."""
    if not config.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache

    repo = config.hf_hub_id + (f"{config.architecture}.{config.tag}" if config.hf_hub_id.endswith("/") else "")
    for file in ("model.safetensors", "pytorch_model.bin"):
        path = try_to_load_from_cache(repo, file)
        if isinstance(path, str):
            return {"file": path}
    return None


def _timm_fit(timm: Any, network: Any) -> Any:
    config = timm.data.resolve_model_data_config(network)
    height, width = config["input_size"][1:]
    square = height == width and config.get("crop_mode", "center") == "center" and config["interpolation"] != "random"
    if not square:
        return timm.data.create_transform(**config, is_training=False)
    size = floor(height / config.get("crop_pct", 1.0))
    return Fit(size, height, tuple(config["mean"]), tuple(config["std"]), config["interpolation"])


def _timm_labels(network: Any) -> list[str] | None:
    return read_labels("imagenet") if getattr(network, "num_classes", 0) == 1000 else None


def _with_facts(prepare: Any, facts: Mapping[str, str], file: Any) -> Any:
    """Preprocessing as the file's own metadata has it: `mean` and `std`, numbers with spaces between."""
    try:
        numbers = {key: tuple(map(float, facts[key].split())) for key in ("mean", "std") if key in facts}
        return replace(prepare, **numbers) if isinstance(prepare, Fit) else prepare
    except (ValueError, BadParameter) as error:
        raise BadWeights(f"{file}: the mean and std in its metadata are not three numbers each ({error}).") from None


def fill(network: Any, file: str | Path) -> tuple[str, Mapping[str, str]]:
    """Load a file of weights strictly; returns its name with the start of its SHA-256, and its metadata."""
    from .weights import read_weights

    state, facts, tag = read_weights(Path(file))
    have = network.state_dict()
    missing = [name for name in have if name not in state and not name.endswith("num_batches_tracked")]
    extra = [name for name in state if name not in have]
    other = [f"{name} {tuple(state[name].shape)} for {tuple(have[name].shape)}"
             for name in have if name in state and state[name].shape != have[name].shape]  # fmt: skip
    if missing or extra or other:
        wrong = (("missing", missing), ("unknown", extra), ("of another shape", other))
        said = [f"{len(names)} {what} ({', '.join(names[:4])}{', ...' * (len(names) > 4)})" for what, names in wrong if names]
        hint = " For other classes give options={'num_classes': N} (--option num_classes=N)." if other else ""
        raise BadWeights(f"{file} does not fit {type(network).__name__}: {'; '.join(said)}.{hint}")
    network.load_state_dict({**have, **state}, strict=True)
    return tag, facts


def _need(package: str, module: str | None = None) -> Any:
    try:
        return import_module(module or package)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] not in (package, "torch"):
            raise
        raise MissingExtra(error.name or package, "torch") from None


def _made(make: Callable[[], Any], spec: str, options: Mapping[str, Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadParameter(f"{spec} cannot be made with {dict(options)}: {error}") from error


def _fetched(make: Callable[[], Any], spec: str, options: Mapping[str, Any]) -> Any:
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise BadParameter(f"{spec} cannot be made with {dict(options)}: {error}") from error
    except (OSError, RuntimeError) as error:  # URLError and LocalEntryNotFoundError are OSErrors
        raise _unreachable(spec, f"{type(error).__name__}: {error}".splitlines()[0]) from error


def _reach(url: str, spec: str) -> None:
    """Raise in seconds where the weights' host cannot be reached."""
    host = urlparse(url)
    if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise _unreachable(spec, "HF_HUB_OFFLINE is set")
    proxies = {} if proxy_bypass(host.hostname or "") else getproxies()
    way = proxies.get(host.scheme) or proxies.get("all")  # a proxy can go where we cannot
    first = urlparse(way if "://" in way else f"http://{way}") if way else host
    try:
        socket.create_connection((first.hostname or "", first.port or (80 if way else 443)), PATIENCE).close()
    except OSError as error:
        raise _unreachable(spec, f"{first.hostname}: {error}") from None


def _unreachable(spec: str, why: str) -> BadWeights:
    return BadWeights(
        f"The pretrained weights of {spec} are not on this machine and cannot be fetched ({why}). "
        "Offline: give a file (weights=, --weights FILE), or take an embedded network: demo/honest, demo/shortcut, demo/flat."
    )


FAMILIES: dict[str, Callable[[str, Any, dict[str, Any]], Found]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "demo": _demo,
}
