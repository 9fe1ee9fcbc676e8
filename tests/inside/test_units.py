"""The units of a layer, ranked: their contributions are the terms of HiResCAM."""

import numpy as np
import pytest

import seewhy
from support import networks


def test_all_units_together_are_hires_cam():
    """The contributions of all units sum to the sum of HiResCAM, whose terms they are."""
    model, x = seewhy.wrap(networks.pooled().float()), networks.images(2).astype(np.float32)
    ranked = seewhy.top_units(model, x, "act2", target=2, count=None)
    maps = seewhy.hires_cam(model, x, target=2, layer="act2", signed=True)
    for units, heatmap in zip(ranked, maps, strict=True):
        assert sorted(unit.unit.channel for unit in units) == list(range(8))
        assert sum(unit.contribution for unit in units) == pytest.approx(float(heatmap.values.sum()), rel=1e-4)
        assert [unit.contribution for unit in units] == sorted((unit.contribution for unit in units), reverse=True)
    with pytest.raises(seewhy.BadParameter, match="whole number"):
        seewhy.top_units(model, x, "act2", count=0)
