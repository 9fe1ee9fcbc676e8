"""A graph that takes one tensor of images, as a function from images to scores."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.zoo.input_shape import InputShape
from seewhy.models.zoo.tensor_function import TensorFunction, checked, one_of


class Mean(TensorFunction):
    """The mean of each channel, and the shapes of the tensors that it was given."""

    def __init__(self, shape, takes="uint8", sides=()):
        super().__init__("net", InputShape.of(shape, "net"), takes)
        self.seen, self.sides = [], sides

    def run(self, x):
        self.seen.append(x.shape)
        axes = (-3, -2) if self.shape.channels_last else (-2, -1)
        y = x.mean(axes)
        return y.reshape(*y.shape, *self.sides)


X = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((-1, 4, 6, 3), [(5, 4, 6, 3)]), ((1, 3, 4, 6), [(1, 3, 4, 6)] * 5), ((3, -1, -1, 3), [(3, 4, 6, 3)] * 2),
     ((4, 6, 3), [(4, 6, 3)] * 5)],
)  # fmt: skip
def test_images_go_in_as_many_at_a_time_as_the_tensor_takes(shape, seen):
    function = Mean(shape)
    np.testing.assert_allclose(function(X), X.mean((1, 2)))
    assert function.seen == seen
    assert seewhy.wrap(function).answer(np.moveaxis(X, -1, 1)).scores.shape == (5, 3)


def test_prepared_images_go_where_prepared_ones_are_taken():
    x = np.moveaxis(X, -1, 1) / 255
    np.testing.assert_allclose(Mean((-1, 4, 6, 3), "float")(x), x.mean((2, 3)))
    for function, given in ((Mean((-1, 4, 6, 3), "float"), X), (Mean((-1, 4, 6, 3)), x)):
        with pytest.raises(BadParameter, match="options="):
            function(given)


def test_scores_are_one_row_for_each_image():
    np.testing.assert_allclose(Mean((-1, 4, 6, 3), sides=(1, 1))(X), X.mean((1, 2)))

    class Other(Mean):
        def run(self, x):
            return np.zeros((len(x), 3, 2)) if self.sides else np.zeros(3)

    for sides in ((), (1,)):
        with pytest.raises(BadNetwork, match=r"scores are \(5, k\)"):
            Other((-1, 4, 6, 3), sides=sides)(X)
    with pytest.raises(NotImplementedError):
        TensorFunction("net", InputShape.of((-1, 4, 6, 3), "net"), "uint8")(X)


def test_options_are_those_of_the_graph():
    checked({"takes": "float", "layout": "nchw"}, "net")
    for options, words in [({"depth": 3}, "no option 'depth'. It takes: takes, layout"), ({"takes": "int"}, "uint8 or float"),
                           ({"layout": 3}, "nchw or nhwc")]:  # fmt: skip
        with pytest.raises(BadParameter, match=words):
            checked(options, "net")


def test_one_of_several_tensors_is_said_by_its_name_or_place():
    assert one_of(["a"], None, "output", "net", "output=") == 0
    assert one_of(["a", "b"], "b", "output", "net", "output=") == one_of(["a", "b"], 1, "output", "net", "output=") == 1
    for names, wanted in ((["a", "b"], None), (["a"], "c"), (["a"], 1), ([], None), (["a"], True)):
        with pytest.raises(BadParameter, match=r"net has .*: say which, output=\."):
            one_of(names, wanted, "output", "net", "output=")
