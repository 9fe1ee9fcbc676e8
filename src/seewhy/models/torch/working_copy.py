"""A copy of a torch network whose weights are drawn anew, module by module; the network itself stays as it is."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.arrays import Array
from seewhy.errors import NotApplicable
from seewhy.models.torch.passes.taps import hooked, offloaded
from seewhy.models.torch.places.following import tensors_in
from seewhy.untrained import drawn_text

from .adapted import AdaptedNetwork
from .draws import Drawing
from .learned import Learned


class TorchWorkingCopy:
    """A deep copy of a model's network in eval mode, under the same settings.

    stages: the modules that hold weights which a pass of an image reads, in the order in which these were read last, from the
        scores down to the image; a weight that two modules share is of the first of them.
    """

    def __init__(self, base: Any, x: Array) -> None:
        runner = base.runner
        _check(runner)
        with runner.ready(x[:1]):  # so that no other thread has its hooks on the network, or its modules in another mode
            network = _copied(runner)
        call = runner.call.of_network(network)
        call.known_as = object()  # however its weights change: what passes show of its layers stays
        self.network = network
        self._base = base.run_by(runner.changed(call=call, learned=Learned()))
        self._said = runner.settings.weights
        self._drawn: dict[str, int] = {}  # stages, and the seed that each was drawn from
        first = self._base.beside(0, 1).runner
        with first.ready(x[:1]) as image, torch.no_grad():
            self._owned = _owned(first, image)
        self.stages = [*self._owned]
        self._first: list[tuple[Tensor, Tensor]] = []  # weights that were changed, and what they were

    @property
    def model(self) -> Any:
        """The model of the copy as it is now; its `weights` say which of them are random."""
        said, runner = self._said, self._base.runner
        if self._drawn:
            names = [name or type(self.network).__name__ for name in self._drawn]
            said = drawn_text(max(self._drawn.values()), names, said or "weights of its own")
        settings = replace(runner.settings, weights=said)
        return self._base.run_by(runner.changed(settings=settings, call=runner.call.as_drawn(), learned=runner.learned))

    def randomise(self, stages: Sequence[str], seed: int) -> None:
        """Draw the weights of these modules anew; those of one module depend on its name and the seed alone.

        A module that has `reset_parameters` draws them itself, as when it was made (of a BatchNorm the statistics are
        forgotten, too); what this leaves as it is, and weights of all others, are drawn from a normal distribution of the same
        mean and standard deviation.  torch's own random numbers are not touched.
        """
        for stage in stages:
            module = self.network.get_submodule(stage)
            self._keep(stage)
            with DrawingFrom([seed, crc32(stage.encode())]), torch.no_grad():
                self._draw(module, self._owned[stage])
            self._drawn[stage] = seed

    def restore(self) -> None:
        """All weights as they were copied, bit for bit."""
        with torch.no_grad():
            for tensor, as_it_was in self._first:
                tensor.copy_(as_it_was)
        self._drawn = {}

    def head_inputs(self, images: Sequence[Array]) -> NDArray[np.float64]:
        """What the topmost stage is given for images, in batches (m, c, *space): (n, d).

        Raises NotApplicable where that is no linear layer whose output is the scores.
        """
        head = self.network.get_submodule(self.stages[0])
        features = list[NDArray[np.float64]]()
        for x in images:
            given, raw = self._given(x, sum(map(len, features)))
            with torch.no_grad():
                linear = isinstance(head, nn.Linear) and head.bias is not None
                straight = linear and len(given) == 1 and given[0].ndim == 2
                if not straight or not torch.allclose(head.forward(given[0]).to(raw), raw):
                    raise NotApplicable(
                        f"{self._base.name}: its scores do not come straight out of one linear layer with a bias "
                        f"({self.stages[0]} is {type(head).__name__}), so no head can be fitted to labels."
                    )
            features.append(given[0].double().cpu().numpy())
        return np.concatenate(features)

    def _given(self, x: Array, place: int) -> tuple[list[Tensor], Tensor]:
        """What each call of the topmost stage is given for images x, from that place on, and what the network gives."""
        runner, given = self._base.beside(place, len(x)).runner, list[Tensor]()
        with runner.ready(x) as ready, torch.no_grad():
            keep = lambda _module, args, _output: given.append(args[0].clone())  # noqa: E731
            with hooked([(runner.network.get_submodule(self.stages[0]), keep)]):
                return given, runner.raw(ready).clone()

    def set_head(self, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        """Give the topmost stage, a linear layer, other weights (k, d), and a bias (k,), which it has to have."""
        head = self.network.get_submodule(self.stages[0])
        self._keep(self.stages[0])
        with torch.no_grad():
            for name, values in (("weight", weight), ("bias", bias)):
                head.get_parameter(name).copy_(torch.as_tensor(np.array(values)))

    def _keep(self, stage: str) -> None:
        """Remember the weights of a module, before they are changed for the first time."""
        own, kept = dict(_own(self.network.get_submodule(stage))), {id(tensor) for tensor, _ in self._first}
        changed = (own[name] for name in self._owned[stage])
        self._first += [(tensor, tensor.detach().clone()) for tensor in changed if id(tensor) not in kept]

    def _draw(self, module: nn.Module, owned: Sequence[str]) -> None:
        """Draw the weights of these names; all else in the module, and in those inside of it, stays."""
        own = dict(_own(module))
        before = {name: own[name].clone() for name in owned}
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            drawn = {id(own[name]) for name in owned}
            others = [(t, t.clone()) for t in (*module.parameters(), *module.buffers()) if id(t) not in drawn]
            reset()
            for tensor, as_it_was in others:
                tensor.copy_(as_it_was)
        for name in owned:
            if torch.equal(own[name], before[name]) and isinstance(own[name], nn.Parameter):
                was = before[name].float()
                own[name].copy_(torch.empty_like(was).normal_() * was.std(correction=0) + was.mean())


class DrawingFrom(Drawing):
    """While it is entered, this thread draws from generators of that seed, and not from torch's global one."""

    def __init__(self, seed: Sequence[int]) -> None:
        super().__init__()
        self.seed = int(np.random.SeedSequence([*seed]).generate_state(1, np.uint64)[0] >> 1)

    def _generator(self, args: Any, kwargs: Any) -> torch.Generator:
        beside = next((arg.device for arg in args if isinstance(arg, Tensor)), "cpu")
        device = torch.device(kwargs.get("device") or beside)
        if device not in self.generators:
            self.generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self.generators[device]


class WeightsRead(TorchFunctionMode):
    """While this mode is active, notes at which call of torch each of some tensors is read last."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        self.sought = {*map(id, tensors)}
        self.calls = 0
        self.last: dict[int, int] = {}  # by the id of a tensor

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        if isinstance(out, Tensor | tuple | list) and not isinstance(out, torch.Size):  # no look at its shape or kind
            self.calls += 1
            given = tensors_in([args, kwargs or {}])
            self.last |= {id(tensor): self.calls for tensor in given if id(tensor) in self.sought}
        return out


def _check(runner: Any) -> None:
    """Raise NotApplicable where the network cannot be copied, or its weights not be drawn."""
    network = runner.call.original
    why = ""
    if isinstance(network, AdaptedNetwork):
        why = "it is a network of another framework that runs on torch"
    elif offloaded(network):
        why = "it keeps weights elsewhere than in its modules (accelerate); load it whole"
    elif any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        why = "a part of it is TorchScript, whose weights nobody sees being read; load it in plain modules"
    if why:
        raise NotApplicable(f"{runner.name} cannot be copied to change the copy's weights: {why}.")


def _copied(runner: Any) -> nn.Module:
    try:
        return deepcopy(runner.call.original).eval()
    except (RuntimeError, TypeError, NotImplementedError) as error:  # as of tensors that were computed, or of locks
        why = str(error).splitlines()[0]
        raise NotApplicable(f"{runner.name} cannot be copied (copy.deepcopy: {why}), so no weights can be changed.") from error


def _own(module: nn.Module) -> list[tuple[str, Tensor]]:
    """The weights that a module holds itself: parameters of floating-point numbers, and the statistics of a BatchNorm."""
    named: list[tuple[str, Tensor]] = [*module.named_parameters(recurse=False)]
    if hasattr(module, "reset_running_stats"):
        named += module.named_buffers(recurse=False)
    return [(name, tensor) for name, tensor in named if tensor.is_floating_point() or not isinstance(tensor, nn.Parameter)]


def _owned(runner: Any, image: Tensor) -> dict[str, list[str]]:
    """The modules with weights that a pass of this image reads, from the scores down, and the names of their weights.

    Raises NotApplicable where there is none.
    """
    network = runner.network
    modules = {name: module for name, module in network.named_modules() if _own(module)}
    with WeightsRead(tensor for module in modules.values() for _, tensor in _own(module)) as read:
        runner.whole(image.clone()) if runner.end is None else runner.raw(
            image.clone()
        )  # of units, what lies behind never runs
    reads = {name: [read.last.get(id(tensor), 0) for _, tensor in _own(module)] for name, module in modules.items()}
    when = {
        name: (min(each), max(each)) for name, each in reads.items()
    }  # of shared weights, the later module is the upper one
    order = sorted((name for name in modules if when[name][1]), key=lambda name: when[name][::-1], reverse=True)
    owned, taken = dict[str, list[str]](), set[int]()
    for name in order:
        mine = [(key, tensor) for key, tensor in _own(modules[name]) if id(tensor) not in taken]
        taken |= {id(tensor) for _, tensor in mine}
        if mine:
            owned[name] = [key for key, _ in mine]
    if not owned:
        raise NotApplicable(
            f"{runner.name}: no module of it has weights of its own that a pass reads, so none can be drawn anew."
        )
    return owned
