"""What a hidden pixel becomes: every way to say it, on images whose numbers are known."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.explaining.case import Case
from seewhy.images.resample import blurred
from seewhy.methods.making.baseline import COLOURS, baseline
from support import networks

X = networks.images(2, 6, 8, seed=4)
MEAN, STD = (0.2, 0.4, 0.6), (0.5, 0.25, 0.1)


def case(x=X, **how):
    return Case(seewhy.wrap(networks.pooled(), **how), x, [seewhy.Class(0)])


def photos():
    """A case of a model that prepares photos by a known mean and standard deviation."""
    return case(prepare={"size": (6, 8), "crop": None, "mean": MEAN, "std": STD})


def of(how, asked=None):
    return baseline(asked or case(), how, "the fill")


@pytest.mark.parametrize("how", [0, 0.5, -2.0, np.float32(1.5)])
def test_a_number_is_that_number_everywhere(how):
    np.testing.assert_array_equal(of(how), np.full((1, 3, 6, 8), how))


def test_one_number_for_each_channel():
    np.testing.assert_array_equal(of([1, 2.0, 3])[0, :, 2, 5], [1, 2, 3])
    assert of((1, 2, 3)).shape == (1, 3, 6, 8)


def test_an_array_is_taken_as_it_is_for_all_images_or_one_for_each():
    one = np.random.default_rng(0).normal(size=(3, 6, 8))
    np.testing.assert_array_equal(of(one), one[None])
    np.testing.assert_array_equal(of(X + 1), X + 1)
    with pytest.raises(seewhy.BadParameter, match=r"the fill is \(3, 3, 6, 8\), the prepared images are \(2, 3, 6, 8\)"):
        of(np.concatenate([X, X[:1]]))
    with pytest.raises(seewhy.BadParameter, match="the fill holds NaN or infinity"):
        of(one * np.nan)


def test_colours_that_need_no_preparation():
    assert not of("zero").any()
    np.testing.assert_allclose(of("mean"), np.broadcast_to(X.mean((2, 3), keepdims=True), X.shape))
    np.testing.assert_array_equal(of("blur"), blurred(X, 0.1))
    np.testing.assert_array_equal(of("blurred"), of("blur"))
    assert {"zero", "black", "white", "mean", "blurred", "blur"} == {*COLOURS}


def test_black_and_white_are_what_the_network_is_given_for_them():
    for how, level in (("black", 0.0), ("white", 1.0)):
        found = of(how, photos())
        np.testing.assert_allclose(found[0, :, 0, 0], (level - np.array(MEAN)) / STD, rtol=1e-5)
        assert np.ptp(found, axis=(2, 3)).max() == 0
        with pytest.raises(seewhy.BadParameter, match=f"what is {how} to .* is unknown"):
            of(how)


def test_any_image_is_prepared_as_the_others_are():
    grey = Image.new("RGB", (8, 6), (51, 102, 153))  # the mean itself
    np.testing.assert_allclose(of(grey, photos()), 0, atol=1e-6)
    with pytest.raises(seewhy.BadParameter, match=r"Closest: .*black"):
        of("blak", photos())
