"""Maps on the grid that they are scored on."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import Extent, Grid
from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.localization.grids import grid_size, on_grid, photo_size, shares


@pytest.fixture
def heatmap():
    scene = seewhy.demo.scenes(1)[0]
    return seewhy.grad_cam(seewhy.load("demo/honest"), scene.image)[0]


def test_an_array_is_interpolated_as_opencv_does_it():
    cv2 = pytest.importorskip("cv2")
    cells = np.random.default_rng(0).random((7, 5)).astype(np.float32)
    expected = cv2.resize(cells, (50, 33), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(on_grid(cells, (50, 33)), expected, atol=1e-6)
    np.testing.assert_array_equal(on_grid(cells), cells)
    assert on_grid(cells, None, (50, 33)).shape == (33, 50)


def test_a_heatmap_lies_on_its_photos_own_grid_as_it_is_drawn(heatmap):
    np.testing.assert_array_equal(on_grid(heatmap), heatmap.full())
    assert photo_size(heatmap) == heatmap.image.size


def test_on_a_smaller_grid_a_heatmap_is_where_it_was(heatmap):
    """In shares of the sides, its centre of mass moves by less than half a pixel."""

    def centre(values):
        return [float((values.sum(1 - axis) * (np.arange(side) + 0.5) / side).sum() / values.sum()) for axis, side in
                enumerate(values.shape)]  # fmt: skip

    np.testing.assert_allclose(centre(on_grid(heatmap, (50, 40))), centre(heatmap.full()), atol=0.5 / 40)


def test_outside_of_what_the_network_saw_a_heatmap_is_zero(heatmap):
    photo = Image.new("RGB", (100, 60))
    beside = replace(heatmap, values=np.full((3, 3), 2.0, np.float32), image=photo, box=Extent(20, 0, 80, 60), cells=None)
    found = on_grid(beside, (50, 30))
    assert (found[:, :10] == 0).all()
    assert (found[:, 10:40] == 2).all()
    assert (found[:, 40:] == 0).all()


def test_mean_scores_count_how_far_they_lie_above_the_least(heatmap):
    source = replace(heatmap.source, measured={"mean_score": 3.0})
    rise = replace(heatmap, values=heatmap.values + 5, source=source)
    np.testing.assert_allclose(on_grid(rise), replace(heatmap, values=heatmap.values - heatmap.values.min()).full(), atol=1e-5)


def test_what_is_no_map_of_a_photo_is_refused(heatmap):
    volume = Heatmap(np.zeros((2, 2, 2), np.float32), None, Grid.whole((2, 2, 2)), heatmap.source)
    with pytest.raises(NotApplicable, match="scored on photos"):
        photo_size(volume)
    with pytest.raises(BadParameter, match=r"array \(h, w\), not one of \(2, 2, 2\)"):
        on_grid(np.zeros((2, 2, 2)))
    with pytest.raises(BadParameter, match="no numbers: \\[nan\\]"):
        on_grid(np.array([[np.nan, 1.0]]))


@pytest.mark.parametrize("size", [(0, 4), (4,), "224", (4.5, 4), (True, 4), -3])
def test_what_is_no_grid_is_refused(size):
    with pytest.raises(BadParameter, match="is no grid: give"):
        grid_size(size)


def test_a_grid_is_two_numbers_or_one():
    assert (grid_size(None), grid_size(224), grid_size([64, 48])) == (None, (224, 224), (64, 48))


@pytest.mark.parametrize("thresholds", [[2.0], [], [-0.1, 0.5], [float("nan")]])
def test_what_are_no_thresholds_is_refused(thresholds):
    with pytest.raises(BadParameter, match="give shares of a map's range"):
        shares(thresholds)
