"""From images, a question and methods to heatmaps: the one road every explanation takes."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import BadParameter, NeedsGradients
from .heatmap import Heatmap, Heatmaps, Predicted, Source
from .image import Array, Images, Prepared, sort_out
from .models import Answer, Differentiable, Head, Trace
from .prepare import Batch
from .target import PerImage, Target, Top, as_targets, name_of, named

if TYPE_CHECKING:
    from .method import Method


class Case:
    """One batch before one model, and the question asked.  What was found is kept for the next method to read."""

    def __init__(self, model: Differentiable, x: Array, targets: Sequence[Target], layers: Sequence[str | None],
                 gradients: bool = True) -> None:  # fmt: skip
        self.model, self.x, self.targets = model, x, targets
        self.gradients = gradients  # some method reads gradients, so the whole trace is there for all
        self.layers = [*dict.fromkeys(self.default_layer if name is None else name for name in layers)]

    @cached_property
    def default_layer(self) -> str:
        found = self._default
        if found is None:
            raise BadParameter(f"{self.model.name} has no layer that still has space to explain; name one: layer=...")
        return found

    @cached_property
    def _default(self) -> str | None:
        return next((name for name, layer in self.model.layers(self.x).items() if layer.default), None)

    @cached_property
    def trace(self) -> Trace:
        return self.model.trace(self.x, self.targets, self.layers)

    @cached_property
    def activations(self) -> Mapping[str, Array]:
        if self.gradients:
            return {layer: evidence.a for layer, evidence in self.trace.evidence.items()}
        return self._stopped[0]

    @cached_property
    def _stopped(self) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        return self.model.activations(self.x, self.layers)

    @cached_property
    def head(self) -> Head:
        return self.model.head(self.x, self.targets, self.layers)

    def answered(self) -> tuple[Answer, NDArray[Any]] | None:
        """What the network said and the weights of the targets (t, n, k), if a method asked for them."""
        found = self.__dict__.get("trace") or self.__dict__.get("head")
        return (found.answer, found.weights) if found else None

    def notes(self, layer: str) -> tuple[str, ...]:
        """What was odd about reading the layer, whichever pass read it."""
        found = self.__dict__.get("trace") or self.__dict__.get("head")
        return (found.notes if found else self.__dict__.get("_stopped", ((), {}))[1]).get(layer, ())

    def zero_because(self, layer: str, t: int, i: int) -> str:
        """Why a map has nothing in it at all."""
        trace, head = self.__dict__.get("trace"), self.__dict__.get("head")
        if trace is not None and not bool((trace.evidence[layer].g[t, i] != 0).any()):
            why = f"zero gradient: the score does not depend on {layer}: "
            if self._default == layer:
                return why + "what follows is saturated, or its weights are still zero: is the network trained?"
            other = f", such as the default, {self._default}" if self._default else ""
            return why + f"it is not connected to the target, or what follows is saturated; try a layer before it{other}"
        a = head.a[layer] if head is not None and trace is None else self.activations[layer]
        if not bool((a[i] != 0).any()):
            return f"{layer} is silent: every activation is zero"
        by_head = trace is None and head is not None
        return "the linear layer gives the target no weight" if by_head else "the evidence cancels out"


def explain(
    model: Differentiable,
    images: Images,
    methods: "Sequence[str | Method] | str | Method" = ("grad-cam",),
    target: Any = Top(),
    layer: Any = None,
) -> Heatmaps:
    """Several methods on one question; those that read the same evidence share one trace.

    methods: names or methods, with parameters as in `grad_cam.using(signed=True)`; the rest as for a method.
    Returns heatmaps in the order image, target, layer, method.
    """
    from .method import Method, lookup

    if not isinstance(model, Differentiable):
        raise NeedsGradients(
            f"{type(model).__name__} is no model whose inside can be read. Make one: seewhy.wrap(network) or seewhy.load(spec)."
        )
    chosen = [lookup(m) for m in ([methods] if isinstance(methods, str | Method) else methods)]
    if not chosen:
        raise BadParameter("No method was given. `seewhy.METHODS` lists them by name.")
    targets = as_targets(target, model.labels)
    layers = list(layer) if isinstance(layer, list | tuple) else [layer]
    for name in layers:
        if name is not None and not isinstance(name, str):
            raise BadParameter(f"layer={name!r}: a layer is asked for by its name; model.layers() lists them.")
    if not layers:
        raise BadParameter("The list of layers is empty. Give a name, a list of names, or None for the default.")
    sorted_out = sort_out(images)
    count = len(sorted_out.x) if isinstance(sorted_out, Prepared) else len(sorted_out)
    for one in targets:
        if isinstance(one, PerImage) and len(one.targets) != count:
            raise BadParameter(f"PerImage has {len(one.targets)} targets for {count} images: one for each is needed.")
    maps: list[Heatmap] = []
    place = 0
    for batch in model.batches(sorted_out):
        maps += _charted(model, batch, place, chosen, targets, layers)
        place += len(batch.x)
    return Heatmaps(tuple(maps))


def _charted(model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any) -> list[Heatmap]:
    """The heatmaps of one batch; of its halves, where memory runs out."""
    try:
        return [*_chart(model, batch, place, methods, targets, layers)]
    except MemoryError as error:
        half = len(batch.x) // 2
        if not half:
            raise MemoryError(f"Out of memory with one image ({error}). Ask for fewer targets, or a later layer.") from None
    return [
        *_charted(model, batch.part(0, half), place, methods, targets, layers),
        *_charted(model, batch.part(half, len(batch.x)), place + half, methods, targets, layers),
    ]


class Finding(NamedTuple):
    """What one method found in one case."""

    method: "Method"
    cores: Mapping[str, NDArray[Any]]  # of each layer: (t, n, *space), before any ReLU
    facts: dict[str, Any]  # for the Source
    signed: bool


def _found(method: "Method", case: Case) -> Finding:
    settings = method.settings
    cores = method.run(case, **{k: v for k, v in settings.items() if k != "signed"})
    facts = {"method": method.name, "params": settings, "caveat": method.caveat}
    return Finding(method, cores, facts, not method.rectified or settings["signed"])


def _chart(model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any) -> Iterator[Heatmap]:
    start = perf_counter()
    n = len(batch.x)
    here = [_here(target, place, n) for target in targets]
    case = Case(model, batch.x, here, layers, gradients=any(m.reads == "gradients" for m in methods))
    found = [_found(method, case) for method in methods]
    facts = {"model": model.name, "weights": model.weights, "scores": model.explains, "versions": dict(model.versions()),
             "seconds": (perf_counter() - start) / n}  # fmt: skip
    for i in range(n):
        bad = _bad_layer(case, found, i)
        predicted = _predicted(case, i, model.labels)
        for t, target in enumerate(targets):
            asked = target.of(place + i) if isinstance(target, PerImage) else target
            explained = _explained(case, t, i, asked, model.labels)
            for layer in case.layers:
                for finding in found:
                    core = finding.cores[layer][t, i]
                    values = _values(core, finding.signed, finite=bad is None)
                    doubts = _doubts(case, finding.method, core, values, layer, t, i, bad)
                    blind = finding.method.reads not in ("gradients", "head")
                    source = Source(
                        image=batch.names[i], layer=layer, target=str(asked), predicted=predicted, **finding.facts, **facts,
                        **(BLIND if blind else explained), warnings=batch.notes[i] + doubts,
                    )  # fmt: skip
                    yield Heatmap(values, _pixels(batch, i), batch.boxes[i], source, place + i)


def _here(target: Any, place: int, n: int) -> Target:
    """A target as one batch sees it: of PerImage, the part that belongs to its images."""
    if not isinstance(target, PerImage):
        return target
    own = [target.of(place + i) for i in range(n)]
    return lambda scores: np.concatenate([one(scores[i : i + 1]) for i, one in enumerate(own)])


def _pixels(batch: Batch, i: int) -> Any:
    photo = batch.photos[i]
    return photo.pixels if photo else None


MOST = float(np.finfo(np.float32).max)


def _values(core: NDArray[Any], signed: bool, finite: bool) -> NDArray[np.float32]:
    values = core if finite else np.nan_to_num(core, nan=0.0, posinf=0.0, neginf=0.0)
    return np.minimum(np.maximum(values, -MOST if signed else 0.0), MOST).astype(np.float32)


BLIND: dict[str, Any] = dict.fromkeys(
    ("index", "label", "score", "probability")
)  # what a map says of the class that it does not look at


def _predicted(case: Case, i: int, labels: Sequence[str] | None) -> Predicted | None:
    """What the network took the image for, if it ran to its end."""
    found = case.answered()
    if found is None:
        return None
    chances = found[0].probabilities[i]
    top = int(chances.argmax())
    return Predicted(top, name_of(labels, top), float(chances[top]))


def _explained(case: Case, t: int, i: int, target: Any, labels: Sequence[str] | None) -> dict[str, Any]:
    """The class explained, if it is a single one, and its score."""
    found = case.answered()
    if found is None:
        return BLIND
    answer, weights = found
    row = weights[t, i]
    one = row.nonzero()[0]
    index = int(one[0]) if len(one) == 1 and row[one[0]] == 1 else None
    return {
        "index": index,
        "label": name_of(labels, index) if index is not None else named(target, labels),
        "score": float(answer.scores[i] @ row),
        "probability": None if index is None else float(answer.probabilities[i, index]),
    }


def _bad_layer(case: Case, found: list[Finding], i: int) -> str | None:
    """Where NaN or infinity first arose on the way of image i, if a map of it holds any."""
    if all(np.isfinite(core[:, i]).all() for finding in found for core in finding.cores.values()):
        return None
    first = case.model.first_bad(case.x[i : i + 1])
    return f"at layer {first}" if first else "in the gradient"


def _doubts(
    case: Case, method: "Method", core: NDArray[Any], values: NDArray[Any], layer: str, t: int, i: int, bad: str | None
) -> tuple[str, ...]:
    """Why this map is empty or suspect, in words."""
    doubts = [*case.notes(layer)]
    answered = case.answered()
    doubts += answered[0].notes if answered else ()
    if method.reads == "nothing":
        doubts.append(f"a control: {method.name} does not look at what the network found")
    if bad is not None and not np.isfinite(core).all():
        doubts.append(f"NaN or infinity, first {bad}: those places are shown as zero")
    elif values.size == 1:
        doubts.append(f"{layer} emits a 1x1 map, which cannot say where; choose an earlier layer")
    elif not core.any():
        doubts.append(case.zero_because(layer, t, i))
    elif not values.any():
        doubts.append("all evidence is negative: nothing is left after ReLU (signed=True shows it)")
    elif values.max() - values.min() <= 1e-6 * max(values.max(), -values.min()):
        doubts.append("the map is the same everywhere: it says nothing about where")
    return tuple(dict.fromkeys(doubts))
