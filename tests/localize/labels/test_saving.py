"""Labels of maps in one call."""

import json
from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.maps.heatmaps import Heatmaps


@pytest.fixture
def maps(made_heatmap):
    """Of two photos maps of a tabby and a dog, and of a third a flat map; they come in the order of targets."""
    values = np.zeros((4, 4))
    values[0, 0], values[3, 2:] = 1, 0.5

    def of(place, label, index, probability, values=values):
        one = made_heatmap(values, image=f"{'abc'[place]}.jpg")
        source = replace(one.source, label=label, index=index, probability=probability)
        return replace(one, place=place, source=source)

    tabbies = [of(place, "tabby", 1, 0.3) for place in (0, 1)]
    dogs = [of(place, "dog", 0, 0.6, values[::-1]) for place in (0, 1)]
    return Heatmaps((*tabbies, *dogs, of(2, "dog", 0, 0.9, np.zeros((4, 4)))))


def test_the_objects_of_each_image(maps, tmp_path):
    path = seewhy.save_labels(maps, tmp_path / "labels.json", labels=["dog", "tabby"], threshold=0.4, components="all", least=0)
    content = json.loads(path.read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert content["images"][2]["seewhy"]["why"] == "no value of the map is positive"
    together = maps.boxes(0.4, components="all", least=0)
    for image, found in zip(content["images"], together, strict=True):
        marks = [mark for mark in content["annotations"] if mark["image_id"] == image["id"]]
        assert [mark["score"] for mark in marks] == [round(box.confidence, 6) for box in found]
        assert [mark["category_id"] for mark in marks] == [box.index + 1 for box in found]
        assert [mark["area"] for mark in marks] == [box.area for box in found]
    said = content["info"]["seewhy"]
    assert (said["threshold"], said["components"], said["suppress"]) == (0.4, "all", 0.5)
    assert said["method"] == maps[0].source.method


def test_folders_and_suppression(maps, tmp_path):
    flat = Heatmaps((maps[0], replace(maps[2], values=maps[0].values)))  # dog and tabby in one place
    seewhy.save_labels(flat, tmp_path / "voc", "voc")
    assert (tmp_path / "voc" / "a.xml").read_text().count("<object>") == 1
    seewhy.save_labels(flat, tmp_path / "both", "voc", suppress=None)
    assert (tmp_path / "both" / "a.xml").read_text().count("<object>") == 2


def test_what_is_refused(maps, tmp_path):
    with pytest.raises(BadParameter, match="no maps"):
        seewhy.save_labels(Heatmaps(()), tmp_path / "a.json")
    with pytest.raises(NoSuchName, match="No format"):
        seewhy.save_labels(maps, tmp_path / "a.json", "word")
    with pytest.raises(NotApplicable, match="no volume"):
        seewhy.save_labels(maps, tmp_path / "out", "nifti")
    with pytest.raises(BadParameter, match="threshold=7"):
        seewhy.save_labels(maps, tmp_path / "a.json", threshold=7)
    assert not (tmp_path / "a.json").exists()
