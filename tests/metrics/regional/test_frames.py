"""Maps on the frame: what the network saw of each photo."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import NotApplicable
from seewhy.images.places import Extent
from seewhy.metrics.regional.frames import GRID, SIDE, cell_shares, framed, on_photo


def test_the_frame_is_what_the_network_saw_whatever_lies_beside(made_heatmap):
    values = np.array([[1.0, -2.0], [0.0, 3.0]])
    whole, part = made_heatmap(values, (40, 40)), made_heatmap(values, (90, 60), (30, 10, 70, 50))
    np.testing.assert_array_equal(framed(whole), framed(part))
    np.testing.assert_allclose(framed(whole), np.maximum(replace(whole, image=Image.new("RGB", (SIDE, SIDE)),
                               box=Extent(0, 0, SIDE, SIDE)).full(), 0))  # fmt: skip


def test_of_mean_scores_evidence_begins_at_the_least(made_heatmap):
    mean = made_heatmap([[5.0, 6.0], [5.0, 5.0]], measured={"mean_score": 5.2})
    np.testing.assert_allclose(framed(mean), framed(made_heatmap([[0.0, 1.0], [0.0, 0.0]])), atol=1e-5)


def test_the_shares_of_cells_are_sums_over_their_places():
    frame = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    found = cell_shares(frame)
    step = SIDE // GRID
    expected = [[float(frame[y * step : y * step + step, x * step : x * step + step].astype(float).sum()) for x in range(GRID)]
                for y in range(GRID)]  # fmt: skip
    np.testing.assert_allclose(found, np.array(expected) / np.sum(expected))
    assert cell_shares(np.zeros((SIDE, SIDE))) is None


def test_a_box_of_the_frame_lies_on_the_photo_as_the_network_saw_it():
    assert on_photo((0, 0, 0.25, 0.5), Extent(20, 10, 60, 50)) == (20, 10, 30, 30)
    mirrored = Extent(60, 10, 20, 50)  # as where a pipeline flips photos
    assert on_photo((0, 0, 0.25, 0.5), mirrored) == (50, 10, 60, 30)


def test_a_volume_has_no_frame(made_source):
    grid = seewhy.images.places.Grid.whole((4, 4, 4))
    volume = seewhy.Heatmap(np.ones((4, 4, 4), np.float32), None, grid, made_source())
    with pytest.raises(NotApplicable, match=r"counted over photos, and .* explain --masks"):
        framed(volume)
