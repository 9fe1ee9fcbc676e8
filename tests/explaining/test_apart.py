"""Each target is explained at the layer that its own number rests on, image by image."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import AnyOf, Class, Contrast, PerImage, Top, Unit
from support.branches import ROUTED, TWO_HEADED, Cat, EarlyExit, made, photos, routes
from support.counting import entering

METHODS = ["grad-cam", "score-cam", "eigen-cam", "recipro-cam", "guided-grad-cam"]
X = photos()


def layers(maps):
    return [m.source.layer for m in maps]


def cam_by_hand(network, branch, head, c):
    """Grad-CAM behind which lie pooling and a linear layer: sum_k w_ck a_k / cells, its ReLU."""
    with torch.no_grad():
        a = getattr(network, branch)(network.stem(torch.as_tensor(X)))
        return torch.einsum("k,nkhw->nhw", getattr(network, head).weight[c], a).relu().numpy() / a[0, 0].numel()


@pytest.mark.parametrize("kind", TWO_HEADED)
@pytest.mark.parametrize("method", METHODS)
def test_each_class_is_read_in_the_branch_that_its_score_rests_on(kind, method):
    model = seewhy.wrap(made(kind))
    for target, layer in [(4, "b"), (1, "a"), (4, "b")]:  # whatever was asked before
        assert layers(seewhy.explain(model, X[:2], method, target=target)) == [layer] * 2


@pytest.mark.parametrize("kind", TWO_HEADED)
def test_two_targets_of_one_call_have_the_maps_of_their_own_layers(kind):
    network = made(kind)
    maps = seewhy.explain(seewhy.wrap(network), X, "grad-cam", target=[0, 5, 2])
    assert layers(maps) == ["a", "b", "a"] * len(X)
    for t, (branch, head, c) in enumerate([("a", "of_a", 0), ("b", "of_b", 2), ("a", "of_a", 2)]):
        np.testing.assert_allclose([m.values for m in maps[t::3]], cam_by_hand(network, branch, head, c), atol=1e-7)
    assert maps[0].source.layer_why == (
        "the last layer that still has space (10x12 cells) and that this score rests on; b comes later, but nothing of its "
        "places reaches this score"
    )


def test_images_of_one_batch_have_layers_of_their_own():
    model = seewhy.wrap(made(Cat))
    each = PerImage([Class(0), Class(5), Class(5), Class(1)])
    assert layers(seewhy.explain(model, X, "grad-cam", target=each)) == ["a", "b", "b", "a"]
    maps = seewhy.explain(model, X, "grad-cam", target=Top())
    tops = [m.source.predicted.index for m in maps if m.source.predicted]
    assert layers(maps) == ["a" if top < 3 else "b" for top in tops]


@pytest.mark.parametrize("method", METHODS)
def test_a_number_made_of_scores_of_both_branches_rests_on_what_both_rest_on(method):
    model = seewhy.wrap(made(Cat))
    targets = [Contrast(0, against=5), Contrast(4, against=5), AnyOf([0, 1]), AnyOf([1, 4])]
    assert layers(seewhy.explain(model, X[:1], method, target=targets)) == ["stem", "b", "a", "stem"]


def test_a_unit_rests_on_the_part_that_it_was_joined_of():
    class Joining(Cat):
        def __init__(self):
            super().__init__()
            self.join, self.end = torch.nn.Identity(), torch.nn.Linear(13, 2)

        def forward(self, x):
            stem = self.stem(x)
            return self.end(self.join(torch.cat([self.a(stem), self.b(stem)], 1)).mean((2, 3)))

    model = seewhy.wrap(made(Joining))
    maps = seewhy.explain(model, X[:1], "grad-cam", target=[Unit("join", 2), Unit("join", 10), 0])
    assert layers(maps) == ["a", "b", "b"]


@pytest.mark.parametrize("kind", [*ROUTED, EarlyExit])
@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "eigen-cam"])
def test_an_image_is_read_in_the_branch_that_it_takes(kind, method):
    if kind.__name__ == "Gated" and method != "grad-cam":
        pytest.skip("a gate of zero shows in the gradient alone")
    network = made(kind)
    taken = routes(network, X)
    assert {*taken} == {"a", "b"}
    model = seewhy.wrap(network, batch_size=1 if kind is EarlyExit else None)
    for images in (X, X[::-1]):
        found = layers(seewhy.explain(model, images, method, target=Top()))
        assert found == (taken if images is X else taken[::-1])


@pytest.mark.parametrize("kind", ROUTED)
def test_the_maps_of_a_batch_are_those_of_its_images(kind):
    model = seewhy.wrap(made(kind))
    maps = seewhy.explain(model, X, "grad-cam", target=1)
    for i in range(len(X)):
        (alone,) = seewhy.explain(seewhy.wrap(made(kind)), X[i : i + 1], "grad-cam", target=1)
        np.testing.assert_allclose(maps[i].values, alone.values, atol=1e-12)


def test_scores_that_rest_on_the_same_layers_cost_no_further_pass():
    from support import networks  # the networks of one branch

    network = networks.pooled()
    model = seewhy.wrap(network)
    with entering(network) as passes:
        seewhy.explain(model, networks.images(2), "grad-cam", target=[0, 1, Contrast(0, against=1)])
        assert len(passes) == 1
        seewhy.explain(model, networks.images(2), "grad-cam", target=[0, 1])
        assert len(passes) == 2


class Segmenter(torch.nn.Module):
    """Classes 0 and 1 by one head, 2 and 3 by another, each with convolutions of its own; joined, or by name."""

    def __init__(self, join):
        super().__init__()
        torch.manual_seed(0)
        self.join, self.stem = join, torch.nn.Conv2d(3, 6, 3, padding=1)
        self.left, self.right = torch.nn.Conv2d(6, 9, 3, padding=1), torch.nn.Conv2d(6, 9, 3, padding=1)
        self.of_left, self.of_right = torch.nn.Conv2d(9, 2, 1), torch.nn.Conv2d(9, 2, 1)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.join(self.of_left(self.left(x).relu()), self.of_right(self.right(x).relu()))


JOINS = {
    "cat": lambda a, b: torch.cat([a, b], 1), "stack": lambda a, b: torch.stack([a, b], 2).flatten(1, 2)[:, [0, 2, 1, 3]],
    "pad": lambda a, b: torch.nn.functional.pad(a, (0, 0, 0, 0, 0, 2)) + torch.nn.functional.pad(b, (0, 0, 0, 0, 2, 0)),
}  # fmt: skip


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "eigen-cam"])
def test_a_region_is_read_behind_the_head_that_its_class_has(join, method):
    model = seewhy.wrap(Segmenter(JOINS[join]).double().eval())
    mask = np.zeros((10, 12), bool)
    mask[2:6, 3:8] = True
    for classes in ([0], [3], [1, 2], [3, 0]):
        maps = seewhy.explain(model, X[:1], method, target=[seewhy.Region(c, mask) for c in classes])
        assert layers(maps) == ["left" if c < 2 else "right" for c in classes]
        assert method != "grad-cam" or all("zero gradient" not in str(m.source.warnings) for m in maps)
