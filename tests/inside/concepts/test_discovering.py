"""concepts(): planted patches are found where they are, with what rests on them; what cannot be asked is said."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable
from seewhy.inside.concepts import discovering
from seewhy.progress import stoppable
from support.planted_patches import PATCHES, WEIGHTS, amounts, images, model, network, unit, which

OF = amounts(12)


@pytest.fixture(scope="module")
def found():
    return seewhy.concepts(model(), images(OF), "act", count=3, target=0, every=True, samples=200)


def test_planted_patches_are_found_where_they_are(found):
    order = which(found.bank)
    np.testing.assert_allclose(found.bank[order], unit(PATCHES), atol=0.01)
    lengths = np.linalg.norm(PATCHES, axis=1)
    for photo, of in zip(found.photos, OF, strict=True):
        np.testing.assert_allclose(photo.maps[order], of * lengths[:, None, None], atol=0.1)
    assert found.error < 0.01
    assert found.negative == 0
    shares = (OF * lengths[:, None, None]).sum((0, 2, 3))
    np.testing.assert_allclose(found.shares[order], shares / shares.sum(), atol=0.01)


def test_importance_is_the_mean_over_photos_of_what_the_head_makes_of_each_patch(found):
    (each,) = found.importances
    order = which(found.bank)
    parts = np.stack([WEIGHTS[0] @ (of.mean((1, 2))[:, None] * PATCHES).T for of in OF])  # (photos, patches)
    np.testing.assert_allclose(each.loss[:, order], parts, atol=0.05)
    np.testing.assert_allclose(each.mean("gradient").mean[order], parts.mean(0), atol=0.02)
    indices = parts**2 / (parts**2).sum(1, keepdims=True)
    np.testing.assert_allclose(each.mean().mean[order], indices.mean(0), atol=0.05)
    assert (each.target, each.words, [*each.photos]) == ("0", "first", [*range(12)])


def test_the_most_important_comes_first(found):
    assert (np.diff(found.importances[0].mean().mean) <= 0).all()


def test_typical_crops_are_those_with_most_of_it(found):
    for k, crops in enumerate(found.typical):
        peaks = np.array([photo.maps[k].max() for photo in found.photos])
        assert [crop.photo for crop in crops] == [*np.argsort(-peaks, kind="stable")[: len(crops)]]
        best = found.photos[crops[0].photo].maps[k]
        row, column = np.unravel_index(best.argmax(), best.shape)
        inside = [
            first <= (at + 0.5) / 4 <= last
            for first, last, at in zip(crops[0].place.first, crops[0].place.last, (row, column), strict=True)
        ]
        assert all(inside)


def test_the_same_seed_gives_the_same_and_photos_do_not_meet(found):
    again = seewhy.concepts(model(), images(OF), "act", count=3, target=0, every=True, samples=200)
    np.testing.assert_array_equal(again.bank, found.bank)
    np.testing.assert_array_equal(again.importances[0].sobol, found.importances[0].sobol)
    other = seewhy.concepts(model(), images(OF), "act", count=3, target=0, every=True, samples=200, seed=1)
    assert (other.importances[0].sobol != found.importances[0].sobol).any()


@pytest.mark.parametrize("crops", [None, 0.5], ids=str)
def test_other_inputs_of_each_image_stay_with_it(crops):
    """A network whose scores are multiplied by a number given beside each image."""

    class Weighed(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain = network()

        def forward(self, x, weight):
            return self.plain(x) * weight

    weight = torch.arange(1.0, 7)[:, None].double()
    net = seewhy.wrap(Weighed().double(), inputs=(seewhy.IMAGE, seewhy.PerImage(weight)))
    weighed = seewhy.concepts(net, images(OF[:6]), "plain.act", [0], 3, crops, samples=2, every=True)
    plain = seewhy.concepts(model(), images(OF[:6]), "act", [0], 3, crops, samples=2, every=True)
    order = which(weighed.bank, plain.bank)
    np.testing.assert_allclose(weighed.bank[order], plain.bank, atol=1e-9)
    expected = plain.importances[0].loss * weight.numpy()
    np.testing.assert_allclose(weighed.importances[0].loss[:, order], expected, atol=1e-9)


def test_crops_of_a_share_are_factorised_and_typical_ones_are_among_them():
    crops = seewhy.concepts(model(), images(OF), "act", count=3, crops=0.5, samples=2)
    assert {crop.place.side for row in crops.typical for crop in row} == {(0.5, 0.5)}
    assert crops.photos[0].maps.shape == (3, 4, 4)
    assert crops.settings.crops == 0.5
    assert 0 < crops.error < 1


def test_a_layer_with_signs_loses_nothing_but_what_is_said():
    """Pixels less 1: the layer has values below zero; three of its directions and one more hold all of it."""
    net = model(rectified=False)
    found = seewhy.concepts(net, images(OF) - 1, "cut", count=4, samples=2)
    a = np.concatenate(
        [np.asarray(net.activations(images(OF[i : i + 1]) - 1, ["cut"])[0]["cut"])[0].reshape(4, -1).T for i in range(12)]
    )
    assert found.negative == pytest.approx((a.clip(max=0) ** 2).sum() / (a**2).sum())
    u = np.concatenate([photo.maps.reshape(4, -1).T for photo in found.photos])
    assert found.error == pytest.approx(np.linalg.norm(a - u @ found.bank) / np.linalg.norm(a), abs=1e-5)
    assert any("below zero" in line and "directions have signs" in line for line in found.says)


def test_several_classes_are_each_asked_of_their_photos():
    net, x = model(), images(amounts(24))
    taken = net.answer(x).scores.argmax(1)
    both = seewhy.concepts(net, x, "act", ["first", "second"], count=3, samples=2)
    assert [each.words for each in both.importances] == ["first", "second"]
    for c, each in enumerate(both.importances):
        assert [both.photos[i].number for i in each.photos] == [*np.flatnonzero(taken == c)]
    few = np.concatenate([x[taken == 0][:3], x[taken == 1]])
    one = seewhy.concepts(net, few, "act", ["first", "second"], count=3, samples=2)
    assert [each.words for each in one.importances] == ["second"]
    assert "3 of the photos are taken for first, and 5 could tell: it is left out" in one.notes


def test_two_classes_that_are_both_too_few():
    net, x = model(), images(amounts(40))
    taken = net.answer(x).scores.argmax(1)
    few = np.concatenate([x[taken == 0][:3], x[taken == 1][:3]])
    with pytest.raises(NotApplicable, match=r"taken for first, and 5 could tell.*taken for second.* Give more photos"):
        seewhy.concepts(net, few, "act", [0, 1], count=3)


def test_who_asks_to_end_gets_the_importance_in_the_photos_that_are_done(monkeypatch):
    usual = discovering.measured_photo
    with stoppable() as stop:

        def measured(*given):
            stop.set()
            return usual(*given)

        monkeypatch.setattr(discovering, "measured_photo", measured)
        found = seewhy.concepts(model(), images(OF), "act", count=3, samples=2)
    assert len(found.photos) == 12
    assert len(found.importances[0].photos) == 1
    assert "stopped early: importance was measured in 1 of 12 photos" in found.notes
    assert "nan" not in str(found)


def test_concepts_that_each_lie_in_one_photo_are_told():
    alone = np.zeros((5, 3, 4, 4))
    for i in range(5):
        alone[i, i % 3 if i < 3 else 0, 0, 0] = 9 if i < 3 else 0.1
    found = seewhy.concepts(model(), images(alone), "act", count=3, samples=2)
    assert any("3 of 3 concepts have more than half of their amount in a single photo" in note for note in found.notes)


def test_a_dead_layer_and_one_that_no_score_rests_on():
    with pytest.raises(NotApplicable, match="nothing but zeros on these photos"):
        seewhy.concepts(model(), -images(OF), "act", count=3)

    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen, self.unused = nn.Conv2d(1, 2, 2, 2), nn.Conv2d(1, 2, 2, 2)

        def forward(self, x):
            self.unused(x)
            return self.seen(x).mean((2, 3))

    with pytest.raises(NotApplicable, match=r"does not rest on unused: no other values .* It rests on seen"):
        seewhy.concepts(seewhy.wrap(Beside().double()), images(OF), "unused", count=2)


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        ({"count": 0}, BadParameter, "count is a whole number from 1"),
        ({"count": 5, "layer": "act"}, BadParameter, "the layer has 4 channels"),
        ({"crops": 0.01}, BadParameter, "a share of each side from 0.05 to 1, such as 0.3"),
        ({"crops": "many"}, BadParameter, "a share of each side"),
        ({"samples": 1}, BadParameter, "samples is a whole number from 2"),
        ({"most": 3}, BadParameter, "most is a whole number from 5"),
        ({"layer": ["act"]}, BadParameter, "the name of one layer"),
        ({"layer": "acts"}, NoSuchName, "Closest: act"),
        ({"target": "third"}, NoSuchName, "third"),
    ],
    ids=lambda each: str(each) if isinstance(each, dict) else "",
)
def test_what_does_not_exist(asked, error, why):
    with pytest.raises(error, match=why):
        seewhy.concepts(model(), images(OF), **asked)


def test_a_function_has_no_concepts():
    with pytest.raises(NeedsGradients, match="concepts reads the inside of a network"):
        seewhy.concepts(seewhy.wrap(lambda x: x.mean((1, 2)), takes="uint8"), np.zeros((8, 8, 3), np.uint8))
