"""Networks that a person's own Python makes: `path/to/file.py:NAME` and `package.module:NAME`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from seewhy.errors import BadNetwork, BadParameter, NoSuchName, SeewhyError, closest
from seewhy.models.model import Model
from seewhy.printable import words_of
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing, drawing_torch, seeded
from .keras import backend_chosen, fill_keras, is_keras
from .sources import Loaded, Request


def code_network(request: Request) -> Loaded:
    """The network that NAME stands for.

    NAME is a network or a model, or is called with the options and returns one of these, a function from images to scores, or a
    tuple (network, prepare, labels), of which `prepare` and `labels` may be left out.
    """
    if request.weights == RANDOM:
        return _drawn(request)
    network, prepare, labels = _made(request)
    return Loaded(network, prepare, labels, _weights(network, request))


def _drawn(request: Request) -> Loaded:
    """The network as its constructor draws it from a seed.  Raises BadParameter where it draws nothing, but brings weights."""
    asked = seeded(request)
    with drawing_torch(asked.seed) if "torch" in sys.modules or find_spec("torch") else drawing(asked.seed):
        network, prepare, labels = _made(asked.request)
    torch = sys.modules.get("torch")
    if is_keras(network):
        return Loaded(network, prepare, labels, drawn_text(asked.seed))
    if torch is None or not isinstance(network, torch.nn.Module):
        raise BadParameter(
            f'{request.spec} gives {type(network).__name__}, whose weights are not drawn here: leave "random" out.'
        )
    with drawing_torch(asked.seed + 1):
        other = dict(_made(asked.request)[0].named_parameters())
    if all(name in other and torch.equal(weight, other[name]) for name, weight in network.named_parameters()):
        raise BadParameter(f'{request.spec} draws no weights: it is a network already, or brings its own. Leave "random" out.')
    return Loaded(network, prepare, labels, drawn_text(asked.seed))


def _made(request: Request) -> Any:
    """What the code makes, (network, prepare, labels): a network, its preprocessing, its labels; None for what is left out."""
    place, _, name = request.spec.rpartition(":") if not request.spec.endswith(".py") else (request.spec, "", "")
    file = Path(place).expanduser() if place.endswith(".py") else None
    with backend_chosen(), _importable(file.parent if file else Path()), _as_bad_network(request.spec, file):
        module = _of_file(file, request.spec) if file else _of_name(place, request.spec)
        made = _called(_named(module, name, request.spec), request)
    return (*made, None, None)[:3] if isinstance(made, tuple) and made else (made, None, None)


def python_object(spec: str) -> Any:
    """What a person's own Python holds under `path/to/file.py:NAME` or `package.module:NAME`; the module, without NAME."""
    place, _, name = spec.rpartition(":") if ":" in spec and not spec.endswith(".py") else (spec, "", "")
    file = Path(place).expanduser() if place.endswith(".py") else None
    with _importable(file.parent if file else Path()), _as_bad_network(spec, file):
        module = _of_file(file, spec) if file else _of_name(place, spec)
        return _named(module, name, spec) if name else module


def _weights(network: Any, request: Request) -> str:
    """Load the weights of the request, if there are any, into the network; what to say of where they came from."""
    if request.weights is None:
        return f"as {request.spec} makes them"
    if is_keras(network):
        return fill_keras(network, Path(request.weights))
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(network, torch.nn.Module):
        what = type(network).__name__
        raise BadParameter(f"{request.spec} gives {what}: weights go into a torch.nn.Module or a Keras model only.")
    from .weights import fill  # stands on torch, which other code of a person need not have

    return fill(network, request.weights, request.trust)[0]


def _called(thing: Any, request: Request) -> Any:
    """The thing itself if it is a network or a model, else what it returns when it is called with the options."""
    torch = sys.modules.get("torch")
    ready = isinstance(thing, tuple | Model) or is_keras(thing) or (torch is not None and isinstance(thing, torch.nn.Module))
    if ready or not callable(thing) or isinstance(thing, ModuleType):
        if not ready:
            raise BadNetwork(
                f"{request.spec} is {type(thing).__name__}: name a network, or a function or class that makes one."
            )
        if request.options:
            raise BadParameter(f"{request.spec} is a network already, and takes no options ({', '.join(request.options)}).")
        return thing
    try:
        signature(thing).bind(**request.options)
    except ValueError:  # built in, its signature cannot be read
        pass
    except TypeError as error:
        raise BadParameter(
            f"{request.spec} is called with the options {dict(request.options)}, and {error}; it takes {signature(thing)}. "
            "A function from images to scores is returned from one without arguments: `def net(): return predict`."
        ) from None
    return thing(**request.options)


def _of_file(file: Path, spec: str) -> ModuleType:
    """The module that a file of Python makes, run anew each time."""
    if not file.is_file():
        raise NoSuchName("file", str(file), [], f"{spec!r} stands for NAME in a file of Python: path/to/file.py:NAME.")
    name = f"{file.stem}_{sha256(str(file.resolve()).encode()).hexdigest()[:8]}"  # a name that no other module has
    module_spec = spec_from_file_location(name, file)
    if module_spec is None or module_spec.loader is None:
        raise BadNetwork(f"{file} cannot be read as Python.")
    module = sys.modules[name] = module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_name(place: str, spec: str) -> ModuleType:
    """The module of that name; NoSuchName where there is none, and not where a module that it imports is missing."""
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise
        raise NoSuchName(
            "module", error.name, [], f"{spec!r} stands for NAME in a module that Python can import from here."
        ) from None


def _named(module: ModuleType, name: str, spec: str) -> Any:
    """What a dotted name stands for in the module; NoSuchName, with the nearest names, where there is no such thing."""
    value: Any = module
    for part in name.split("."):
        if not name or not hasattr(value, part):
            names = [key for key in vars(value) if not key.startswith("_")] if hasattr(value, "__dict__") else []
            raise NoSuchName("network", spec, closest(part, names) if part else names[-3:], "Give FILE.py:NAME or module:NAME.")
        value = getattr(value, part)
    return value


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Make the modules of a folder importable.

    While the block runs they come first of all; afterwards, since a forward pass may import too, they come last.  A module of
    the same name from the folder of another file is forgotten, so that this file imports the one beside it.
    """
    place = str(folder.resolve())
    for name in [name for name, file in NEIGHBOURS.items() if file != place and _beside(folder, name)]:
        sys.modules.pop(name, None)
        del NEIGHBOURS[name]
    before = {*sys.modules}
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        _keep_on_path(place)
        NEIGHBOURS.update({name: place for name in {*sys.modules} - before if _beside(folder, name)})


def _keep_on_path(place: str) -> None:
    """Put the folder near the end of the path, before the folders of files that were loaded earlier."""
    if place in sys.path and place not in FOLDERS:
        return
    for folder in FOLDERS:
        if folder in sys.path:
            sys.path.remove(folder)
    FOLDERS[:] = [place, *(folder for folder in FOLDERS if folder != place)]
    sys.path.extend(FOLDERS)


FOLDERS: list[str] = []  # of files that were loaded, the latest first
NEIGHBOURS: dict[str, str] = {}  # modules that were imported from beside such a file -> the folder


def _beside(folder: Path, name: str) -> bool:
    """Does the folder hold a module of that name?"""
    place = folder / name.partition(".")[0]
    return place.is_dir() or place.with_suffix(".py").is_file()


@contextmanager
def _as_bad_network(spec: str, file: Path | None) -> Iterator[None]:
    """Raise what the code of a file or module raises as BadNetwork, with the file and the line."""
    try:
        yield
    except SeewhyError:
        raise
    except (Exception, SystemExit) as error:
        raise BadNetwork(f"{spec} failed{_where(error, file)}: {type(error).__name__}: {words_of(error)}") from error


def _where(error: BaseException, file: Path | None) -> str:
    """The last line of the person's code that ran, or that cannot be read."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" in {error.filename}, line {error.lineno}"
    package = str(Path(__file__).parents[2])
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith((package, "<"))]
    theirs = [frame for frame in frames if file and Path(frame.filename).resolve() == file.resolve()] or frames
    return f" in {theirs[-1].filename}, line {theirs[-1].lineno}" if theirs else ""
