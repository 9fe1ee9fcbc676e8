"""sess(): the method on windows of the enlarged image, against a plain loop over these windows."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import Class, Contrast, Top
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references import windows

X = networks.images(2, 10, 12, seed=31)
ROWS = {"class": (Class(2), [0, 0, 1]), "contrast": (Contrast(3, [2]), [0, 0, -1, 1])}


def chances(network, image):
    with torch.no_grad():
        return torch.softmax(network.double()(torch.tensor(image[None], dtype=torch.float64)), 1)[0].numpy()


def row_of(weights):
    return np.array([*weights, *[0] * (networks.CLASSES - len(weights))], float)


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize(
    ("scales", "window_overlap"), [((1,), 0.0), ((1, 1.5), 0.0), ((2,), 0.0), ((1.3, 1, 2), 0.5), ((1.5, 1.25), 0.8)]
)
@pytest.mark.parametrize("what", ROWS)
def test_sess_is_what_a_plain_loop_over_windows_makes(scales, window_overlap, pool, what):
    target, row = ROWS[what][0], row_of(ROWS[what][1])
    model = seewhy.wrap(networks.pooled().double(), geometry="plain")
    found = seewhy.sess(seewhy.hires_cam)(
        model, X, target=target, layer="act2", scales=scales, window_overlap=window_overlap, pool=pool
    )
    for i, image in enumerate(np.asarray(X, np.float64)):

        def map_of(part):
            return references.hires_cam(*references.evidence(networks.pooled().double(), "act2", part, row)).clip(min=0)

        def chance_of(part):
            return float(row @ chances(networks.pooled(), part))

        expected = windows.sess(image, map_of, chance_of, scales, window_overlap, pool)
        if what == "contrast" and not expected.any():  # of one image no window of (1.5, 1.25) has the class in the lead
            assert not found[i].values.any()
            continue
        ask.close(found[i].values, expected, rel=1e-5)
    assert any(m.values.any() for m in found)


@pytest.mark.parametrize("base", ["grad-cam", "layer-cam", "eigen-cam", "recipro-cam", "occlusion", "smooth(grad-cam)"])
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_a_single_window_is_the_method_itself(base, pool):
    """By its largest value, and drawn out to the image."""
    model = seewhy.wrap(networks.pooled().double(), geometry="plain")
    every = lookup(base)(model, X, target=[0, 2])
    for plain, one in zip(every, seewhy.sess(lookup(base))(model, X, target=[0, 2], scales=(1,), pool=pool), strict=True):
        expected = windows.drawn(plain.values[None].astype(float), 10, 12)[0].clip(min=0)
        if not expected.any():  # where hiding anything only helps
            assert not one.values.any()
            continue
        ask.close(one.values, expected / expected.max(), rel=1e-5)


def test_a_small_object_is_found_that_the_image_as_a_whole_blurs(red_model, red_dot):
    """The mass of the map within the object's box grows: the cells of an enlarged window are smaller than the object."""
    photo = red_dot((64, 64), 40, 20, half=3)
    inside = []
    for method in (seewhy.grad_cam, seewhy.sess(seewhy.grad_cam).using(scales=(1, 2, 4))):
        (m,) = method(red_model, photo, target="red")
        drawn = windows.drawn(m.values[None].astype(float), 64, 64)[0].clip(min=0)
        inside.append(drawn[15:25, 35:45].sum() / drawn.sum())
    assert inside[1] > inside[0]


def test_networks_of_one_size_take_it_for_windows_are_as_large_as_the_image():
    model = seewhy.wrap(networks.flat_head(h=10, w=12))
    (m,) = seewhy.sess(seewhy.grad_cam)(model, X[:1], target=Top())
    assert m.values.shape == (10, 12)
    assert m.values.any()


def test_it_is_told_where_no_window_speaks_for_the_target():
    """A class against one that has a higher probability everywhere."""
    network = networks.pooled().double()
    head = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        head.bias[1] = 1e3
    (m,) = seewhy.sess(seewhy.grad_cam)(seewhy.wrap(network), X[:1], target=Contrast(0, [1]))
    assert not m.values.any()
    assert any("no window of the image speaks for the target" in note for note in m.warnings)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"scales": (0.5, 1)}, "factors from 1 on"),
        ({"scales": ()}, "sess: scales="),
        ({"scales": (99,), "window_overlap": 0.95}, "more than 4,096 windows"),
        ({"window_overlap": 1}, "window_overlap is a share of the window"),
        ({"window_overlap": float("nan")}, "window_overlap is a share of the window"),
        ({"pool": "median"}, "pool"),
    ],
)
def test_what_makes_no_windows_is_refused(params, words):
    with pytest.raises(seewhy.BadParameter, match=words):
        seewhy.sess(seewhy.grad_cam)(seewhy.wrap(networks.pooled()), X, target=0, **params)


def test_methods_of_pixels_and_scores_that_are_no_probabilities_are_refused():
    for name in ("gradient", "guided-backprop", "integrated-gradients"):
        with pytest.raises(seewhy.BadParameter, match="It takes grad-cam"):
            seewhy.sess(lookup(name))
    with pytest.raises(seewhy.NotApplicable, match=r"has none .* ask for augment"):
        seewhy.sess(seewhy.grad_cam)(seewhy.wrap(networks.pooled(), task="regression"), X, target=0)
    with pytest.raises(seewhy.BadParameter, match="scales of its own already"):
        seewhy.sess(seewhy.augment(seewhy.grad_cam))


def test_what_it_costs_and_what_is_known_against_it_is_said():
    method = seewhy.sess(seewhy.grad_cam)
    assert method.cost == f"windows x (1 forward for their weight, and {seewhy.grad_cam.cost}), and 1 forward"
    assert method.caveat.startswith("not in units of the score; ")
    assert method.caveat.endswith(seewhy.grad_cam.caveat)
