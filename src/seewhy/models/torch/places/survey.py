"""What every layer of a network emits, where it lies in the image, and whether the scores depend on it: from one pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadNetwork
from seewhy.memory import out_of_memory
from seewhy.models.model import Layer, computes
from seewhy.models.torch.inputs import by_proposal, detects
from seewhy.models.torch.passes.outputs import activation_of
from seewhy.models.torch.passes.taps import hooked, modules_of

from .default import SCORES, has_space, last_map, widest_map
from .experiment import experiment
from .layout import Layout, Located, located
from .marks import Mark, entangled, lost
from .merging import simple
from .reached import Starts, all_at_once, reached
from .reading import ReadFollowing

Forward = Callable[[Tensor], Tensor]
PROPOSALS = "its rows are proposals, not images"
BLIND = "it does not see the image"
LEFT = "the network's own code takes numbers out of torch before it, as numpy() does, and cannot be followed there"
AT_ONCE, MOST = 16, 4  # so many layers are looked for in one experiment, and in so many of them


class Emitted(NamedTuple):
    """What one call of a module emitted."""

    shape: tuple[int, ...]
    mark: Mark | None  # as it was followed, in no simple form; None: it was computed from no picture
    sees: bool  # the image


class Survey:
    """What a pass of an image x (1, c, *space) showed of the layers; where each lies is read off its mark when it is asked for.

    widest: the default layer is the last among the maps with the most channels.
    apart: may one score rest on other layers than another?  routed: may other layers run for another image?
    """

    def __init__(
        self, network: nn.Module, calls: Mapping[str, list[Emitted]], order: Sequence[str], read: Mapping[str, bool],
        space: tuple[int, ...], widest: bool = False, apart: bool = False, routed: bool = False,
    ) -> None:  # fmt: skip
        modules = modules_of(network)
        self.kinds = {name: type(modules[name]).__name__ for name in calls}
        self.calls, self.read, self.space, self.widest = calls, read, space, widest
        self.backwards = [*dict.fromkeys(reversed(order))]  # the layers, those that ran last before the others
        self.proposals = {name for name in calls if by_proposal(network, name)}
        self.in_backbone = detects(network)  # heads of detectors read maps of several scales
        self.apart, self.routed = apart, routed and not self.in_backbone
        self.by_grad = False  # it was looked which layers a gradient reaches
        self.cut = False  # and it reaches none
        self.tried: dict[str, Located] = {}  # what experiments said of layers that could not be followed
        self._located: dict[str, Located | None] = {}

    def at(self, name: str) -> Located | None:
        """Where a layer, or a call or a part of it as in name#1, lies; None where it did not run."""
        if name not in self._located:
            self._located[name] = self._at(name)
        return self.tried.get(name) or self._located[name]

    def _at(self, name: str) -> Located | None:
        layer, _, call = name.partition("#")
        calls = self.calls.get(layer)
        if calls is None or (call and not call.isdecimal()):
            return None
        if layer in self.proposals:
            return Located(calls[-1].shape, None, None, PROPOSALS)
        if not call:
            seen = [emitted for emitted in calls if emitted.sees]
            return _located(seen[-1] if seen else calls[-1]._replace(mark=None), self.space)
        if len(calls) > 1:
            return _located(calls[int(call) - 1], self.space) if int(call) <= len(calls) else None
        whole = self.at(layer)
        layout = whole.layout if whole else None
        if whole is None or layout is None or int(call) > layout.parts or layout.parts < 2:
            return whole if call == "1" else None
        return whole._replace(layout=layout.of_part(int(call) - 1))

    def each(self, name: str) -> list[str]:
        """What stands for a layer that sees the image in several calls, or emits several parts of it; else the layer."""
        calls = self.calls.get(name, [])
        if len(calls) > 1:
            return [f"{name}#{i + 1}" for i, call in enumerate(calls) if call.sees] or [name]
        at = self.at(name)
        parts = at.layout.parts if at is not None and at.layout is not None else 1
        return [f"{name}#{k + 1}" for k in range(parts)] if parts > 1 else [name]

    def layer(self, name: str) -> Layer:
        """What is known of a layer."""
        calls, at = self.calls[name], self.at(name)
        layout = at.layout if at is not None and at.layout is not None and at.layout.simple else None
        shape, extra = (layout.shape, layout.extra) if layout else (calls[-1].shape[1:], 0)
        sees = tuple(i + 1 for i, call in enumerate(calls) if call.sees)
        cells = at.place if at and layout else None
        return Layer(self.kinds[name], shape, len(calls), self.read[name], sees=sees, tokens=extra, cells=cells)

    @cached_property
    def default(self) -> tuple[str, Layer] | None:
        """The layer that is explained where none is named, and what is known of it."""
        return self.default_of(self.read)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """All layers, in the order in which they first ended."""
        layers = {name: self.layer(name) for name in self.calls}
        return layers | ({self.default[0]: self.default[1]} if self.default is not None else {})

    def default_of(self, connected: Mapping[str, bool], whose: str = SCORES) -> tuple[str, Layer] | None:
        """The default, if these layers count as connected.  whose: what rests on it, in words."""
        layer = lambda name: self.layer(name)._replace(connected=connected[name])  # noqa: E731
        if self.widest:
            among = [name for name in self.backwards if name.startswith("backbone.") or not self.in_backbone]
            if (broad := widest_map(layer, self.layout, among)) is not None:
                return broad
        among = (name for name in self.backwards if not self._part_of_whole(name))
        return last_map(layer, self.layout, among, self.lost, whose)

    def _part_of_whole(self, name: str) -> bool:
        """Does the layer emit parts of what a layer around it puts together, such as the heads of an attention?"""
        layout, names = self.layout(name), name.split(".")
        if layout is None or layout.parts < 2:
            return False
        around = [self.layout(".".join(names[:depth])) for depth in range(1, len(names))]
        return any(outer is not None and outer.parts == 1 for outer in around)

    def layout(self, name: str) -> Layout | None:
        at = self.at(name)
        return at.layout if at is not None else None

    def lost(self, name: str) -> bool:
        """Is it unknown where the layer lies, although the scores depend on it?"""
        at = self.at(name)
        return at is not None and at.lost and self.read[name]

    @property
    def no_default(self) -> str:
        """Where no layer is the default, in words why there is "no layer", and what to do."""
        lost = next(((name, why) for name, why in self.unclear.items() if self.read[name]), None)
        if lost is None:
            return "that still has space to explain; name one: layer=..."
        name, why = lost
        return f"of which it is known where it lies in the image ({name}: {why}). Occlusion, rise and lime read no layer."

    @property
    def unclear(self) -> dict[str, str]:
        """For layers of which it is not known where they lie: why."""
        return {name: at.why for name in self.calls if (at := self.at(name)) is not None and at.lost}

    @property
    def entangled(self) -> bool:
        """Does a layer emit several parts of each image, of which one image cannot tell in which order with images they lie?"""
        return any(each.mark is not None and entangled(each.mark) for calls in self.calls.values() for each in calls)

    def later_lost(self) -> list[str]:
        """The layers that could be the default, were it known where they lie: those that ran last before the others."""
        names = []
        for name in self.backwards:
            if self.read[name] and has_space(self.layer(name), self.layout(name)):
                break
            if (
                self.lost(name)
                and name not in self.tried
                and len(self.calls[name][-1].shape) > 2
                and computes(self.kinds[name])
            ):
                names.append(name)
        return names

    def by_gradient(self, network: nn.Module, x: Tensor, run: Forward, keep: bool = True) -> tuple[str, Layer] | None:
        """The default, if those layers count as connected that a gradient from the scores reaches; keep: from then on."""
        if self.by_grad:
            return self.default
        (flags,) = self.reached(network, _noise(x), run)
        default = self.default_of(flags) if any(flags.values()) else self.default
        if keep:
            self.by_grad, self.cut, self.default = True, not any(flags.values()), default
            self.__dict__.pop("layers", None)
        return default

    def reached(self, network: nn.Module, x: Tensor, run: Forward, starts: Starts = all_at_once) -> list[dict[str, bool]]:
        """For each way back that `starts` begins, and each layer: does any gradient come to its cells?"""
        modules = modules_of(network)
        flags = reached({name: modules[name] for name in self.calls}, self.layout, x, run, starts)
        return [{name: each.get(name, False) for name in self.calls} for each in flags]


def _simple(mark: Mark) -> Mark:
    return mark if mark.lost else simple(mark)


def _located(emitted: Emitted, space: tuple[int, ...]) -> Located:
    blind = Located(emitted.shape, None, None, BLIND)
    return blind if emitted.mark is None else located(_simple(emitted.mark), emitted.shape, space)


@dataclass
class LayerRecord:
    """A pass that is looked at: what each module emits, in which order."""

    network: nn.Module
    follow: ReadFollowing
    calls: dict[str, list[Emitted]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    emitted: set[int] = field(default_factory=set)  # by their numbers

    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., Any]]]:
        """The hooks that fill it, for `hooked`."""
        self.modules = {name: module for name, module in modules_of(self.network).items() if name}
        for i, (name, module) in enumerate(self.modules.items()):
            yield module, self._hook(name, 2 << i)
        yield self.network, self.follow.end

    def _hook(self, name: str, bit: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            tensor = activation_of(output, args)
            if tensor is None:
                return
            with torch._C.DisableTorchFunction():
                self.follow.adopt(output, args, type(module).__name__)
                emitted = Emitted(tuple(tensor.shape), self.follow.raw(tensor), self.follow.sees(tensor))
                self.calls.setdefault(name, []).append(emitted)
                number = self.follow.number(tensor)
                if isinstance(output, Tensor | tuple | list) or number not in self.emitted:
                    self.order.append(name)  # else it only gives a name to what a layer inside it made
                self.emitted.add(number)
                self.follow.stamp(tensor, bit)

        return hook

    def survey(self, raw: Tensor, widest: bool) -> Survey:
        """What the pass showed, which ended in the scores `raw`."""
        read = self.follow.reads(raw)
        bits = {name: 2 << i for i, name in enumerate(self.modules)}
        connected = {name: read is None or bool(read & bits[name]) for name in self.calls}
        apart, routed = self.follow.apart(raw), self.follow.routed
        if read is None:  # what was computed from no picture, as far as was seen, may have been
            for calls in self.calls.values():
                calls[:] = [each if each.mark else Emitted(each.shape, lost(LEFT), True) for each in calls]
        return Survey(self.network, self.calls, self.order, connected, self.follow.space, widest, apart, routed)


@torch.no_grad()
def survey(network: nn.Module, x: Tensor, run: Forward, widest: bool = False) -> Survey:
    """Run an image x (1, c, *space) through the network, and follow where each layer lies.  run: gives the scores of images."""
    entered = x.detach().clone()
    follow = ReadFollowing(entered)
    look = LayerRecord(network, follow)
    with follow, hooked(look.hooks()):
        raw = run(entered)
    return look.survey(raw, widest)


def disentangled(known: Survey, network: nn.Module, x: Tensor, run: Forward, widest: bool = False) -> Survey:
    """The survey of images x, made anew of two where it is of one that cannot tell in which order parts of images and images
    lie; the same, where the network takes one image only.
    """
    if len(x) > 1 or not known.entangled:
        return known
    try:
        return survey(network, torch.cat([x, x]), run, widest)
    except (BadNetwork, RuntimeError) as error:
        if out_of_memory(error):
            raise
        return known


def settled(known: Survey, network: nn.Module, x: Tensor, run: Forward, grid: Any) -> Survey:
    """The survey, after experiments on layers that could not be followed, where one of them could be the default.

    grid: of the tokens of such layers, if the caller knows it.
    """
    modules = modules_of(network)
    for _ in range(MOST):
        names = known.later_lost()[:AT_ONCE]
        if not names:
            break
        at = {name: known.at(name) for name in names}
        tried = experiment(
            {name: modules[name] for name in names}, {name: each for name, each in at.items() if each}, x, run, grid
        )
        known.tried.update(tried)
    return known


def _noise(x: Tensor) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
