"""Regions as a person names them."""

from pathlib import Path

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.regional import within
from seewhy.metrics.regional.frames import SIDE, framed
from seewhy.metrics.regional.within import frame_boxes, named_regions, regions_of


@pytest.fixture
def flat(made_heatmap):
    """A map that is the same everywhere, of a photo of 40 x 30."""
    return made_heatmap(np.ones((3, 4)), image="a.png", target="281")


def one(text, photos=("a.png",), **more):
    (region,) = regions_of(named_regions(text, **more), photos, ["cat", "dog"])
    return region


@pytest.mark.parametrize(
    ("text", "area"),
    [("border", 1 - 0.8**2), ("border:0.2", 1 - 0.6**2), ("corner:ne", 1 / 16), ("corner:sw:0.5", 1 / 4)],
)
def test_on_a_flat_map_the_share_is_the_area(flat, text, area):
    found = one(text).share("a.png", flat, framed(flat))
    assert found.area == pytest.approx(area)
    assert found.share == pytest.approx(area)


def test_corners_are_where_the_compass_has_them():
    places = {
        corner: np.argwhere(one(f"corner:{corner}:0.1").inside > 0.5).mean(0) / SIDE for corner in ("nw", "ne", "sw", "se")
    }
    assert {name: tuple((at > 0.5).tolist()) for name, at in places.items()} == {
        "nw": (False, False), "ne": (False, True), "sw": (True, False), "se": (True, True),
    }  # fmt: skip


def test_a_border_has_all_four_sides_and_counts_nothing_twice():
    inside = one("border:0.25").inside
    assert inside.max() == 1
    expected = np.ones((SIDE, SIDE))
    expected[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4] = 0
    np.testing.assert_array_equal(inside, expected)
    assert len(frame_boxes("border:0.25")) == 4
    assert frame_boxes("box:b.csv") == ()


def test_boxes_and_all_but_the_boxes_share_out_the_evidence(made_heatmap, tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text("file,x0,y0,x1,y1\na.png,0,0,10,30\n")
    heatmap = made_heatmap(np.random.default_rng(0).random((6, 8)))
    inside = one(f"box:{table}").share("a.png", heatmap, framed(heatmap))
    outside = one("outside-object", boxes=table).share("a.png", heatmap, framed(heatmap))
    assert inside.area == pytest.approx(0.25)
    assert inside.share == heatmap.evidence_in([(0, 0, 10, 30)]).share
    assert inside.share + outside.share == pytest.approx(1)
    assert inside.area + outside.area == pytest.approx(1)


def test_a_photo_on_which_nothing_is_marked_has_no_share(flat, tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text("file,x0,y0,x1,y1\na.png,0,0,10,30\n")
    region = one(f"box:{table}", ("a.png", "b.png"))
    assert region.share("b.png", flat, framed(flat)) is None


def test_masks_are_read_from_files(made_heatmap, tmp_path):
    from PIL import Image

    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    heatmap = made_heatmap([[1.0, 3.0]])
    found = one(f"mask:{tmp_path / 'masks'}").share("a.png", heatmap, framed(heatmap))
    assert found.share == heatmap.evidence_in(mask=mask).share > 0.6


def test_text_is_where_it_is_read(made_heatmap, monkeypatch):
    heatmap, blank = made_heatmap([[1.0, 3.0]]), made_heatmap([[1.0, 3.0]], photo="green")
    mask = np.zeros((30, 40), bool)
    mask[:, 30:] = True
    monkeypatch.setattr(within, "text_on", lambda photo: mask if photo is heatmap.image else np.zeros_like(mask))
    found = one("text").share("a.png", heatmap, framed(heatmap))
    assert found.share == heatmap.evidence_in(mask=mask).share
    assert found.area == 0.25
    assert one("text").share("a.png", blank, framed(blank)) is None


@pytest.mark.parametrize(
    "text", ["rim", "corner", "corner:north", "corner:ne:2", "border:0", "border:0.5", "border:nan", "box:", "border:1e-3"]
)
def test_what_is_no_region_is_refused_with_what_there_is(text):
    with pytest.raises(BadParameter, match=r"corner:ne|a share of each side"):
        one(text)


def test_what_cannot_be_known_is_asked_for():
    with pytest.raises(BadParameter, match="boxes="):
        one("outside-object")
    with pytest.raises(BadParameter, match="outside-object, which is not asked for"):
        one("border", boxes=Path("boxes.csv"))
    with pytest.raises(BadParameter, match="no region"):
        named_regions([3])
