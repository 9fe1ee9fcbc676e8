"""How photos are prepared for networks of Hugging Face: as their image processors do it, as numbers where these say all."""

import json

import numpy as np
import pytest
from PIL import Image

from seewhy import load
from seewhy.errors import BadWeights
from seewhy.models.zoo.hf_photos import ImageProcessor, RoundedDown, fit_of, same, unlike_fit
from seewhy.prepare.fit import Fit
from support.model_folders import copied


def pixels(processor, photo):
    return np.asarray(processor(images=photo, return_tensors="np")["pixel_values"])[0]


def test_the_fit_is_that_of_the_processor(saved):
    fit = load(f"hf/{saved('vit')[0]}").prepare
    assert (fit.size, fit.crop, fit.mean, fit.interpolation) == ((32, 32), None, (0.5, 0.5, 0.5), "bilinear")
    fit = load(str(saved("convnext")[0])).prepare
    assert (fit.size, fit.crop, fit.interpolation) == (40, (32, 32), "bicubic")
    fit = load(str(saved("dinov2")[0])).prepare
    assert (fit.size, fit.crop) == (36, (32, 32))
    assert fit.box((72, 36)) == (20, 2, 52, 34)
    assert fit.box((75, 36)) == (21, 2, 53, 34)  # transformers rounds the margin of 21.5 down


def test_without_a_processor_the_usual_one_is_taken_and_said(saved, tmp_path):
    folder = copied(saved("vit")[0], tmp_path, without=("preprocessor_config.json",))
    model = load(str(folder))
    assert (model.prepare.size, model.prepare.crop, model.prepare.mean) == ((32, 32), None, (0.5, 0.5, 0.5))
    assert "no preprocessor_config.json: photos are prepared as is usual for vit" in model.weights


def test_an_image_processor_inside_a_processor_of_text_and_images_is_read(saved, tmp_path):
    folder = copied(saved("vit")[0], tmp_path, without=("preprocessor_config.json",))
    own = json.loads((saved("vit")[0] / "preprocessor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": {**own, "image_mean": [0.1, 0.2, 0.3]}}))
    assert load(str(folder)).prepare.mean == (0.1, 0.2, 0.3)


NORMAL = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]}
SETTINGS = {  # of an image processor -> size, crop, mean, std, interpolation of the Fit, or None where it does more than that
    "size alone": ({"size": {"height": 24, "width": 32}}, ((24, 32), None, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear")),
    "shorter side and crop": (
        {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 30}, "do_center_crop": True, "resample": 3},
        (36, (32, 30), (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bicubic"),
    ),
    "a crop that is not done": ({"size": 36, "crop_size": 32}, (36, None, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear")),
    "not resized": ({"size": 36, "do_resize": False}, (None, None, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear")),
    "not normalised": ({"size": 36, "do_normalize": False}, (36, None, 0.0, 1.0, "bilinear")),
    "a small ConvNeXt": ({"size": 224, "crop_pct": 0.875}, (256, (224, 224), (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear")),
    "a large ConvNeXt": ({"size": 384, "crop_pct": 0.875}, ((384, 384), None, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear")),
    "another scale": ({"size": 36, "rescale_factor": 1 / 127.5}, None),
    "no scale": ({"size": 36, "do_rescale": False}, None),
    "an unknown interpolation": ({"size": 36, "resample": 77}, None),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_are_numbers_where_they_say_no_more(kind):
    settings, expected = SETTINGS[kind]
    fit = fit_of({**NORMAL, **settings})
    assert (fit and (fit.size, fit.crop, fit.mean, fit.std, fit.interpolation)) == expected


def test_settings_that_a_fit_has_no_numbers_for():
    assert unlike_fit({"size": {"shortest_edge": 800, "longest_edge": 1333}, **NORMAL})
    assert unlike_fit({"size": {"shortest_edge": 800}})
    assert not unlike_fit({"size": {"shortest_edge": 800, "longest_edge": None}, **NORMAL})
    assert not unlike_fit({"size": 800, **NORMAL})


def test_of_an_odd_margin_the_smaller_part_is_left_and_above():
    photo, size = Image.fromarray(np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)), (9, 7)
    fit = RoundedDown(None, (4, 4), 0.0, 1.0)
    assert fit.box(size) == (2, 1, 6, 5)
    np.testing.assert_allclose(fit(photo), np.asarray(photo)[1:5, 2:6].transpose(2, 0, 1) / 255, atol=1e-6)


def test_a_fit_is_the_same_where_it_is_on_every_odd_size():
    class Halved:
        """A processor that is a Fit to the centre crop's rounding."""

        def __init__(self, fit):
            self.fit = fit

        def __call__(self, images, return_tensors):
            return {"pixel_values": [self.fit(images)]}

    down, plain = (kind(36, (32, 32), 0.5, 0.25) for kind in (RoundedDown, Fit))
    assert same(down, ImageProcessor(Halved(down)))
    assert not same(plain, ImageProcessor(Halved(down)))  # of an odd margin the other side is cut
    assert not same(down, ImageProcessor(Halved(RoundedDown(36, (32, 32), 0.5, 0.2))))
    assert not same(down, ImageProcessor(Halved(RoundedDown(36, (32, 31), 0.5, 0.25))))


def test_a_processor_that_fails_is_named_with_what_to_do():
    def fails(images, return_tensors):
        raise KeyError("size\nof nothing")

    with pytest.raises(BadWeights, match=r"function cannot prepare a photo \(KeyError: .*preprocessor_config.*prepare="):
        ImageProcessor(fails)(Image.new("RGB", (8, 8)))
