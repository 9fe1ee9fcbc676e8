"""Score-CAM and its relatives against loops over channels, and beside the other libraries: where they differ, and why."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references import perturb as by_hand

X = networks.images(2, 8, 12, seed=3)
TARGETS = (0, 3, seewhy.Contrast(1, [2, 4], strength=0.6))
ROWS = ((1, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 1, -0.3, 0, -0.3))  # the same by hand
FIXED = ("flat_head", "tokens", "lstm_head")  # made for one size
PLACES = {  # network, layer, how it lays out its channels, its cells
    ("pooled", "act1"): ("first", (8, 12)),
    ("pooled", "act2"): ("first", (4, 6)),
    ("dead_channels", "conv2"): ("first", (4, 6)),
    ("dead_channels", "act2"): ("first", (4, 6)),
    ("signed_features", "act2"): ("first", (4, 6)),
    ("flat_head", "act2"): ("first", (4, 6)),
    ("lstm_head", "conv1"): ("first", (8, 12)),
    ("nhwc", "block1"): ("last", (4, 6)),
    ("nhwc", "block2"): ("last", (4, 6)),
    ("tokens", "block1"): ("tokens", (2, 3)),
}


def network_of(toy):
    return getattr(networks, toy)(h=8, w=12) if toy in FIXED else getattr(networks, toy)()


def emitted(network, place, image):
    """(c, h, w)"""
    return by_hand.turned(by_hand.raw(network, place[1], image), *PLACES[place])


def found_in(method, network, layer, x=X, targets=TARGETS, **params):
    return lookup(method).using(**params).outcome(ask.case(network, x, targets, [layer], gradients=False))


def scorer(network, row=ROWS[0]):
    return lambda image: float(references.scores(network, image) @ row)


def weighted(scores, a):
    return references.weighted(by_hand.softmax(scores), a)


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_score_cam(place):
    network = network_of(place[0])
    cores = found_in("score-cam", network, place[1]).cores[place[1]]
    for i, image in enumerate(X):
        a = emitted(network, place, image)
        for t, row in enumerate(ROWS):
            ask.close(cores[t, i], weighted(by_hand.score_cam_scores(scorer(network, row), image, a), a))


def bold(network, times=30.0, plus=0.0):
    """The same with scores `times` as large, and `plus` more: then one channel's weight stands out."""
    head = network.fc
    with torch.no_grad():
        head.weight.mul_(times)
        head.bias.mul_(times).add_(plus)
    return network


@pytest.mark.parametrize("place", [("pooled", "act2"), ("tokens", "block1")], ids=" ".join)
def test_what_a_mask_hides_becomes_the_fill(place):
    network = bold(network_of(place[0]))
    cores = found_in("score-cam", network, place[1], fill="mean").cores[place[1]]
    for i, image in enumerate(X):
        a, fill = emitted(network, place, image), image.mean((1, 2), keepdims=True)
        ask.close(cores[0, i], weighted(by_hand.score_cam_scores(scorer(network), image, a, fill), a))
        ask.far(cores[0, i], weighted(by_hand.score_cam_scores(scorer(network), image, a), a))


def test_a_baseline_cancels():
    """eq. 5: y of a baseline image is taken off every score; so whatever is added to the scores, the weights stay."""
    place = ("pooled", "act2")
    plain, plus = (found_in("score-cam", bold(networks.pooled(), plus=b), "act2").cores["act2"] for b in (0, 17.0))
    ask.close(plain[:2], plus[:2])
    network = bold(networks.pooled())
    a = emitted(network, place, X[0])
    base = scorer(network)(np.zeros_like(X[0]))
    ask.close(plain[0, 0], weighted(by_hand.score_cam_scores(scorer(network), X[0], a, base=base), a))


def test_logits_not_probabilities():
    """The softmax over channels is of the score that is explained: by default the logit, as in the paper (trap 12)."""
    network, place = bold(networks.pooled()), ("pooled", "act2")
    a = emitted(network, place, X[0])
    logits, chances = (ask.maps(network, "score-cam", X[:1], [0], ["act2"], s)["act2"][0, 0] for s in ("logits", "probability"))
    ask.close(logits, weighted(by_hand.score_cam_scores(scorer(network), X[0], a), a))
    chance = lambda image: float(references.scores(network, image, lambda y: y.softmax(1))[0])  # noqa: E731
    ask.close(chances, weighted(by_hand.score_cam_scores(chance, X[0], a), a))
    ask.far(logits, chances)


class Some(nn.Module):
    """`pooled`, with channel 2 of act2 dead and channels 3 and 5 the same everywhere."""

    def __init__(self):
        super().__init__()
        self.network = bold(networks.pooled())
        self.act2 = nn.Identity()

    def forward(self, x):
        a = self.network.act2(self.network.conv2(self.network.act1(self.network.conv1(x)))).clone()
        a[:, 2], a[:, 3], a[:, 5] = 0, 1.5, -0.5
        return self.network.fc(self.act2(a).mean((2, 3)))


def test_channels_that_are_the_same_everywhere_share_one_pass():
    """Their mask is empty: all is hidden; they keep their share of the softmax, and of the map what they emit."""
    network = Some()
    for method, per in (("score-cam", 1), ("is-cam", 2)):
        found = found_in(method, network, "act2", X[:1], **({"samples": 2} if per == 2 else {}))
        assert (ask.measured(found)["channels"] == 8).all()
        assert (ask.measured(found)["forwards"] == 6 * per).all()  # five that vary, and one for the other three
    a, score = emitted(network, ("pooled", "act2"), X[0]), scorer(network)
    expected = weighted(by_hand.score_cam_scores(score, X[0], a), a)
    ask.close(found_in("score-cam", network, "act2", X[:1]).cores["act2"][0, 0], expected)
    expected = weighted(by_hand.is_cam_scores(score, X[0], a, [0.5, 1]), a)
    ask.close(found_in("is-cam", network, "act2", X[:1], samples=2).cores["act2"][0, 0], expected)


def test_a_pass_for_empty_masks_is_within_the_budget():
    network = Some()
    found = found_in("score-cam", network, "act2", X[:1], targets=[0], budget=4)
    assert (ask.measured(found)["forwards"] == 4).all()
    assert (ask.measured(found)["channels"] == 4).all()
    assert "stopped by the budget of 4 forwards after 4 of 6" in found.notes(0, 0)[0]


@pytest.mark.parametrize("top", [1, 3, 8, 100])
def test_top_channels(top):
    """The softmax is over the N whose values spread most, and the others have no part."""
    network, place = bold(networks.pooled()), ("pooled", "act2")
    found = found_in("score-cam", network, "act2", top_channels=top)
    assert (ask.measured(found)["forwards"] == min(top, 8)).all()
    for i, image in enumerate(X):
        a = emitted(network, place, image)
        best = sorted(range(8), key=lambda k: -a[k].std())[:top]
        ask.close(found.cores["act2"][0, i], weighted(by_hand.score_cam_scores(scorer(network), image, a[best]), a[best]))


@pytest.mark.parametrize("place", [("pooled", "act2"), ("nhwc", "block1"), ("dead_channels", "act2")], ids=" ".join)
def test_ss_cam(place):
    network = network_of(place[0])
    found = found_in("ss-cam", network, place[1], samples=4, sigma=0.7, seed=5)
    for i, image in enumerate(X):
        a = emitted(network, place, image)
        noises = [[0.7 * np.random.default_rng([5, k, j]).normal(size=a.shape[1:]) for j in range(4)] for k in range(len(a))]
        for t, row in enumerate(ROWS):
            ask.close(found.cores[place[1]][t, i], weighted(by_hand.ss_cam_scores(scorer(network, row), image, a, noises), a))
        assert (ask.measured(found)["forwards"][:, i] == 4 * len(a)).all()


def test_ss_cam_without_noise_is_score_cam():
    network = bold(networks.pooled())
    ask.close(found_in("ss-cam", network, "act2", samples=2, sigma=0).cores["act2"],
              found_in("score-cam", network, "act2").cores["act2"])  # fmt: skip
    ask.far(found_in("ss-cam", network, "act2", samples=2).cores["act2"], found_in("score-cam", network, "act2").cores["act2"])


@pytest.mark.parametrize("place", [("pooled", "act2"), ("tokens", "block1"), ("dead_channels", "act2")], ids=" ".join)
def test_is_cam(place):
    """Shares of the mask from 1/N to 1, never above."""
    network = network_of(place[0])
    cores = found_in("is-cam", network, place[1], samples=4).cores[place[1]]
    for i, image in enumerate(X):
        a = emitted(network, place, image)
        for t, row in enumerate(ROWS):
            expected = by_hand.is_cam_scores(scorer(network, row), image, a, [0.25, 0.5, 0.75, 1])
            ask.close(cores[t, i], weighted(expected, a))
    once = found_in("is-cam", network, place[1], samples=1).cores[place[1]]
    ask.close(once, found_in("score-cam", network, place[1]).cores[place[1]])


def grad_cams(network, layer):
    """Their map (n, h, w), before ReLU and resizing, of class 0."""
    library = pytest.importorskip("pytorch_grad_cam")
    module = network.get_submodule(layer)
    targets = [library.utils.model_targets.ClassifierOutputTarget(0)] * len(X)
    with library.ScoreCAM(model=network, target_layers=[module]) as method, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs
        method(torch.tensor(X), targets)
        a = method.activations_and_grads.activations[0].numpy()
        return method.get_cam_image(torch.tensor(X), module, targets, a, None, False)


def test_pytorch_grad_cam_agrees_but_for_how_it_enlarges():
    """Where nothing is enlarged, theirs is ours; else they put the corners of both grids on each other (align_corners=True)
    where the paper's code and torch's default put the edges."""
    network = bold(networks.pooled())
    ask.close(found_in("score-cam", network, "act1").cores["act1"][0], grad_cams(network, "act1"), rel=2e-5)  # float32 softmax
    theirs, ours = grad_cams(network, "act2"), found_in("score-cam", network, "act2").cores["act2"][0]
    for i, image in enumerate(X):
        a = emitted(network, ("pooled", "act2"), image)
        corners = weighted(by_hand.score_cam_scores(scorer(network), image, a, corners=True), a)
        ask.close(theirs[i], corners, rel=2e-5)
        ask.far(ours[i], corners)


def torchcams(kind, network, layer, **params):
    """Their map (n, h, w), rectified, not normalised, of class 0, of each image alone."""
    library = pytest.importorskip("torchcam.methods")
    found = []
    for image in X:
        with getattr(library, kind)(network, layer, **params) as method, torch.no_grad():
            scores = network(torch.tensor(image[None]))
            found.append(method(0, scores, normalized=False)[0][0].numpy())
    return np.stack(found)


def test_torchcam_agrees_on_score_cam_where_nothing_is_enlarged():
    """Trap 12: they stretch a channel before they enlarge it, so that its mask ends short of 0 and 1; the paper after."""
    network = bold(networks.pooled())
    ours = found_in("score-cam", network, "act1").cores["act1"][0].clip(min=0)
    ask.close(ours, torchcams("ScoreCAM", network, "act1"), rel=1e-5)  # they add 1e-8 to each channel's span
    theirs, ours = torchcams("ScoreCAM", network, "act2"), found_in("score-cam", network, "act2").cores["act2"][0]
    for i, image in enumerate(X):
        a = emitted(network, ("pooled", "act2"), image)
        first = weighted(by_hand.score_cam_scores(scorer(network), image, a, first=True), a)
        ask.close(theirs[i], first, rel=1e-5)
        ask.far(ours[i], first)


def test_torchcam_accumulates_is_cams_coefficient():
    """Trap 5: 1/N + 2/N + ... reaches (N + 1) / 2, where the paper's j/N ends at the mask itself."""
    network, n = bold(networks.pooled(), 5), 6
    theirs = torchcams("ISCAM", network, "act1", num_samples=n)
    ours = found_in("is-cam", network, "act1", samples=n).cores["act1"][0]
    for i, image in enumerate(X):
        a, score = emitted(network, ("pooled", "act1"), image), scorer(network)
        paper = weighted(by_hand.is_cam_scores(score, image, a, np.arange(1, n + 1) / n), a)
        summed = np.cumsum(np.arange(1, n + 1) / n)
        assert summed[-1] == (n + 1) / 2
        ask.close(ours[i], paper)
        ask.close(theirs[i], weighted(by_hand.is_cam_scores(score, image, a, summed), a), rel=1e-5)
        ask.far(theirs[i], paper)
