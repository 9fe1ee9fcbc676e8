"""What TCAV reads: vectors of layers, each example once, and slopes that are those of the scores."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from seewhy.inside.concepts.tcav_reading import examples_of, inner, named_layers, slopes_of, vectors_of
from seewhy.targets.target import Class
from support import networks, odd_numbers
from support.concept_networks import images, model

X = networks.images(3)


def test_vectors_are_means_over_places_or_all_in_a_row():
    a = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(vectors_of(a, False), a.mean((2, 3)))
    np.testing.assert_allclose(vectors_of(a, False, gradient=True), a.sum((2, 3)))
    np.testing.assert_allclose(vectors_of(a, True), a.reshape(2, 60))
    np.testing.assert_allclose(vectors_of(a[:, :, 0, 0], False, gradient=True), a[:, :, 0, 0])


def test_inner_products_are_summed_in_parts(monkeypatch):
    a, b = (np.random.default_rng(seed).normal(size=(n, 50)).astype(np.float32) for seed, n in ((0, 4), (1, 7)))
    monkeypatch.setattr("seewhy.inside.concepts.tcav_reading.CHUNK", 30)
    np.testing.assert_allclose(inner(a, b), a.astype(float) @ b.astype(float).T, rtol=1e-12)


def test_examples_are_read_once_each_in_an_order_of_their_own():
    x = images(5, 0)
    first, names = examples_of(model(), x, ["mix"], False, "them")
    other, _ = examples_of(model(), np.concatenate([x[::-1], x[:2]]), ["mix"], False, "them")
    assert names == ["mix"]
    assert (first.sha256, first.repeated, other.repeated) == (sorted(other.sha256), 0, 2)
    np.testing.assert_allclose(first.at["mix"], other.at["mix"], rtol=1e-12)
    by_hand = model().activations(x, ["mix"])[0]["mix"].numpy().mean((2, 3))
    np.testing.assert_allclose(np.sort(first.at["mix"], 0), np.sort(by_hand, 0), rtol=1e-12)
    assert first.shapes == {"mix": (24,)}
    assert examples_of(model(), x, ["mix"], True, "them")[0].shapes == {"mix": (24, 2, 3)}


def test_the_default_layer_and_the_last_call_of_one_are_found():
    assert named_layers(seewhy.wrap(networks.pooled()), X, [None]) == ["act2"]
    assert named_layers(model(), images(1, 0), ["mix", "flat", "mix"]) == ["mix", "flat"]


@pytest.mark.parametrize("flatten", [False, True])
def test_a_slope_is_how_fast_the_score_changes_along_the_direction(flatten):
    """By moving what the layer emits a little, and running what follows by hand."""
    network = networks.pooled()
    asked = seewhy.wrap(network)
    layers, rest = network[:3], network[3:]  # conv1, act1, conv2 | act2, pool, flat, fc
    with torch.no_grad():
        a = layers(torch.tensor(X))
        shape = a.shape[1:] if flatten else (a.shape[1],)
        directions = np.random.default_rng(0).normal(size=(4, int(np.prod(shape))))
        found = slopes_of(asked, X, Class(2), ["conv2"], flatten, {"conv2": directions})
        for k, direction in enumerate(directions):
            step = torch.tensor(direction).reshape(shape if flatten else (*shape, 1, 1)) * 1e-6
            by_hand = (rest(a + step)[:, 2] - rest(a - step)[:, 2]) / 2e-6
            np.testing.assert_allclose(found.products["conv2"][:, k], by_hand, rtol=1e-5, atol=1e-8)
    assert found.names == ["image 0", "image 1", "image 2"]
    assert (found.sizes["conv2"] > 0).all()


def test_a_score_that_does_not_rest_on_the_layer_is_said():
    dead = networks.pooled()
    with torch.no_grad():
        dead.fc.weight.zero_()
    with pytest.raises(NotApplicable, match="tcav: no score changes with act2"):
        slopes_of(seewhy.wrap(dead), X, Class(1), ["act2"], False, {"act2": np.zeros((2, 8))})


def test_images_of_two_sizes_cannot_be_put_in_a_row():
    asked = seewhy.wrap(networks.pooled())
    with pytest.raises(BadParameter, match="Leave flatten out"):
        slopes_of(asked, X, Class(1), ["act2"], True, {"act2": np.zeros((2, 8))})


def test_images_without_finite_numbers_are_told_and_the_others_stay():
    net, x = odd_numbers.model(), odd_numbers.images(6, dark=(2,))
    good = x[[0, 1, 3, 4, 5]]
    some, whole = (examples_of(net, each, ["odd"], False, "them")[0] for each in (x, good))
    np.testing.assert_array_equal(some.at["odd"], whole.at["odd"])
    assert [(left.place, left.name) for left in some.failed] == [(2, "image 2")]
    assert "image 2: odd makes numbers that are not finite" in str(some.failed[0].error)
    some, whole = (slopes_of(net, each, Class(0), ["odd"], False, some.at) for each in (x, good))
    np.testing.assert_allclose(some.products["odd"], whole.products["odd"], rtol=1e-6)
    assert (len(some.names), [left.place for left in some.failed]) == (5, [2])
    with pytest.raises(NotApplicable, match=r"none of the them can be used\. The first: image 0: odd makes"):
        examples_of(net, odd_numbers.images(2, dark=(0, 1)), ["odd"], False, "them")


def test_photos_whose_scores_are_no_numbers_are_told_and_the_others_stay():
    net, x = odd_numbers.model(scores=True), odd_numbers.images(6, dark=(2,))
    at = {"odd": np.random.default_rng(0).normal(size=(4, 6))}
    some, whole = (slopes_of(net, each, Class(0), ["odd"], False, at) for each in (x, x[[0, 1, 3, 4, 5]]))
    np.testing.assert_allclose(some.products["odd"], whole.products["odd"], rtol=1e-5, atol=1e-8)
    assert (some.names[2], [(left.place, left.name) for left in some.failed]) == ("image 3", [(2, "image 2")])
    with pytest.raises(NotApplicable, match="none of the 2 photos can be used"):
        slopes_of(net, odd_numbers.images(2, dark=(0, 1)), Class(0), ["odd"], False, at)
