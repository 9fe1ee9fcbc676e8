"""One pass through a whole network: what every layer emits, and which layers the scores depend on."""

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

OF_BLOCKS = (nn.LayerNorm, nn.Identity, nn.Dropout, nn.Linear, nn.Softmax)  # layers that stand inside attention blocks
LARGE = 2**19  # pixels: of larger images one is run instead of two, to save memory
TOKENWISE = (nn.LayerNorm, nn.Identity, nn.Dropout)  # layers that treat each token by itself
CONVOLVED = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d)
Forward = Callable[[Tensor], Tensor]


class Survey(NamedTuple):
    """What is known of a network after one pass through it."""

    layers: dict[str, Layer]
    known: NetworkGrids
    unclear: Mapping[int, str]  # for rows of so many tokens, in words: why it is not known where they lie
    turned: frozenset[str] = frozenset()  # layers behind a mirroring of the image: where their cells lie is unknown


class PassRecord(NamedTuple):
    """What the modules emitted in one pass, in which order, and what is known of where their cells lie."""

    raw: Tensor
    calls: dict[str, list[Tensor]]  # for each module, what each of its calls emitted
    order: list[str]  # the modules in the order of their calls
    entered: list[Tensor]  # the input of each linear layer
    place: Callable[[str, tuple[int, ...]], Place | None]  # of the cells of a module's last call, given their grid
    grid: Callable[[str], tuple[int, ...] | None]  # the grid of that call's output, where it is known
    mark: Callable[[str], Mark | None]  # all that is known of where that output lies
    turned: Callable[[str], bool]  # was the image, or a map of it, mirrored before?
    followed_grids: tuple[tuple[int, ...], ...]  # all grids that tensors of the pass are known to have


def survey(
    network: nn.Module, x: Tensor, run: Forward, grid: Any = None, beside: bool = False, aimed: bool = False,
    widest: bool = False,
) -> Survey:  # fmt: skip
    """Run noise of the shape of x (1, c, *space) forward and backward; record what each module emits, and whether the scores
    depend on it.

    The default layer is the last that has axes of space and that the scores depend on.

    grid: the grid of the tokens, if the caller knows it.
    beside: the network has other inputs besides the image, so that some calls of a layer may not depend on the image.
    aimed: the scores that `run` returns concern objects in x itself, so that noise alone would not do.
    widest: the default layer is the last among the maps with the most channels.
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
    if record.entered and not any(reached[name] for name, lies in layouts.items() if lies):  # a head of zeros
        reached = _reached(record.entered[-1], last, layouts)  # so its input stands for the scores
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


def _first_pass(modules: Mapping[str, nn.Module], noise: Tensor, run: Forward) -> tuple[Tensor, PassRecord]:
    """The images that were run, and the record of their pass: two images, or one if the network fails with two."""
    try:
        with torch.enable_grad():
            entered = noise.requires_grad_().clone()  # a leaf cannot be written to
            return noise, _pass(modules, entered, run, Following(entered))
    except (BadNetwork, RuntimeError):  # torch raises RuntimeError where memory runs out
        if len(noise) == 1:
            raise
        return _first_pass(modules, noise[:1].detach(), run)


def _layer(module: nn.Module, a: Tensor, lies: Layout | None, reached: bool, calls: int) -> Layer:
    shape, extra = (lies.shape, lies.prefix + lies.suffix) if lies else (tuple(a.shape[1:]), 0)
    return Layer(type(module).__name__, shape, calls, reached, sees=tuple(range(1, calls + 1)), tokens=extra)


def _noise(x: Tensor, seed: int) -> Tensor:
    """Two noise images like x, the same for every image; two, so that an axis of length one is not taken for the batch."""
    return torch.randn((2, *x.shape[1:]), generator=torch.Generator().manual_seed(seed)).to(x)


def _varied(x: Tensor) -> Tensor:
    """The image, and the image with a little noise added, as a batch of two."""
    return torch.cat([x, x + 1e-3 * x.std() * _noise(x, 0)[:1]])


def _pass(
    modules: Mapping[str, nn.Module], x: Tensor, run: Forward, follow: Following | None = None, last: bool = False
) -> PassRecord:
    """Run x and record what each module emits.  last: the pass ends as soon as every module has run once."""
    moments: dict[str, Moment] = {}
    calls: dict[str, list[Tensor]] = {}
    order: list[str] = []
    entered: list[Tensor] = []

    def hook_for(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            tensor = activation_of(output)
            if tensor is None:
                return None
            if tensor is output and not tensor.requires_grad:  # emitted inside a no_grad block of the network
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
    """The layout of a module's output a over the space of the network's input x; None where it has no axes of space."""
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


def _tokens(
    modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Forward, grid: Any, behind: int
) -> TokenLayouts:
    """The layout of rows of tokens, by their length; each length is judged at the first layer that emits such a row.

    behind: how many tokens at the end of each row are known not to be part of the image.
    """
    space = tuple(x.shape[2:])
    firsts: dict[int, list[str]] = {}  # the first layer that emits so many tokens, and the next ones, until tokens are mixed
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
    if any(why == MOVED.format(count) for count, why in unclear.items()):  # then no grid holds for rows of other lengths either
        unclear = {count: MOVED.format(count) for count in unclear}
    return TokenLayouts(known, unclear)


def _signals(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Forward, grid: Any) -> SignalLayouts:
    """The layout of each layer of a network whose input is a signal."""
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
    wanted: Mapping[str, nn.Module], images: Tensor, run: Forward, sides: Mapping[str, tuple[int, int]]
) -> dict[str, list[Tensor]]:
    """What each layer emits for each signal, (m, a, b); only layers whose output has the same size as in the first pass."""
    passes = [_pass(wanted, image, run, last=True).calls for image in images.split(1)]
    rows = {name: [calls[name][-1] for calls in passes] for name in wanted if all(name in calls for calls in passes)}
    whole = {name: a for name, a in rows.items() if all(row.numel() == sides[name][0] * sides[name][1] for row in a)}
    return {name: [torch.cat([row.reshape(1, *sides[name]) for row in a])] for name, a in whole.items()}


def _grids(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, tokens: TokenLayouts) -> frozenset[tuple[int, ...]]:
    """The grids of all that are known to be maps of the image, and half of each of these grids."""
    d = x.ndim - 2
    shapes = {name: tuple(calls[0].shape) for name, calls in record.calls.items() if isinstance(modules[name], CONVOLVED)}
    maps = {shape[2:] for shape in shapes.values() if len(shape) == 2 + d}
    maps |= {grid for grid in record.followed_grids if len(grid) == d}
    maps |= {lies.space for lies in tokens.layouts.values()}
    return frozenset(maps | halved(maps))


def _rows(
    modules: Mapping[str, nn.Module], images: Tensor, run: Forward, firsts: Mapping[int, list[str]]
) -> Mapping[int, list[Tensor]]:
    """For each `count`: what the first layers that emit so many tokens give for each image, (m, count, c) for each layer."""
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


def _sees(modules: Mapping[str, nn.Module], record: PassRecord, x: Tensor, run: Forward) -> dict[str, tuple[int, ...]]:
    """For each layer, the numbers of those calls whose output depends on the image."""
    with torch.no_grad():
        other = _pass({name: modules[name] for name in record.calls}, _noise(x, 1)[: len(record.raw)], run).calls
    return {
        name: tuple(i + 1 for i, (a, b) in enumerate(zip(record.calls[name], emissions, strict=False)) if not torch.equal(a, b))
        for name, emissions in other.items()
    }


def _reached(raw: Tensor, last: dict[str, Tensor], layouts: dict[str, Layout | None]) -> dict[str, bool]:
    """For each layer: do the scores depend on those of its outputs that have a place in the image?"""
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
