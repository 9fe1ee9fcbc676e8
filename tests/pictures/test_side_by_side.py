"""Pictures in a row."""

import numpy as np
from PIL import Image

from seewhy.pictures.side_by_side import GAP, Panel, side_by_side


def test_panels_stand_level_in_a_row(written):
    panels = [Panel(Image.new("RGB", (100, 50), "red"), "one"), Panel(Image.new("RGB", (60, 80), "blue"), "two")]
    picture = side_by_side(panels, "what it is")
    assert [text for text, *_ in written] == ["one", "two", "what it is"]
    pixels = np.asarray(picture)
    red, blue = ((pixels == colour).all(-1).nonzero() for colour in ((255, 0, 0), (0, 0, 255)))
    assert len(red[0]) == 5000
    assert len(blue[0]) == 4800
    assert red[0].min() == blue[0].min() > 16
    assert blue[1].min() - red[1].max() == GAP + 1


def test_wide_pictures_stand_in_a_column(written):
    panels = [Panel(Image.new("RGB", (1500, 40), colour), colour) for colour in ("red", "blue")]
    picture = side_by_side(panels, "what it is")
    assert picture.width == 1500 + 2 * GAP
    pixels = np.asarray(picture)
    red, blue = ((pixels == colour).all(-1).nonzero() for colour in ((255, 0, 0), (0, 0, 255)))
    assert len(red[0]) == len(blue[0]) == 60_000
    assert red[1].min() == blue[1].min() == GAP
    (_, _, first), (_, _, second), _ = written
    assert first < red[0].min() < red[0].max() < second < blue[0].min()


def test_a_heading_is_no_wider_than_its_panel(written):
    side_by_side([Panel(Image.new("RGB", (100, 50)), "a name that is far too long")], "x")
    assert written[0][0].endswith("...")
    assert len(written[0][0]) < 20
    side_by_side([Panel(Image.new("RGB", (3, 3)), "name")], "x")
