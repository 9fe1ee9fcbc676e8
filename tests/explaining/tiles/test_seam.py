"""Seams: weights of overlapping tiles sum to one, and no border shows."""

import numpy as np
import pytest
from PIL import Image

from seewhy.explaining.tiles.seam import Seam
from seewhy.images.places import AxisCells
from support import networks
from support.tiling import both


def test_an_uneven_rest_is_drawn_onto_the_grid_linearly() -> None:
    """An image that is linear in space gives a map that is: whatever the last tile's phase, it stays linear."""
    seam = Seam(AxisCells(0.5, 2, 8), [0, 8, 13], (0.0, 16.0))
    joined = np.zeros(seam.count)
    for k, start in enumerate(seam.starts):
        joined[seam.part(k)] += seam.share(k) * seam.drawn(k, start + 0.5 + 2.0 * np.arange(8), 0)
    np.testing.assert_allclose(joined[:-1], seam.at[:-1], atol=1e-12)
    assert joined[-1] == pytest.approx(min(seam.at[-1], 13 + 14.5))


@pytest.mark.parametrize("starts", [[0], [0, 8, 16, 24], [0, 8, 16, 19], [0, 15, 17], [0, 16, 32]])
def test_weights_sum_to_one_and_vanish_in_the_margins(starts: list[int]) -> None:
    seam = Seam(AxisCells(0.5, 1.0, 16), starts, (0.0, 16.0))
    total = np.zeros(seam.count)
    for k in range(len(starts)):
        total[seam.part(k)] += seam.share(k)
        weights = seam.share(k)
        if k > 0:
            overlap = 16 - (starts[k] - starts[k - 1])
            assert (weights[: overlap // 4] == 0).all()
        if k + 1 < len(starts):
            overlap = 16 - (starts[k + 1] - starts[k])
            assert overlap // 4 == 0 or (weights[-(overlap // 4) :] == 0).all()
    np.testing.assert_allclose(total, 1, atol=1e-15)
    assert seam.share(0)[0] == 1
    assert seam.share(len(starts) - 1)[-1] == 1


def test_no_seam_shows_where_tiles_meet() -> None:
    """On a network that averages globally, tiles differ in scale and context; the joined map's steps at their borders and in
    their ramps are no larger than elsewhere, while side by side they are.
    """
    network, x = networks.pooled(), networks.images(1, 160, 160, seed=3)
    smooth = np.stack([[np.asarray(Image.fromarray(c.astype(np.float32)).resize((160, 160), 3)) for c in x[0, :, ::12, ::12]]])
    _, joined = both(network, smooth, "grad-cam", "act2", tile=64, overlap=32)
    _, abrupt = both(network, smooth, "grad-cam", "act2", tile=64, overlap=0)
    at = {32: 0, 16: 0}
    for m, step in ((joined.values, 16), (abrupt.values, 32)):
        jump = abs(np.diff(m, axis=1)).mean(0)
        border = np.arange(step - 1, len(jump), step)
        at[step] = jump[border].mean() / np.delete(jump, border).mean()
    assert at[16] < 1.3 < at[32]
