"""Keras's own networks by name, `keras/resnet50`, with the preprocessing and the labels that belong to them."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.errors import BadWeights, MissingExtra, NoSuchName, SeewhyError, closest
from seewhy.prepare.fit import Fit
from seewhy.printable import printable
from seewhy.targets.labels import read_labels
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing, seeded
from .open_file import digest, opened
from .remarks import without_remarks
from .sources import Loaded, Request, construct, need, reach, unreachable

BACKENDS = ("torch", "tensorflow", "jax")  # the first that is installed runs the network, unless KERAS_BACKEND says which
HOST = "https://storage.googleapis.com"  # of the weights of keras.applications
SHARE = 0.875  # of the shorter side of a photo that the centre crop keeps, as where the published accuracies were measured


def keras_network(request: Request) -> Loaded:
    """`keras/NAME`, a network of keras.applications in any case, with weights from Keras's cache, fetched, or of a file."""
    keras = imported_keras()
    name, make = _application(keras, request)
    draws = seeded(request)
    request = draws.request
    if request.weights in (None, "imagenet"):
        network, weights = _pretrained(name, lambda: make(weights="imagenet", **request.options), request), "imagenet"
    else:
        with drawing(draws.seed):
            network, weights = construct(lambda: make(weights=None, **request.options), request), drawn_text(draws.seed)
    if request.weights != RANDOM:
        draws.unused()
    if request.weights not in (None, "imagenet", RANDOM):
        weights = fill_keras(network, Path(request.weights))
    labels = read_labels("imagenet") if network.output_shape[-1] == 1000 else None
    inside = request.options.get("include_preprocessing", True) is not False
    prepare = fit_of(sys.modules[make.__module__].preprocess_input, network.input_shape) if inside else None
    return Loaded(network, prepare, labels, weights)


def imported_keras() -> Any:
    """Keras, on the backend that it runs on already, that KERAS_BACKEND names, or else that is installed, torch first.

    The environment stays as it was, but that TensorFlow keeps its remarks on devices to itself where nobody said otherwise.
    Raises MissingExtra where Keras or every backend is missing.
    """
    if "keras" not in sys.modules and find_spec("keras") is None:
        raise MissingExtra("keras", "keras")
    with backend_chosen():
        if "keras" not in sys.modules and not environ.get("KERAS_BACKEND"):
            raise MissingExtra(f"A backend of Keras ({', '.join(BACKENDS)})", "torch")
        if environ.get("KERAS_BACKEND") != "tensorflow":
            return need("keras", extra="keras")
        environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with without_remarks():
            return need("keras", extra="keras")


@contextmanager
def backend_chosen() -> Iterator[None]:
    """While the block runs, whoever imports Keras for the first time gets the backend that `imported_keras` takes."""
    settled = "keras" in sys.modules or environ.get("KERAS_BACKEND")
    backend = None if settled else next((name for name in BACKENDS if find_spec(name) is not None), None)
    if backend is None:
        yield
        return
    environ["KERAS_BACKEND"] = backend
    try:
        yield
    finally:
        environ.pop("KERAS_BACKEND", None)


def is_keras(thing: Any) -> bool:
    """Is it a model or a layer of Keras?"""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(thing, keras.layers.Layer)


def _application(keras: Any, request: Request) -> tuple[str, Callable[..., Any]]:
    """The name and the constructor of a network; NoSuchName, with near spellings, where there is none of that name."""
    makers = {name: make for name, make in vars(keras.applications).items() if name[:1].isupper() and callable(make)}
    plain = {_plain(name): name for name in makers}
    name = plain.get(_plain(request.name))
    if name is None:
        near = closest(_plain(request.name), [*plain])
        every = ", ".join(sorted(plain))
        raise NoSuchName("model", f"keras/{request.name}", [f"keras/{each}" for each in near], f"All of keras/: {every}.")
    return name, makers[name]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _pretrained(name: str, make: Callable[[], Any], request: Request) -> Any:
    """The network with its pretrained weights; BadWeights, within seconds, where they are neither here nor to be fetched."""
    if not _cached(name):
        reach(HOST, request.spec)
    try:
        return make()
    except (SeewhyError, MemoryError):
        raise
    except (TypeError, ValueError):
        return construct(make, request)
    except Exception as error:  # Keras raises plain ones where a download fails
        raise unreachable(request.spec, printable(f"{type(error).__name__}: {error}", 300)) from error


def _cached(name: str) -> bool:
    """Is there a file in Keras's cache that seems to hold weights of the network of that name?"""
    home = Path(environ.get("KERAS_HOME") or Path.home() / ".keras")
    own = re.compile(rf"{_plain(name)}(?!v?\d)(?!large|small)")
    return any(own.match(_plain(file.stem)) for file in (home / "models").glob("*.h5"))


def fill_keras(network: Any, path: Path) -> str:
    """Load a file of weights that Keras saved; returns its name with the start of its SHA-256."""
    if not path.is_file():
        raise BadWeights(f"The weights {path} are not there. Give a file that Keras saved: .weights.h5, .h5 or .keras.")
    if not path.name.endswith((".h5", ".hdf5", ".keras")):
        raise BadWeights(f"{path} is no file of weights that Keras saved: .weights.h5, .h5 or .keras.")
    with opened(path) as file:
        try:
            network.load_weights(str(path))
        except Exception as error:  # a stranger's file, read by another library
            words = printable(f"{type(error).__name__}: {error}", 300)
            hint = " For other classes give options={'classes': N} (--option classes=N)."
            raise BadWeights(f"{path} does not go into {network.name}: {words}{hint}") from error
        return f"{path.name} {digest(file)}"


def fit_of(preprocess: Callable[..., Any], shape: tuple[int | None, ...]) -> Fit:
    """Keras's preprocessing as a `Fit`, read off what it makes of black, white and the primary colours.

    shape: of the network's batches, channels last or first.
    """
    primaries = np.concatenate([np.zeros((1, 3)), np.full((1, 3), 255.0), 255 * np.eye(3)])
    out = np.asarray(preprocess(primaries.reshape(5, 1, 1, 3).copy(), data_format="channels_last")).reshape(5, 3)
    black, white, *single = out.astype(np.float64)
    red, blue = (int(abs(each - black).argmax()) for each in (single[0], single[2]))
    order = slice(None, None, -1) if red > blue else slice(None)
    std = 1 / (white - black)[order]
    mean = -black[order] * std
    sides = [side for side in (shape[2:] if shape[1] == 3 else shape[1:3]) if side is not None] or [224, 224]
    numbers = tuple((np.round(mean, 12) + 0.0).tolist()), tuple(np.round(std, 12).tolist())
    if sides[0] != sides[1]:
        return Fit((sides[0], sides[1]), None, *numbers, bgr=red > blue)
    return Fit(round(sides[0] / SHARE), sides[0], *numbers, bgr=red > blue)
