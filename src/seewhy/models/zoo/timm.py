"""Networks of timm: by its own names, and from repositories and folders that are laid out for it."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from math import floor
from typing import Any

from seewhy.errors import BadWeights, NoSuchName, SeewhyError, closest
from seewhy.prepare.fit import Fit
from seewhy.printable import printable
from seewhy.targets.labels import read_labels
from seewhy.untrained import RANDOM, drawn_text

from .drawing import Seeded, drawing_torch, left_as_drawn, seeded
from .folder import cleaned
from .sources import Loaded, Request, construct, fetch, need, reach
from .weights import fill, with_facts


def timm_network(request: Request) -> Loaded:
    """`timm/NAME`, its pretrained weights from timm's cache, or fetched."""
    timm, name = need("timm"), request.name
    known = timm.list_models(name.partition(".")[0], include_tags=True) or timm.list_models()
    plain = {full.partition(".")[0] for full in known}
    if name not in known and name not in plain:
        raise NoSuchName("model", f"timm/{name}", closest(name, sorted({*known, *plain})), "All: timm.list_models().")
    draws = seeded(request)
    request = draws.request
    if request.weights is not None:
        return _made(timm, partial(timm.create_model, name, pretrained=False, **request.options), request.weights, draws)
    config = timm.get_pretrained_cfg(name)
    if config is None or not (config.url or config.hf_hub_id or config.file):
        raise BadWeights(f"timm has no pretrained weights for {name}. Give a file of your own: weights=, or --weights FILE.")
    overlay = _timm_cached(config)
    if overlay is None and not config.file:
        reach(config.url or import_module("huggingface_hub.constants").ENDPOINT, request.spec)
    make = partial(timm.create_model, name, pretrained_cfg_overlay=overlay, **request.options)
    with drawing_torch(draws.seed):
        network = fetch(lambda: make(pretrained=True), request)
    tag = f"{config.architecture}.{config.tag}" if config.tag else name
    random = left_as_drawn(network, lambda: make(pretrained=False), draws.seed) if request.options else []
    if random:  # timm leaves out what does not fit, such as the last layer where there are other classes
        tag = drawn_text(draws.seed, random, tag)
    else:
        draws.unused()
    return Loaded(network, _fit(timm, network), _labels(network), tag)


def timm_folder(config: Mapping[str, Any], files: list[Any], request: Request) -> Loaded:
    """A repository or folder of timm's own layout: config.json names an architecture of timm, beside one file of weights."""
    timm, pretrained, args = need("timm"), config.get("pretrained_cfg") or {}, config.get("model_args") or {}
    if not isinstance(pretrained, dict) or not isinstance(args, dict):
        raise BadWeights(f"{request.spec}: pretrained_cfg and model_args in its config.json have to be objects.")
    names = config.get("label_names") or pretrained.get("label_names")
    if names and not isinstance(names, list | dict):  # a text would be taken for the name of a file
        raise BadWeights(f"{request.spec}: label_names in its config.json has to be a list of names, not {str(names)[:80]!r}.")
    if not files and request.weights is None:
        raise BadWeights(
            f"{request.spec} holds neither model.safetensors nor pytorch_model.bin. Give a file: weights=, --weights."
        )
    pretrained, args = (
        {key: value for key, value in cleaned(part, request.spec).items() if key not in WEIGHTS} for part in (pretrained, args)
    )
    classes = config.get("num_classes", pretrained.get("num_classes", 1000))
    options = {**cleaned({"num_classes": classes, **args}, request.spec), **request.options}
    name = _architecture(timm, config, request)
    draws = seeded(request._replace(options=options))
    make = partial(timm.create_model, name, pretrained=False, pretrained_cfg=pretrained, **draws.request.options)
    loaded = _made(timm, make, request.weights or files[0], draws)
    return loaded._replace(labels=read_labels(names) if names else loaded.labels)


WEIGHTS = (  # settings that would download or open other weights than those of the folder
    "pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir", "url", "file", "hf_hub_id",
    "hf_hub_filename", "state_dict",
)  # fmt: skip


def _architecture(timm: Any, config: Mapping[str, Any], request: Request) -> str:
    """The name of the architecture, one that timm knows: others (hf-hub:, local-dir:) are places of further networks."""
    name = config["architecture"]
    if not isinstance(name, str) or not timm.is_model(name):
        near = closest(str(name), timm.list_models())
        raise NoSuchName(
            "architecture", str(name), near, f"{request.spec} names it in its config.json. All: timm.list_models()."
        )
    return name


def _made(timm: Any, make: Callable[[], Any], weights: Any, draws: Seeded) -> Loaded:
    """The network with weights of a file, or untrained, and the preprocessing and labels that belong to it."""
    with drawing_torch(draws.seed):
        network = construct(make, draws.request)
    if weights == RANDOM:
        return Loaded(network, _fit(timm, network), _labels(network), drawn_text(draws.seed))
    draws.unused()
    source, facts = fill(network, weights, draws.request.trust)
    return Loaded(network, with_facts(_fit(timm, network), facts, weights), _labels(network), source)


def _timm_cached(config: Any) -> dict[str, Any] | None:
    """Where the weights lie in the cache, as timm's settings, so that no connection is waited for; None where they do not."""
    if not config.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache  # comes with timm, which is an extra

    repo = config.hf_hub_id + (f"{config.architecture}.{config.tag}" if config.hf_hub_id.endswith("/") else "")
    path = try_to_load_from_cache(repo, "model.safetensors")  # as timm fetches them; older timm would unpickle others
    return {"file": path} if isinstance(path, str) else None


def _fit(timm: Any, network: Any) -> Any:
    """The preprocessing that timm has for the network; BadWeights where its settings make none."""
    try:
        return _fit_of(timm, timm.data.resolve_model_data_config(network))
    except SeewhyError:
        raise
    except Exception as error:  # settings of a folder may say anything
        raise BadWeights(
            f"The settings of {type(network).__name__} (pretrained_cfg) do not say how to prepare a photo: "
            f"{type(error).__name__}: {printable(error, 300)}. Mend input_size, crop_pct, mean, std and interpolation there."
        ) from error


def _fit_of(timm: Any, config: Mapping[str, Any]) -> Any:
    """timm's settings as a `Fit`, or as timm's transforms where a Fit cannot do the same."""
    height, width = config["input_size"][1:]
    square = height == width and config.get("crop_mode", "center") == "center" and config["interpolation"] != "random"
    if not square:
        return timm.data.create_transform(**config, is_training=False)
    size = floor(height / config.get("crop_pct", 1.0))
    return Fit(size, height, tuple(config["mean"]), tuple(config["std"]), config["interpolation"])


def _labels(network: Any) -> list[str] | None:
    """ImageNet's names for a network of 1000 classes."""
    return read_labels("imagenet") if getattr(network, "num_classes", 0) == 1000 else None
