"""What every layer of a network emits, where it lies in the image, and whether the scores depend on it: from one pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadNetwork
from seewhy.memory import out_of_memory
from seewhy.models.model import Layer
from seewhy.models.torch.inputs import by_proposal, detects
from seewhy.models.torch.passes.taps import Stop, activation_of, hooked, modules_of

from .default import widest_map, with_default
from .experiment import Responses, probes
from .layout import Located, located
from .reached import reached
from .reading import Reading

Forward = Callable[[Tensor], Tensor]
PROPOSALS = "its rows are proposals, not images"
BLIND = "it does not see the image"


class Emitted(NamedTuple):
    """What one call of a module emitted."""

    shape: tuple[int, ...]
    at: Located | None  # None: it was computed from no picture
    sees: bool  # the image


@dataclass
class Survey:
    """What is known of the layers of a network, for images of one size."""

    layers: dict[str, Layer]
    located: dict[str, Located]  # of each layer, and of each of its calls or parts, as in name#1
    several: dict[str, list[str]]  # what stands for a layer that sees the image in several calls, or several parts of it
    backwards: list[str]  # the layers, those that ran last before the others
    grads: dict[str, Layer] | None = None  # see by_gradient

    def by_gradient(self, network: nn.Module, x: Tensor, run: Forward) -> dict[str, Layer]:
        """The layers, of which those count as connected that a gradient from the scores reaches; found out once."""
        if self.grads is None:
            modules = modules_of(network)
            flags = reached({name: modules[name] for name in self.layers}, self.located, _noise(x), run)
            layers = {name: layer._replace(connected=flags.get(name, False), default=False, why="")
                      for name, layer in self.layers.items()}  # fmt: skip
            layouts = {name: self.located[name].layout for name in layers}
            self.grads = with_default(layers, layouts, self.backwards, bool(self.unclear))
        return self.grads

    @property
    def unclear(self) -> dict[str, str]:
        """For layers of which it is not known where they lie: why."""
        return {name: at.why for name, at in self.located.items() if at.lost and "#" not in name}


@dataclass
class Look:
    """A pass that is looked at: what each module emits, in which order.

    widest: the default layer is the last among the maps with the most channels.
    """

    network: nn.Module
    follow: Reading
    widest: bool = False
    grid: Any = None  # of the tokens of layers that cannot be followed, if the caller knows it
    calls: dict[str, list[Emitted]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def hooks(self) -> Iterator[tuple[nn.Module, Callable[..., Any]]]:
        """The hooks that fill it, for `hooked`."""
        self.modules = {name: module for name, module in modules_of(self.network).items() if name}
        for i, (name, module) in enumerate(self.modules.items()):
            yield module, self._hook(name, 2 << i)

    def _hook(self, name: str, bit: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            with torch._C.DisableTorchFunction():
                tensor = activation_of(output)
                if tensor is None:
                    return
                self.follow.adopt(output, args, type(module).__name__)
                mark = self.follow.of(tensor)
                at = None if mark is None else located(mark, tuple(tensor.shape), self.follow.space)
                self.calls.setdefault(name, []).append(Emitted(tuple(tensor.shape), at, self.follow.sees(tensor)))
                self.order.append(name)
                self.follow.stamp(tensor, bit)

        return hook

    def survey(self, raw: Tensor, x: Tensor, run: Forward) -> Survey:
        """What the pass showed, that of an image x (1, c, *space) ended in the scores `raw`.

        run: gives scores of images; layers that could not be followed, and come last, are looked for by experiment.
        """
        read = self.follow.reads(raw)
        bits = {name: 2 << i for i, name in enumerate(self.modules)}
        at = {name: _last(calls) for name, calls in self.calls.items()}
        at |= {name: Located(known.shape, None, None, PROPOSALS) for name, known in at.items() if by_proposal(self.network, name)}
        connected = {name: read is None or bool(read & bits[name]) for name in at}
        backwards = [*dict.fromkeys(reversed(self.order))]
        at |= self._tried(at, connected, backwards, x, run)
        layers = {name: self._layer(name, known, connected[name]) for name, known in at.items()}
        layouts = {name: known.layout for name, known in at.items()}
        in_backbone = [name for name in backwards if name.startswith("backbone.")]  # a detector's heads read several scales
        broad = widest_map(layers, layouts, in_backbone if detects(self.network) else backwards) if self.widest else None
        unclear = any(known.lost for known in at.values())
        layers = with_default(layers, layouts, backwards, unclear) if broad is None else {**layers, **broad}
        return Survey(layers, at | self._single(at), self._several(at), backwards)

    def _tried(
        self, at: Mapping[str, Located], connected: Mapping[str, bool], backwards: Sequence[str], x: Tensor, run: Forward
    ) -> dict[str, Located]:
        """What an experiment says of lost layers behind the last one that is known to be a map."""
        lost = []
        for name in backwards:
            known = at[name]
            if known.layout is not None and known.layout.simple and max(known.layout.space) > 1 and connected[name]:
                break
            if known.lost and len(known.shape) > 2 and connected[name]:
                lost.append(name)
        return experiment({name: self.modules[name] for name in lost}, at, x, run, self.grid) if lost else {}

    def _layer(self, name: str, at: Located, connected: bool) -> Layer:
        calls = self.calls[name]
        layout = at.layout
        shape, extra = (layout.shape, layout.extra) if layout else (at.shape[1:], 0)
        sees = tuple(i + 1 for i, call in enumerate(calls) if call.sees)
        kind = type(self.modules[name]).__name__
        return Layer(kind, shape, len(calls), connected, sees=sees, tokens=extra, cells=at.place if layout else None)

    def _single(self, at: Mapping[str, Located]) -> dict[str, Located]:
        """What is known of single calls, and of the parts of an image that a layer emits."""
        single = {}
        for name, calls in self.calls.items():
            layout = at[name].layout
            if len(calls) > 1:
                single |= {f"{name}#{i + 1}": call.at or Located(call.shape, None, None, BLIND) for i, call in enumerate(calls)}
            elif layout is not None and layout.parts > 1:
                single |= {f"{name}#{k + 1}": at[name]._replace(layout=layout.of_part(k)) for k in range(layout.parts)}
        return single

    def _several(self, at: Mapping[str, Located]) -> dict[str, list[str]]:
        several = {}
        for name, calls in self.calls.items():
            seen = [f"{name}#{i + 1}" for i, call in enumerate(calls) if call.sees]
            layout = at[name].layout
            if len(calls) > 1 and seen:
                several[name] = seen
            elif len(calls) == 1 and layout is not None and layout.parts > 1:
                several[name] = [f"{name}#{k + 1}" for k in range(layout.parts)]
        return several


def _last(calls: Sequence[Emitted]) -> Located:
    """Of the last call that sees the image."""
    seen = [call.at for call in calls if call.sees and call.at is not None]
    return seen[-1] if seen else Located(calls[-1].shape, None, None, BLIND)


@torch.no_grad()
def survey(network: nn.Module, x: Tensor, run: Forward, grid: Any = None, widest: bool = False) -> Survey:
    """Run an image x (1, c, *space) through the network, and follow where each layer lies.

    run: gives the scores of images; grid: of tokens that cannot be followed, if the caller knows it; widest: the default layer
    is the last among the maps with the most channels.
    """
    entered = x.detach().clone()
    follow = Reading(entered)
    look = Look(network, follow, widest, grid)
    with follow, hooked(look.hooks()):
        raw = run(entered)
    return look.survey(raw, x, run)


def experiment(
    modules: Mapping[str, nn.Module], at: Mapping[str, Located], x: Tensor, run: Forward, grid: Any
) -> dict[str, Located]:
    """What probes of the image x (1, c, *space) tell of where these layers, which could not be followed, lie."""
    space = tuple(x.shape[2:])
    try:
        responses = _probed(modules, x, run, alone=False)
    except (BadNetwork, RuntimeError) as error:  # some networks take one image only
        if out_of_memory(error):
            raise
        responses = _probed(modules, x, run, alone=True)
    tried = {}
    for name, response in responses.items():
        mark = response.mark(1, grid)
        known = located(mark, mark.shape, space)
        tried[name] = at[name]._replace(why=f"{at[name].why}; {known.why}") if known.layout is None else known._replace(place=None)
    return tried


@torch.no_grad()
def _probed(modules: Mapping[str, nn.Module], x: Tensor, run: Forward, alone: bool) -> dict[str, Responses]:
    """How each layer answers to the probes; alone: they run one by one."""
    responses = {name: Responses(tuple(x.shape[2:])) for name in modules}
    for images in probes(x, alone=alone):
        emitted: dict[str, Tensor] = {}

        def hook_for(name: str, emitted: dict[str, Tensor]) -> Callable[..., None]:
            def hook(_module: nn.Module, _args: Any, output: Any) -> None:
                tensor = activation_of(output)
                if tensor is not None:
                    emitted[name] = tensor.clone()

            return hook

        with hooked((module, hook_for(name, emitted)) for name, module in modules.items()), suppress(Stop):
            run(images.clone())
        for name, tensor in emitted.items():
            responses[name].add(tensor, len(images))
    return responses


def _noise(x: Tensor) -> Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
