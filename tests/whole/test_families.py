"""The networks that people ask about, by family: the layout is right, the default layer is one to explain, methods work."""

import math
from copy import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy.methods.making.method import lookup
from support.ask import close, values
from support.families import ALL, BrightestPatch
from support.families.known import FIRST, LAST, Family, Known

BY_KIND = (  # one of each layout: every method runs on these
    "timm vit, 4 registers", "timm swin", "timm resnet", "timm xcit", "timm levit", "torchvision swin", 
    "torchvision mvit, of videos", "hf swin, oblong", "hf siglip", "hf pvt", "tokens before the batch", "registers at the end",
)  # fmt: skip
METHODS = {
    "hires-cam": {}, "layer-cam": {}, "eigen-cam": {}, "gradient": {}, "integrated-gradients": {"steps": 4},
    "occlusion": {"window": 32, "stride": 32}, "rise": {"masks": 4}, "lime": {"segments": "grid:3", "samples": 12},
    "score-cam": {"top_channels": 4}, "ablation-cam": {},
}  # fmt: skip
BEFORE_ATTENTION = {  # the scores read the class token alone: behind the last block's attention the patches are not heard
    "timm vit": ("blocks.1", "blocks.2.norm1"),
    "timm vit, 4 registers": ("blocks.1", "blocks.2.norm1"),
    "timm vit, an odd size": ("blocks.1", "blocks.2.norm1"),
    "timm deit, distilled": ("blocks.1", "blocks.2.norm1"),
    "timm naflexvit": ("blocks.1", "blocks.2.norm1"),
    "torchvision vit": ("encoder.layers.encoder_layer_1", "encoder.layers.encoder_layer_2.ln_1"),
    "hf vit": ("vit.layers.1", "vit.layers.2.layernorm_before"),
    "hf deit, distilled": ("deit.layers.1", "deit.layers.2.layernorm_before"),
    "hf dinov3 and a linear head": ("tower.model.layer.1", "tower.model.layer.2.norm1"),
    "tokens before the batch": ("encoder.layers.0", "encoder.layers.1.norm1"),
    "registers at the end": ("encoder.layers.0", "encoder.layers.1.norm1"),
}


@cache
def network(name: str) -> nn.Module:
    return ALL[name].network()


@cache
def model(name: str) -> Any:
    return seewhy.wrap(network(name))


@cache
def default(name: str) -> str:
    (found,) = [layer for layer, facts in model(name).layers(ALL[name].images(1)).items() if facts.default]
    return found


def scores_of(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output.logits


def emitted(net: nn.Module, x: Any, layer: str, edit: Any = lambda a: a) -> tuple[Tensor, Tensor]:
    """By a hook: what the last call of the layer emits, as `edit` has it, and the scores that it leads to."""
    met: list[Tensor] = []

    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        whole = isinstance(output, Tensor)
        met.append(edit(output if whole else output[0]))
        if isinstance(output, dict):  # a ModelOutput of transformers
            made = copy(output)
            made[next(iter(output))] = met[-1]
            return made
        return met[-1] if whole else type(output)([met[-1], *output[1:]])

    handle = net.get_submodule(layer).register_forward_hook(hook)
    try:
        scores = scores_of(net(torch.as_tensor(x)))
    finally:
        handle.remove()
    return met[-1], scores


def kind_of(a: Tensor, grid: tuple[int, ...]) -> str:
    return FIRST if tuple(a.shape[2:]) == grid else LAST if tuple(a.shape[1:-1]) == grid else "tokens"


def turned(a: Tensor, n: int, grid: tuple[int, ...], suffix: int = 0) -> Tensor:
    """(n, c, *grid) of an activation of n images, from what the test knows: its grid, and how many tokens come after."""
    kind = kind_of(a, grid)
    if kind == FIRST:
        return a
    if kind == LAST:
        return a.movedim(-1, 1)
    a = a if a.shape[0] == n else a.transpose(0, 1)
    end = a.shape[1] - suffix
    assert a.ndim == 3, f"{tuple(a.shape)} are no tokens"
    assert end >= math.prod(grid), f"{tuple(a.shape)} has no grid {grid}"
    return a[:, end - math.prod(grid) : end].movedim(-1, 1).unflatten(2, grid)


def brightened(family: Family, at: tuple[int, ...], grid: tuple[int, ...]) -> np.ndarray:
    """An image, and the same with the pixels of a cell brighter."""
    x = family.images(1).repeat(2, 0)
    spans = [
        slice(round(i * s / g), round((i + 1) * s / g)) for i, s, g in zip(at, family.seen or family.space, grid, strict=True)
    ]
    x[(1, slice(None), *spans)] += 3
    return x


def some_cells(grid: tuple[int, ...], n: int = 3) -> list[tuple[int, ...]]:
    """Not on the diagonal alone."""
    rng = np.random.default_rng(0)
    return [tuple(int(i) for i in rng.integers(0, grid)) for _ in range(n)]


@pytest.mark.parametrize("name", ALL)
def test_what_the_tests_know_of_a_family_is_true(name: str) -> None:
    """A cell of the image that changes shows at that cell, before any of seewhy is asked."""
    family = ALL[name]
    known: Known = family.early
    for at in some_cells(known.grid):
        a, _ = emitted(network(name), brightened(family, at, known.grid), known.layer)
        assert kind_of(a, known.grid) == known.kind
        if known.kind == "tokens":
            assert max(a.shape[:2]) == known.prefix + math.prod(known.grid) + known.suffix
        a = turned(a.detach(), 2, known.grid, known.suffix)
        hit = np.unravel_index(int((a[1] - a[0]).abs().sum(0).argmax()), known.grid)
        assert max(abs(int(i) - j) for i, j in zip(hit, at, strict=True)) <= known.near


@pytest.mark.parametrize("name", ALL)
def test_a_layer_is_turned_into_its_grid(name: str) -> None:
    family, x = ALL[name], ALL[name].images()
    known = family.early
    found = model(name).activations(x, [known.layer])[0][known.layer]
    expected = turned(emitted(network(name), x, known.layer)[0].detach(), 2, known.grid, known.suffix)
    assert tuple(found.shape) == tuple(expected.shape)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9, atol=1e-12)
    assert model(name).layers(x)[known.layer].shape == tuple(expected.shape[1:])


@pytest.mark.parametrize("name", ALL)
def test_the_default_layer_has_space_and_is_connected(name: str) -> None:
    """Its grid is the one the architecture ends in, and the scores hear more than half of its cells."""
    family, x = ALL[name], ALL[name].images()
    layer = model(name).layers(x)[default(name)]
    assert layer.shape[1:] == family.default
    assert layer.connected
    a, scores = emitted(network(name), x, default(name), edit=lambda a: a.detach().requires_grad_())
    (g,) = torch.autograd.grad((scores * torch.arange(1.0, scores.shape[1] + 1)).sum(), a)
    heard = turned(g, 2, family.default, family.early.suffix).abs().sum(1) > 0
    assert heard.double().mean() > 0.5


@pytest.mark.parametrize("name", BEFORE_ATTENTION)
def test_where_a_class_token_is_read_the_default_lies_before_the_last_attention(name: str) -> None:
    assert default(name) in BEFORE_ATTENTION[name]


@pytest.mark.parametrize("name", ALL)
def test_grad_cam_at_the_default_layer(name: str) -> None:
    """As derived by hand from a hook and what is known of the grid; no map is flat, or warns but of HiResCAM."""
    family, x = ALL[name], ALL[name].images()
    before = state(network(name))
    maps = seewhy.grad_cam(model(name), x, target=2, signed=True)
    assert state(network(name)) == before
    a, scores = emitted(network(name), x, default(name), edit=lambda a: a.detach().requires_grad_())
    (g,) = torch.autograd.grad(scores[:, 2].sum(), a)
    a, g = (turned(one.detach(), 2, family.default, family.early.suffix) for one in (a, g))
    cells = tuple(range(2, a.ndim))
    close(values(maps), (g.mean(cells, keepdim=True) * a).sum(1).numpy(), 1e-5)
    for i, one in enumerate(maps):
        assert all(said.startswith("hires-cam has") for said in one.warnings)
        assert np.ptp(one.values) > 1e-3 * np.abs(one.values).max()
        alone = seewhy.grad_cam(model(name), x[i : i + 1], target=2, signed=True)
        close(one.values, alone[0].values, 1e-5)


@pytest.mark.parametrize("name", ALL)
def test_an_edit_at_the_default_layer_is_put_back_in_its_place(name: str) -> None:
    """The scores behind one cell set to zero, as a hook by hand has them; other tokens stay."""
    family, x = ALL[name], ALL[name].images(1)
    at = some_cells(family.default, 1)[0]

    def silenced(a: Tensor) -> Tensor:
        whole = a.detach().clone()
        turned(whole, 1, family.default, family.early.suffix)[(slice(None), slice(None), *at)] = 0
        return whole

    with torch.no_grad():
        expected = emitted(network(name), x, default(name), silenced)[1].numpy()
    with model(name).scoring(x, model(name).answer(x)) as scorer:
        tail = scorer.tail(scorer.array(x[0]), default(name))
        edits = tail.a.clone()[None].repeat(2, *[1] * tail.a.ndim)
        edits[(1, slice(None), *at)] = 0
        plain, edited = np.asarray(tail(edits))
    close(plain, model(name).answer(x).scores[0], 1e-6)
    close(edited, expected[0], 1e-6)
    assert np.abs(edited - plain).max() > 1e-6


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name in BY_KIND for method in METHODS if len(ALL[name].space) == 2 or method != "lime"],
)
def test_methods_run_on_every_layout(name: str, method: str) -> None:
    """Finite, not flat, a batch equals its singles, and the network is as it was; superpixels are of flat images alone."""
    x, before = ALL[name].images(), state(network(name))
    asked = lookup(method, METHODS[method])
    asked = asked.using(signed=True) if "signed" in asked.defaults else asked  # a ReLU may leave nothing
    together = asked(model(name), x, target=1)
    assert state(network(name)) == before
    found = values(together)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=tuple(range(1, found.ndim))).min() > 0
    alone = np.concatenate([values(asked(model(name), x[i : i + 1], target=1)) for i in range(2)])
    close(found, alone, 1e-5)


@pytest.mark.parametrize("name", ["timm xcit", "timm levit", "timm efficientformer", "hf levit", "timm resnet", "timm vit"])
def test_the_gradient_at_one_image_is_the_slope(name: str) -> None:
    """torch's BatchNorm of one image passes a wrong gradient back on the CPU where tokens follow it: ask for differences."""
    x = ALL[name].images(1)
    step = 1e-7 * np.random.default_rng(0).normal(size=x.shape)
    (found,) = seewhy.gradient(model(name), x, target=1)
    assert found.channels is not None
    up, down = (model(name).answer(x + sign * step).scores[0, 1] for sign in (1, -1))
    assert (found.channels * step[0]).sum() == pytest.approx((up - down) / 2, rel=1e-4)


def state(net: nn.Module) -> list[Any]:
    """What a person could find changed."""
    return [
        [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()],
        [(p.requires_grad, p.grad is None, p.dtype, float(p.detach().sum())) for p in net.parameters()],
        [float(b.double().sum()) for b in net.buffers()],
        torch.is_grad_enabled(),
    ]


def coloured(at: tuple[int, int], grid: tuple[int, int] = (4, 6)) -> np.ndarray:
    """Patches of dim colours, and one that is bright and green: (1, 3, 32, 48)."""
    patches = np.random.default_rng(at).uniform(0, 0.3, (3, *grid))
    patches[:, *at] = 0, 1, 0
    return patches.repeat(8, 1).repeat(8, 2)[None]


@pytest.mark.parametrize("prefix", [1, 2, 5])
@pytest.mark.parametrize("method", ["grad-cam", "hires-cam", "layer-cam", "ablation-cam", "gradient", "occlusion"])
def test_the_one_patch_that_matters_is_found(method: str, prefix: int) -> None:
    found = seewhy.wrap(BrightestPatch(prefix).double().eval())
    asked = lookup(method).using(**({"window": 8, "stride": 8} if method == "occlusion" else {}))
    for at in [(0, 5), (3, 0), (1, 2), (2, 4)]:
        (one,) = asked(found, coloured(at))
        assert one.source.index == 1
        scale = np.array(one.values.shape) // (4, 6)
        hit = np.unravel_index(int(np.abs(one.values).argmax()), one.values.shape) // scale
        assert tuple(hit) == at


@pytest.mark.parametrize("prefix", [1, 2, 5])
def test_a_layer_behind_the_attention_is_answered_with_the_better_one(prefix: int) -> None:
    found = seewhy.wrap(BrightestPatch(prefix).double().eval())
    layers = found.layers(coloured((1, 2)))
    assert layers["tokens"].default
    assert layers["block"].shape == (4, 4, 6)
    assert not layers["block"].connected
    (one,) = seewhy.grad_cam(found, coloured((1, 2)), layer="block")
    assert any("tokens" in warning for warning in one.warnings)
