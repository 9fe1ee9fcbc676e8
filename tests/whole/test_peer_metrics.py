"""The other libraries' metrics: where they agree with ours to rounding, and where they measure something else.

Each library is skipped, by name, where it is not installed (quantus is in no extra).
"""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.metrics import (
    average_drop,
    average_increase,
    completeness,
    complexity,
    faithfulness_correlation,
    faithfulness_estimate,
    infidelity,
    road,
    sensitivity_max,
    sparseness,
)
from seewhy.metrics.faithfulness.curves import deletion_curve
from seewhy.metrics.faithfulness.imputation import imputed
from seewhy.metrics.faithfulness.regions import region_curve
from seewhy.metrics.faithfulness.subsets import boxes
from seewhy.metrics.subject import subjects

RNG = np.random.default_rng(0)
X, MAPS = RNG.random((3, 1, 16, 16)).astype(np.float32), RNG.standard_normal((3, 16, 16)).astype(np.float32)
FILL = 0.3


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def small(classes=4, channels=1):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convolution = nn.Conv2d(channels, 6, 3, padding=1)
        return nn.Sequential(convolution, nn.Tanh(), nn.Flatten(), nn.Linear(6 * 256, classes)).eval()


def linear():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(256, 3)).eval()


def quantus(metric, network, classes, maps=MAPS, softmax=True, **params):
    """Their metric of each map, or each step's number."""
    library = imported("quantus")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        usual = {"abs": False, "normalise": False, "disable_warnings": True, "return_aggregate": False}
        made = getattr(library, metric)(**{**usual, **params})
        return np.array(made(network, X, np.asarray(classes), np.asarray(maps)[:, None], softmax=softmax, device="cpu"))


def each(network, read, maps=MAPS, **how):
    found = subjects(seewhy.wrap(network), X, [*maps], **how)
    return np.array([read(subject, maps[which[0]].astype(np.float64)) for subject, which in found])


def top(network):
    return seewhy.wrap(network).answer(X).scores.argmax(1)


def test_quantus_curves_over_pixels_and_regions():
    network = small()
    flips = quantus("PixelFlipping", network, top(network), features_in_step=16, perturb_baseline=FILL)
    np.testing.assert_allclose(each(network, lambda s, v: deletion_curve(s, v, 16, FILL)[1][1:]), flips, rtol=1e-5)
    cells = quantus("Selectivity", network, top(network), patch_size=4, perturb_baseline=FILL)
    np.testing.assert_allclose(each(network, lambda s, v: region_curve(s, v, "grid:4", FILL)[1:]), cells, rtol=1e-5)
    drops = quantus("RegionPerturbation", network, top(network), patch_size=4, perturb_baseline=FILL)
    ours = each(network, lambda s, v: s.probability - region_curve(s, v, "grid:4", FILL)[1:])
    np.testing.assert_allclose(ours, drops, atol=1e-6)


def test_quantus_complexity_and_sparseness():
    network = small()
    for ours, theirs in ((complexity, "Complexity"), (sparseness, "Sparseness")):
        expected = quantus(theirs, network, top(network), abs=True)
        np.testing.assert_allclose(ours(seewhy.wrap(network), X, [*MAPS]), expected, rtol=1e-5)


def test_quantus_faithfulness_estimate_over_the_same_groups_of_pixels():
    """Their groups are equally many pixels in the order of the map; here these are the segments."""
    network = small()
    expected = quantus("FaithfulnessEstimate", network, top(network), softmax=False, features_in_step=16, perturb_baseline=FILL)
    for i, values in enumerate(MAPS):
        rank = np.empty(256, int)
        rank[np.argsort(-values.reshape(-1), kind="stable")] = np.arange(256)
        found = faithfulness_estimate(
            seewhy.wrap(network), X[i : i + 1], [values], segments=(rank // 16).reshape(16, 16), fill=FILL
        )
        assert found[0] == pytest.approx(expected[i], abs=1e-5)


def test_quantus_and_we_give_a_linear_network_s_own_coefficients_what_is_due():
    network = linear()
    own = network[1].weight.detach().numpy().reshape(3, 16, 16) * (X[:, 0] - FILL)
    theirs = quantus("FaithfulnessCorrelation", network, [0, 1, 2], own, False, subset_size=26, perturb_baseline=FILL)
    np.testing.assert_allclose(theirs, 1, atol=1e-4)
    model, how = seewhy.wrap(network), {"target": seewhy.PerImage([0, 1, 2]), "fill": FILL}
    np.testing.assert_allclose(faithfulness_correlation(model, X, [*own], **how), 1, atol=1e-4)
    assert (completeness(model, X, [*own], **how) < 1e-5).all()  # theirs asks for equality to the last bit


HIDDEN = RNG.random((16, 16)) < 0.6


def test_the_imputation_of_quantus():
    theirs = imported("quantus.functions.perturb_func").noisy_linear_imputation(X[0].copy(), np.flatnonzero(HIDDEN), noise=0)
    np.testing.assert_allclose(np.reshape(theirs, (1, 16, 16)), imputed(X[0], HIDDEN), atol=1e-6)


def test_the_imputation_of_pytorch_grad_cam():
    imputer = imported("pytorch_grad_cam.metrics.road").NoisyLinearImputer(noise=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = imputer(torch.tensor(X[0]), torch.tensor(~HIDDEN).float())
    np.testing.assert_allclose(theirs.numpy(), imputed(X[0], HIDDEN), atol=1e-6)


def test_road_is_twice_that_of_pytorch_grad_cam():
    """Their noise and its draws are others, so that all is the same up to that noise."""
    library = imported("pytorch_grad_cam.metrics.road")
    targets = imported("pytorch_grad_cam.utils.model_targets")
    network = nn.Sequential(small(), nn.Softmax(1))
    chosen = [targets.ClassifierOutputTarget(int(index)) for index in top(network)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = library.ROADCombined(percentiles=[25, 50, 75])(torch.tensor(X), MAPS, chosen, network)
    ours = road(seewhy.wrap(network, scores="probability"), X, [*MAPS], shares=(0.25, 0.5, 0.75))
    np.testing.assert_allclose(ours, 2 * np.asarray(theirs), atol=4e-3)
    assert abs(ours).max() > 0.02


@pytest.mark.parametrize("scale", [True, False])
def test_captum_infidelity_of_the_same_boxes(scale):
    library, network = imported("captum.metrics"), small()
    model = seewhy.wrap(network)
    for i, values in enumerate(MAPS):
        for subject, _ in subjects(model, X[i : i + 1], [values], target=2):
            mask = boxes(subject, 0.25)
        masks = torch.tensor(np.stack([mask(k) for k in range(12)]))[:, None].float()

        def perturb(inputs, masks=masks):
            return masks, inputs * (1 - masks) + FILL * masks

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = library.infidelity(
                network, perturb, torch.tensor(X[i : i + 1]), torch.tensor(values)[None, None], target=2,
                n_perturb_samples=12, normalize=scale,
            )  # fmt: skip
        ours = infidelity(model, X[i : i + 1], [values], target=2, draws=12, fill=FILL, scale=scale)
        assert ours[0] == pytest.approx(float(theirs), rel=1e-4)


def test_captum_sensitivity_max_of_the_same_draws():
    library, network = imported("captum.metrics"), small()
    model, saliency = seewhy.wrap(network), imported("captum.attr").Saliency(network)
    for i in range(2):
        (heatmap,) = seewhy.gradient(model, X[i : i + 1], target=1)
        for subject, _ in subjects(model, X[i : i + 1], [heatmap]):
            rng, reach = subject.rng("sensitivity"), 0.1 * float(np.ptp(subject.x))
            moved = [(X[i] + reach * rng.uniform(-1, 1, X[i].shape)).astype(np.float32) for _ in range(5)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = library.sensitivity_max(
                saliency.attribute, torch.tensor(X[i : i + 1]), lambda *_, moved=moved: torch.tensor(np.stack(moved)),
                n_perturb_samples=5, target=1,
            )  # fmt: skip
        assert sensitivity_max(model, X[i : i + 1], [heatmap], radius=0.1, draws=5)[0] == pytest.approx(float(theirs), rel=1e-4)


class Fixed:
    """A CAM extractor of torchcam that gives maps which are known."""

    def __init__(self, model, maps):
        self.model, self.maps = model, torch.tensor(maps)

    def _hooks_off(self):
        return nullcontext()

    def __call__(self, class_idx, scores=None, normalized=True, **_):
        low, span = (self.maps.amin((1, 2), True), np.ptp(self.maps.numpy(), (1, 2)))
        return [(self.maps - low) / torch.tensor(span)[:, None, None]]

    def fuse_cams(self, cams):
        return cams[0]


def test_average_drop_and_increase_of_torchcam():
    library, network = imported("torchcam.metrics"), small()
    metric = library.ClassificationMetric(Fixed(network, MAPS), lambda logits: logits.softmax(-1))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric.update(torch.tensor(X))
    theirs, model = metric.summary(), seewhy.wrap(network)
    assert average_drop(model, X, [*MAPS]).mean() == pytest.approx(theirs["avg_drop"], rel=1e-4)
    assert average_increase(model, X, [*MAPS]).mean() == pytest.approx(theirs["conf_increase"], rel=1e-6)
