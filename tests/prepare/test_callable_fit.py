"""Which part of the photo a stranger's preprocessing shows is measured; where it cannot be, the heatmap says so."""

import numpy as np
import pytest
from PIL import Image, ImageOps

import seewhy
from seewhy import grad_cam
from seewhy.images.places import Turned
from seewhy.prepare.batch import preparer
from seewhy.prepare.fit import Fit

T = pytest.importorskip("torchvision.transforms")
timm = pytest.importorskip("timm")
WHOLE = (500, 375)


def letterboxed(photo: Image.Image) -> np.ndarray:
    padded = ImageOps.pad(photo, (224, 224), color=(114, 114, 114))  # 224x168 between bands of 28
    return np.asarray(padded, np.float32).transpose(2, 0, 1) / 255


def by_numpy(photo: Image.Image) -> np.ndarray:
    pixels = np.asarray(photo, np.float32)[20:340:2, 50:450:2]  # (160, 200): every second pixel, its own place each
    return ((pixels[..., ::-1] - 127) / 64).transpose(2, 0, 1)


def timms(name: str, **how):
    return timm.data.create_transform(**{**timm.data.resolve_data_config(model=timm.create_model(name)), **how})


def standardised(photo: Image.Image) -> np.ndarray:
    pixels = np.asarray(photo, np.float32).transpose(2, 0, 1)
    return (pixels - pixels.mean()) / (pixels.std() + 1e-6)


def by_division(photo: Image.Image) -> np.ndarray:
    pixels = np.asarray(photo, np.float32).transpose(2, 0, 1)
    return (pixels - pixels.mean()) / pixels.std()  # of a black picture: numpy would warn


def only_large(photo: Image.Image) -> np.ndarray:
    if np.asarray(photo).std() < 10:
        raise RuntimeError("a blank picture")
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


MEASURABLE = {
    "torchvision": (
        lambda: T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize([0.5] * 3, [0.2] * 3)]),
        Fit(256, 224).box(WHOLE),
    ),
    "torchvision v2 preset": (
        lambda: __import__("torchvision").models.ResNet18_Weights.DEFAULT.transforms(),
        Fit(256, 224).box(WHOLE),
    ),
    "timm": (lambda: timms("test_resnet"), Fit(168, 160).box(WHOLE)),
    "timm bicubic": (lambda: timms("test_vit"), Fit(168, 160).box(WHOLE)),
    "timm squash": (lambda: timms("test_resnet", crop_mode="squash", crop_pct=1.0), (0, 0, *WHOLE)),
    "squash": (lambda: T.Compose([T.Resize((224, 224)), T.ToTensor()]), (0, 0, *WHOLE)),
    "as it is": (lambda: T.ToTensor(), (0, 0, *WHOLE)),
    "letterbox": (lambda: letterboxed, (0, -62.5, 500, 437.5)),
    "mirror": (lambda: T.Compose([T.Resize((160, 160)), T.RandomHorizontalFlip(1.0), T.ToTensor()]), (500, 0, 0, 375)),
    "upside down": (lambda: T.Compose([T.RandomRotation((180, 180)), T.ToTensor()]), (500, 375, 0, 0)),
    "corner": (lambda: T.Compose([T.Lambda(lambda p: p.crop((10, 20, 110, 140))), T.ToTensor()]), (10, 20, 110, 140)),
    "standardised": (lambda: standardised, (0, 0, *WHOLE)),
    "standardised by division": (lambda: by_division, (0, 0, *WHOLE)),
    "refuses blank pictures": (lambda: only_large, (0, 0, *WHOLE)),
    "numpy": (lambda: by_numpy, (49.5, 19.5, 449.5, 339.5)),  # pixels picked, not averaged: each stands for its own middle
}


@pytest.mark.parametrize("name", MEASURABLE)
def test_the_measured_box_is_the_exact_one(name):
    make, exact = MEASURABLE[name]
    measured = preparer(make()).box(WHOLE)
    assert measured is not None
    assert np.abs(np.subtract(measured, exact)).max() < 0.5


def test_a_photo_turned_by_a_quarter_is_measured_too():
    turned = preparer(T.Compose([T.Lambda(lambda p: p.transpose(Image.Transpose.ROTATE_90)), T.ToTensor()])).box(WHOLE)
    assert isinstance(turned, Turned)
    assert np.abs(np.subtract(turned.extent, (500, 0, 0, 375))).max() < 0.5


@pytest.mark.parametrize("size", [(375, 500), (64, 48), (1600, 1200), (300, 900)])
def test_the_measured_box_is_right_at_every_size(size):
    measured = preparer(MEASURABLE["torchvision"][0]()).box(size)
    assert np.abs(np.subtract(measured, Fit(256, 224).box(size))).max() < 0.002 * max(size)


@pytest.mark.parametrize("name", ["torchvision", "numpy"])
def test_what_is_measured_is_prepared_as_it_was_asked(noise, name):
    prepare = MEASURABLE[name][0]()
    assert np.array_equal(preparer(prepare)(noise(WHOLE)), np.asarray(prepare(noise(WHOLE))))


UNMEASURABLE = {
    "turned a little": T.Compose([T.RandomRotation((10, 10)), T.ToTensor()]),
    "a spectrum": lambda p: abs(np.fft.fft2(np.asarray(p, np.float32).transpose(2, 0, 1))).astype(np.float32) / 1e5,
}


@pytest.mark.parametrize("name", UNMEASURABLE)
def test_what_cannot_be_measured_is_noted(red_network, noise, name):
    model = seewhy.wrap(red_network, prepare=UNMEASURABLE[name])
    (heatmap,) = grad_cam(model, noise((100, 60)))
    assert any("cannot be measured" in warning for warning in heatmap.warnings)
    assert tuple(heatmap.box) == (0, 0, 100, 60)


def test_what_can_be_measured_has_no_such_note(red_network, noise):
    (heatmap,) = grad_cam(seewhy.wrap(red_network, prepare=T.ToTensor()), noise((100, 60)))
    assert not any("measured" in warning for warning in heatmap.warnings)


@pytest.mark.parametrize("name", ["torchvision", "letterbox", "mirror"])
def test_a_red_dot_is_found_again_through_a_measured_box(red_network, red_dot, name):
    model = seewhy.wrap(red_network, prepare=preparer(MEASURABLE[name][0]()))
    colours = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor()]) if name == "torchvision" else None
    model = seewhy.wrap(red_network, prepare=colours or MEASURABLE[name][0]())
    (heatmap,) = grad_cam(model, red_dot(WHOLE, 180, 120, half=12), target=0)
    y, x = np.unravel_index(heatmap.full().argmax(), heatmap.full().shape)
    assert abs(x - 180) <= 14
    assert abs(y - 120) <= 14
