"""Methods that only ask for scores, on signals and volumes: derived again, and with defaults that serve their sizes."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

import seewhy
from seewhy.explaining.case import Case
from seewhy.maps.regions import Regions
from seewhy.methods.making.method import lookup
from support import ask
from support.dimensions import NETS, Net, evidence
from support.references import cams as references
from support.references import perturb as by_hand

Floats = NDArray[np.float64]
SOME = ["pooled 1-D", "flat 1-D", "recurrent", "tokens 1-D", "pooled 3-D", "flat 3-D", "tokens 3-D", "averaged 3-D"]
LARGE = {  # windows and segments by default
    (512,): (31, 32), (5000,): (31, 32), (40,): (20, 32), (7,): (7, 7), (224, 224): (169, 64), (64, 64, 64): (343, 64),
    (24, 24, 24): (343, 64), (16, 112, 112): (343, 64), (3, 40, 50): (147, 48), (1, 1, 9): (4, 4),
}  # fmt: skip


def found_by(name: str, function: Any, x: Floats, **params: Any) -> Any:
    """What a method finds out about the first score of a function of images (n, c, *space) -> (n, k)."""
    return lookup(name).using(**params).outcome(Case(seewhy.wrap(function, takes="float"), x, [seewhy.Class(0)], shared=()))


def score(net: Net, target: int) -> by_hand.Score:
    return lambda image: float(references.scores(net.network, image)[target])


def mean_of(images: Any) -> Any:
    return np.stack([images.reshape(len(images), -1).mean(1), images.reshape(len(images), -1).max(1)], 1)


@pytest.mark.parametrize("space", LARGE, ids=str)
def test_the_usual_windows_and_cells_are_few_whatever_the_size(space):
    """Enough to tell where, and not so many that nobody waits for them."""
    x, (windows, segments) = np.random.default_rng(0).random((1, 1, *space)), LARGE[space]
    occlusion = found_by("occlusion", mean_of, x)
    assert ask.measured(occlusion)["forwards"][0, 0] == ask.measured(occlusion)["windows"][0, 0] == windows
    assert np.unique(occlusion.cores["input"]).size > 1
    sobol = ask.measured(found_by("sobol", mean_of, x, samples=2))
    assert sobol["segments"][0, 0] == segments
    assert sobol["forwards"][0, 0] == 2 * (segments + 2)
    lime = ask.measured(found_by("lime", mean_of, x, samples=4))
    assert lime["segments"][0, 0] == 32 or len(space) > 1 or space == (7,)
    assert lime["segments"][0, 0] <= 150


@pytest.mark.parametrize("window", [8, (8,)])
def test_the_usual_stride_is_half_the_window(window):
    x = np.random.default_rng(0).random((1, 1, 64))
    ask.close(*(found_by("occlusion", mean_of, x, window=window, stride=s).cores["input"] for s in ("auto", 4)))
    with pytest.raises(seewhy.BadParameter, match=r'longer than the window \(8,\).*"auto", half of it'):
        found_by("occlusion", mean_of, x, window=window, stride=9)


@pytest.mark.parametrize(("d", "cells"), [(1, 16), (2, 7), (3, 5)])
def test_the_usual_cells_of_rise(d, cells):
    x = np.random.default_rng(d).random((1, 2, *[12] * d))
    auto, asked, other = (found_by("rise", mean_of, x, masks=60, cells=c).cores["input"] for c in ("auto", cells, cells + 1))
    ask.close(auto, asked, 1e-12)  # in other batches, sums round otherwise
    ask.far(other, asked)


@pytest.mark.parametrize("name", SOME)
def test_occlusion_by_a_loop_with_and_without_the_short_cut(name):
    net = NETS[name]
    sides, steps = [-(-side // 3) for side in net.space], [-(-side // 6) for side in net.space]
    expected = [by_hand.occlusion(score(net, 3), x, sides, steps) for x in net.images]
    for short in (True, False):
        case = ask.case(net.network, net.images, [3], gradients=False)
        method = lookup("occlusion").using(window=sides, stride=steps, fill="zero", incremental=short)
        ask.close(method.outcome(case).cores["input"][0], expected)


@pytest.mark.parametrize("name", ["pooled 1-D", "recurrent", "flat 3-D", "tokens 3-D"])
def test_rise_by_a_loop(name):
    net = NETS[name]
    masks = by_hand.rise_masks(30, net.space, 4, 0.5, 2)
    found = ask.maps(net.network, "rise", net.images, [3], [], masks=30, cells=4, seed=2)["input"][0]
    ask.close(found, [by_hand.rise(score(net, 3), x, masks) for x in net.images])


def larger(channel: Floats, space: tuple[int, ...]) -> Floats:
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(space)]
    return F.interpolate(torch.tensor(channel)[None, None], space, mode=mode)[0, 0].numpy()


@pytest.mark.parametrize("name", SOME)
def test_score_cam_and_its_kin(name):
    net, t = NETS[name], 3
    image, grid = net.images[0], net.layers[net.last]
    (seen,) = ask.maps(net.network, "eigen-cam", net.images[:1], [t], [net.last]).values()
    a = evidence(net, net.last, image, t)[0].reshape(-1, *grid)
    assert seen.shape[2:] == grid
    ups = [larger(channel, net.space) for channel in a]

    def of(samples: Any) -> Floats:
        means = [np.mean([score(net, t)(one) for one in samples(k)]) for k in range(len(a))]
        return np.tensordot(by_hand.softmax(means), a, 1)

    def noise(k: int, j: int) -> Floats:
        return 2.0 * np.random.default_rng([7, k, j]).standard_normal(grid)

    expected = {
        "score-cam": of(lambda k: [image * by_hand.stretched(ups[k])]),
        "is-cam": of(lambda k: [image * share * by_hand.stretched(ups[k]) for share in (0.5, 1.0)]),
        "ss-cam": of(lambda k: [image * by_hand.stretched(larger(a[k] + noise(k, j), net.space)) for j in (0, 1)]),
    }
    for method, own in expected.items():
        few = {"score-cam": {}, "is-cam": {"samples": 2}, "ss-cam": {"samples": 2, "seed": 7}}[method]
        (found,) = ask.maps(net.network, method, net.images[:1], [t], [net.last], **few).values()
        ask.close(found[0, 0], own)


@pytest.mark.parametrize("name", [name for name in SOME if name != "recurrent"])  # which emits a tuple
def test_channels_and_cells_taken_away(name):
    net, t = NETS[name], 3
    image, grid = net.images[0], net.layers[net.last]
    a = evidence(net, net.last, image, t)[0].reshape(-1, *grid)
    tokens = by_hand.raw(net.network, net.last, image).shape[1:] != a.shape

    def edited(keep: Floats) -> float:
        """The score where the layer's activation is multiplied by keep (c, *grid)."""
        whole = torch.tensor(np.broadcast_to(keep, a.shape).copy())[None]
        whole = whole.flatten(2).transpose(1, 2) if tokens else whole
        return float(by_hand.edited(net.network, net.last, image, lambda out: out * whole)[t])

    y = score(net, t)(image)
    drops = [y - edited(np.where(np.arange(len(a)) == k, 0.0, 1.0).reshape(-1, *[1] * len(grid))) for k in range(len(a))]
    cells = np.zeros(grid)
    for cell in np.ndindex(*grid):
        alone = np.zeros(grid)
        alone[cell] = 1
        cells[cell] = edited(alone) - edited(np.zeros(grid))
    (found,) = ask.maps(net.network, "ablation-cam", net.images[:1], [t], [net.last]).values()
    ask.close(found[0, 0], np.tensordot(drops, a, 1) / abs(y), 1e-8)
    (found,) = ask.maps(net.network, "recipro-cam", net.images[:1], [t], [net.last]).values()
    ask.close(found[0, 0], cells, 1e-8)


def linear(*space: int) -> tuple[Any, Floats, Floats]:
    """y = sum w x as a network of arrays, its weights, and an image with something in it."""
    w = np.random.default_rng(1).normal(size=(2, *space))
    x = np.random.default_rng(2).normal(size=(1, 2, *space))
    return lambda images: (np.asarray(images, np.float64) * w).sum(tuple(range(1, w.ndim + 1)))[:, None], w, x


@pytest.mark.parametrize("space", [(50,), (9, 12), (8, 10, 12)], ids=str)
@pytest.mark.parametrize("method", ["lime", "kernel-shap"])
def test_segments_weigh_what_a_linear_score_gives_them(method, space):
    """With nothing asked: intervals of a signal, supervoxels of a volume."""
    function, w, x = linear(*space)
    few = {"alpha": 0.0} if method == "lime" else {}
    (m,) = seewhy.METHODS[method](
        seewhy.wrap(function, takes="float"), seewhy.images.inputs.PreparedBatch(x), hide="zero", **few
    )
    labels = m.regions.segments
    assert labels.shape == space == m.values.shape
    assert 16 <= labels.max() + 1 <= 120
    weights = [(w * x[0]).sum(0)[labels == s].sum() for s in range(labels.max() + 1)]
    ask.close(m.regions.weights, weights, 1e-8)
    ask.close(m.values, np.asarray(weights)[labels], 1e-6)
    top = m.regions.top(3)
    assert top.shape == space
    assert {*labels[top]} == {*np.argsort(weights)[-3:]}


@pytest.mark.parametrize("space", [(50,), (8, 10, 12)], ids=str)
def test_sobol_indices_of_a_linear_score(space):
    """Of a sum of independent parts, each drawn evenly, the share of a part is that of its square."""
    function, w, x = linear(*space)
    found = found_by("sobol", function, x, samples=2000)
    labels = found.regions(0, 0).segments
    parts = np.array([(w * x[0]).sum(0)[labels == s].sum() ** 2 for s in range(labels.max() + 1)])
    np.testing.assert_allclose(found.regions(0, 0).weights, parts / parts.sum(), atol=0.02)


def test_the_top_of_a_signal_is_a_mask_and_no_picture():
    regions = Regions(np.array([0, 0, 1, 2, 2]), np.array([0.5, -1.0, 2.0]), np.zeros(3), None, None, None, 0)
    assert regions.top(1).tolist() == [False, False, False, True, True]
    assert regions.top(1, positive=False).tolist() == [False, False, True, False, False]
    for draw in (regions.draw, regions.boundaries):
        with pytest.raises(seewhy.NotApplicable, match=r"a signal cannot be drawn on a picture; `top`"):
            draw()
