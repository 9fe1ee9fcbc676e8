"""SmoothGrad, its square and its variance: whose noise it is, what it adds up to, and how many passes it takes."""

import numpy as np
import pytest
from torch import nn

import seewhy
from seewhy.explaining.case import Case
from support import ask, networks
from support.references import pixels as by_hand

K = networks.CLASSES
ALL = list(range(K))
X = networks.images(2, 6, 8, seed=19)
SMOOTHED = {
    "smooth-grad": by_hand.smooth_grad,
    "smooth-grad-squared": by_hand.smooth_grad_squared,
    "var-grad": by_hand.var_grad,
}
each = pytest.mark.parametrize("method", SMOOTHED)


def found(network, method, x=X, targets=ALL, batch_size=None, **params):
    """(t, n, c, h, w), in the network's own precision."""
    classes = [seewhy.Class(t) if isinstance(t, int) else t for t in targets]
    case = Case(seewhy.wrap(network, batch_size=batch_size), x, classes, (None,), seewhy.METHODS[method].shares)
    return ask.run(method, case, **params)["input"]


def gradient(network, x=X):
    return by_hand.several(by_hand.steps_of(network), x, ALL, K)


def affine():
    return networks.made(lambda: nn.Sequential(nn.Flatten(), nn.Linear(X[0].size, K)), 0, 6, 8)


@each
@pytest.mark.parametrize(
    ("toy", "noise"),
    [("pooled", {}), ("relu6", {"sigma": 0.5}), ("bn_dropout", {"seed": 7}), ("signed_features", {"sigma": 0.01, "seed": 3})],
)
def test_by_hand(toy, noise, method):
    """Noise drawn from the seed and the image, its sigma a share of the image's range; layer by layer back."""
    network = getattr(networks, toy)()
    way = by_hand.steps_of(network)
    maps = [[SMOOTHED[method](way, image, np.eye(K)[t], 5, **noise) for image in X] for t in (0, 3)]
    ask.close(found(network, method, targets=[0, 3], samples=5, **noise), np.array(maps))


def test_the_defaults_are_those_of_the_paper():
    """25 samples, 15 % of the range."""
    for method in SMOOTHED:
        settings = seewhy.METHODS[method].settings
        assert (settings["samples"], settings["sigma"], settings["seed"]) == (25, 0.15, 0)
    network = networks.pooled()
    ask.close(found(network, "smooth-grad"), found(network, "smooth-grad", samples=25, sigma=0.15, seed=0))


def test_without_noise_it_is_the_gradient():
    network = networks.pooled()
    g = gradient(network)
    ask.close(found(network, "smooth-grad", sigma=0, samples=4), g)
    ask.close(found(network, "smooth-grad-squared", sigma=0, samples=4), g**2)
    assert not found(network, "var-grad", sigma=0, samples=4).any()


def test_on_an_affine_network_noise_changes_nothing():
    network = affine()
    w = np.broadcast_to(network[1].weight.detach().numpy().reshape(K, 1, *X[0].shape), (K, *X.shape))
    ask.close(found(network, "smooth-grad", sigma=3.0), w)
    ask.close(found(network, "smooth-grad-squared", sigma=3.0), w**2)
    assert found(network, "var-grad", sigma=3.0).max() < 1e-20


def test_the_variance_is_the_mean_square_less_the_squared_mean():
    network = networks.pooled()
    mean, squares, variance = (found(network, method, samples=9, seed=2) for method in SMOOTHED)
    ask.close(variance, squares - mean**2)
    assert (variance >= 0).all()


def test_one_sample_is_one_noisy_gradient():
    network = networks.pooled()
    noisy = np.stack([by_hand.noisy(image, 1)[0] for image in X])
    ask.close(found(network, "smooth-grad", samples=1), gradient(network, noisy))
    assert not found(network, "var-grad", samples=1).any()


def test_more_samples_go_on_where_fewer_ended():
    network = networks.pooled()
    few, more = (found(network, "smooth-grad", samples=n) for n in (3, 4))
    fourth = gradient(network, np.stack([by_hand.noisy(image, 4)[3] for image in X]))
    ask.close(4 * more - 3 * few, fourth)


def shown(method, x, samples=3, **params):
    """The copies that the network is shown, first to last, of one image."""
    network, copies = networks.pooled(), []
    network.register_forward_pre_hook(lambda _module, args: copies.extend(args[0].detach().numpy().copy()))
    found(network, method, x, targets=[0], samples=samples, **params)
    return np.stack([copy for copy in copies if not (copy == x[0]).all()])


@each
def test_all_three_are_shown_the_same_copies(method):
    ask.close(shown(method, X[:1]), np.stack(by_hand.noisy(X[0], 3)))


def test_the_noise_itself():
    """Gaussian, of 15 % of the range in every channel, another for each sample and each seed."""
    copies = shown("smooth-grad", X[:1], samples=200) - X[0]
    size = 0.15 * (X[0].max() - X[0].min())
    assert abs(copies.std() / size - 1) < 0.02
    assert abs(copies.mean()) < 0.02 * size
    assert abs((abs(copies) < size).mean() - 0.6827) < 0.01
    flat = copies.reshape(200, -1)
    assert abs(np.corrcoef(flat) - np.eye(200)).max() < 0.5
    ask.far(shown("smooth-grad", X[:1], seed=1), shown("smooth-grad", X[:1], seed=0))


@each
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 64])
def test_neither_neighbours_nor_the_batch_size_matter(method, batch_size):
    network, x = networks.bn_dropout(), networks.images(3, 6, 8, seed=20)
    maps = found(network, method, x, samples=6)
    ask.close(found(network, method, x, samples=6, batch_size=batch_size), maps, rel=1e-12)
    ask.close(found(network, method, x[::-1].copy(), samples=6, batch_size=batch_size)[:, ::-1], maps, rel=1e-12)
    for i in range(3):
        alone = found(network, method, x[i : i + 1], samples=6, batch_size=batch_size)
        ask.close(alone, maps[:, i : i + 1], rel=1e-12)
        ask.close(found(network, method, x[i : i + 1], [2], samples=6)[0], alone[2], rel=1e-12)


@each
def test_heatmaps_of_photos_are_the_same_in_any_company(method, noise):
    """Through the whole library, in float32: one by one, in a batch, in other batches."""
    photos = [noise((20, 14), seed=s) for s in range(3)]
    fit = {"size": (14, 20), "crop": None}
    network = networks.pooled().float()

    def maps(images, batch_size):
        model = seewhy.wrap(network, prepare=fit, batch_size=batch_size)
        heatmaps = seewhy.METHODS[method](model, images, target=[1, 2], samples=5)
        return np.stack([heatmap.channels for heatmap in heatmaps])

    whole = maps(photos, 8)
    ask.close(maps(photos, 2), whole, rel=1e-4)
    for i, photo in enumerate(photos):
        ask.close(maps([photo], 1), whole[2 * i : 2 * i + 2], rel=1e-4)


def test_the_same_image_twice_has_the_same_noise_and_another_has_another():
    network, x = networks.pooled(), np.stack([X[0], X[1], X[0]])
    maps = found(network, "smooth-grad", x, samples=3)
    np.testing.assert_allclose(maps[:, 2], maps[:, 0], rtol=1e-12)
    brighter = np.nextafter(X[:1].astype(np.float32), np.float32(np.inf)).astype(np.float64)  # the smallest change there is
    ask.far(shown("smooth-grad", brighter) - brighter, shown("smooth-grad", X[:1]) - X[:1])


def test_the_noise_is_the_same_in_every_precision():
    network, x = networks.pooled(), X.astype(np.float32)
    wide = found(network, "smooth-grad", x.astype(np.float64), samples=4)
    narrow = found(network.float(), "smooth-grad", x, samples=4)
    np.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=1e-4 * abs(wide).max())


@each
@pytest.mark.parametrize(("samples", "batch_size"), [(25, 8), (10, 3), (4, 1), (3, 100)])
def test_passes_are_counted_and_no_larger_than_the_batch_size(method, samples, batch_size):
    """Each image once as it is, and once for each sample; as many together as the batch size allows."""
    network, sizes, back = networks.pooled(), [], []
    network.register_forward_pre_hook(lambda _module, args: sizes.append(len(args[0])))
    network.conv1.register_full_backward_hook(lambda _module, _g, g: back.append(len(g[0])))
    model = seewhy.wrap(network, batch_size=batch_size)
    seewhy.METHODS[method](model, X[:1], target=1, samples=samples)
    assert max(sizes) <= batch_size
    assert sum(sizes) == samples + 1
    assert len(sizes) == 1 + -(-samples // batch_size)
    assert sum(back) == samples
    assert max(back) <= batch_size
    sizes.clear()
    seewhy.METHODS[method](model, networks.images(3, 6, 8), target=1, samples=samples)
    assert max(sizes) <= batch_size
    assert sum(sizes) == 3 * (samples + 1)


def test_the_question_stays_that_of_the_untouched_image():
    """Top() is the class of the image itself, whatever a noisy copy would be taken for."""
    network, x = networks.pooled(), networks.images(4, 6, 8, seed=21)
    maps = found(network, "smooth-grad", x, [seewhy.Top()], sigma=1.0, samples=6)[0]
    way, changed = by_hand.steps_of(network), 0
    for i, image in enumerate(x):
        top = by_hand.forward(way, image)[0].argmax()
        ask.close(maps[i], by_hand.smooth_grad(way, image, np.eye(K)[top], 6, sigma=1.0))
        changed += sum(by_hand.forward(way, copy)[0].argmax() != top for copy in by_hand.noisy(image, 6, sigma=1.0))
    assert changed > 0, "the noise has to change some classes"


@each
@pytest.mark.parametrize(
    "params",
    [{"samples": 0}, {"samples": 1.5}, {"samples": np.nan}, {"samples": np.inf}, {"sigma": -0.1}, {"sigma": np.inf},
     {"sigma": np.nan}, {"seed": -1}, {"seed": 0.5}, {"seed": np.inf}],
)  # fmt: skip
def test_parameters_that_mean_nothing_are_refused(method, params):
    with pytest.raises(seewhy.BadParameter):
        found(networks.pooled(), method, **params)
