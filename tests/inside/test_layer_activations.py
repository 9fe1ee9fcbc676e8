"""The sheet of a layer's channels: what it says, its scale, and what is saved."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.maps.made_here import is_sheet
from support import networks

MODEL = seewhy.wrap(networks.pooled())


def found(layer="act2", **how):
    (each,) = seewhy.activations(MODEL, networks.images(1), layer, **how)
    return each


def test_the_sheet_has_one_scale_that_ends_at_the_99th_percentile_of_what_is_shown():
    each = found(count=2)
    shown = each.values[[row.channel for row in each.channels]]
    end = np.percentile(abs(shown), 99)
    assert each.scale == pytest.approx((-end if shown.min() < 0 else 0, end if shown.max() > 0 else 0))


def test_a_signed_map_is_red_above_zero_and_blue_below():
    each = found("fc")
    low, high = min(row.low for row in each.channels), max(row.high for row in each.channels)
    assert low < 0 < high
    signed = found("conv2")
    assert signed.scale[0] < 0
    pixels = np.asarray(signed.picture(width=64)).reshape(-1, 3).astype(int)
    assert (pixels[:, 0] - pixels[:, 2] > 60).any()
    assert (pixels[:, 2] - pixels[:, 0] > 60).any()


def test_columns_and_width_are_as_asked():
    wide = found(count=4).picture(columns=4, width=50)
    tall = found(count=4).picture(columns=2, width=50)
    assert wide.height < tall.height
    with pytest.raises(seewhy.BadParameter, match="at least one column"):
        found().picture(columns=0)


def test_it_is_saved_as_a_sheet_or_as_numbers(tmp_path):
    each = found(count=2)
    assert is_sheet(each.save(tmp_path / "a.png", width=40))
    Image.open(tmp_path / "a.png").verify()
    with np.load(each.save(tmp_path / "a.npz")) as file:
        assert np.array_equal(file["values"], each.values)
        assert file["channels"].tolist() == [row.channel for row in each.channels]
        assert seewhy.Source.from_json(str(file["source"])) == type(each.source).from_json(each.source.to_json())
    with pytest.raises(seewhy.BadParameter, match=r"as \.png"):
        each.save(tmp_path / "a.txt")


def test_it_says_what_it_shows():
    each = found(count=2)
    first = each.channels[0]
    assert str(each).splitlines()[1] == f"channel {first.channel}: {first.low:.3g} to {first.high:.3g}"
    assert each.facts["shown"][0]["peak"] == first.peak
    assert each.source.params["channels"] == tuple(row.channel for row in each.channels)
