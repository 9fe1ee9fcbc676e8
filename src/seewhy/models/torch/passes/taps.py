"""Reading a torch network while it runs.  Hooks are set and removed here and nowhere else; nothing is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import get_ident, local
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.models.model import INPUT

from .outputs import activation_of, emitted
from .process import WhileAny


class Stop(Exception):
    """Everything asked for has been seen; the rest of the network need not run."""


class Several(Exception):
    """Layers that were asked for run several times in a pass; `calls`, how often each."""

    def __init__(self, calls: Mapping[str, int]) -> None:
        super().__init__(f"{len(calls)} layers run several times")
        self.calls = calls


class Locator(Protocol):
    """What a recording asks where the cells of a tensor lie (`places.following.Following` is one)."""

    def moment(self, tensor: Tensor) -> Any:
        """What is known of a tensor that has just been made, to be read later."""


class Tap:
    """One place in the network: a module, and which of its calls is read."""

    def __init__(self, layer: str, network: nn.Module) -> None:
        name, _, call = layer.partition("#")
        module = module_at(network, name)
        if module is None:
            near = closest(name, [m for m in modules_of(network) if m])
            raise NoSuchName("layer", layer, near, "All names: model.layers(), or `seewhy layers MODEL`.")
        if call and not (call.isdecimal() and len(call) < 10 and int(call)):
            raise BadParameter(f"Layer {layer!r}: behind # stands which call is read, from 1 on, as in {name}#1.")
        self.layer, self.name, self.module = layer, name, module
        self.call = int(call) if call else None  # None: the last one
        self.calls = 0
        self.activation: Tensor | None = None
        self.moment: Any = None  # what was known of where its cells lie, if that was followed
        self.handed_on: tuple[Tensor, int] | None = None  # an output that is the module's very input, and its version

    @property
    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.calls > 1 and not self.call:
            notes.append(f"{self.name} runs {self.calls} times in one pass; the last call is read ({self.name}#1 is the first)")
        if self.handed_on and self.handed_on[0]._version != self.handed_on[1]:
            notes.append(
                f"{self.name} hands on its input, which the network overwrites later: reading it here can change the scores; "
                "read a layer before or behind it"
            )
        return tuple(notes)

    def check(self, end: Any = None) -> Tensor:
        """What was seen; NoSuchName where the module did not run, as behind the end of a model of units."""
        if self.activation is None and end is not None:
            raise NoSuchName("activation at layer", self.layer, [], f"It lies behind {end.layer}, where the asked unit ends.")
        if self.activation is None:
            ran = f"runs {self.calls} times" if self.calls else "does not run"
            raise NoSuchName("activation at layer", self.layer, [], f"In a forward pass of this network it {ran}.")
        return self.activation


@contextmanager
def recorded(
    taps: Sequence[Tap], grad: bool, done: Callable[[], bool] = lambda: False, follow: Locator | None = None,
    some: bool = False,
) -> Iterator[None]:  # fmt: skip
    """While the block runs, each tap keeps what its module emits, as a copy that no in-place layer can rewrite.

    With `grad`, the first tap that is met becomes a leaf and the graph is recorded from there on: what lies before
    costs what it costs in inference.  `done` is asked after each tap; once it says yes, Stop is raised.
    follow: it is asked where the cells of each tensor that a tap sees lie; the caller has entered it.
    some: modules that emit no tensor, or no real numbers, are passed over.
    Other threads that run the same network meanwhile are left alone.
    """

    def hook_for(taps_here: list[Tap]) -> Callable[..., Any]:
        def hook(_module: nn.Module, args: Any, output: Any) -> Any:
            for tap in taps_here:
                tap.calls += 1
            taken = [tap for tap in taps_here if tap.call in (None, tap.calls)]
            if not taken:
                return None
            if some and (not isinstance(output, Tensor) or activation_of(output) is None):
                return None
            tensor, put_back = emitted(output, taken[0].name, args)
            same = any(isinstance(arg, Tensor) and arg.data_ptr() == tensor.data_ptr() for arg in args)
            moment = follow and follow.moment(tensor)
            for tap in taken:
                tap.moment = moment
                tap.handed_on = (tensor, tensor._version) if same else None
            if grad and tensor.requires_grad and torch.is_grad_enabled():
                tensor = tensor.clone()
            else:
                tensor = tensor.detach().clone().requires_grad_(grad)
                if grad:
                    torch.set_grad_enabled(True)  # ends with the caller's no_grad block
            for tap in taken:
                tap.activation = tensor
            if done():
                raise Stop
            return put_back(tensor.clone()) if grad else None

        return hook

    by_name = {name: [tap for tap in taps if tap.name == name] for name in dict.fromkeys(tap.name for tap in taps)}
    with hooked((taps_here[0].module, hook_for(taps_here)) for taps_here in by_name.values()):
        yield


@contextmanager
def ordered_gradients(network: nn.Module, n: int) -> Iterator[list[bool]]:
    """Gradients of one image reach each BatchNorm in memory order: torch (2.15, on a CPU) goes back through one wrongly where
    they come in another, as from the tokens behind it.  Yields what holds True once a gradient was found out of order.
    """
    odd: list[bool] = []

    def ordered(g: Tensor | None) -> Tensor | None:
        if g is None:  # from behind an operation without a derivative, such as a quantised one
            return None
        if not g.is_contiguous():
            odd.append(True)
        return g.contiguous()

    def hook(_module: nn.Module, _args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(ordered)

    norms = [m for m in every_module(network) if isinstance(m, nn.modules.batchnorm._BatchNorm)] if n == 1 else []
    with hooked((module, hook) for module in norms):
        yield odd


@contextmanager
def hooked(hooks: Iterable[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Forward hooks (module, args, output) while the block runs, for this thread alone.  No other place here sets any.

    args: all that the module is given, also by name.
    """
    owner, handles = get_ident(), []

    def for_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
        def called(module: nn.Module, args: Any, options: Any, output: Any) -> Any:
            return hook(module, (*args, *options.values()), output) if get_ident() == owner else None

        return called

    try:
        for module, hook in hooks:
            handles.append(module.register_forward_hook(for_this_thread(hook), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


class WatchedHere(local):
    """What is called in this thread before modules run, by the id of each."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[[], None]] = {}


WATCHED = WatchedHere()


def _entered(module: nn.Module, _args: Any) -> None:
    if (called := WATCHED.before.get(id(module))) is not None:
        called()


WATCHING = WhileAny(lambda: nn.modules.module.register_module_forward_pre_hook(_entered).remove)


@contextmanager
def watched(modules: Iterable[nn.Module], called: Callable[[], None]) -> Iterator[None]:
    """While the block runs, `called` before any of the modules runs in this thread.  Nothing is set on the modules: others
    may look at them meanwhile, and see them as they were.
    """
    before = WATCHED.before
    WATCHED.before = {**before, **dict.fromkeys(map(id, modules), called)}
    try:
        with WATCHING:
            yield
    finally:
        WATCHED.before = before


def every_module(network: nn.Module) -> Iterator[nn.Module]:
    """Like `network.modules()`, five times as fast; a shared module comes as often as it is used."""
    waiting = [network]
    while waiting:
        module = waiting.pop()
        yield module
        if module._modules:
            waiting += [inner for inner in module._modules.values() if inner is not None]


def offloaded(network: nn.Module) -> list[nn.Module]:
    """The modules whose weights accelerate brings in for the time that they run."""
    hooks = ((module, module.__dict__.get("_hf_hook")) for module in every_module(network))
    return [
        module for module, hook in hooks if any(getattr(part, "offload", False) for part in getattr(hook, "hooks", (hook,)))
    ]


def modules_of(network: nn.Module) -> dict[str, nn.Module]:
    """Every module by name, but for one that a person may already know as the image, and scripted ones, which take no hook.

    With those in plain lists, tuples and dicts of modules, as in blocks.0, of which torch does not know.
    """
    found: dict[str, nn.Module] = {}
    known = {id(module) for module in every_module(network)}
    for name, module in network.named_modules():
        found[name] = module
        for path, inner in _listed(module):
            if id(inner) not in known:
                found |= inner.named_modules(prefix=f"{name}.{path}".removeprefix("."))
    scripted = torch.jit.ScriptModule
    return {name: module for name, module in found.items() if name != INPUT and not isinstance(module, scripted)}


def _listed(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules in plain containers among the attributes of a module, by their places."""
    for attribute, value in vars(module).items():
        if isinstance(value, list | tuple | dict) and value and not attribute.startswith("_"):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{attribute}.{key}", item) for key, item in items if isinstance(item, nn.Module))


def module_at(network: nn.Module, name: str) -> nn.Module | None:
    """The module of that name, as `modules_of` has it; None where there is none."""
    try:
        return network.get_submodule(name) if name else None
    except AttributeError:
        return modules_of(network).get(name)


def last_modules(network: nn.Module, count: int) -> list[str]:
    """The names of those modules that end with one of the last `count` innermost ones, in the order of the network's parts."""
    names = [name for name in modules_of(network) if name]
    inner = [name for name, after in pairwise([*names, ""]) if not after.startswith(f"{name}.")]
    last = inner[-count:]
    ends: dict[str, str] = {}
    for name in inner:
        parts = name.split(".")
        ends.update({".".join(parts[:depth]): name for depth in range(1, len(parts) + 1)})
    return [name for name in names if ends.get(name) in last]


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself behind torch.compile, DataParallel and DistributedDataParallel."""
    while True:
        inner = getattr(network, "_orig_mod", None)
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = network.module
        if not isinstance(inner, nn.Module):
            return network
        network = inner


@contextmanager
def differentiable_rnn(network: nn.Module, device: torch.device) -> Iterator[None]:
    """cuDNN's recurrent layers refuse a backward pass in eval mode; torch's own do not."""
    if device.type == "cuda" and any(isinstance(m, nn.RNNBase) for m in network.modules()):
        with WITHOUT_CUDNN:
            yield
    else:
        yield


def _without_cudnn() -> Callable[[], None]:
    before, torch.backends.cudnn.enabled = torch.backends.cudnn.enabled, False

    def back() -> None:
        torch.backends.cudnn.enabled = before

    return back


WITHOUT_CUDNN = WhileAny(_without_cudnn)  # torch has one switch for all threads
