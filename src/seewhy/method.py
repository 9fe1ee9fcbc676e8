"""A method is a function with a name: call it, pass it, print it, send it to a worker.

    @from_gradients()
    def grad_cam(a, g):
        '''relu(sum_c mean(g) a).  Source: Selvaraju et al. 2017, eq. 1-2.'''
        return weighted_sum(mean(g), a)

is all there is to a method: the registry, the command line, the promises it is tested for follow from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from inspect import Parameter, cleandoc, signature
from typing import Any

import numpy as np
from einops import asnumpy, repeat
from numpy.typing import NDArray

from .case import Case, explain
from .errors import BadParameter, NoSuchName, closest
from .heatmap import Heatmaps
from .image import Array, Images
from .target import Top

METHODS: dict[str, "Method"] = {}  # every method by its name: grad-cam, layer-cam, ...

COSTS = {
    "gradients": "1 forward, and the tail behind the layer back per target",
    "activations": "the forward up to the layer",
    "head": "1 forward",
    "nothing": "the forward up to the layer, for its size alone",
}
Run = Callable[..., Mapping[str, NDArray[Any]]]  # (Case, **params) -> {layer: (t, n, *space)}, signed


@dataclass(frozen=True)
class Method:
    """A named way to explain.  Call it: `grad_cam(model, images, target=Top(), layer=None, **params) -> Heatmaps`.

    model: what `seewhy.wrap` or `seewhy.load` gave.
    images: a path, a PIL image, a uint8 array (h, w, 3) or (h, w), a list of these, or a prepared float batch (n, c, h, w).
    target: a class index, a label, a Target, or a list of these; Top() is the class each image is taken for.
    layer: a name (name#1 reads the first call of a reused module), a list of names, or None for the last layer that
        still has space.
    Raises Misuse where the question cannot be asked so, BadImage where a picture cannot be read.
    """

    name: str
    run: Run = field(repr=False, compare=False)
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    reads: str = field(default="gradients", repr=False)  # a key of COSTS
    rectified: bool = field(default=True, repr=False)  # its formula ends in a ReLU; signed=True leaves that out
    doc: str = field(default="", repr=False, compare=False)
    params: Mapping[str, Any] = field(default_factory=dict)

    def __call__(
        self, model: Any, images: Images, target: Any = Top(), layer: Any = None, **params: Any
    ) -> Heatmaps:  # fmt: skip
        return explain(model, images, [self.using(**params)], target, layer)

    def using(self, **params: Any) -> "Method":
        """The same method with other parameters: `grad_cam.using(signed=True)`."""
        for name in params:
            if name not in self.defaults:
                takes = ", ".join(f"{k}={v!r}" for k, v in self.defaults.items()) or "no parameters"
                raise BadParameter(f"{self.name} has no parameter {name!r}. It takes {takes}.")
            if isinstance(self.defaults[name], bool) and params[name] not in (True, False):  # 1 and 0 are
                raise BadParameter(f"{self.name}: {name} is either True or False, not {params[name]!r}.")
            if isinstance(self.defaults[name], int | float) and not isinstance(params[name], int | float | np.number):
                raise BadParameter(f"{self.name}: {name} is a number, not {params[name]!r}.")
        return replace(self, params={**self.params, **params})

    @property
    def settings(self) -> dict[str, Any]:
        """Every parameter, given or by default."""
        return {**self.defaults, **self.params}

    @property
    def formula(self) -> str:
        return self._part(0)

    @property
    def source(self) -> str:
        """The paper."""
        return self._said("Source:")

    @property
    def caveat(self) -> str:
        """What is known against the method, or limits it."""
        return self._said("Caveat:")

    @property
    def cost(self) -> str:
        return COSTS[self.reads]

    def _part(self, i: int) -> str:
        return " ".join(self.doc.split("\n\n")[i].split())

    def _said(self, key: str) -> str:
        parts = [" ".join(part.split()) for part in self.doc.split("\n\n")]
        return next((part.removeprefix(key).strip() for part in parts if part.startswith(key)), "")

    def __hash__(self) -> int:
        return hash((self.name, repr(sorted(self.params.items()))))

    def __reduce__(self) -> Any:  # by name, so that it reaches a worker without its code
        return (lookup, (self.name, dict(self.params))) if self.name in METHODS else super().__reduce__()


def lookup(name: "str | Method", params: Mapping[str, Any] | None = None) -> Method:
    """The method of that name (grad-cam or grad_cam), with these parameters."""
    if isinstance(name, Method):
        return name.using(**(params or {}))
    import_module("seewhy.methods")  # in a fresh process nobody may have
    key = str(name).lower().replace("_", "-")
    if key not in METHODS:
        raise NoSuchName("method", name, closest(key, [*METHODS]), f"All: {', '.join(METHODS)}.")
    return METHODS[key].using(**(params or {}))


def listed(method: Method) -> Method:
    """Make a method known by its name: to lookup, the command line, the workers."""
    METHODS[method.name] = method
    return method


def method_of(function: Callable[..., Any], run: Run, reads: str, rectified: bool) -> Method:
    """The method that `run` carries out: named after `function`, with its keyword-only arguments as parameters."""
    kinds = signature(function).parameters.values()
    defaults = {p.name: p.default for p in kinds if p.kind is Parameter.KEYWORD_ONLY}
    if rectified:
        defaults = {"signed": False, **defaults}
    return listed(
        Method(function.__name__.replace("_", "-"), run, defaults, reads, rectified, cleandoc(function.__doc__ or ""))
    )


def from_gradients(rectified: bool = True) -> Callable[[Callable[..., Array]], Method]:
    """A method that reads one backward pass: decorate (a, g) -> map, (n, c, *space) twice -> (n, *space), signed."""

    def decorate(read: Callable[..., Array]) -> Method:
        def run(case: Case, **params: Any) -> Mapping[str, NDArray[Any]]:
            evidence = case.trace.evidence
            return {layer: _per_target(partial(read, **params), e.a, e.g) for layer, e in evidence.items()}

        return method_of(read, run, "gradients", rectified)

    return decorate


def from_activations(rectified: bool = True) -> Callable[[Callable[..., Array]], Method]:
    """A method that no class plays a part in: decorate (a) -> map, (n, c, *space) -> (n, *space), signed."""

    def decorate(read: Callable[..., Array]) -> Method:
        def run(case: Case, **params: Any) -> Mapping[str, NDArray[Any]]:
            once = {layer: np.asarray(asnumpy(read(a, **params))) for layer, a in case.activations.items()}
            return {layer: np.stack([values] * len(case.targets)) for layer, values in once.items()}

        return method_of(read, run, "activations", rectified)

    return decorate


def from_head(rectified: bool = True) -> Callable[[Callable[..., Array]], Method]:
    """A method that reads the last linear layer: decorate (a, w) -> map, (n, c, *space) and (n, c) -> (n, *space)."""

    def decorate(read: Callable[..., Array]) -> Method:
        def run(case: Case, **params: Any) -> Mapping[str, NDArray[Any]]:
            head = case.head
            return {layer: _per_target(partial(read, **params), a, head.w) for layer, a in head.a.items()}

        return method_of(read, run, "head", rectified)

    return decorate


def _per_target(read: Callable[..., Array], a: Array, each: Array) -> NDArray[Any]:
    """A formula for t targets, `each` being (t, n, c, ...): (t, n, *space).  Those of a single image go at once."""
    if len(a) == 1:
        return asnumpy(read(repeat(a, "1 c ... -> t c ...", t=len(each)), each[:, 0]))[:, None]
    return np.stack([asnumpy(read(a, one)) for one in each])
