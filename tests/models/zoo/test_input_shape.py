"""What the shape of an input tensor tells of the images that it takes."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.models.zoo.input_shape import InputShape, portions


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((-1, 3, 224, 224), (False, 3, (224, 224), None, True)), ((None, 224, 200, 3), (True, 3, (224, 200), None, True)),
        ((1, 64, 64, 1), (True, 1, (64, 64), 1, True)), ((8, 1, 28, 28), (False, 1, (28, 28), 8, True)),
        ((3, 224, 224), (False, 3, (224, 224), 1, False)), ((-1, -1, -1, 3), (True, 3, None, None, True)),
        ((0, 3, -1, 5), (False, 3, None, None, True)),
    ],
)  # fmt: skip
def test_channels_are_where_one_or_three_stands(shape, expected):
    made = InputShape.of(shape, "net")
    assert (made.channels_last, made.channels, made.size, made.batch, made.batched) == expected


@pytest.mark.parametrize("shape", [(), (3,), (1, 10), (1, 3, 5, 3), (1, 4, 5, 6), (-1, -1, -1, -1), (1, 3, 4, 5, 6)])
def test_what_is_no_image_or_could_be_two_is_refused(shape):
    with pytest.raises(BadParameter, match="net takes"):
        InputShape.of(shape, "net")


def test_a_layout_decides_and_has_to_fit():
    assert InputShape.of((1, 3, 5, 3), "net", "nchw").size == (5, 3)
    assert InputShape.of((1, 3, 5, 3), "net", "nhwc").size == (3, 5)
    with pytest.raises(BadParameter, match="layout=nhwc"):
        InputShape.of((1, 3, 5, 6), "net", "nhwc")


def test_images_are_arranged_as_the_tensor_has_them():
    photo, x = (
        np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8),
        np.random.default_rng(1).normal(size=(2, 3, 4, 5)),
    )
    last, first = InputShape.of((-1, 4, 5, 3), "net"), InputShape.of((-1, 3, 4, 5), "net")
    np.testing.assert_array_equal(last.arranged(photo), photo)
    np.testing.assert_array_equal(first.arranged(photo), photo.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(first.arranged(x), x)
    np.testing.assert_array_equal(last.arranged(x), x.transpose(0, 2, 3, 1))
    grey = InputShape.of((-1, 4, 5, 1), "net")
    np.testing.assert_array_equal(grey.arranged(photo)[1, :, :, 0], np.asarray(Image.fromarray(photo[1]).convert("L")))
    with pytest.raises(BadParameter, match="takes 1 channels"):
        grey.arranged(x)
    for other in (photo[:, :3], x[:, :, :, :2]):
        with pytest.raises(BadParameter, match=r"takes images of 4 x 5, not of (3 x 5|4 x 2): prepare="):
            last.arranged(other)
    assert InputShape.of((-1, 3, -1, -1), "net").arranged(x[:, :, :2]).shape == (2, 3, 2, 5)


def test_portions_are_filled_up_where_their_number_is_fixed():
    x = np.arange(5)
    assert [(part.tolist(), count) for part, count in portions(x, 2)] == [([0, 1], 2), ([2, 3], 2), ([4], 1)]
    assert [(part.tolist(), count) for part, count in portions(x, 9, 3)] == [([0, 1, 2], 3), ([3, 4, 4], 2)]
    assert portions(x[:0], 2) == []
