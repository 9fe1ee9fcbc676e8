"""CVAT's XML, with what a person adds there."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.truth.boxes import read_boxes
from seewhy.truth.cvat import boxes_of_cvat

SHAPES = """
<box label="car" source="manual" occluded="0" xtl="1.5" ytl="2" xbr="4" ybr="5" z_order="0">
  <attribute name="colour">red</attribute>
</box>
<box label="car" xtl="2" ytl="2" xbr="6" ybr="4" rotation="90"/>
<polygon label="dog" points="1.00,1.00;5.00,1.00;5.00,4.00;1.00,4.00"/>
<mask label="cat" rle="1, 2, 1" left="3" top="2" width="2" height="2"/>
<polyline label="road" points="1,1;2,2"/>
<tag label="day"/>
"""


def read(tmp_path, inside, root="annotations"):
    (tmp_path / "cvat.xml").write_text(f'<?xml version="1.0" encoding="utf-8"?><{root}><version>1.1</version>{inside}</{root}>')
    return boxes_of_cvat(tmp_path / "cvat.xml")


def test_shapes(tmp_path):
    image = f'<image id="0" name="in/a.jpg" width="8" height="6">{SHAPES}</image>'
    found = read(tmp_path, image + '<image id="1" name="b.jpg" width="8" height="6"/>')
    photo = found["in/a.jpg"]
    assert photo.size == (8, 6)
    assert [box.label for box in photo.boxes] == ["car", "car", "dog", "cat"]
    assert np.allclose([box.edges for box in photo.boxes], [(1.5, 2, 4, 5), (3, 1, 5, 5), (1, 1, 5, 4), (3, 2, 5, 4)])
    assert photo.boxes[0].shape is None
    masks = [box.shape((8, 6)) for box in photo.boxes[1:]]
    assert [int(mask.sum()) for mask in masks] == [8, 12, 2]
    assert np.argwhere(masks[2]).tolist() == [[2, 4], [3, 3]]
    assert found["b.jpg"].boxes == ()
    assert read_boxes(tmp_path / "cvat.xml").keys() == found.keys()


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ('<track id="0" label="car"/>', "CVAT's form of videos"),
        ('<image name="a.jpg"><box label="car" xtl="1" ytl="2" xbr="4"/></image>', "a.jpg: .*'ybr' is missing"),
        ('<image name="a.jpg"><box label="car" xtl="1" ytl="2" xbr="1" ybr="3"/></image>', "a.jpg: the box .* is empty"),
        ('<image name="a.jpg"><polygon label="car" points="1,1;2,2"/></image>', "no outline"),
        (
            '<image name="a.jpg"><mask label="x" rle="1, 9" left="0" top="0" width="2" height="2"/></image>',
            "fill 10 pixels of 4",
        ),
    ],
)
def test_what_is_refused(tmp_path, inside, words):
    with pytest.raises(BadParameter, match=words):
        read(tmp_path, inside)


def test_another_kind_of_xml(tmp_path):
    with pytest.raises(BadParameter, match="XML of 'svg', and no annotation of CVAT"):
        read(tmp_path, "", "svg")
