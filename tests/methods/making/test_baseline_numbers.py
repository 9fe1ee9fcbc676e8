"""Numbers that hide: whole or not, of whatever library, and of one precision, that of the images."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.explaining.case import Case
from seewhy.methods.making.baseline import baseline
from support import networks

X = networks.images(2, 5, 7, seed=3).astype(np.float32)
COLOUR = (0.0, 1.0, 2.0)
SPELT = {  # of the colour 0 1 2
    "ints": (0, 1, 2),
    "list": [0, 1, 2],
    "mixed": [0.0, np.int64(1), np.uint8(2)],
    "numpy's": tuple(np.int16(n) for n in range(3)),
    "zero-dimensional": [torch.tensor(0), np.array(1), 2],
    "whole array": np.arange(3),
    "bytes": np.arange(3, dtype=np.uint8),
    "float array": np.arange(3.0),
    "tensor": torch.arange(3),
    "one image": np.broadcast_to(np.arange(3).reshape(3, 1, 1), X.shape[1:]),
    "prepared batch": np.broadcast_to(np.arange(3).reshape(1, 3, 1, 1), (1, *X.shape[1:])),
    "each image": torch.arange(3).reshape(1, 3, 1, 1).expand(X.shape),
    "half": torch.arange(3.0, dtype=torch.bfloat16).reshape(3, 1, 1).expand(X.shape[1:]),
}
ZEROS = [0, 0.0, np.int64(0), np.uint8(0), np.float16(0), np.array(0), torch.tensor(0), torch.tensor(0.0), (0, 0, 0), [0, 0, 0]]
METHODS = {
    "rise": ("fill", {"masks": 6}),
    "occlusion": ("fill", {"window": 3, "stride": 3}),
    "lime": ("hide", {"segments": "grid:2", "samples": 12}),
    "kernel-shap": ("hide", {"segments": "grid:2", "samples": 12}),
    "sobol": ("hide", {"segments": "grid:2", "samples": 2}),
    "score-cam": ("fill", {}),
    "ss-cam": ("fill", {"samples": 1}),
    "is-cam": ("fill", {"samples": 2}),
    "integrated-gradients": ("baseline", {"steps": 2}),
}


def of(how, x=X):
    return baseline(Case(seewhy.wrap(networks.pooled()), x, [seewhy.Class(0)]), how, "the fill")


@pytest.mark.parametrize("spelt", SPELT)
def test_a_colour_is_the_same_however_its_numbers_are_spelt(spelt):
    found = of(SPELT[spelt])
    assert found.dtype == np.float32
    for place in np.ndindex(X.shape[2:]):
        assert tuple(found[0][(slice(None), *place)]) == COLOUR


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("how", ["zero", "mean", "blur", 0, 1.5, (1, 2, 3), np.arange(3), X[0].astype(np.float64)])
def test_what_hides_has_the_precision_of_the_images(precision, how):
    assert of(how, X.astype(precision)).dtype == precision


@pytest.mark.parametrize(
    "wrong", [True, False, np.True_, np.zeros(3, bool), torch.zeros(3, 5, 7, dtype=torch.bool), [True, 0, 0]]
)
def test_a_truth_value_is_no_colour(wrong):
    with pytest.raises(
        seewhy.BadParameter, match=r"^the fill is .*: a truth value is no colour\. Give a number, such as 0 or 1"
    ):
        of(wrong)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("0", "the fill is the text '0'. Give the number itself: 0."),
        ("0.50", "the fill is the text '0.50'. Give the number itself: 0.5."),
        ((0, 0), "the fill is 2 numbers, one for each channel, and the images have 3."),
        (np.zeros(4, int), r"the fill is (4,), the prepared images are (2, 3, 5, 7)."),
        (10**30 * 10.0**10, "the fill holds NaN or infinity."),  # in float32
    ],
)
def test_numbers_that_are_none_of_it_are_told(wrong, why):
    with pytest.raises(seewhy.BadParameter) as told:
        of(wrong)
    assert str(told.value) == why


def small():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_take_a_zero_in_any_spelling(method):
    name, more = METHODS[method]
    model = seewhy.wrap(small())
    first, *others = [seewhy.METHODS[method](model, X[:1], target=1, **{name: zero}, **more)[0].values for zero in ZEROS]
    assert first.any()
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["rise", "occlusion", "lime", "kernel-shap", "sobol"])
def test_a_function_of_floats_sees_their_precision_alone(method, precision):
    name, more = METHODS[method]
    seen = set()

    def scores(x):
        seen.add((x.dtype.name, x.ndim))
        return x.mean((2, 3))

    for how in (0, np.int64(0), 1, (0, 1, 2), np.arange(3), "zero", "mean", X[1].astype(np.float64), np.ones(X.shape[1:], int)):
        seewhy.METHODS[method](seewhy.wrap(scores, takes="float"), X[:1].astype(precision), target=1, **{name: how}, **more)
    assert seen == {(np.dtype(precision).name, 4)}
