"""PNG label maps, read again by Pillow and as masks of `--masks`."""

import json

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import NotApplicable
from seewhy.localize.labels.masks import MaskWriter
from seewhy.maps.made_here import made_here
from seewhy.truth.masks import find_masks, read_mask
from support.labelled import blobs, labelled, labelled_object, whole


def test_read_again(tmp_path):
    image = labelled("cat.jpg", (40, 30), labelled_object(blobs(0), (0, 0), "dog", 2))
    writer = MaskWriter(tmp_path, labels=["cat", "tram", "dog"])
    writer.add(image)
    writer.add(labelled("empty.jpg", (8, 6), why="flat"))
    writer.close()
    with Image.open(tmp_path / "cat.png") as picture:
        assert picture.mode == "P"
        assert (np.asarray(picture) == 3 * whole(image)).all()
        assert np.asarray(picture.convert("RGB"))[whole(image)].tolist() == [[128, 128, 0]] * whole(image).sum()
        assert json.loads(picture.info["seewhy-labels"])["objects"][0] == {"number": 3, "label": "dog", "score": 0.5}
    found = find_masks(tmp_path)
    assert sorted(found) == ["cat", "empty"]
    assert (read_mask(found["cat"], Image.new("RGB", (40, 30))).inside == whole(image)).all()
    assert made_here(tmp_path / "cat.png")  # so a folder of photos can hold it
    assert "3,dog,128,128,0" in (tmp_path / "classes.csv").read_text().splitlines()


def test_a_volume_is_refused(tmp_path):
    with pytest.raises(NotApplicable, match="no photo"):
        MaskWriter(tmp_path).add(labelled("scan.nii", (9, 9, 9)))
