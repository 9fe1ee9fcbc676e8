"""`Heatmap.outlined`: the photo with found and true boxes, and how well they fit, in words."""

import numpy as np
import pytest
from PIL import Image

from seewhy import FoundBoxes
from seewhy.errors import BadParameter, NotApplicable

pytest.importorskip("skimage")
CORNER = [[9, 0, 0, 0], [0, 0, 0, 0]]


def said(written):
    return " ".join(text for text, *_ in written).replace("\u00a0", " ")


def test_it_is_as_large_as_the_photo_and_changes_it_at_lines_alone(made_heatmap):
    heatmap = made_heatmap(CORNER, size=(240, 120))
    picture = np.asarray(heatmap.outlined(contours=False))
    (box,) = heatmap.boxes()
    assert picture.shape == (120, 240, 3)
    changed = (picture != 128).any(-1)
    x0, y0, x1, y1 = box.edges
    assert changed[y0, x0:x1].all()
    assert changed[y1 - 1, x0:x1].all()
    assert not changed[y0 + 25 : y1 - 5, x0 + 5 : x1 - 5].any()  # below the tag
    assert not changed[:, x1 + 30 :].any()
    assert (np.asarray(heatmap.image) == 128).all()


def test_the_legend_tells_what_was_found_how_and_how_well(made_heatmap, written):
    heatmap = made_heatmap(CORNER, size=(240, 120))
    (box,) = heatmap.boxes()
    x0, y0, x1, y1 = box.edges
    true, mask = (x0, y0, x1, y0 + (y1 - y0) / 2), np.zeros((120, 240), bool)
    mask[:20] = True
    heatmap.outlined(true_boxes=true, true_mask=mask, legend=True)
    both = (heatmap.boxes().mask & mask).sum()
    iou = both / (heatmap.boxes().mask | mask).sum()
    assert "tabby, tabby cat (281), 75.0 %, at layer4: above 15 % of the maximum, the largest region" in said(written)
    assert f"score 1.00, {100 * box.evidence:.1f} % of the evidence, IoU 0.50, IoU of the masks {iou:.2f}" in said(written)
    assert "the true box" in said(written)
    assert "the true mask" in said(written)
    assert "tabby 0.75" in said(written)


def test_boxes_that_were_found_before_are_drawn_as_they_are(made_heatmap, written):
    heatmap = made_heatmap([[9, 0, 0, 5], [0, 0, 0, 0]], size=(240, 120))
    heatmap.outlined(heatmap.boxes(0.4, components="all"), legend=True)
    assert "above 40 % of the maximum, all regions" in said(written)
    assert "score 0.5" in said(written)
    written.clear()
    heatmap.outlined(threshold=0.4, components="all", legend=True)
    assert "above 40 % of the maximum, all regions" in said(written)


def test_a_map_without_a_box_says_why(made_heatmap, written):
    picture = made_heatmap([[0, 0]], size=(240, 120)).outlined(true_mask=np.zeros((120, 240)), legend=True)
    assert "no box, for no value of the map is positive" in said(written)
    assert "the true mask, which marks nothing" in said(written)
    assert (np.asarray(picture)[:120] == 128).all()


def test_over_the_colours_and_larger(made_heatmap):
    heatmap = made_heatmap(CORNER, size=(60, 30))
    assert heatmap.outlined(magnify=3).size == (180, 90)
    over = np.asarray(heatmap.outlined(FoundBoxes((), (), (30, 60), 0.0), colours=True, magnify=2))
    assert (over == np.asarray(heatmap.overlay(magnify=2))).all()


def test_true_boxes_and_masks_have_to_fit(made_heatmap):
    heatmap = made_heatmap(CORNER, size=(60, 30))
    with pytest.raises(BadParameter, match="reaches beyond the photo of 60 x 30 pixels"):
        heatmap.outlined(true_boxes=[(0, 0, 90, 30)])
    with pytest.raises(BadParameter, match="The mask is"):
        heatmap.outlined(true_mask=np.ones((3, 3)))


def test_only_photos_are_drawn_on(made_heatmap):
    with pytest.raises(NotApplicable, match=r"this is a prepared array. Its boxes\(\) and mask\(\) are numbers"):
        made_heatmap(CORNER, photo=None).outlined()


def test_photos_of_every_mode(made_heatmap):
    for mode in ("L", "RGBA", "1", "P", "I;16"):
        assert made_heatmap(CORNER, photo=Image.new(mode, (40, 30))).outlined().mode == "RGB"
