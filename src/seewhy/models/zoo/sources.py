"""What every source of networks takes and gives, and how it fails: within seconds, with an error that says what can be done."""

import socket
from collections.abc import Callable, Mapping
from importlib import import_module
from os import environ
from pickle import UnpicklingError
from typing import Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from seewhy.errors import BadParameter, BadWeights, MissingExtra, SeewhyError
from seewhy.printable import printable

PATIENCE = 3.0  # seconds to find out that there is no network


class Request(NamedTuple):
    """What a person asks a source for."""

    spec: str  # in full, as the person wrote it
    name: str  # as that source knows it
    weights: Any = None  # a file, a tag, RANDOM, or None for the weights that belong to the network
    options: Mapping[str, Any] = {}  # for the constructor
    trust: bool = False  # code that travels with the weights may run
    labels: list[str] | None = None  # as the person gave them
    output: Any = None  # where the scores are in what the network gives, as the person said


class Loaded(NamedTuple):
    """A network with its weights in, and what travels with them."""

    network: Any  # or a function from images to scores, or a model that `wrap` made already
    prepare: Any
    labels: list[str] | None
    weights: str | None
    settings: Mapping[str, Any] = {}  # further arguments of `wrap`
    found_output: bool = False  # `output` of the request was read here, and `wrap` need not know of it


def need(packages: str | tuple[str, ...], module: str | None = None, extra: str = "torch") -> Any:
    """Import a module, by default the first of the packages; MissingExtra where one of these, or torch, is not installed."""
    packages = (packages,) if isinstance(packages, str) else packages
    try:
        return import_module(module or packages[0])
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] not in (*packages, "torch"):
            raise
        raise MissingExtra(error.name or packages[0], extra) from None


def construct(make: Callable[[], Any], request: Request) -> Any:
    """What `make` gives; BadParameter where the options do not suit it."""
    try:
        return make()
    except (SeewhyError, MemoryError):
        raise
    except Exception as error:  # a constructor that is given anything raises anything
        words = f"{type(error).__name__}: {printable(error, 300)}" if str(error) else type(error).__name__
        raise BadParameter(f"{request.spec} cannot be made with {printable(dict(request.options), 300)}: {words}") from error


def fetch(make: Callable[[], Any], request: Request) -> Any:
    """What `make` gives, which may download weights.

    Raises BadWeights where the download fails, BadParameter where the options do not suit.
    """
    try:
        return make()
    except (TypeError, ValueError) as error:
        raise BadParameter(f"{request.spec} cannot be made with {dict(request.options)}: {error}") from error
    except (OSError, RuntimeError) as error:  # URLError and LocalEntryNotFoundError are OSErrors
        raise unreachable(request.spec, f"{type(error).__name__}: {error}".splitlines()[0]) from error
    except UnpicklingError as error:
        raise BadWeights(
            f"The pretrained weights of {request.spec}, as they lie in the cache on this machine, need code, which is not run: "
            "remove them, to fetch them again; or, if you trust who put them there, trust=True (--trust)."
        ) from error


def reach(url: str, spec: str) -> None:
    """Raise in seconds where the weights' host cannot be reached."""
    host = urlparse(url)
    if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise unreachable(spec, "HF_HUB_OFFLINE is set")
    proxies = {} if proxy_bypass(host.hostname or "") else getproxies()
    way = proxies.get(host.scheme) or proxies.get("all")  # where there is a proxy, only the proxy has to be reached
    first = urlparse(way if "://" in way else f"http://{way}") if way else host
    try:
        socket.create_connection((first.hostname or "", first.port or (80 if way else 443)), PATIENCE).close()
    except OSError as error:
        raise unreachable(spec, f"{first.hostname}: {error}") from None


def unreachable(spec: str, why: str) -> BadWeights:
    """The error that pretrained weights can neither be found here nor downloaded."""
    return BadWeights(
        f"The pretrained weights of {spec} are not on this machine and cannot be fetched ({why}). "
        "Offline: give a file (weights=, --weights FILE), or take an embedded network: demo/honest, demo/shortcut, demo/flat."
    )
