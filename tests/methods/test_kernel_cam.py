"""KPCA-CAM: equal to its second derivation, to scikit-learn's kernel PCA, and of a linear kernel to Eigen-CAM."""

import numpy as np
import pytest
import torch

import seewhy
from support import ask, networks
from support.references import cams as references

LAYERS = {"pooled": ("conv1", "act2"), "signed_features": ("act1", "act2"), "bn_dropout": ("bn1",)}


KERNELS = [("sigmoid", None), ("sigmoid", 0.02), ("rbf", None), ("rbf", 0.3), ("poly", 0.1), ("cosine", None), ("linear", None)]


@pytest.mark.parametrize("toy", LAYERS)
@pytest.mark.parametrize(("kernel", "gamma"), KERNELS)
def test_kpca_cam_of_networks(toy, kernel, gamma):
    """Of what their own hooks see, layer by layer."""
    network, x = getattr(networks, toy)(), networks.images(2, 5, 8)
    found = ask.maps(network, "kpca-cam", x, [0, 1], LAYERS[toy], kernel=kernel, gamma=gamma)
    for layer in LAYERS[toy]:
        for i, image in enumerate(x):
            a, _ = references.evidence(network, layer, image, (1, 0, 0, 0, 0))
            ask.close(found[layer][0, i], references.kpca_cam(a, kernel, gamma), rel=1e-6)
            np.testing.assert_array_equal(found[layer][1, i], found[layer][0, i])  # blind to the class


@pytest.mark.parametrize("space", [(12,), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("kind", ["signed", "rectified"])
def test_kpca_cam_of_a_linear_kernel_is_eigen_cam_centred(kind, space):
    rng = np.random.default_rng(5)
    a = rng.normal(size=(2, 5, *space))
    a = a.clip(min=0) if kind == "rectified" else a
    for each in (a, torch.tensor(a)):
        ask.close(ask.formula("kpca-cam", each, kernel="linear"), ask.formula("eigen-cam", a, centred=True))


@pytest.mark.parametrize(("kernel", "gamma"), KERNELS)
def test_kpca_cam_is_that_of_scikit_learn_but_for_its_sign(kernel, gamma):
    library = pytest.importorskip("sklearn.decomposition")
    a = np.random.default_rng(6).normal(size=(1, 7, 5, 6)).clip(min=0)
    m = a[0].reshape(7, -1).T
    theirs = library.KernelPCA(n_components=1, kernel=kernel, gamma=gamma).fit_transform(m - m.mean(0)).reshape(5, 6)
    found = ask.formula("kpca-cam", a, kernel=kernel, gamma=gamma)[0]
    ask.close(found, theirs * np.sign((theirs * found).sum()), rel=1e-7)


@pytest.mark.parametrize("kind", ["signed", "rectified", "two alike"])
@pytest.mark.parametrize("kernel", ["sigmoid", "rbf", "poly", "linear"])
def test_kpca_cam_of_many_places_is_what_all_eigenvectors_say(kernel, kind):
    """Of 21 x 21 places and more the component is found by steps; also where the second is nearly as large as the first."""
    rng = np.random.default_rng(8)
    a = rng.normal(size=(1, 6, 21, 21))
    if kind == "rectified":
        a = a.clip(min=0)
    if kind == "two alike":
        u = np.linalg.qr(rng.normal(size=(441, 6)) - 0.1)[0]
        a = (u * [1, 1 - 1e-4, 0.3, 0.2, 0.1, 0.05]).T.reshape(1, 6, 21, 21) * 30
    found = ask.formula("kpca-cam", a, kernel=kernel, gamma=0.05)[0]
    ask.close(found, references.kpca_cam(a[0], kernel, 0.05), rel=1e-5)


def test_kpca_cam_of_what_it_cannot_tell():
    a = np.random.default_rng(7).normal(size=(2, 3, 4, 4))
    a[1, 0, 0, 0] = np.nan
    found = ask.formula("kpca-cam", a)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert not ask.formula("kpca-cam", np.ones((1, 3, 4, 4))).any()  # all places alike
    with pytest.raises(seewhy.NotApplicable, match=r"has 4,225 \(65 x 65\); 4,096 are the most. Name a later layer"):
        ask.formula("kpca-cam", np.zeros((1, 1, 65, 65)))
    for gamma in (0, -1.0, np.inf, np.nan):
        with pytest.raises(seewhy.BadParameter, match=r"kpca-cam: gamma=.* is a factor above 0"):
            ask.formula("kpca-cam", a, gamma=gamma)
    with pytest.raises(seewhy.BadParameter, match="kernel is one of sigmoid, rbf, poly, cosine, linear"):
        seewhy.kpca_cam.using(kernel="laplacian")
