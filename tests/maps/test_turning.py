"""A map of what the network saw turned comes back as it lies on the photo, with all that belongs to it."""

import dataclasses

import numpy as np
from PIL import Image

from seewhy.images.places import Cells, Extent, Turned
from seewhy.images.sight import Sight
from seewhy.maps.regions import Regions
from seewhy.maps.turning import turned_back


def test_everything_is_turned_back(made_heatmap):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    regions = Regions(np.arange(6).reshape(2, 3), np.ones(6), np.ones(6), None, None, None, 1)
    extent = Extent(30, 0, 0, 20)
    heatmap = dataclasses.replace(
        made_heatmap(values), box=Turned(extent), channels=np.stack([values] * 3), error=values + 1, regions=regions,
        cells=Cells((1.0, 2.0), (3.0, 4.0), (5, 6), (Sight(1.0, 3.0), Sight(2.0, 4.0))),
    )  # fmt: skip
    back = turned_back(heatmap)
    assert back.box == extent
    np.testing.assert_array_equal(back.values, values.T)
    np.testing.assert_array_equal(back.channels, np.stack([values.T] * 3))
    np.testing.assert_array_equal(back.error, values.T + 1)
    np.testing.assert_array_equal(back.regions.segments, regions.segments.T)
    assert back.cells == Cells((2.0, 1.0), (4.0, 3.0), (6, 5), (Sight(2.0, 4.0), Sight(1.0, 3.0)))
    assert back.source is heatmap.source


def test_other_maps_stay(made_heatmap):
    heatmap = made_heatmap([[1, 2]])
    assert turned_back(heatmap) is heatmap


def test_it_lies_where_the_network_saw_it(made_heatmap):
    """The network saw the photo turned by a quarter to the left, so its first row is the photo's right edge."""
    photo = Image.new("RGB", (40, 20))
    turned = made_heatmap([[1, 0], [0, 0], [0, 0], [0, 0]], photo=photo)
    full = turned_back(dataclasses.replace(turned, box=Turned(Extent(40, 0, 0, 20)))).full()
    assert full.shape == (20, 40)
    assert full[:5, 35:].min() == 1
    assert full[15:].max() == full[:, :20].max() == 0
