"""One look through a whole network: what every layer emits, and where its scores come from."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadNetwork
from seewhy.models.model import Layer
from seewhy.models.torch.inputs import by_proposal, detects, queries_behind
from seewhy.models.torch.passes.taps import Stop, activation_of, hooked, modules_of

from .default import widest_map, with_default
from .following import Following, Moment, Place
from .layout import FIRST, LAST, Layout, NetworkGrids, halved, layout, squares
from .marks import Mark
from .signals import SignalEmission, SignalLayouts, along, signal_layouts
from .tokens import MOVED, TokenLayouts, candidates, changes, judged

OF_BLOCKS = (nn.LayerNorm, nn.Identity, nn.Dropout, nn.Linear, nn.Softmax)
LARGE = 2**19  # pixels, beyond which one image takes memory enough
TOKENWISE = (nn.LayerNorm, nn.Identity, nn.Dropout)
CONVOLVED = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d)
Run = Callable[[Tensor], Tensor]


class Survey(NamedTuple):
    """What one look through a network found."""

    layers: dict[str, Layer]
    known: NetworkGrids
    unclear: Mapping[int, str]  # what could not be told of rows of so many tokens, in words
    turned: frozenset[str] = frozenset()  # layers behind a mirror, whose cells lie nobody knows how


class PassRecord(NamedTuple):
    """What the modules emitted in one pass, and in which order."""

    raw: Tensor
    calls: dict[str, list[Tensor]]  # of each module
    order: list[str]
    entered: list[Tensor]  # the input of each linear layer
    place: Callable[[str, tuple[int, ...]], Place | None]  # of a module's last call, whose grid is given
    grid: Callable[[str], tuple[int, ...] | None]  # of that call itself, as far as it was followed
    mark: Callable[[str], Mark | None]  # all that was followed of it
    turned: Callable[[str], bool]  # the image, or a map of it, was mirrored before
    followed_grids: tuple[tuple[int, ...], ...]  # grids that were followed on the way


def survey(
    network: nn.Module, x: Tensor, run: Run, grid: Any = None, beside: bool = False, aimed: bool = False, widest: bool = False
) -> Survey:  # fmt: skip
    """Run noise like x (1, c, *space) forward and back; note what each module emits and whether the scores depend on it.

    The default layer is the last one that has space and that the scores depend on.

    grid: the grid of the tokens, where the person knows it.
    beside: the network has other inputs, so that some calls of a layer may not see the image.
    aimed: `run` reads what is in this very image, so that noise alone would not do.
    widest: the default layer is the last of the widest maps.
    """
    modules = {name: module for name, module in modules_of(network).items() if name}
    images = (_varied(x) if aimed else _noise(x, 0))[: 1 if x.shape[2:].numel() > LARGE else 2]
    noise, record = _first_pass(modules, images, run)
    last = {name: emissions[-1] for name, emissions in record.calls.items()}
    if noise.ndim == 3:
        signals = _signals(modules, record, noise, run, grid)
        tokens, known = TokenLayouts({}, signals.unclear), NetworkGrids({}, frozenset(), signals.layouts)
    else:
        tokens = _tokens(modules, record, noise, run, grid, queries_behind(network))
        known = NetworkGrids(tokens.layouts, _grids(modules, record, noise, tokens))
    sees = _sees(modules, record, x, run) if beside else {}
    blind = {name for name in modules if by_proposal(network, name)} | {name for name, calls in sees.items() if not calls}
    layouts = {
        name: None if name in blind else layout_of(modules[name], a, noise, known, record.grid(name))
        for name, a in last.items()
    }
    reached = _reached(record.raw, last, layouts)
    if record.entered and not any(reached[name] for name, lies in layouts.items() if lies):
        reached = _reached(record.entered[-1], last, layouts)  # a head still filled with zeros: ask what enters it
    layers = {name: _layer(modules[name], a, layouts[name], reached[name], len(record.calls[name])) for name, a in last.items()}
    placed = {name: lies and record.place(name, lies.space) for name, lies in layouts.items()}
    layers = {name: layer._replace(sees=sees.get(name, layer.sees), cells=placed[name]) for name, layer in layers.items()}
    backwards = [*dict.fromkeys(reversed(record.order))]
    in_backbone = [name for name in backwards if name.startswith("backbone.")]  # a detector's heads read maps of several scales
    eligible = in_backbone if detects(network) else backwards
    broad = widest_map(layers, layouts, eligible) if widest else None
    layers = with_default(layers, layouts, backwards, bool(tokens.unclear)) if broad is None else {**layers, **broad}
    turned = frozenset(name for name, layer in layers.items() if layouts[name] and not layer.cells and record.turned(name))
    return Survey(layers, known, tokens.unclear, turned)


def _first_pass(modules: Mapping[str, nn.Module], noise: Tensor, run: Run) -> tuple[Tensor, PassRecord]:
    """The images that ran, and what their pass left: two images, or one where the network takes no two."""
    try:
        with torch.enable_grad():
            entered = noise.requires_grad_().clone()  # a leaf cannot be written to
            return noise, _pass(modules, entered, run, Following(entered))
    except (BadNetwork, RuntimeError):  # it is RuntimeError that says that memory ran out
        if len(noise) == 1:
            raise
        return _first_pass(modules, noise[:1].detach(), run)


def _layer(module: nn.Module, a: Tensor, lies: Layout | None, reached: bool, calls: int) -> Layer:
    shape, extra = (lies.shape, lies.prefix + lies.suffix) if lies else (tuple(a.shape[1:]), 0)
    return Layer(type(module).__name__, shape, calls, reached, sees=tuple(range(1, calls + 1)), tokens=extra)


def _noise(x: Tensor, seed: int) -> Tensor:
    """Whatever image comes first, the layers are the same; two images, so that an axis of one is known to be no batch."""
    return torch.randn((2, *x.shape[1:]), generator=torch.Generator().manual_seed(seed)).to(x)


def _varied(x: Tensor) -> Tensor:
    """The image, and the same with a little noise: two, as with noise alone."""
    return torch.cat([x, x + 1e-3 * x.std() * _noise(x, 0)[:1]])


def _pass(
    modules: Mapping[str, nn.Module], x: Tensor, run: Run, follow: Following | None = None, last: bool = False
) -> PassRecord:
    """Run x and keep what each module emits.  last: the pass may end once every module has run."""
    moments: dict[str, Moment] = {}
    calls: dict[str, list[Tensor]] = {}
    order: list[str] = []
    entered: list[Tensor] = []

    def hook_for(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            tensor = activation_of(output)
            if tensor is None:
                return None
            if tensor is output and not tensor.requires_grad:  # past a no_grad inside the network
                tensor = tensor.detach().requires_grad_(torch.is_grad_enabled())
            calls.setdefault(name, []).append(tensor)
            if follow is not None:
                moments[name] = follow.moment(output if tensor is not output and isinstance(output, Tensor) else tensor)
            order.append(name)
            if last and len(calls) == len(modules):
                raise Stop
            if isinstance(module, nn.Linear) and args:
                entered.append(args[0])
            return tensor.clone() if isinstance(output, Tensor) else None

        return hook

    raw = x[:0]
    with follow or nullcontext(), hooked((module, hook_for(name)) for name, module in modules.items()), suppress(Stop):
        raw = run(x)
    return PassRecord(
        raw, calls, order, entered, lambda name, grid: follow and follow.place_at(moments[name], grid),
        lambda name: moments[name].grid if name in moments else None,
        lambda name: moments[name].mark if name in moments else None,
        lambda name: name in moments and moments[name].turned,
        tuple(mark.where[0] for mark in follow.history if mark.where) if follow else (),
    )  # fmt: skip


def layout_of(
    module: nn.Module | None, a: Tensor, x: Tensor, known: NetworkGrids, grid: tuple[int, ...] | None = None
) -> Layout | None:
    """How what a module emitted lies over the space of the network's input x; None where it has no space."""
    if x.ndim == 4 and isinstance(module, nn.RNNBase | nn.Conv1d | nn.BatchNorm1d):
        return None
    if x.ndim == 3:
        return along(module, tuple(a.shape), tuple(x.shape), known, grid)
    space = tuple(x.shape[2:])
    reading = layout(tuple(a.shape), space, len(x), known, isinstance(module, CONVOLVED), grid)
    stretched = reading is not None and reading.kind in (FIRST, LAST) and reading.distorts(space) > 0.7
    if stretched and isinstance(module, OF_BLOCKS):
        return None  # heads and queries inside an attention are no picture
    return reading


def _tokens(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Run, grid: Any, behind: int) -> TokenLayouts:
    """How rows of tokens lie, by their length; each is judged at the first layer that emits it.  behind: tokens known to be no
    part of the image.
    """
    space = tuple(x.shape[2:])
    firsts: dict[int, list[str]] = {}  # the first layer to emit so many tokens, and those behind it that mix none
    grids: list[tuple[int, ...]] = []
    for name in dict.fromkeys(record.order):
        shape = tuple(record.calls[name][0].shape)
        if len(shape) == 2 + len(space):
            likely = [shape[2:]] if isinstance(modules[name], CONVOLVED) else [shape[2:], shape[1:-1]]
            sure = isinstance(modules[name], CONVOLVED)
            grids += [cells for cells in likely if sure or cells in record.followed_grids or squares(cells, space)]
        elif len(shape) == 3 and len(x) in shape[:2]:
            names = firsts.setdefault(shape[1] if shape[0] == len(x) else shape[0], [])
            if not names or (names[-1] and isinstance(modules[name], TOKENWISE)):
                names.append(name)
        if isinstance(modules[name], nn.Linear | nn.MultiheadAttention):  # from here on tokens may be mixed
            for names in firsts.values():
                names.append("")
    read = {count: candidates(count - behind, space, grids, grid) for count in firsts if count - behind > 3}
    among = {
        count: [(near, [lies._replace(suffix=lies.suffix + behind) for lies in layouts]) for near, layouts in kinds]
        for count, kinds in read.items()
        if kinds
    }
    if not among:
        return TokenLayouts({}, {})
    moved = changes(lambda images: _rows(modules, images, run, {count: firsts[count] for count in among}), x[:1])
    results = {count: judged(count, space, among[count], change[0], change[1:]) for count, change in moved.items()}
    known = {count: result for count, result in results.items() if isinstance(result, Layout)}
    unclear = {count: result for count, result in results.items() if isinstance(result, str)}
    if any(why == MOVED.format(count) for count, why in unclear.items()):  # no grid would be true of the others either
        unclear = {count: MOVED.format(count) for count in unclear}
    return TokenLayouts(known, unclear)


def _signals(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Run, grid: Any) -> SignalLayouts:
    """How the layers of a network over signals lie, one by one."""
    last = {name: calls[-1] for name, calls in record.calls.items()}
    emitted = {name: SignalEmission(modules[name], tuple(a.shape), record.mark(name)) for name, a in last.items()}
    grids = [tuple(a.shape[2:]) for name, a in last.items() if a.ndim == 3 and isinstance(modules[name], CONVOLVED)]
    grids += [cells for cells in record.followed_grids if len(cells) == 1]

    def probed(names: Sequence[str]) -> Mapping[str, Tensor]:
        sides = {name: emitted[name].sides(len(x)) for name in names}
        rows = changes(lambda images: _moved({name: modules[name] for name in names}, images, run, sides), x[:1])
        return {name: moves[0] for name, moves in rows.items()}

    return signal_layouts(emitted, len(x), x.shape[2], grids, probed, grid)


def _moved(
    wanted: Mapping[str, nn.Module], images: Tensor, run: Run, sides: Mapping[str, tuple[int, int]]
) -> dict[str, list[Tensor]]:
    """What layers make of each signal, (m, a, b), of those that emit as much as before."""
    passes = [_pass(wanted, image, run, last=True).calls for image in images.split(1)]
    rows = {name: [calls[name][-1] for calls in passes] for name in wanted if all(name in calls for calls in passes)}
    whole = {name: a for name, a in rows.items() if all(row.numel() == sides[name][0] * sides[name][1] for row in a)}
    return {name: [torch.cat([row.reshape(1, *sides[name]) for row in a])] for name, a in whole.items()}


def _grids(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, tokens: TokenLayouts) -> frozenset[tuple[int, ...]]:
    """The grids that are known to be maps of the image, and halves of them."""
    d = x.ndim - 2
    shapes = {name: tuple(calls[0].shape) for name, calls in record.calls.items() if isinstance(modules[name], CONVOLVED)}
    maps = {shape[2:] for shape in shapes.values() if len(shape) == 2 + d}
    maps |= {grid for grid in record.followed_grids if len(grid) == d}
    maps |= {lies.space for lies in tokens.layouts.values()}
    return frozenset(maps | halved(maps))


def _rows(
    modules: Mapping[str, nn.Module], images: Tensor, run: Run, firsts: Mapping[int, list[str]]
) -> Mapping[int, list[Tensor]]:
    """What the first layers to emit `count` tokens make of each image: (m, count, c) each."""
    firsts = {count: [name for name in names if name] for count, names in firsts.items()}
    wanted = {name: modules[name] for names in firsts.values() for name in names}
    passes = [_pass(wanted, image, run, last=True).calls for image in images.split(1)]
    rows = {count: [[calls[name][0] for calls in passes] for name in names] for count, names in firsts.items()}
    there = {
        count: [row for row in emissions if all(sorted(tensor.shape[:2]) == [1, count] for tensor in row)]
        for count, emissions in rows.items()
    }
    return {
        count: [torch.cat([tensor.reshape(1, count, -1) for tensor in row]) for row in emissions]
        for count, emissions in there.items()
        if emissions
    }


def _sees(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Run) -> dict[str, tuple[int, ...]]:
    """Of each layer the calls that emit something else for another image."""
    with torch.no_grad():
        other = _pass({name: modules[name] for name in record.calls}, _noise(x, 1)[: len(record.raw)], run).calls
    return {
        name: tuple(i + 1 for i, (a, b) in enumerate(zip(record.calls[name], emissions, strict=False)) if not torch.equal(a, b))
        for name, emissions in other.items()
    }


def _reached(raw: Tensor, last: dict[str, Tensor], layouts: dict[str, Layout | None]) -> dict[str, bool]:
    """Of each layer: do the scores depend on what it emits in space?"""
    if not raw.requires_grad or not last:
        return dict.fromkeys(last, False)
    with_grad = {name: a for name, a in last.items() if a.requires_grad}
    start = torch.cos(torch.arange(raw.numel(), device=raw.device, dtype=torch.float32)).reshape(raw.shape).to(raw.dtype)
    grads_of = torch.autograd.grad(raw, [*with_grad.values()], start, allow_unused=True, retain_graph=True)
    grads = dict(zip(with_grad, grads_of, strict=True))
    out = {}
    for name in last:
        g, lies = grads.get(name), layouts[name]
        out[name] = g is not None and bool((lies.turn(g) if lies else g).any())
    return out
