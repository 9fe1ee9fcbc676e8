"""`wrap` makes a model of a network; only this module knows which adapter reads which framework."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import signature
from operator import attrgetter
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, overload

from seewhy.arguments import at_home, known_names
from seewhy.errors import BadParameter
from seewhy.printable import quoted
from seewhy.targets.labels import read_labels

from .function import FunctionModel
from .model import SCORES, Differentiable, Model
from .origin import Origin, advice
from .settings import Settings


class TorchLike(Protocol):
    """A network of torch, as type checkers know it; nothing of torch is imported here."""

    def named_modules(self, *args: Any, **settings: Any) -> Any: ...


class KerasLike(Protocol):
    """A network of Keras, as type checkers know it."""

    def get_weights(self) -> Any: ...


class OnnxLike(Protocol):
    """A ModelProto of ONNX, as type checkers know it."""

    @property
    def graph(self) -> Any: ...


class OnnxSessionLike(Protocol):
    """A session of onnxruntime, as type checkers know it."""

    def get_providers(self) -> Any: ...


@overload
def wrap(
    network: TorchLike | KerasLike | OnnxLike | OnnxSessionLike,
    prepare: Any = None, labels: Sequence[str] | str | None = None, name: str | None = None, scores: str | None = None,
    batch_size: int | None = None, device: Any = None, dtype: Any = None, weights: str | None = None, takes: str = "uint8",
    inputs: Any = None, output: Any = None, task: str | None = None, grid: Sequence[int] | None = None,
    geometry: str = "receptive-field", tokenizer: Any = None, channels: int | None = None, params: Any = None,
) -> Differentiable: ...  # fmt: skip
@overload
def wrap(
    network: Callable[..., Any],
    prepare: Any = None, labels: Sequence[str] | str | None = None, name: str | None = None, scores: str | None = None,
    batch_size: int | None = None, device: Any = None, dtype: Any = None, weights: str | None = None, takes: str = "uint8",
    inputs: Any = None, output: Any = None, task: str | None = None, grid: Sequence[int] | None = None,
    geometry: str = "receptive-field", tokenizer: Any = None, channels: int | None = None, params: Any = None,
) -> Model: ...  # fmt: skip
@known_names()
def wrap(
    network: Any,
    prepare: Any = None,
    labels: Sequence[str] | str | None = None,
    name: str | None = None,
    scores: str | None = None,
    batch_size: int | None = None,
    device: Any = None,
    dtype: Any = None,
    weights: str | None = None,
    takes: str = "uint8",
    inputs: Any = None,
    output: Any = None,
    task: str | None = None,
    grid: Sequence[int] | None = None,
    geometry: str = "receptive-field",
    tokenizer: Any = None,
    channels: int | None = None,
    params: Any = None,
) -> Any:
    """The model behind a network: what every method is asked with.

    network: a torch.nn.Module (compiled and DataParallel ones are read through), a Keras model, an ONNX model (ModelProto, or
        a session of onnxruntime), or a module of Flax, whose inside can be read (`Differentiable`); a function of JAX, for
        scores and gradients at the images; or any function from images to scores (n, k): a scikit-learn pipeline, a web
        service, which methods that need scores alone explain (`Model`).
    prepare: PIL image -> float array (c, h, w): a torchvision transform, any callable, or a dict of size, crop, mean,
        std; without it, or with None, the model takes prepared batches (n, c, h, w) only, but for a function that takes uint8,
        and for an ONNX model whose file tells its preprocessing, of which a dict then changes what it names.
    labels: a name per class, "imagenet", or a file of names.
    scores: what is explained: "logits" (as the network gives them), "log-probability" or "probability"; a function's scores
        are explained as given, unless you say that they are logits or ask for one of the others.
    batch_size: images or variants per pass at most (by default what suits their size, on a CPU 4 of 224 x 224, on a GPU 32
        images or 64 variants, and 32 of a function; fewer where memory runs out).
    device, dtype: where and to what the network is moved, in place, as `network.to` does; by default it stays.
    weights: where the weights came from, for the Source.
    takes: what a function takes: "uint8" photos (n, h, w, 3), by `prepare` resized and cropped at most, or "float" arrays
        (n, c, h, w), as `prepare` makes them.
    inputs: what a torch network is called with, where that is not the images alone: a keyword's name, a tuple (positional) or a
        dict (keywords) with seewhy.IMAGE where they go, at any depth, or a function of them that returns such.  Arrays and
        tensors of one row are repeated for each image, PerImage(rows) gives each image its own, anything else, and
        Fixed(value), is passed as it is; none of it is ever changed, and no method perturbs it.
    output: where in its output the scores (n, k) are: a key or field such as "logits", a place in a tuple, or a function of
        the output; by default the tensor itself, the logits, a tuple's first, or the one tensor of scores there is.
    task: "single-label" (softmax), "multi-label" (a sigmoid each) or "regression" (no probabilities); by default one number
        per image (n,) is a regression, (n, 1) a binary logit, and anything else single-label.
    grid: rows and columns of a transformer's patches, where they cannot be found out.
    geometry: "receptive-field" draws each cell of a layer where it looks: at the centre of what the image shows of its field,
        by the network's weights; "plain" spreads the cells evenly over the image, as other libraries do.
    tokenizer: of a network with an image and a text tower (CLIP, SigLIP): texts -> what its text tower takes, as the tokenizer
        or processor of transformers or of open_clip does; target=Text(...) needs it.
    channels: which dimension of a torch network's batches holds the channels: 2 of frames or views (n, t, c, h, w), -1 of
        (n, h, w, c); by default 1, and of batches of other than 4 dimensions that which the network sums over first.  Prepared
        batches are given as the network takes them; maps lie over the dimensions that are left, such as (t, h, w).
    params: the weights of a function of JAX, called as network(params, images), or the variables of a module of Flax Linen;
        arrays of JAX in any structure, which may stand in the second place, too: wrap(function, params).  Images are
        (n, h, w, c) then, or (n, c, h, w) with channels=1.
    Raises BadParameter for anything else.
    """
    if params is None and _are_params(prepare):
        params, prepare = prepare, None
    if scores not in (None, *SCORES):
        raise BadParameter(f"scores={scores!r}: it is one of {', '.join(SCORES)}.")
    if batch_size is not None and (not isinstance(batch_size, int) or not 1 <= batch_size <= 10**6):
        raise BadParameter(f"batch_size={quoted(batch_size)}: a whole number; at least one image goes through at a time.")
    if channels is not None and (isinstance(channels, bool) or not isinstance(channels, int) or channels == 0):
        raise BadParameter(f"channels={quoted(channels)}: a dimension of the batches, such as 1, 2 or -1; 0 holds the images.")
    settings = Settings(
        name or "", prepare, read_labels(labels), scores, batch_size, weights, takes, device, dtype, inputs, output, task, grid,
        geometry, tokenizer, channels, params,
    )  # fmt: skip
    adapter = next((each for each in ADAPTERS if each.reads(network)), None)
    if adapter is None and params is not None and callable(network):
        adapter = JAX
    if adapter is not None:
        if params is not None and not adapter.params:
            kind = type(network).__name__
            raise BadParameter(f"params= are of functions of JAX and modules of Flax; {kind} holds its own weights.")
        model = getattr(import_module(adapter.module), adapter.model)(network, settings)
        if weights is not None:  # what is said of the weights is true as long as they stay as they are
            model.origin = Origin(weights=weights, weights_sha256=model.weights_sha256())
        return model
    if not callable(network) or isinstance(network, type):
        if isinstance(network, Model) and not isinstance(network, type):
            raise BadParameter(f"{network.name} is a seewhy model already: ask methods with it, or wrap its network anew.")
        if not isinstance(network, type) and "predict_proba" not in dir(network) and (instead := advice(network, _read)):
            raise BadParameter(f"wrap takes a torch.nn.Module or a function, not {type(network).__name__}.{instead}")
        named = quoted(str(network)) if isinstance(network, str | PurePath) else "'torchvision/resnet50'"
        raise BadParameter(
            f"wrap takes a torch.nn.Module or a function from images to scores, not {type(network).__name__}"
            f"{f' {network.__name__}: make one of it first' if isinstance(network, type) else ''}"
            f"{': give its own function, wrap(it.predict_proba)' if 'predict_proba' in dir(network) else ''}. "
            f"To load a network by name: seewhy.load({named})."
        )
    return FunctionModel(network, settings, "" if hasattr(network, "__code__") else advice(network, _read))


at_home([*signature(wrap).parameters][1:], "wrap(network, {})")


class Adapter(NamedTuple):
    """A folder that reads the networks of a framework."""

    framework: str  # its module: where nobody has imported it, no network of it can have been given
    kinds: tuple[str, ...]  # classes of its networks, by their names in that module
    module: str  # imported when such a network comes
    model: str  # the class or function in it that is called with a network and its Settings
    params: bool = False  # it reads functions and modules that take their weights

    def reads(self, network: Any) -> bool:
        """Is this network one of its kinds?"""
        framework = sys.modules.get(self.framework)
        return framework is not None and isinstance(network, tuple(attrgetter(kind)(framework) for kind in self.kinds))


JAX = Adapter("jax", ("stages.Wrapped",), "seewhy.models.jax.model", "jax_model", params=True)  # and any function with params
ADAPTERS = (  # the first that reads a network takes it; a new one is a folder beside torch/ and a line here
    Adapter("keras", ("layers.Layer",), "seewhy.models.keras.adapter", "keras_model"),  # on torch, they are modules, too
    Adapter("torch", ("jit.ScriptModule", "export.ExportedProgram"), "seewhy.models.torch.sealed", "SealedModel"),
    Adapter("torch", ("nn.Module",), "seewhy.models.torch.model", "TorchModel"),
    Adapter("onnx", ("ModelProto",), "seewhy.models.onnx.model", "onnx_model"),
    Adapter("onnxruntime", ("InferenceSession",), "seewhy.models.onnx.model", "onnx_model"),
    Adapter("flax.nnx", ("Module",), "seewhy.models.jax.flax", "nnx_model", params=True),
    Adapter("flax.linen", ("Module",), "seewhy.models.jax.flax", "linen_model", params=True),
    JAX,
)


def _read(network: Any) -> bool:
    """Is this a network of a framework?"""
    return any(each.reads(network) for each in ADAPTERS)


def _are_params(value: Any) -> bool:
    """Are these arrays of JAX, in whatever structure?"""
    jax = sys.modules.get("jax")
    if jax is None or value is None or callable(value):
        return False
    leaves = jax.tree.leaves(value)
    return bool(leaves) and all(isinstance(leaf, jax.Array) for leaf in leaves)
