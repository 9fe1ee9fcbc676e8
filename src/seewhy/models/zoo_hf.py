"""Networks of Hugging Face: a repository by name, from its cache or fetched, or a folder that transformers saved."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadNetwork, BadParameter, BadWeights, NoSuchName, SeewhyError
from ..labels import read_labels
from .zoo_found import RANDOM, Asked, Found, fetched, need, reach, unreachable
from .zoo_heads import DENSE, unlike_fit
from .zoo_hf_photos import Processed, fit_of, quietly, same, usual
from .zoo_timm import timm_folder

SCORING = "ForImageClassification"  # in the name of an architecture that ends in scores
TOWERS = ("Model", "ModelWithProjection")  # ends of the names of those that end in an embedding
WORDS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")


def hugging_face(asked: Asked) -> Found:
    """`hf/ORG/NAME` or a folder.  An image classifier gives its scores, a detector boxes, a segmenter maps; a vision tower the
    numbers of its embedding; what has a text tower, too, comes with its tokenizer.
    """
    folder = _folder(asked)
    config = _json(folder / "config.json")
    if "architecture" in config:  # laid out for timm
        return timm_folder(config, _weight_files(folder), asked)
    return _checked(lambda: _of_transformers(need("transformers", extra="hf"), folder, config, asked), asked)


def _of_transformers(transformers: Any, folder: Path, config: Mapping[str, Any], asked: Asked) -> Found:
    with quietly(transformers):
        made = _config(transformers, folder, config, asked)
        kind, scores = _kind(transformers, made, config, asked)
        network, output, source = _network(kind, made, folder, asked)
        prepare, remark = _prepared(transformers, folder, made, asked)
        tokenizer = None if scores or not _towers(network) else _tokenizer(transformers, folder, asked)
    if scores:
        return Found(network, prepare, _labels(made), source + remark)
    if _towers(network):
        return Found(network, prepare, None, source + remark, {"tokenizer": tokenizer})
    what = {"name": f"{asked.spec} (its scores are the numbers of an embedding)", "output": output, "task": "regression"}
    tower = network.vision_model if hasattr(made, "vision_config") else network
    return Found(tower, prepare, None, source + remark, what)


def _folder(asked: Asked) -> Path:
    """Where the files lie on this machine, fetched there if they must be."""
    name, path = asked.name, Path(asked.name).expanduser()
    if path.is_dir() or name.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        if not path.is_dir():
            raise NoSuchName("model", asked.spec, [], "It is neither a folder here nor a repository's name: hf/ORG/NAME.")
        if not (path / "config.json").is_file():
            inside = ", ".join(sorted(one.name for one in path.iterdir())[:6]) or "nothing"
            raise BadWeights(f"{path} holds no config.json, as transformers' save_pretrained writes it (it holds {inside}).")
        return path
    hub = need("huggingface_hub", extra="hf")
    cached = _cached(hub, name, asked.weights is None)
    known = cached and hub.try_to_load_from_cache(name, "preprocessor_config.json") is not None
    if cached and known:
        return cached
    try:
        return _fetch(hub, asked)
    except BadWeights:
        if cached:
            return cached
        raise


def _cached(hub: Any, name: str, whole: bool) -> Path | None:
    """The folder of what was fetched before; `whole`: only with all its weights."""
    found = hub.try_to_load_from_cache(name, "config.json")
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and (not whole or _weight_files(folder)) else None


def _fetch(hub: Any, asked: Asked) -> Path:
    reach(hub.constants.ENDPOINT, asked.spec)

    def some(*patterns: str) -> Path:
        return Path(fetched(lambda: hub.snapshot_download(asked.name, allow_patterns=[*patterns], etag_timeout=5), asked))

    folder = some("*.json", "*.py", "*.txt", "*.model")
    if not (folder / "config.json").is_file():
        raise BadWeights(f"{asked.spec} holds no config.json: it is no repository of transformers, nor of timm.")
    if (
        asked.weights is None
        and not _weight_files(some("model*.safetensors"))
        and not _weight_files(some("pytorch_model*.bin"))
    ):
        raise unreachable(asked.spec, "the repository holds neither safetensors nor pytorch_model.bin")
    return folder


def _weight_files(folder: Path) -> list[Path]:
    """The file of weights, or all its shards; none where one is missing."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            shards = sorted({folder / shard for shard in _json(index).get("weight_map", {}).values()})
            if shards and all(shard.is_file() for shard in shards):
                return shards
    return []


def _config(transformers: Any, folder: Path, config: Mapping[str, Any], asked: Asked) -> Any:
    """The configuration, with the options put in."""
    kind = config.get("model_type")
    if kind not in transformers.CONFIG_MAPPING and not asked.trust:
        brings = config.get("auto_map")
        raise BadWeights(
            f"{asked.spec} brings Python of its own ({', '.join(sorted(map(str, brings.values())))}), which is not run. "
            "If you trust who made it: trust=True (--trust)."
            if brings
            else f"{asked.spec} is a {kind!r}, which transformers {transformers.__version__} does not know."
        )
    made, stray = transformers.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=asked.trust, return_unused_kwargs=True, **asked.options
    )
    if stray:
        hint = " The number of classes is num_labels." if "num_classes" in stray else ""
        raise BadParameter(f"{asked.spec}: its configuration has no {', '.join(stray)}.{hint}")
    return made


def _kind(transformers: Any, made: Any, config: Mapping[str, Any], asked: Asked) -> tuple[Any, bool]:
    """The class of the network, and whether it gives scores of classes: of the image, of boxes or of places."""
    name = (made.architectures or [SCORING])[0]
    found = getattr(transformers, name, None)
    if SCORING in name:
        return found or transformers.AutoModelForImageClassification, True
    if found is not None and name.endswith(DENSE) and _sees(found, made) and not hasattr(made, "text_config"):
        return found, True
    if found is not None and name.endswith(TOWERS) and _sees(found, made):
        return found, False
    raise BadNetwork(
        f"{asked.spec} is a {name}, which gives neither scores of classes (of image, boxes or places) nor one embedding. "
        "In Python, wrap(network, output=...) explains any score (n, k) that you make of what it gives."
    )


def _sees(kind: Any, made: Any) -> bool:
    return kind.main_input_name == "pixel_values" or hasattr(made, "vision_config")


def _network(kind: Any, made: Any, folder: Path, asked: Asked) -> tuple[Any, Any, str]:
    """The network with its weights in, where its embedding is, and where the weights came from."""
    from .weights import digest, fill

    output = "image_embeds" if kind.__name__.endswith("WithProjection") else "pooler_output"
    if asked.weights is not None:
        network = _checked(lambda: kind.from_config(made) if kind.__name__.startswith("Auto") else kind(made), asked)
        return network, output, RANDOM if asked.weights == RANDOM else fill(network, asked.weights, asked.trust)[0]
    files = _weight_files(folder)
    if not files:
        raise BadWeights(
            f"{folder} holds neither model.safetensors nor pytorch_model.bin, whole. Give a file: weights=, --weights."
        )
    own = {"trust_remote_code": True} if asked.trust and kind.__name__.startswith("Auto") else {}
    network, info = _checked(
        lambda: kind.from_pretrained(folder, config=made, local_files_only=True, output_loading_info=True, **own), asked, files
    )
    missing = sorted(map(str, {*info["missing_keys"], *info["mismatched_keys"]}))
    if missing and SCORING not in kind.__name__ and all(name.startswith("pooler.") for name in missing):
        output = _class_token  # the pooler was never trained
    elif missing:
        raise BadWeights(f"{files[0]} does not fit {kind.__name__}: {len(missing)} missing ({', '.join(missing[:4])}).")
    left = _left(network, info["unexpected_keys"], files[0])
    return network.float(), output, f"{files[0].name} {digest(*files)}{left}"


def _left(network: Any, unexpected: Iterable[str], file: Path) -> str:
    """What of the weights is not taken, in words; BadWeights where it is further layers of a kind that the network has."""
    names = sorted(map(str, unexpected))
    kinds = {re.sub(r"\d+", "#", name) for name in network.state_dict()}
    more = [name for name in names if re.sub(r"\d+", "#", name) in kinds]
    said = f"{', '.join((more or names)[:4])}{', ...' * (len(more or names) > 4)}"
    if more:
        raise BadWeights(
            f"{file} does not fit {type(network).__name__}: it holds {len(more)} weights of layers that the network of "
            f"config.json has not ({said}). Mend config.json, or give the number of layers as an option."
        )
    return f" (leaving {said})" if names else ""


def _class_token(output: Any) -> Any:
    return output.last_hidden_state[:, 0]


def _checked(make: Callable[[], Any], asked: Asked, files: Sequence[Path] = ()) -> Any:
    """What `make` gives; files: those that it reads."""
    try:
        return make()
    except SeewhyError:
        raise
    except Exception as error:  # nearly anything is raised on a broken file or configuration
        _refuse_code(asked, files)
        said = [line for line in str(error).strip().splitlines() if line.strip()] or [""]
        kind, how = (BadParameter, f" with the options {dict(asked.options)}") if asked.options else (BadWeights, "")
        raise kind(f"{asked.spec}{how} cannot be made: {type(error).__name__}: {said[0]}") from error


def _refuse_code(asked: Asked, files: Sequence[Path]) -> None:
    """BadWeights, with the names, where one of the files needs code."""
    from .weights import needed_code

    for file, needs in ((file, needed_code(file)) for file in files if file.suffix != ".safetensors"):
        if needs:
            raise BadWeights(
                f"{file} needs code ({', '.join(needs[:6])}{', ...' * (len(needs) > 6)}), which is not run. Save its state "
                "dict alone, or as safetensors; or, if you trust who made it, give it apart: "
                f"load({asked.spec!r}, weights={str(file)!r}, trust=True), --weights {file} --trust."
            ) from None


def _labels(made: Any) -> list[str] | None:
    """The configuration's own names, where these are more than LABEL_0, LABEL_1."""
    names = getattr(made, "id2label", None)
    if not names or all(str(name) == f"LABEL_{i}" for i, name in names.items()):
        return None
    return read_labels({str(i): str(name) for i, name in names.items()})


def _prepared(transformers: Any, folder: Path, made: Any, asked: Asked) -> tuple[Any, str]:
    """Their preprocessing, as a `Fit` where that does the same; and what is to be said of it."""
    whole = folder / "processor_config.json"  # of a text and image processor together
    if not (folder / "preprocessor_config.json").is_file() and not (whole.is_file() and "image_processor" in _json(whole)):
        own = usual(transformers, made)
        return own, f" (no preprocessor_config.json: photos are prepared as is usual for {made.model_type})" if own else ""
    processor = _checked(
        lambda: transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=asked.trust),
        asked,
    )
    settings = processor.to_dict()
    theirs, fit = Processed(processor), None if unlike_fit(settings) else fit_of(settings)
    return (fit if fit is not None and same(fit, theirs) else theirs), ""


def _towers(network: Any) -> bool:
    """Has it an image and a text tower?"""
    from .two_tower import towers_of

    return towers_of(network, None, None) is not None


def _tokenizer(transformers: Any, folder: Path, asked: Asked) -> Any:
    """What makes tokens of texts, where the folder holds any."""
    if not any((folder / name).is_file() for name in WORDS):
        return None
    own = {"local_files_only": True, "trust_remote_code": asked.trust}
    return _checked(lambda: transformers.AutoTokenizer.from_pretrained(folder, **own), asked)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadWeights(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BadWeights(f"{path} holds no JSON object.")
    return found
