"""How the tests ask seewhy for the numbers behind a heatmap: float64 and signed, of a network or of bare arrays."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

import seewhy
from seewhy.explaining.case import Case
from seewhy.methods.making.method import lookup
from seewhy.models.model import Evidence

Floats = NDArray[np.float64]
Targets = Sequence[Any]  # classes or Targets


def case(
    network: nn.Module, x: Floats, targets: Targets, layers: Sequence[str | None] = (None,), scores: str = "logits",
    gradients: bool = True, pixels: bool = False, twice: bool = False,
) -> Case:  # fmt: skip
    """The question, for several methods to answer; without `gradients` the pass stops at the last layer; cells lie evenly."""
    asked = [seewhy.Class(t) if isinstance(t, int) else t for t in targets]
    shared = [*(["gradients"] if gradients else []), *(["pixels"] if pixels else []), *(["twice"] if twice else [])]
    return Case(seewhy.wrap(network, scores=scores, geometry="plain"), x, asked, layers, shared)


def maps(
    network: nn.Module, method: str, x: Floats, targets: Targets, layers: Sequence[str], scores: str = "logits", **params: Any
) -> Mapping[str, Floats]:
    """{layer: (t, n, h, w)}, signed, in the network's own precision."""
    reads = {kind: kind in seewhy.METHODS[method].shares for kind in ("gradients", "pixels", "twice")}
    return run(method, case(network, x, targets, layers, scores, **reads), **params)


def formula(method: str, a: Any, g: Any = None, w: Any = None, hessian: Any = None, **params: Any) -> Floats:
    """The signed map (n, *space) that a method makes of a (n, c, *space) and g like it, or w (n, c); hessian: v -> H v."""
    bare = SimpleNamespace(targets=[None], named=["here"], at_layers=dict, activations={"here": a}, plain_only=lambda _: None)
    if g is not None:
        again = None if hessian is None else lambda _t, v: hessian(v)
        bare.trace = SimpleNamespace(evidence={"here": Evidence(a, g[None], again)})
    if w is not None:
        bare.head = SimpleNamespace(a={"here": a}, w=w[None])
    return run(method, bare, **params)["here"][0]


def run(method: str | seewhy.Method, asked: Any, **params: Any) -> Mapping[str, Floats]:
    """What a method finds in a case, signed: {layer: (t, n, h, w)}, or of a pixel method its channels (t, n, c, h, w)."""
    return lookup(method).using(**params).outcome(asked).cores


ATTENTION = ("attention-rollout", "transformer-relevance", "le-grad")  # which a network needs for these
ANYWHERE = [name for name in seewhy.METHODS if name not in ATTENTION]


def home(name: str) -> str:
    """The network, of `networks`, on which a method is tried where any will do."""
    return "tokens" if name in ATTENTION else "pooled"


FEW = {"samples": 3, "steps": 4, "masks": 20, "window": 5, "stride": 3}


def asked(name: str) -> seewhy.Method:
    """The method of that name, with few samples and steps where it takes any."""
    method = lookup(name)
    return method.using(**{key: few for key, few in FEW.items() if key in method.defaults})


def measured(found: Any) -> Mapping[str, Floats]:
    """What a method measured at its one layer, by name: (t, n)."""
    return found.measurements(*found.cores)


def values(heatmaps: Any) -> NDArray[np.float32]:
    return np.stack([m.values for m in heatmaps])


def close(found: Any, expected: Any, rel: float = 1e-9) -> None:
    """Equal, up to `rel` of the largest value that is expected; and something is expected."""
    largest = np.abs(expected).max()
    assert largest > 0, "nothing is expected, so nothing is tested"
    np.testing.assert_allclose(found, expected, rtol=rel, atol=rel * largest)


def far(found: Any, other: Any, rel: float = 0.01) -> None:
    """Different, at some place by more than `rel` of the largest value."""
    assert np.abs(np.asarray(found) - other).max() > rel * np.abs(other).max()
