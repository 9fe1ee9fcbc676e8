"""`load`: a model by name, with the preprocessing and the labels that belong to its weights.

SOURCES is the list of where networks come from.  A new source is one file in `zoo/`, with a function that makes a `Loaded` of
a `Request`, and one line in the list.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.memory import memory_for
from seewhy.models.zoo.sources import Loaded, Request, need
from seewhy.prepare.batch import preparer
from seewhy.prepare.changing import prepared_with
from seewhy.printable import printable
from seewhy.targets.labels import read_labels

from .model import Differentiable, Model
from .origin import recipe_of
from .wrap import wrap


def load(
    spec: str | Path, weights: str | Path | None = None, labels: Any = None, options: Mapping[str, Any] | None = None,
    trust: bool = False, **as_wrap: Any,
) -> Differentiable:  # fmt: skip
    """A model by name: `load("torchvision/resnet50")`, `load("timm/vit_base_patch16_224")`, `load("demo/honest")`.

    spec: also a detector or segmenter, as in "torchvision/fasterrcnn_resnet50_fpn"; `hf/ORG/NAME` or a folder that transformers
        saved; `path/to/file.py:net` or `package.module:net`, a network or a function that makes one; a file of torch.export
        (.pt2), or, where it is trusted, TorchScript; an .onnx file, which onnxruntime runs without torch; "keras/resnet50" and
        others of keras.applications, or a file that Keras saved (.keras, .h5); a .tflite file or a folder of SavedModel, for
        scores; or a service, `http://HOST/PATH`.
    weights: a safetensors file or a state dict that torch.load(weights_only=True) reads, also inside a checkpoint or behind a
        prefix, loaded strictly, halves cast up; a torchvision tag such as "IMAGENET1K_V2"; "random" for an untrained network
        (to look at its layers); or None for the library's own pretrained weights.
    labels: as in `wrap`; by default those of the weights.
    options: what the library's constructor takes, such as {"num_classes": 3}; of a function in a file, its arguments; of a file
        that Keras saved, custom="module:attribute", layers and functions of your own; of a service, how it is asked
        (docs/black_boxes.md).
    trust: run code that comes with the weights: TorchScript, whole pickled modules, checkpoints with hyper-parameters that
        need classes, repositories that bring their own Python; and follow a folder's links.  See docs/security.md.
    as_wrap: further arguments of `seewhy.wrap`.  Of the preprocessing that the weights bring, a dict `prepare=` changes what it
        names, and nothing else; a callable takes its place; None, the default, leaves it as it is.  Prepared batches are taken
        as they are in any case.
    Raises NoSuchName for an unknown spec, BadParameter for what is none, BadWeights for weights that do not fit or cannot be
    fetched, BadNetwork where the code that should make the network fails.
    """
    if not isinstance(spec, str | PurePath):
        raise BadParameter(
            f"load takes the name or the file of a network, as in 'torchvision/resnet50', not {type(spec).__name__}. "
            "What is a network already: seewhy.wrap(network)."
        )
    source, name = source_of(str(spec))
    recipe = recipe_of(str(spec), weights=weights, labels=labels, options=options, **as_wrap)
    weights = None if weights is not None and not str(weights) else weights
    labels, said = read_labels(labels), str(spec).partition("?")[0]  # a query may hold a secret
    request = Request(str(spec), name, weights, dict(options or {}), trust, labels, as_wrap.get("output"))
    with memory_for("load", f"while {printable(said, 200)} was loaded"):
        loaded = source.function(request)
    if loaded.found_output:
        as_wrap = {key: value for key, value in as_wrap.items() if key != "output"}
    prepare = prepared_with(loaded.prepare, as_wrap.get("prepare"))
    settings: dict[str, Any] = {"name": spec, **loaded.settings, **as_wrap, "prepare": prepare}
    if isinstance(loaded.network, Model):
        model = _with_settings(loaded.network, labels, str(spec), as_wrap)
    else:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(loaded.network, torch.nn.Module):
            loaded.network.eval()
        model: Any = wrap(loaded.network, labels=labels or loaded.labels, weights=loaded.weights, **settings)
    model.origin = model.origin._replace(recipe=recipe, trusted=trust)
    return model


def segmenter_over(model: Any, labels: Sequence[str], seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """A torch network that scores each pixel for each label, untrained, over a copy of a classifier's body with its weights;
    and the settings of the folder that it is kept in, `segmenter.json`.  See `zoo.segmenter.segmenter_over`.
    """
    return need(("torch",), "seewhy.models.zoo.segmenter").segmenter_over(model, labels, seed)


class ModelSource(NamedTuple):
    """Where networks come from: how a spec names one there, and what loads it."""

    written: str  # how its specs are written, for the error that lists them
    path: str  # module:function, imported on first use, since a source may need a library that is not installed
    prefixes: tuple[str, ...] = ()  # a spec begins with one of these, and the network's name stands behind it
    matches: Callable[[str], bool] = lambda spec: False  # or the whole spec is the name, where this is true of it
    needs: tuple[str, ...] = ("torch",)  # what has to be installed
    extra: str = "torch"  # of seewhy, which brings it

    @property
    def function(self) -> Callable[[Request], Loaded]:
        """What loads a network; MissingExtra where a library that its module needs is not installed."""
        module, _, name = self.path.partition(":")
        return getattr(need(self.needs, module, self.extra), name)


def is_address(spec: str) -> bool:
    """Is this the address of a service, whatever its scheme?"""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", spec) is not None


def is_code(spec: str) -> bool:
    """Is this a file of Python, with or without `:NAME`, or `module:NAME`?"""
    is_file = spec.rpartition(":")[0].endswith(".py") or spec.endswith(".py")
    return is_file or re.fullmatch(r"[A-Za-z_][\w.]*:[\w.]*", spec) is not None


def is_network_file(spec: str) -> bool:
    """Is this a file that may hold a whole network, as its ending tells?"""
    return Path(spec).suffix in (".pt2", ".pt", ".pth", ".torchscript", ".ts", ".ckpt", ".bin", ".safetensors")


def is_keras_file(spec: str) -> bool:
    """Is this a file that Keras saves models in, as its ending tells?"""
    return Path(spec).suffix in (".keras", ".h5", ".hdf5")


def is_tflite(spec: str) -> bool:
    """Is this a file of TensorFlow Lite, as its ending tells?"""
    return Path(spec).suffix.lower() in (".tflite", ".lite")


def is_saved_model(spec: str) -> bool:
    """Is this a folder of TensorFlow's SavedModel?"""
    return spec != "" and os.path.isfile(os.path.join(os.path.expanduser(spec), "saved_model.pb"))


def is_onnx(spec: str) -> bool:
    """Is this a file of ONNX, as its ending tells?"""
    return Path(spec).suffix.lower() == ".onnx"


def is_segmenter(spec: str) -> bool:
    """Is this a folder that `seewhy segment train` wrote?"""
    return spec != "" and os.path.isfile(os.path.join(os.path.expanduser(spec), "segmenter.json"))


def is_folder(spec: str) -> bool:
    """Is this a folder, or written like the path of one?"""
    return spec != "" and (Path(spec).is_dir() or spec.startswith(("/", "./", "../", "~")))


SOURCES = (  # the first that a spec fits loads it
    ModelSource("torchvision/NAME", "seewhy.models.zoo.torchvision:torchvision_network", ("torchvision/",)),
    ModelSource("hf/ORG/NAME", "seewhy.models.zoo.hugging_face:hugging_face", ("hf/", "timm/hf_hub:", "timm/hf-hub:")),
    ModelSource("timm/NAME", "seewhy.models.zoo.timm:timm_network", ("timm/",)),
    ModelSource("keras/NAME", "seewhy.models.zoo.keras:keras_network", ("keras/",)),
    ModelSource("demo/NAME", "seewhy.models.zoo.demo:demo_network", ("demo/",)),
    ModelSource("http://HOST/PATH", "seewhy.models.zoo.service.service:service_function", matches=is_address),
    ModelSource("path/to/file.py:NAME, module:NAME", "seewhy.models.zoo.code:code_network", matches=is_code),
    ModelSource("an .onnx file", "seewhy.models.zoo.onnx:onnx_network", matches=is_onnx, needs=("onnx", "onnxruntime"),
                extra="onnx"),
    ModelSource("a .pt2 or TorchScript file", "seewhy.models.zoo.saved:saved_network", matches=is_network_file),
    ModelSource("a .keras or .h5 file", "seewhy.models.zoo.keras_saved:keras_file", matches=is_keras_file),
    ModelSource("a .tflite file", "seewhy.models.zoo.tflite:tflite_function", matches=is_tflite),
    ModelSource("a folder of SavedModel", "seewhy.models.zoo.saved_model:saved_model_function", matches=is_saved_model),
    ModelSource("a folder of seewhy segment train", "seewhy.models.zoo.segmenter:segmenter_folder", matches=is_segmenter),
    ModelSource("a folder of transformers", "seewhy.models.zoo.hugging_face:hugging_face", matches=is_folder),
)  # fmt: skip


def source_of(spec: str) -> tuple[ModelSource, str]:
    """The source that a spec means, and the network's name there; NoSuchName, with near spellings, where it means none."""
    for source in SOURCES:
        for prefix in source.prefixes:
            if spec.startswith(prefix) and spec != prefix:
                return source, spec.removeprefix(prefix)
        if source.matches(spec):
            return source, spec
    families = [source.prefixes[0].rstrip("/") for source in SOURCES if source.prefixes]
    family, _, name = spec.partition("/")
    near = [f"{known}/{name}" for known in closest(family, families)] if name else []
    if not name and family not in families:
        near = [f"torchvision/{family}", f"timm/{family}"]
    *ways, last = [source.written for source in SOURCES]
    raise NoSuchName("model", spec, near, f"A spec is {', '.join(ways)}, or {last}.")


def _with_settings(model: Any, labels: Any, spec: str, as_wrap: Mapping[str, Any]) -> Any:
    """A model that a person's code wrapped already, with the labels and the preprocessing that can still be given."""
    stray = [key for key, value in as_wrap.items() if value is not None]
    if {*stray} - {"prepare"}:
        raise BadParameter(f"{spec} is a seewhy model already: give {', '.join(stray)} to `wrap` where it is made.")
    prepare = as_wrap.get("prepare")
    model = copy(model)  # the person's code may hold it, and it stays as it is there
    if labels is not None:
        model.labels = read_labels(labels)
    if prepare is not None:
        model.prepare = preparer(prepared_with(model.prepare, prepare))
    return model
