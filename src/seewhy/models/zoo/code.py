"""Networks that a person's own Python makes: `path/to/file.py:NAME` and `package.module:NAME`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from seewhy.errors import BadNetwork, BadParameter, NoSuchName, SeewhyError, closest
from seewhy.models.model import RANDOM, Model
from seewhy.printable import words_of

from .sources import Loaded, Request


def code_network(request: Request) -> Loaded:
    """What NAME is: a network or a model; or makes, called with the options: one of these, a function from images to
    scores, or a tuple (network, prepare, labels).  `prepare` and `labels` may be left out.
    """
    place, _, name = request.spec.rpartition(":") if not request.spec.endswith(".py") else (request.spec, "", "")
    file = Path(place).expanduser() if place.endswith(".py") else None
    with _importable(file.parent if file else Path()), _told(request.spec, file):
        module = _of_file(file, request.spec) if file else _of_name(place, request.spec)
        made = _called(_named(module, name, request.spec), request)
    network, prepare, labels = (*made, None, None)[:3] if isinstance(made, tuple) and made else (made, None, None)
    tag = _weights(network, request)
    return Loaded(network, prepare, labels, tag)


def _weights(network: Any, request: Request) -> str:
    if request.weights in (None, RANDOM):
        return f"as {request.spec} makes them"
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(network, torch.nn.Module):
        raise BadParameter(f"{request.spec} gives {type(network).__name__}: weights go into a torch.nn.Module only.")
    from .weights import fill  # stands on torch, which other code of a person need not have

    return fill(network, request.weights, request.trust)[0]


def _called(thing: Any, request: Request) -> Any:
    """The thing itself if it is a network or a model, else what it makes of the options."""
    torch = sys.modules.get("torch")
    ready = isinstance(thing, tuple | Model) or (torch is not None and isinstance(thing, torch.nn.Module))
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
    if not file.is_file():
        raise NoSuchName("file", str(file), [], f"{spec!r} stands for NAME in a file of Python: path/to/file.py:NAME.")
    name = f"{file.stem}_{sha256(str(file.resolve()).encode()).hexdigest()[:8]}"  # no other module's
    made = spec_from_file_location(name, file)
    if made is None or made.loader is None:
        raise BadNetwork(f"{file} cannot be read as Python.")
    module = sys.modules[name] = module_from_spec(made)
    try:
        made.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_name(place: str, spec: str) -> ModuleType:
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise
        raise NoSuchName(
            "module", error.name, [], f"{spec!r} stands for NAME in a module that Python can import from here."
        ) from None


def _named(module: ModuleType, name: str, spec: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not name or not hasattr(found, part):
            own = [one for one in vars(found) if not one.startswith("_")] if hasattr(found, "__dict__") else []
            raise NoSuchName("network", spec, closest(part, own) if part else own[-3:], "Give FILE.py:NAME or module:NAME.")
        found = getattr(found, part)
    return found


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """What lies in the folder can be imported: first of all while the block runs, afterwards where nothing else has the name,
    since a forward may import, too.  A module of the same name from another file's folder is forgotten, for this file to find
    its own.
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
        _keep(place)
        NEIGHBOURS.update({name: place for name in {*sys.modules} - before if _beside(folder, name)})


def _keep(place: str) -> None:
    """At the end of the path, before the folders of other files."""
    if place in sys.path and place not in KEPT:
        return
    for folder in KEPT:
        if folder in sys.path:
            sys.path.remove(folder)
    KEPT[:] = [place, *(folder for folder in KEPT if folder != place)]
    sys.path.extend(KEPT)


KEPT: list[str] = []  # folders of persons' files, the last that was loaded first
NEIGHBOURS: dict[str, str] = {}  # modules that were imported from beside a person's file, and the folder


def _beside(folder: Path, name: str) -> bool:
    own = folder / name.partition(".")[0]
    return own.is_dir() or own.with_suffix(".py").is_file()


@contextmanager
def _told(spec: str, file: Path | None) -> Iterator[None]:
    """What a person's code raises, as BadNetwork, with the file and the line."""
    try:
        yield
    except SeewhyError:
        raise
    except (Exception, SystemExit) as error:
        raise BadNetwork(f"{spec} failed{_where(error, file)}: {type(error).__name__}: {words_of(error)}") from error


def _where(error: BaseException, file: Path | None) -> str:
    """The last line of theirs that ran, or that cannot be read."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" in {error.filename}, line {error.lineno}"
    mine = str(Path(__file__).parents[2])
    frames = [one for one in extract_tb(error.__traceback__) if not one.filename.startswith((mine, "<"))]
    own = [one for one in frames if file and Path(one.filename).resolve() == file.resolve()] or frames
    return f" in {own[-1].filename}, line {own[-1].lineno}" if own else ""
