"""RISE: its masks and its mean against loops and a closed form; its error is what repeats show."""

import numpy as np
import pytest

import seewhy
from seewhy.explaining.case import Case
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.counting import keeping_apart
from support.references import cams as references
from support.references import perturb as by_hand

SPACES = {"a picture": ((12, 17), 4), "a signal": ((23,), 5), "a volume": ((6, 7, 5), 3), "one cell": ((6, 8), 1)}


def found_by(function, x, targets=(0,), **params):
    """What RISE finds out about a function of images (n, c, *space) -> (n, k)."""
    asked = [seewhy.Class(t) for t in targets]
    return (
        lookup("rise").using(**params).outcome(Case(keeping_apart(seewhy.wrap(function, takes="float")), x, asked, shared=()))
    )


def masks(space, count, cells=7, keep=0.5, seed=0):
    """The masks themselves: what a function sees of an image of ones over zeros; the first it sees is the image."""
    seen = []

    def function(images):
        seen.extend(images[:, 0].copy())
        return images.reshape(len(images), -1)[:, :1]

    found_by(function, np.ones((1, 1, *space)), masks=count, cells=cells, keep=keep, seed=seed)
    assert len(seen) == count + 1
    return np.stack(seen[1:])


def wild(images):
    """Two scores in which pixels far apart hinder and help each other."""
    flat = images.reshape(len(images), -1)
    a = np.cos(np.arange(flat.shape[1]) * 1.7)
    return np.stack([np.tanh(flat @ a) * flat.mean(1) + flat.max(1), np.sqrt(1 + (flat**2) @ abs(a))], 1)


@pytest.mark.parametrize("keep", [0.5, 0.1])
def test_a_score_that_never_changes_gives_a_flat_map(keep):
    """Divided by the masks' expectation, as in the paper's code, it would not (trap 21)."""
    x = np.random.default_rng(0).normal(size=(1, 3, 24, 30))
    found = found_by(lambda images: np.full((len(images), 2), [4.25, -0.3]), x, (0, 1), masks=300, keep=keep)
    for t, score in enumerate((4.25, -0.3)):
        np.testing.assert_array_equal(found.cores["input"][t], np.full((1, 24, 30), score))
    assert not found.errors["input"].any()
    own = masks((24, 30), 300, keep=keep).mean(0) / keep
    assert own.std() > 0.02, "and so it would not be flat by chance"


@pytest.mark.parametrize("keep", [0.5, 0.2])
@pytest.mark.parametrize("space", SPACES)
def test_masks_are_those_of_a_second_derivation(space, keep):
    size, cells = SPACES[space]
    np.testing.assert_allclose(masks(size, 20, cells, keep, 3), by_hand.rise_masks(20, size, cells, keep, 3), atol=1e-13)


@pytest.mark.parametrize(("space", "cells"), [((50, 64), 7), ((13, 40), 5), ((224,), 7)])
def test_masks_are_smooth_shares(space, cells):
    """From 0 to 1, with no step anywhere higher than a pixel's share of a stretched cell, and of all sizes in between."""
    own = masks(space, 60, cells)
    assert own.min() == 0
    assert own.max() == pytest.approx(1)
    for axis, size in enumerate(space, start=1):
        step = abs(np.diff(own, axis=axis)).max()
        assert 0.8 * cells / (size + size / cells) < step <= cells / (size + size / cells) + 1e-12


@pytest.mark.parametrize("keep", [0.5, 0.1, 0.8])
def test_masks_keep_what_they_should_everywhere(keep):
    own = masks((28, 35), 4000, keep=keep)
    spread = np.sqrt(keep * (1 - keep) / 4000)  # of a pixel in the middle of a cell; less elsewhere
    assert abs(own.mean(0) - keep).max() < 4.5 * spread
    assert abs(own.mean() - keep) < spread


def test_the_same_masks_at_another_size():
    """Twice as large, and averaged over 2 x 2 pixels: the same but where a slope begins or ends within them."""
    small, large = masks((28, 42), 30), masks((56, 84), 30)
    again = large.reshape(30, 28, 2, 42, 2).mean((2, 4))
    slope = 7 / (28 + 4)
    assert abs(again - small).max() < slope / 2
    assert abs(again - small).mean() < slope / 25
    assert abs(small - small[::-1]).mean() > 0.3, "others are not at all the same"


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("fill", [0.0, 0.4])
def test_equal_to_a_loop_over_masks(space, fill):
    size, cells = SPACES[space]
    x = np.random.default_rng(5).normal(size=(2, 2, *size))
    found = found_by(wild, x, (0, 1), masks=40, cells=cells, keep=0.4, seed=2, fill=fill)
    own = by_hand.rise_masks(40, size, cells, 0.4, 2)
    for t in range(2):
        for i in range(2):
            expected = by_hand.rise(lambda image, t=t: wild(image[None])[0, t], x[i], own, fill)
            ask.close(found.cores["input"][t, i], expected, rel=1e-10)
    assert (found.measured["forwards"] == 40).all()


@pytest.mark.parametrize("space", SPACES)
def test_within_a_part_all_else_is_always_shown(space):
    """The loop again, over masks that are 1 beyond the part; there the map is the mean score of all masks."""
    size, cells = SPACES[space]
    x = np.random.default_rng(5).normal(size=(1, 2, *size))
    marked = np.zeros(size, bool)
    marked[tuple(slice(side // 4, side // 2 + 1) for side in size)] = True
    found = found_by(wild, x, (0, 1), masks=40, cells=cells, keep=0.4, seed=2, fill=0.4, within=marked)
    own = np.where(marked, by_hand.rise_masks(40, size, cells, 0.4, 2), 1)
    for t in range(2):
        values = found.cores["input"][t, 0]
        ask.close(values, by_hand.rise(lambda image, t=t: wild(image[None])[0, t], x[0], own, 0.4), rel=1e-10)
        np.testing.assert_allclose(values[~marked], found.measured["mean_score"][t, 0], rtol=1e-10)
        assert cells == 1 or np.ptp(values[marked]) > 0
    whole = found_by(wild, x, (0, 1), masks=40, cells=cells, seed=2, within=np.ones(size, bool)).cores["input"]
    np.testing.assert_array_equal(whole, found_by(wild, x, (0, 1), masks=40, cells=cells, seed=2).cores["input"])


def test_a_part_is_given_as_occlusion_takes_it():
    x = np.random.default_rng(5).normal(size=(1, 2, 8, 10))
    marked = np.zeros((8, 10), bool)
    marked[2:6, 3:9] = True
    by_box, by_mask = (found_by(wild, x, masks=20, within=part).cores["input"] for part in ((3, 2, 9, 6), marked))
    np.testing.assert_array_equal(by_box, by_mask)
    with pytest.raises(seewhy.BadParameter, match=r"rise: within=\(3, 2\) is no box"):
        found_by(wild, x, within=(3, 2))


@pytest.mark.parametrize("toy", ["pooled", "bn_dropout", "nhwc", "lstm_head"])
def test_equal_to_a_loop_over_masks_on_networks(toy):
    network, x = getattr(networks, toy)(), networks.images(2, seed=4)
    contrast = seewhy.Contrast(1, [2, 4], strength=0.6)
    asked = ask.case(network, x, [0, contrast], gradients=False)
    cores = ask.run("rise", asked, masks=30, cells=4, seed=9)["input"]
    own = by_hand.rise_masks(30, networks.SIDES, 4, 0.5, 9)
    for t, row in enumerate([(1, 0, 0, 0, 0), (0, 1, -0.3, 0, -0.3)]):
        for i in range(2):
            score = lambda image, row=row: references.scores(network, image) @ row  # noqa: E731
            ask.close(cores[t, i], by_hand.rise(score, x[i], own))


@pytest.mark.parametrize(("keep", "cells"), [(0.5, 4), (0.2, 3)])
def test_a_linear_score_is_expected_in_closed_form(keep, cells):
    """y = sum w x + b; and the standard error covers what is left of chance."""
    rng = np.random.default_rng(1)
    x, w = rng.normal(1, 1, (1, 2, 10, 13)), rng.normal(size=(2, 10, 13))
    w[:, 2:6, 5:9] += 2
    found = found_by(lambda images: np.tensordot(images, w, 3)[:, None] + 0.5, x, masks=6000, cells=cells, keep=keep)
    expected = by_hand.rise_of_linear((w * x[0]).sum(0), 0.5, cells, keep)
    off, error = found.cores["input"][0, 0] - expected, found.errors["input"][0, 0]
    assert (abs(off) < 4 * error).all()
    assert np.ptp(expected) > 20 * error.max(), "there is something to be found"


REPEATED = {  # what is asked of 200 seeds
    "a picture": ((10, 13), {"masks": 150, "cells": 4}),
    "few cells are shown": ((10, 13), {"masks": 300, "cells": 4, "keep": 0.2}),
    "a signal": ((30,), {"masks": 120}),
    "a budget ends it": ((10, 13), {"masks": 900, "cells": 4, "budget": 150}),
}


@pytest.mark.parametrize("what", REPEATED)
def test_the_error_is_what_repeats_show(what):
    space, params = REPEATED[what]
    x = np.random.default_rng(7).normal(0.5, 1, size=(1, 2, *space))
    some = [found_by(wild, x, (0, 1), seed=seed, **params) for seed in range(200)]
    cores, errors = np.stack([one.cores["input"][:, 0] for one in some]), np.stack([one.errors["input"][:, 0] for one in some])
    for t in range(2):
        assert (errors[:, t] ** 2).mean() == pytest.approx(cores[:, t].var(0, ddof=1).mean(), rel=0.15)


def test_a_tolerance_ends_it():
    x = np.random.default_rng(7).normal(0.5, 1, size=(1, 2, 10, 13))
    loose = found_by(wild, x, (1,), masks=5000, cells=4, tolerance=0.1)
    assert loose.errors["input"].max() <= 0.1
    spent = int(loose.measured["forwards"][0, 0])
    assert 100 < spent < 5000
    same = found_by(wild, x, (1,), masks=spent, cells=4)
    ask.close(loose.cores["input"], same.cores["input"])
    assert found_by(wild, x, (1,), masks=spent // 2, cells=4).errors["input"].max() > 0.1


@pytest.mark.parametrize("params", [{"keep": 0}, {"keep": 1}, {"masks": 1}, {"cells": 0}, {"seed": -1}, {"tolerance": 0}])
def test_what_cannot_be_is_refused(params):
    with pytest.raises(seewhy.BadParameter, match=rf"rise: {next(iter(params))}"):
        found_by(wild, np.ones((1, 1, 6, 6)), **params)
