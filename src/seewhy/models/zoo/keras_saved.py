"""A whole Keras model in a file: `.keras`, or HDF5 as Keras 2 and 3 write it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from seewhy.errors import BadParameter, BadWeights, SeewhyError
from seewhy.memory import out_of_memory
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from seewhy.printable import printable
from seewhy.untrained import RANDOM

from .code import python_object
from .keras import imported_keras
from .keras_legacy import check_origin, of_today, text_of
from .open_file import check_name, digest, opened
from .sources import Loaded, Request, need

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"  # how such files begin
PICKLE, TORCH = b"\x80", "holds weights or a network of torch"
MOST = 64 * 2**20  # bytes of settings
CODE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper")  # layers that run what the file holds
RESCALED = ("Rescaling", "Normalization")  # layers at the beginning that say that photos go in as they are


def keras_file(request: Request) -> Loaded:
    """The model in a file that Keras saved.  Nothing in it runs, unless `trust`.

    options: custom="module:attribute" or "file.py:attribute", several with commas or in a list: layers and functions of the
    person's own that the model is made of.
    """
    path = Path(request.spec)
    if not path.is_file():
        raise BadWeights(f"There is no file {path}.")
    stray = [key for key in request.options if key != "custom"]
    stray += [] if request.weights in (None, RANDOM) else ["weights"]
    if stray:
        raise BadParameter(f"{path} is a model with its weights: it takes no {', '.join(stray)}; only custom=module:attribute.")
    with opened(path) as file:
        begin = file.read(8)
        if not begin.startswith(ZIP) and begin != HDF5:
            raise BadWeights(f"{path} {_instead(begin)}. A Keras model is a .keras or an HDF5 file (model.save).")
        keras, custom = imported_keras(), _custom(request.options.get("custom"))
        with _readable(path, keras.__version__):
            made = _of_zip if begin.startswith(ZIP) else _of_hdf5
            network = made(file, path, custom, request.trust)
        check_name(file, path)
        return Loaded(network, photo_fit(network), None, f"{path.name} {digest(file)}")


def _instead(begin: bytes) -> str:
    """What a file is that begins so, in words."""
    if not begin:
        return "is empty"
    if begin.startswith(PICKLE):
        return "is a pickle, of Python objects, which is not read"
    return "is neither: it is another kind of file, or was cut off"


def _custom(given: Any) -> dict[str, Any]:
    """The person's own layers and functions, by name."""
    specs = given.split(",") if isinstance(given, str) else list(given or ())
    if not all(isinstance(spec, str) for spec in specs):
        raise BadParameter('custom= takes "module:attribute" or "file.py:attribute", several with commas or in a list.')
    made = {}
    for spec in map(str.strip, specs):
        name = spec.rpartition(":")[2] if ":" in spec else ""
        made[name] = python_object(spec)
    return {name: value for name, value in made.items() if name}  # a module may have registered its own


@contextmanager
def _readable(path: Path, version: str) -> Iterator[None]:
    """Whatever Keras raises over a file is BadWeights, and says what can be done."""
    try:
        yield
    except (SeewhyError, MemoryError):
        raise
    except Exception as error:  # a stranger's file, read by another library
        if out_of_memory(error):
            raise MemoryError(str(error)) from error
        words = printable(f"{type(error).__name__}: {error}", 400)
        raise BadWeights(
            f"{path} cannot be read by Keras {version}: {words} A layer or function of your own: custom=module:attribute "
            "(--option custom=module:attribute). A model of an older Keras: load it with that, or with tf_keras, and save it "
            "as a .keras file."
        ) from error


def _of_zip(file: BinaryIO, path: Path, custom: Mapping[str, Any], trust: bool) -> Any:
    try:
        with ZipFile(file) as archive:
            if "config.json" not in archive.namelist():
                raise BadWeights(f"{path} is a ZIP file without a Keras model in it, or {TORCH}.")
            if archive.getinfo("config.json").file_size > MOST:
                raise BadWeights(f"{path}: its config.json has more than {MOST // 2**20} MB.")
            config = json.loads(archive.read("config.json"))
    except (BadZipFile, EOFError, KeyError, NotImplementedError) as error:
        raise BadWeights(f"{path} is no intact .keras file: {printable(error, 200)}. Copy or save it again.") from None
    _refuse_code(config, path, trust)
    reader = need("keras", "keras.src.saving.saving_lib", "keras")
    file.seek(0)
    return reader.load_model(file, custom_objects=dict(custom), compile=False, safe_mode=not trust)


def _of_hdf5(file: BinaryIO, path: Path, custom: Mapping[str, Any], trust: bool) -> Any:
    h5py = need("h5py", extra="keras")
    try:
        store = h5py.File(file, "r")
    except OSError as error:
        raise BadWeights(f"{path} is no intact HDF5 file: {printable(error, 200)}. Copy or save it again.") from None
    with store:
        check_origin({**store.attrs, **(store["model_weights"].attrs if "model_weights" in store else {})}, str(path))
        if "model_config" not in store.attrs:
            raise BadWeights(
                f"{path} holds weights without their model. Name it: load('keras/resnet50', weights={str(path)!r}) "
                "or --model keras/NAME --weights FILE; or save the whole model, model.save('model.keras')."
            )
        text = text_of(store.attrs["model_config"])
        if len(text) > MOST:
            raise BadWeights(f"{path}: its model_config has more than {MOST // 2**20} MB.")
        config = of_today(json.loads(text))
        _refuse_code(config, path, trust)
        return _built(config, store, custom, trust)


def _built(config: Any, store: Any, custom: Mapping[str, Any], trust: bool) -> Any:
    """The model of these settings, as Keras 3 builds those of HDF5 files, with the weights of the file."""
    options = need("keras", "keras.src.legacy.saving.saving_options", "keras")
    making = need("keras", "keras.src.legacy.saving.saving_utils", "keras")
    weights = need("keras", "keras.src.legacy.saving.legacy_h5_format", "keras")
    safety = need("keras", "keras.src.saving.serialization_lib", "keras")
    with options.keras_option_scope(use_legacy_config=True), safety.SafeModeScope(not trust):
        model = making.model_from_config(config, custom_objects=dict(custom))
        weights.load_weights_from_hdf5_group(store["model_weights"], model)
    return model


def _refuse_code(config: Any, path: Path, trust: bool) -> None:
    """Raise BadWeights where a layer would run what the file holds."""
    found = [*_layers_of(config)]
    layers = [f"{kind} {printable(name, 60)}".strip() for kind, name in found if kind in CODE]
    if layers and not trust:
        raise BadWeights(
            f"{path} has layers that run code which the file brings ({', '.join(layers[:3])}), which is not done. Write them "
            "as layers of your own (custom=module:attribute); or, if you trust who made the file, trust=True (--trust)."
        )


def _layers_of(config: Any) -> Iterator[tuple[str, Any]]:
    """The class and the name of every object in settings."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str):
                inner = part.get("config")
                yield part["class_name"], inner.get("name", "") if isinstance(inner, dict) else ""
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def photo_fit(network: Any) -> Fit | None:
    """The preprocessing of a model of photos: of one that rescales them itself, as a layer at its beginning, all of it, and of
    others the size; None of what takes no photos.
    """
    from seewhy.models.keras.layers import channels_of  # here, for it imports keras, whose backend is chosen first

    layers = [layer for layer in network.layers if type(layer).__name__ != "InputLayer"][:2]
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or channels_of(network) == 1 or shape[-1] not in (1, 3):
        return None
    height, width, channels = shape[1:]
    size = None if height is None or width is None else (height, width)
    if any(type(layer).__name__ in RESCALED for layer in layers):
        return Fit(size, None, (0.0,) * channels, (1 / 255,) * channels)
    return Unscaled(size, grey=channels == 1)
