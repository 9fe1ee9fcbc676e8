"""One pass forward and back, and another forward, through a torch network: what can be read of it, what it does on the way."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.arrays import Array, filled
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.memory import out_of_memory
from seewhy.models.model import INPUT, Answer, Layer
from seewhy.models.rule import Relevance
from seewhy.models.torch.passes.backward import gradients
from seewhy.models.torch.passes.graph import between, kind_of
from seewhy.models.torch.passes.head import linear_head, pooled, straight
from seewhy.models.torch.passes.outputs import activation_of, emitted
from seewhy.models.torch.passes.taps import Tap, hooked, modules_of, ordered_gradients, recorded
from seewhy.models.torch.rules.relevance import Propagation
from seewhy.models.torch.rules.relu_rules import Rewiring
from seewhy.models.torch.variants.scorer import alike

from .adapted import AdaptedLayer
from .program import Sealed
from .runner import Runner
from .scores import plain
from .undisturbed import again

NO_MEMORY = "memory ran out when it was tried on this image: a smaller one may fit"


class Facts(NamedTuple):
    """What two passes of one image showed of a network."""

    runner: Runner
    x: Tensor  # (1, c, *space), as it goes in
    layers: Mapping[str, Layer]
    layer: str | None  # the one to be explained
    training: list[str]  # modules that stand in train mode
    first: "First"
    second: "Second"

    @property
    def refused(self) -> Mapping[str, str]:
        """What cannot be read, and why: scores, image, layer gradient, head, relus, relevance, excitation, tail."""
        return {**self.second.refused, **self.first.refused}


class First(NamedTuple):
    """What the first pass, forward and back, showed."""

    raw: Tensor
    answer: Answer
    refused: Mapping[str, str]
    a: Tensor | None  # (c, *space)
    relus: int  # how many lie between the image and the scores
    named: int  # how many of these are layers
    trail: "Trail"
    alike: bool = False  # the cells of the layer count alike for the top score, by its gradient


class Second(NamedTuple):
    """What the second pass, of the image beside noise, showed."""

    refused: Mapping[str, str]
    moved: float = 0.0  # by how much another pass of the same image changes the scores, as a share of the largest
    mixes: bool = False  # the scores of an image depend on the others in its batch
    alone: str = ""  # why two images cannot share a pass; "" where they can


@again
def examined(runner: Runner, x: Array, layers: Mapping[str, Layer], layer: str | None) -> Facts:
    """x: one image (1, c, *space); layer: the one to be explained, if any has space.

    Two passes forward and one back: the second takes x and noise together, by the rules of relevance, and its scores of x
    have to be those of the first.  Where they are not, a third tells why.  Raises BadNetwork where the network fails.
    """
    modeless = isinstance(runner.network, Sealed) and not runner.network.has_modes  # whatever its parts say
    training = [] if modeless else [name for name, module in runner.network.named_modules() if module.training]
    with runner.ready(x[:1]) as ready:
        first = _first(runner, ready, layer)
        second = _second(runner, ready.detach(), first.raw.detach(), layer, layers)
        return Facts(runner, ready.detach(), layers, layer, training, first, second)


class Trail:
    """What the modules did while a pass ran: hooks for `hooked`."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.emitted: list[tuple[str, Tensor, int]] = []
        self.rewritten: dict[str, str] = {}  # a layer, and what wrote over its output
        self.bad: str | None = None  # the first layer with NaN or infinity
        self.relus: set[Any] = set()  # of layers that are one: the nodes of the graph
        self.last: nn.Module | None = None  # linear layer or convolution

    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., None]]]:
        for name, module in self.network.named_modules():
            if name and not [*module.children()]:
                yield module, self._hook(name)

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            tensor = activation_of(output, args)
            if tensor is None:
                return
            with torch._C.DisableTorchFunction():  # no mode's business
                self._note(name, module, args, tensor)

        return hook

    def _note(self, name: str, module: nn.Module, args: Any, tensor: Tensor) -> None:
        entered = {arg.data_ptr() for arg in args if isinstance(arg, Tensor)}
        for earlier, output, version in self.emitted:
            if output._version != version and earlier not in self.rewritten and earlier != name:
                self.rewritten[earlier] = name if output.data_ptr() in entered else f"the code before {name}"
        self.emitted.append((name, tensor, tensor._version))
        self.bad = self.bad or (None if bool(tensor.isfinite().all()) else name)
        self.relus.add(_behind_copies(tensor.grad_fn))
        weighs = isinstance(module, nn.Linear | nn.Conv2d) or (isinstance(module, AdaptedLayer) and module.weight is not None)
        self.last = module if weighs else self.last


def _behind_copies(node: Any) -> Any:
    """The node that computed a tensor, behind the nodes of clones that were made to read it."""
    while node is not None and kind_of(node) == "CloneBackward":
        node = node.next_functions[0][0]
    return node


def any_rule(active: Any, g: Any) -> Any:
    """A rule that does what the plain gradient does."""
    return g * active


def _first(runner: Runner, x: Tensor, layer: str | None) -> First:
    """Forward under a rule that changes nothing, so that it is seen which ReLUs a rule reaches; and back."""
    sealed = bool(runner.sealed)
    try:
        return _there_and_back(
            runner, x, layer, None if sealed else Rewiring(any_rule, runner.network), "it cannot be read inside"
        )
    except BadNetwork as error:
        return _there_and_back(runner, x, layer, None, str(error))


def _there_and_back(runner: Runner, x: Tensor, layer: str | None, mode: Rewiring | None, why: str) -> First:
    trail, sealed = Trail(runner.network), bool(runner.sealed)
    taps = [Tap(layer, runner.network)] if layer else []
    refused = {} if mode else {"relus": f"no rule for ReLUs can be kept: {why}"}
    ran: list[tuple[Tensor, Tensor]] = []

    def run() -> tuple[Tensor, Tensor]:
        ran.append(runner.run(x.clone()))  # a leaf cannot be written to
        return ran[0]

    linear = entered = None
    x.requires_grad_()
    hooks = hooked([] if sealed else trail.hooks())
    with ordered_gradients(runner.network, 1), torch.enable_grad(), mode or nullcontext(), recorded(taps, grad=True), hooks:
        try:
            _, linear, entered = linear_head(runner.network, run)
        except NotApplicable as error:
            refused["head"] = str(error)
    ((raw, scores),) = ran
    ruled = {node for node in between(raw, [x]) if kind_of(node) == "RuledBackward"} if raw.requires_grad else set()
    refused |= _reason_against("relus", lambda: mode.notes(raw, [x])) if mode else {}
    answer = runner.answer(raw, scores)
    emitted = taps[0].check(runner.end) if taps else None
    unreached, g = _unreached(scores, x, emitted, layer)
    refused |= unreached
    if emitted is None:
        return First(raw, answer, refused, None, len(ruled), len(ruled & trail.relus), trail)
    layout = runner.layout(str(layer), emitted, x)
    a = layout.turn(emitted.detach())
    if linear is not None and entered is not None:
        refused |= _reason_against("head", lambda: pooled(a, entered, str(layer), runner.name))
    if layout.images is None and len(emitted) != 1:
        refused["tail"] = f"{layer} emits {tuple(emitted.shape)} for one image: its rows are no images"
    level = g is not None and "head" in refused and straight(plain(a), plain(layout.turn(g))) is not None
    return First(raw, answer, refused, plain(a[0]), len(ruled), len(ruled & trail.relus), trail, level)


def _reason_against(what: str, attempt: Callable[[], Any]) -> dict[str, str]:
    """An empty dict; or, where `attempt` raises NotApplicable, `what` with the error's words."""
    try:
        attempt()
    except NotApplicable as error:
        return {what: str(error).replace(f"The {any_rule.__name__} rule", "The rule of guided-backprop and deconvnet")}
    return {}


def _unreached(
    scores: Tensor, x: Tensor, emitted: Tensor | None, layer: str | None
) -> tuple[dict[str, str], Tensor | None]:  # fmt: skip
    """The places, of the image and the layer, that the gradient of the top score does not reach, and why; and its gradient
    (1, ...) toward what the layer emitted, if there is one.
    """
    if not bool(scores.isfinite().all()):
        return {"scores": "the scores hold NaN or infinity"}, None
    top = torch.zeros_like(scores)[None]
    top[0, 0, scores[0].argmax()] = 1
    places = {"image": x} if emitted is None else {"image": x, "layer gradient": emitted}
    try:
        grads = gradients(scores, [*places.values()], top.detach().cpu().float().numpy())
    except BadNetwork as error:
        return dict.fromkeys(places, str(error)), None
    named = {"image": "the image", "layer gradient": str(layer)}
    reasons = {place: _why_not(g, named[place]) for place, g in zip(places, grads, strict=True)}
    return {place: why for place, why in reasons.items() if why}, None if emitted is None else grads[-1]


def _why_not(g: Tensor | None, place: str) -> str:
    if g is None:
        return (
            f"no gradient reaches {place}: on the way there the network runs under no_grad, on detached or on quantised numbers"
        )
    if not bool(g.isfinite().all()):
        return f"the gradient at {place} holds NaN or infinity"
    return "" if filled(g) else f"the gradient at {place} is zero: what follows is saturated, or its weights are still zero"


def _second(runner: Runner, x: Tensor, raw: Tensor, layer: str | None, layers: Mapping[str, Layer]) -> Second:
    """Forward once more, x beside noise, by the rules of relevance."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
    refused, scores, alone = _tried_by_relevance(runner, torch.cat([x, noise]), layer, layers)
    if scores is None:
        refused, scores, why = _tried_by_relevance(runner, x, layer, layers)
        if why or alone == NO_MEMORY:  # the rules' doing, or that of their memory, not that of two images
            alone = ""
    if scores is None:
        scores = _plainly(runner, x)
    off = _off(scores[:1], raw)
    if not off:
        return Second(refused, alone=alone)
    again = _off(_plainly(runner, x), raw)
    return Second(refused, again, mixes=not again, alone=alone)


def _tried_by_relevance(
    runner: Runner, x: Tensor, layer: str | None, layers: Mapping[str, Layer]
) -> tuple[dict[str, str], Tensor | None, str]:
    """What relevance has no rule for, and the scores; where that pass fails, None for the scores, and why it failed."""
    try:
        return *_by_relevance(runner, x, layer, layers), ""
    except (RuntimeError, MemoryError) as error:
        why = reason(error)
        return _unruled(why), None, why


def reason(error: Exception) -> str:
    """In words, why a pass failed that the doctor can do without; an error of any other kind is raised again."""
    if isinstance(error, BadNetwork):
        return str(error)
    if out_of_memory(error):
        return NO_MEMORY
    raise error


def _unruled(why: str) -> dict[str, str]:
    return {"relevance": why, "excitation": why}


def _plainly(runner: Runner, x: Tensor) -> Tensor:
    with torch.no_grad():
        return runner.raw(x.clone())


def _off(scores: Tensor, raw: Tensor) -> float:
    """By what share of the largest score they differ; 0 where it is rounding."""
    scores, raw = plain(scores.detach()).nan_to_num(), plain(raw).nan_to_num()
    return 0.0 if alike(scores, raw) else float((scores - raw).abs().max() / raw.abs().max().clamp(min=1e-12))


def _by_relevance(runner: Runner, x: Tensor, layer: str | None, layers: Mapping[str, Layer]) -> tuple[dict[str, str], Tensor]:
    """What relevance has no rule for, between scores and image or layer; and the scores."""
    if runner.sealed:
        return _unruled("no rule of relevance can be kept inside"), _plainly(runner, x)
    mode, x = Propagation(Relevance()), x.requires_grad_()
    entry: list[tuple[Tensor, Tensor, Counter[str]]] = []  # the layer's output, the leaf in its place, and what came before
    name, calls = (layer or "").partition("#")[0], layers[layer].calls if layer else 1

    def cut(_module: Any, args: Any, output: Any) -> Any:
        tensor, put_back = emitted(output, name, args)
        entry.append((tensor, tensor.detach().clone().requires_grad_(), Counter(mode.unruled)))
        if len(entry) < calls:
            return None
        return put_back(entry[-1][1].clone())

    hooks = [(modules_of(runner.network)[name], cut)] if name and name != INPUT else []
    with torch.enable_grad(), mode, hooked(hooks):
        raw = runner.run(x.clone())[0]
    if not entry:
        return _reason_against("relevance", lambda: mode.notes(raw, [x])), raw
    before, leaf, earlier = entry[-1]
    refused = _reason_against("relevance", lambda: (mode.notes(raw, [x, leaf]), mode.notes(before, [x])))
    mode.unruled -= earlier
    return refused | _reason_against("excitation", lambda: (mode.check({str(layer): leaf}), mode.notes(raw, [leaf]))), raw
