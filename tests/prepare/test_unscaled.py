"""Preprocessing whose size is known and whose scale is not."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.prepare.batch import grey
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled, of_any_scale

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))


def test_nothing_is_prepared_before_the_scale_is_said():
    for call in (lambda: Unscaled((4, 5))(PHOTO), lambda: Unscaled().ready(PHOTO)):
        with pytest.raises(BadParameter, match="scale it does not tell"):
            call()


def test_with_its_scale_it_is_a_fit_of_the_known_size():
    made = Unscaled((4, 5)).said({"mean": 0.5, "std": [0.5, 0.25, 1]})
    np.testing.assert_array_equal(made(PHOTO), Fit((4, 5), None, 0.5, (0.5, 0.25, 1))(PHOTO))
    assert made.box(PHOTO.size) == Fit((4, 5), None, 0.5, 0.5).box(PHOTO.size)
    assert made.said({"size": 6, "crop": 6})(PHOTO).shape == (3, 6, 6)


def test_of_grey_images_one_number_is_enough():
    made = Unscaled((4, 5), grey=True).said({"mean": 0.5, "std": 0.5})
    np.testing.assert_array_equal(made(PHOTO), Fit((4, 5), None, (0.5,), (0.5,))(PHOTO))
    assert made(PHOTO).shape == (1, 4, 5)


@pytest.mark.parametrize("settings", [{"mean": 0.5}, {"std": 0.5}, {"grey": False}, {"colour": 1}, {"mean": 0, "std": 0}])
def test_half_a_scale_and_what_is_no_setting_is_refused(settings):
    with pytest.raises(BadParameter):
        Unscaled((4, 5)).said(settings)


def test_where_numbers_do_not_matter_any_scale_will_do():
    assert of_any_scale(Unscaled((4, 5)))(PHOTO).shape == (3, 4, 5)
    fit = Fit((4, 5), None)
    assert of_any_scale(fit) is fit
    assert grey(Unscaled((4, 5)), 128) is None
    np.testing.assert_allclose(grey(Unscaled((4, 5)).said({"mean": 0.0, "std": 1.0}), 255), [1, 1, 1])
