"""From a photo to what the network eats: as torchvision does it, number for number; and what is no preprocessing says so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seewhy
from seewhy import Extent, grad_cam
from seewhy.errors import BadParameter
from seewhy.prepare.batch import preparer
from seewhy.prepare.fit import Fit

T = pytest.importorskip("torchvision.transforms")


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


SIZES = [(500, 375), (375, 500), (333, 517), (40, 30), (224, 224), (256, 256), (1000, 61), (7, 9), (300, 301), (255, 257)]


def torchvisions(size, crop, mean, std, interpolation="bilinear"):
    steps = [] if size is None else [T.Resize(size, T.InterpolationMode(interpolation))]
    steps += [] if crop is None else [T.CenterCrop(crop)]
    steps += [T.Grayscale()] if np.ndim(mean) and len(mean) == 1 else []
    many = lambda number: number if np.ndim(number) else (number,) * 3  # noqa: E731
    return T.Compose([*steps, T.ToTensor(), T.Normalize(many(mean), many(std))])


@pytest.mark.parametrize("wh", SIZES)
@pytest.mark.parametrize(
    ("size", "crop"),
    [(256, 224), (64, 96), (33, 33), ((50, 71), None), ((50, 71), (40, 30)), (64, None), (None, 64), (None, (9, 31))],
)
def test_fit_is_torchvisions_resize_crop_and_normalise(noise, wh, size, crop):
    photo = noise(wh)
    theirs = torchvisions(size, crop, MEAN, STD)(photo).numpy()
    ours = Fit(size, crop, MEAN, STD)(photo)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max() <= 1e-6


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_every_interpolation_is_torchvisions(noise, interpolation):
    photo = noise((123, 77))
    theirs = torchvisions(48, 40, MEAN, STD, interpolation)(photo).numpy()
    assert abs(Fit(48, 40, MEAN, STD, interpolation)(photo) - theirs).max() <= 1e-6


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.25,)), (0.5, 0.25), (0.0, 1.0), ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))])
def test_one_number_serves_all_channels_and_a_mean_of_length_one_is_grey(noise, mean, std):
    photo = noise((50, 40))
    theirs = torchvisions(32, 32, mean, std)(photo).numpy()
    ours = Fit(32, 32, mean, std)(photo)
    assert len(ours) == (1 if mean == (0.5,) else 3)
    assert abs(ours - theirs).max() <= 1e-6


def test_a_dict_is_fit_by_its_numbers(noise):
    photo = noise((70, 50))
    numbers = {"size": 40, "crop": [32, 36], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "interpolation": "bicubic"}
    assert np.array_equal(preparer(numbers)(photo), Fit(40, (32, 36), (0.5, 0.4, 0.3), (0.2,) * 3, "bicubic")(photo))
    assert preparer({}) == Fit()


def test_numpy_numbers_are_numbers(noise):
    photo = noise((70, 50))
    given = {"size": np.int64(40), "crop": np.int64(32), "mean": np.full(3, 0.5), "std": np.full(3, 0.25)}
    assert np.array_equal(preparer(given)(photo), Fit(40, 32, 0.5, 0.25)(photo))


sides = st.integers(8, 250)


@settings(max_examples=60, deadline=None)
@given(w=sides, h=sides, size=st.one_of(st.none(), st.integers(8, 120), st.tuples(sides, sides)),
       crop=st.one_of(st.none(), st.integers(8, 120), st.tuples(sides, sides)), upright=st.booleans())  # fmt: skip
def test_the_box_of_fit_is_where_its_pixels_came_from(w, h, size, crop, upright):
    """A ramp says of every pixel from which column (or row) of the photo it came."""
    fit = Fit(size, crop, 0.0, 1.0)
    length = h if upright else w
    ramp = np.arange(length, dtype=np.uint8)
    image = np.broadcast_to(ramp[:, None] if upright else ramp, (h, w))
    x = fit(Image.fromarray(np.ascontiguousarray(image)).convert("RGB"))[0] * 255
    came = x.max(1) if upright else x.max(0)  # beyond the photo there is black, and 0 is also a place
    first, last = (fit.box((w, h))[1::2]) if upright else (fit.box((w, h))[0::2])
    expected = first + (np.arange(len(came)) + 0.5) * (last - first) / len(came) - 0.5
    reach = 1 + 2 * (last - first) / len(came)  # resampling bends the ramp this near to the edges
    inner = (expected > reach) & (expected < length - 1 - reach)
    assert abs(came - expected)[inner].max(initial=0) <= 0.51 + 0.01 * reach
    outside = (expected < -1) | (expected > length)
    assert not came[outside].any()


@settings(max_examples=60, deadline=None)
@given(w=sides, h=sides, size=st.integers(8, 300))
def test_the_box_keeps_the_middle_and_the_proportions(w, h, size):
    left, top, right, bottom = Fit(size, size, 0.0, 1.0).box((w, h))
    pixel = min(w, h) / size
    assert abs((left + right) / 2 - w / 2) <= pixel
    assert abs((top + bottom) / 2 - h / 2) <= pixel
    assert abs((right - left) - min(w, h)) <= pixel
    assert abs((bottom - top) - min(w, h)) <= pixel


def test_the_box_by_hand():
    assert Fit(256, 224).box((512, 256)) == Extent(144, 16, 368, 240)
    assert Fit(128, 112).box((512, 256)) == Extent(144, 16, 368, 240)
    assert Fit((10, 10), None).box((30, 70)) == Extent(0, 0, 30, 70)
    assert Fit(None, None).box((30, 70)) == Extent(0, 0, 30, 70)
    assert Fit(None, 100).box((50, 200)) == Extent(-25, 50, 75, 150)


UNFIT = {
    "unknown key": ({"sise": 32}, "sise"),
    "two unknown": ({"sise": 32, 3: 4}, "3, sise"),
    "number": (5, "int"),
    "string": ("imagenet", "str"),
    "interpolation": ({"interpolation": "cubic"}, "cubic.*bicubic"),
    "size text": ({"size": "32"}, "size"),
    "size zero": ({"size": 0}, "size"),
    "size negative": ({"size": -5}, "size"),
    "size of four": ({"size": (1, 2, 3, 4)}, "size"),
    "crop zero": ({"crop": 0}, "crop"),
    "two means": ({"mean": (0.5, 0.5)}, "mean"),
    "mean text": ({"mean": "half"}, "mean"),
    "std zero": ({"std": 0}, "std"),
    "std zeros": ({"std": (0.2, 0.0, 0.2)}, "std"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_numbers_that_cannot_be_are_misuse(red_network, noise, name):
    prepare, said = UNFIT[name]
    with pytest.raises(BadParameter, match=said):
        grad_cam(seewhy.wrap(red_network, prepare=prepare), noise((50, 40)))


GIVES = {
    "uint8 pixels": lambda p: np.asarray(p),
    "uint8 planes": lambda p: np.asarray(p).transpose(2, 0, 1),
    "PIL": lambda p: p,
    "None": lambda p: None,
    "grey plane": lambda p: np.zeros((5, 5), np.float32),
    "two images": lambda p: np.zeros((2, 3, 8, 8), np.float32),
    "dict": lambda p: {"pixel_values": np.zeros((3, 8, 8))},
    "channels last": lambda p: np.asarray(p, np.float32) / 255,
    "no pixels": lambda p: np.zeros((3, 0, 0), np.float32),
    "a class": T.ToTensor,
}


@pytest.mark.parametrize("name", GIVES)
def test_a_prepare_that_gives_no_prepared_image_is_misuse(red_network, noise, name):
    with pytest.raises(BadParameter, match=r"prepare.*\(c, h, w\)"):
        grad_cam(seewhy.wrap(red_network, prepare=GIVES[name]), noise((50, 40)))


@pytest.mark.parametrize("kind", ["float64", "batch of one", "tensor", "bfloat16", "needs grad"])
def test_a_prepare_may_give_any_floats(red_network, red_dot, kind):
    gives = {
        "float64": lambda p: T.ToTensor()(p).numpy().astype(np.float64),
        "batch of one": lambda p: T.ToTensor()(p)[None],
        "tensor": T.ToTensor(),
        "bfloat16": lambda p: T.ToTensor()(p).bfloat16(),
        "needs grad": lambda p: T.ToTensor()(p).requires_grad_(),
    }
    (heatmap,) = grad_cam(seewhy.wrap(red_network, prepare=gives[kind]), red_dot((64, 64), 16, 40))
    assert np.unravel_index(heatmap.values.argmax(), heatmap.values.shape) in {(9, 3), (9, 4), (10, 3), (10, 4)}


def test_blue_comes_first_where_the_network_was_trained_so():
    photo = Image.new("RGB", (8, 8), (255, 0, 51))
    plain = Fit(8, 8, (0.1, 0.2, 0.3), 0.5)(photo)
    turned = Fit(8, 8, (0.1, 0.2, 0.3), 0.5, bgr=True)(photo)
    assert np.array_equal(turned, plain[::-1])
    assert turned[2, 0, 0] == pytest.approx((1 - 0.1) / 0.5)
