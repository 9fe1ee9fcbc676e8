"""The value above which a map counts as object: shares of the maximum, quantiles, Otsu, the papers' presets."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.objects.threshold import PRESETS, cut_of, cut_words

VALUES = np.array([[0, 1, 2], [3, 4, 8]], np.float32)


def test_a_share_of_the_maximum():
    assert cut_of(VALUES, 0.5) == 4
    assert cut_of(VALUES) == pytest.approx(0.15 * 8)
    assert cut_of(VALUES, 0) == 0


def test_the_presets_are_those_of_the_papers():
    assert cut_of(VALUES, preset="grad-cam") == pytest.approx(0.15 * 8)
    assert cut_of(VALUES, preset="grad_cam") == pytest.approx(0.15 * 8)
    assert cut_of(VALUES, preset="cam") == pytest.approx(0.20 * 8)
    assert {name: preset.threshold for name, preset in PRESETS.items()} == {"cam": 0.2, "grad-cam": 0.15}


def test_a_quantile_counts_the_values_that_lie_below():
    values = np.random.default_rng(0).normal(1, 1, (20, 30))
    for share in (0.3, 0.85, 0.99):
        cut = cut_of(values, share, of="quantile")
        assert cut == pytest.approx(max(0, np.sort(values.ravel())[int(np.ceil(share * 599))]), abs=0.2)
        assert (values < cut).mean() == pytest.approx(share, abs=1 / 600)
    assert cut_of(values, of="quantile") == cut_of(values, 0.85, of="quantile")


def test_a_quantile_below_zero_is_zero():
    """What is not positive is no evidence."""
    assert cut_of(np.array([-3.0, -2, -1, 5]), 0.5, of="quantile") == 0


def otsu(values):
    """The cut of the 256 bins' centres that leaves the least variance within the two parts: each tried by hand."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = 0.0, np.inf
    for k in range(1, 256):
        within = 0.0
        for part in (slice(0, k), slice(k, 256)):
            n = counts[part].sum()
            if n:
                mean = (counts[part] * centres[part]).sum() / n
                within += (counts[part] * (centres[part] - mean) ** 2).sum()
        if within < least - 1e-9:
            best, least = centres[k - 1], within
    return best


def test_otsu_parts_the_positive_values_where_they_vary_least():
    pytest.importorskip("skimage")
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1, 0.2, 300), rng.normal(5, 0.5, 100)]).clip(0.01)
    cut = cut_of(np.concatenate([values, -np.ones(1000), np.zeros(1000)]), of="otsu")  # these do not count
    assert cut == pytest.approx(otsu(values))
    assert 1.5 < cut < 4


def test_otsu_of_a_single_positive_value_takes_all_that_is_positive():
    assert cut_of(np.array([0.0, 2, 2, -1]), of="otsu") == 0


@pytest.mark.parametrize(
    "values",
    [np.zeros(3), -np.ones((2, 2)), np.full((2, 2), 0.7), np.array([1, np.nan]), np.array([1, np.inf]), np.ones((0, 3))],
    ids=["zeros", "negative", "flat", "nan", "infinite", "empty"],
)
@pytest.mark.parametrize("of", ["max", "quantile", "otsu"])
def test_of_these_nothing_counts(values, of):
    assert cut_of(values, of=of) == np.inf


@pytest.mark.parametrize("threshold", [1, 1.5, -0.1, True, "0.2", float("nan"), [0.2]])
def test_a_threshold_is_a_share_below_one(threshold):
    with pytest.raises(BadParameter, match=r"is no share: give a number from 0 to below 1, as 0.15 for 15 %"):
        cut_of(VALUES, threshold)


def test_names_that_are_not_there():
    with pytest.raises(NoSuchName, match="There are: max, quantile, otsu"):
        cut_of(VALUES, of="mean")
    with pytest.raises(NoSuchName, match="max, quantile, otsu"):
        cut_of(VALUES, of=["max"])
    with pytest.raises(NoSuchName, match="There are: cam, grad-cam"):
        cut_of(VALUES, preset="gradcam")


@pytest.mark.parametrize("how", [{"threshold": 0.3}, {"of": "quantile"}])
def test_a_preset_stands_for_the_threshold(how):
    with pytest.raises(BadParameter, match=r"20 % of the maximum. Leave out threshold= and of="):
        cut_of(VALUES, preset="cam", **how)


def test_otsu_takes_no_threshold():
    with pytest.raises(BadParameter, match=r"finds the threshold by itself. Leave out threshold=0.3"):
        cut_of(VALUES, 0.3, of="otsu")


def test_in_words():
    assert cut_words() == "above 15 % of the maximum"
    assert cut_words(preset="cam") == "above 20 % of the maximum"
    assert cut_words(0.125) == "above 12.5 % of the maximum"
    assert cut_words(of="quantile") == "above 85 % of the values"
    assert cut_words(of="otsu") == "above Otsu's threshold"
