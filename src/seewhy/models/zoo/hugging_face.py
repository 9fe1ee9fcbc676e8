"""Networks of Hugging Face: a repository by name, from its cache or fetched, or a folder that transformers saved."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from seewhy.errors import BadNetwork, BadParameter, BadWeights, SeewhyError
from seewhy.models.torch.two_tower import towers_of
from seewhy.prepare.clip_fit import ClipFit
from seewhy.targets.labels import read_labels
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing_torch, seeded
from .folder import cleaned, copied, file_in, read_settings
from .hf_files import folder_of, weight_files
from .hf_photos import ImageProcessor, fit_of, quietly, same, unlike_fit, usual
from .open_file import digest, opened
from .pickled import few, needed_code
from .sources import Loaded, Request, need
from .timm import timm_folder
from .weights import fill, read_weights

DENSE = ("ForObjectDetection", "ForSemanticSegmentation", "ForDepthEstimation")  # ends of the names of those for boxes, maps
SCORING, OF_CLIPS = "ForImageClassification", "ForVideoClassification"  # in the name of an architecture that ends in scores
WRITERS = ("BlipForConditionalGeneration", "VisionEncoderDecoderModel")  # of a text about an image that they are given alone
TOWERS = ("Model", "ModelWithProjection")  # ends of the names of those that end in an embedding
WORDS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")


def hugging_face(request: Request) -> Loaded:
    """The network of `hf/ORG/NAME` or of a folder.

    A classifier of images or videos gives scores, a detector boxes, a segmenter maps, a vision tower the numbers of its
    embedding; a network that also has a text tower, and one that writes captions, comes with its tokenizer.
    """
    folder = folder_of(request)
    config = read_settings(file_in(folder, "config.json", request.trust) or folder / "config.json")
    if "architecture" in config:  # laid out for timm
        return timm_folder(config, weight_files(folder, request.trust), request)
    return _checked(lambda: _of_transformers(need("transformers", extra="hf"), folder, config, request), request)


def _of_transformers(transformers: Any, folder: Path, config: dict[str, Any], request: Request) -> Loaded:
    """The network of a folder of transformers."""
    with quietly(transformers):
        settings = config if request.trust else cleaned(config, request.spec)
        configuration = _config(transformers, folder, config, settings, request)
        kind, scores = _kind(transformers, configuration, request)
        network, output, source = _network(transformers, kind, configuration, folder, request)
        with nullcontext(folder) if request.trust else copied(folder, settings) as read:
            prepare, remark = _prepared(transformers, read, configuration, request)
            if OF_CLIPS in kind.__name__ and prepare is not None:
                prepare = ClipFit(prepare, getattr(configuration, "num_frames", 16))
            tokenizer = _tokenizer(transformers, read, request) if _towers(network) or kind.__name__ in WRITERS else None
    if scores:
        return Loaded(network, prepare, _labels(configuration), source + remark)
    if _towers(network) or kind.__name__ in WRITERS:
        return Loaded(network, prepare, None, source + remark, {"tokenizer": tokenizer})
    what = {"name": f"{request.spec} (its scores are the numbers of an embedding)", "output": output, "task": "regression"}
    tower = network.vision_model if hasattr(configuration, "vision_config") else network
    return Loaded(tower, prepare, None, source + remark, what)


def _config(transformers: Any, folder: Path, config: Mapping[str, Any], settings: dict[str, Any], request: Request) -> Any:
    """The configuration of transformers, with the options put in.

    config: as the folder has it; settings: what of it may be followed.
    """
    kind = config.get("model_type")
    if kind not in transformers.CONFIG_MAPPING and not request.trust:
        code = config.get("auto_map")
        raise BadWeights(
            f"{request.spec} brings Python of its own ({', '.join(sorted(map(str, code.values())))}), which is not run. "
            "If you trust who made it: trust=True (--trust)."
            if code
            else f"{request.spec} is a {kind!r}, which transformers {transformers.__version__} does not know."
        )
    if request.trust:
        configuration, stray = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=True, return_unused_kwargs=True, **seeded(request).request.options
        )
    else:
        configuration, stray = transformers.CONFIG_MAPPING[kind].from_dict(
            {**settings}, return_unused_kwargs=True, **seeded(request).request.options
        )
        _fetch_no_parts(configuration, transformers)
    if stray:
        hint = " The number of classes is num_labels." if "num_classes" in stray else ""
        raise BadParameter(f"{request.spec}: its configuration has no {', '.join(stray)}.{hint}")
    return configuration


def _fetch_no_parts(configuration: Any, transformers: Any) -> None:
    """Keep every part from downloading weights: the folder has those of the whole network."""
    if getattr(configuration, "use_pretrained_backbone", False):
        configuration.use_pretrained_backbone = False
    for part in vars(configuration).values():
        if isinstance(part, transformers.PretrainedConfig):
            _fetch_no_parts(part, transformers)


def _kind(transformers: Any, configuration: Any, request: Request) -> tuple[Any, bool]:
    """The class of the network, and whether it gives scores of classes: of the image, of boxes or of places."""
    name = (configuration.architectures or [SCORING])[0]
    kind = getattr(transformers, name, None)
    if name in WRITERS:
        return kind, False
    if SCORING in name:
        return kind or transformers.AutoModelForImageClassification, True
    if kind is not None and OF_CLIPS in name and _sees(kind, configuration):
        return kind, True
    if kind is not None and name.endswith(DENSE) and _sees(kind, configuration) and not hasattr(configuration, "text_config"):
        return kind, True
    if kind is not None and name.endswith(TOWERS) and _sees(kind, configuration):
        return kind, False
    if kind is not None and kind.can_generate() and _sees(kind, configuration):
        raise BadNetwork(
            f"{request.spec} is a {name}, which writes about an image what it is asked in words, and a name says no question. "
            "Say it in a file of Python, net.py: a function that returns wrap(network, prepare, "
            "inputs={**processor(text=QUESTION, images=ANY, return_tensors='pt'), 'pixel_values': seewhy.IMAGE}, "
            "tokenizer=processor), as docs/vision_language.md shows it whole; then load('net.py:FUNCTION')."
        )
    raise BadNetwork(
        f"{request.spec} is a {name}, which gives neither scores of classes (of image, boxes or places) nor one embedding. "
        "In Python, wrap(network, output=...) explains any score (n, k) that you make of what it gives."
    )


def _sees(kind: Any, configuration: Any) -> bool:
    """Does a network of that class take images?"""
    return kind.main_input_name == "pixel_values" or hasattr(configuration, "vision_config")


def _network(transformers: Any, kind: Any, configuration: Any, folder: Path, request: Request) -> tuple[Any, Any, str]:
    """The network with its weights in, where its embedding is, and where the weights came from."""
    output = "image_embeds" if kind.__name__.endswith("WithProjection") else "pooler_output"
    draws = seeded(request)
    if request.weights is not None:
        with drawing_torch(draws.seed):
            network = _checked(
                lambda: kind.from_config(configuration) if kind.__name__.startswith("Auto") else kind(configuration), request
            )
        if request.weights == RANDOM:
            return network, output, drawn_text(draws.seed)
        draws.unused()
        return network, output, fill(network, request.weights, request.trust)[0]
    draws.unused()
    files = weight_files(folder, request.trust)
    if not files:
        raise BadWeights(
            f"{folder} holds neither model.safetensors nor pytorch_model.bin, whole. Give a file: weights=, --weights."
        )
    (network, info), hashed = _filled(transformers, kind, configuration, folder, files, request)
    missing = sorted(map(str, {*info["missing_keys"], *info["mismatched_keys"]}))
    scores = SCORING in kind.__name__ or OF_CLIPS in kind.__name__
    if missing and not scores and all(name.startswith("pooler.") for name in missing):
        output = _class_token  # the pooler was never trained
    elif missing:
        raise BadWeights(f"{files[0]} does not fit {kind.__name__}: {len(missing)} missing ({', '.join(missing[:4])}).")
    left = _left(network, info["unexpected_keys"], files[0])
    if not request.trust and (folder / "adapter_config.json").exists():
        left += " (leaving the adapter beside them: merge it into the weights to explain it)"
    if kind.__name__ in WRITERS and (writing := file_in(folder, "generation_config.json", request.trust)):
        network.generation_config = transformers.GenerationConfig.from_dict(cleaned(read_settings(writing), str(writing)))
    return network.float(), output, f"{files[0].name} {hashed}{left}"


def _filled(
    transformers: Any, kind: Any, configuration: Any, folder: Path, files: Sequence[Path], request: Request
) -> tuple[Any, str]:
    """What `from_pretrained` gives for tensors that were read here, and their digest: by itself it would follow links."""
    with ExitStack() as stack:
        streams = [stack.enter_context(opened(file)) for file in files]
        if request.trust:
            code = {"trust_remote_code": True} if kind.__name__.startswith("Auto") else {}
            arguments: dict[str, Any] = {"local_files_only": True, **code}
            return _checked(
                lambda: kind.from_pretrained(folder, config=configuration, output_loading_info=True, **arguments), request
            ), digest(*streams)
        both = zip(streams, files, strict=True)
        state = {name: tensor for stream, path in both for name, tensor in _tensors(stream, path, request)}
        if kind.__name__.startswith("Auto"):
            kind = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(configuration)]
        return _checked(
            lambda: kind.from_pretrained(None, config=configuration, state_dict=state, output_loading_info=True), request
        ), digest(*streams)


def _tensors(file: BinaryIO, path: Path, request: Request) -> Iterator[tuple[str, Any]]:
    """The names and copies of the tensors in a file: the network keeps them after the file is closed."""
    _refuse_code(file, path, request)
    contents, _ = read_weights(file, path)
    if not isinstance(contents, Mapping) or not all(isinstance(value, Tensor) for value in contents.values()):
        raise BadWeights(f"{path} holds no state dict of names and tensors alone.")
    yield from ((str(name), tensor.clone()) for name, tensor in contents.items())


def _left(network: Any, unexpected: Iterable[str], file: Path) -> str:
    """The weights that the network does not take, in words; BadWeights where they are more layers of a kind that it has."""
    names = sorted(map(str, unexpected))
    kinds = {re.sub(r"\d+", "#", name) for name in network.state_dict()}
    more = [name for name in names if re.sub(r"\d+", "#", name) in kinds]
    first = f"{', '.join((more or names)[:4])}{', ...' * (len(more or names) > 4)}"
    if more:
        raise BadWeights(
            f"{file} does not fit {type(network).__name__}: it holds {len(more)} weights of layers that the network of "
            f"config.json has not ({first}). Mend config.json, or give the number of layers as an option."
        )
    return f" (leaving {first})" if names else ""


def _class_token(output: Any) -> Any:
    """The embedding of a network whose pooler was never trained."""
    return output.last_hidden_state[:, 0]


def _checked(make: Callable[[], Any], request: Request) -> Any:
    """What `make` gives; BadParameter where it fails with options, BadWeights where it fails without."""
    try:
        return make()
    except SeewhyError:
        raise
    except Exception as error:  # nearly anything is raised on a broken file or configuration
        lines = [line for line in str(error).strip().splitlines() if line.strip()] or [""]
        kind, how = (BadParameter, f" with the options {dict(request.options)}") if request.options else (BadWeights, "")
        raise kind(f"{request.spec}{how} cannot be made: {type(error).__name__}: {lines[0][:300]}") from error


def _refuse_code(file: BinaryIO, path: Path, request: Request) -> None:
    """Raise BadWeights, with the names, where a file of weights needs code."""
    needs = [] if path.suffix == ".safetensors" else needed_code(file)
    if needs:
        raise BadWeights(
            f"{path} needs code ({few(needs)}), which is not run. Save its state dict alone, or as safetensors; or, if you "
            f"trust who made it, give it apart: load({request.spec!r}, weights={str(path)!r}, trust=True), "
            f"--weights {path} --trust."
        )


def _labels(configuration: Any) -> list[str] | None:
    """The names of the classes in the configuration; None where they are only LABEL_0, LABEL_1."""
    names = getattr(configuration, "id2label", None)
    if not names or all(str(name) == f"LABEL_{i}" for i, name in names.items()):
        return None
    return read_labels({str(i): str(name) for i, name in names.items()})


def _prepared(transformers: Any, folder: Path, configuration: Any, request: Request) -> tuple[Any, str]:
    """The preprocessing of the folder, as a `Fit` where that does the same; and a remark on it."""
    whole = folder / "processor_config.json"  # of a text and image processor together
    if not (folder / "preprocessor_config.json").is_file() and not (
        whole.is_file() and "image_processor" in read_settings(whole)
    ):
        fit = usual(transformers, configuration)
        usually = f" (no preprocessor_config.json: photos are prepared as is usual for {configuration.model_type})"
        return fit, usually if fit else ""
    processor = _checked(
        lambda: transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=request.trust),
        request,
    )
    settings = processor.to_dict()
    theirs, fit = ImageProcessor(processor), None if unlike_fit(settings) else fit_of(settings)
    return (fit if fit is not None and same(fit, theirs) else theirs), ""


def _towers(network: Any) -> bool:
    """Has the network an image and a text tower?"""
    return towers_of(network, None, None) is not None


def _tokenizer(transformers: Any, folder: Path, request: Request) -> Any:
    """The tokenizer, where the folder holds one."""
    if not any((folder / name).is_file() for name in WORDS):
        return None
    arguments = {"local_files_only": True, "trust_remote_code": request.trust}
    return _checked(lambda: transformers.AutoTokenizer.from_pretrained(folder, **arguments), request)
