"""What is kept of each photo's map."""

from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.metrics.regional.photos import AT_ONCE, EvidenceReader, MeanMap, explained_words
from seewhy.metrics.regional.within import named_regions, regions_of
from seewhy.targets.target import name_of


def reader(model, target=None, within=("corner:nw:0.25",), truth=None):
    regions = regions_of(named_regions(within), ["x"], model.labels)
    return EvidenceReader(model, seewhy.grad_cam, target or seewhy.Top(), None, regions, truth or {})


def test_each_photo_keeps_its_class_truth_and_shares(colour_model, square):
    photos = [square("red", 0, 0), square("blue", 24, 24)]
    read = reader(colour_model, truth={"a": (0,), "b": (0,)})
    assert [*read.read(photos, ["a", "b"])] == [2]
    a, b = read.photos
    assert (a.name, a.explained, a.predicted, a.truth) == ("a", "red", 0, (0,))
    assert (b.name, b.explained, b.predicted, b.truth) == ("b", "blue", 1, (0,))
    assert a.shares["corner:nw:0.25"].share > 0.85  # the map is interpolated between 8 x 8 cells
    assert b.shares["corner:nw:0.25"].share == 0
    assert a.cells[:2, :2].sum() == pytest.approx(a.shares["corner:nw:0.25"].share)
    assert {*read.means} == {"red", "blue"}


@pytest.mark.parametrize(("labels", "expected"), [
    (None, ["class 0", "class 1"]), (["crane", "crane"], ["crane (0)", "crane (1)"]), (["red", None], ["red", "class 1"]),
    (["red"], ["red", "class 1"]),
])  # fmt: skip
def test_classes_without_a_label_of_their_own_are_told_apart(labels, expected, colour_model, square):
    """Each class is a group: of networks without labels, and of those that have one label twice, as ImageNet's crane."""
    (a, b) = seewhy.grad_cam(colour_model, [square("red", 0, 0), square("blue", 24, 24)])
    sources = [replace(m.source, label=name_of(labels, m.source.index)) for m in (a, b)]
    assert [explained_words(source, labels) for source in sources] == expected
    contrast = seewhy.grad_cam(colour_model, square("red", 0, 0), target="red-vs-blue")[0].source
    assert explained_words(contrast, colour_model.labels) == contrast.label


def test_photos_are_read_a_few_at_a_time_and_stay_in_their_order(colour_model, square):
    photos = [square("red" if place % 3 else "blue", 8, 8) for place in range(AT_ONCE + 3)]
    read = reader(colour_model)
    assert [*read.read(photos, [str(place) for place in range(len(photos))])] == [AT_ONCE, 3]
    assert [photo.name for photo in read.photos] == [str(place) for place in range(len(photos))]
    assert [photo.explained for photo in read.photos] == ["red" if place % 3 else "blue" for place in range(len(photos))]
    alone = reader(colour_model)
    assert [*alone.read(photos[-1:], ["last"])] == [1]
    np.testing.assert_allclose(alone.photos[0].cells, read.photos[-1].cells, atol=1e-6)


def test_a_photo_that_cannot_be_read_is_kept_apart(colour_model, square, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    read = reader(colour_model)
    assert [*read.read([square("red", 0, 0), str(tmp_path / "no.png"), square("red", 0, 0)], ["a", "no", "c"])] == [3]
    assert [photo.name for photo in read.photos] == ["a", "c"]
    assert [(left.place, left.name) for left in read.failed] == [(1, "no")]


def test_targets_may_be_one_for_each_photo(colour_model, square):
    photos = [square("red", 0, 0)] * (AT_ONCE + 1)
    targets = seewhy.PerImage(["red"] * AT_ONCE + ["blue"])
    read = reader(colour_model, targets)
    assert [*read.read(photos, ["x"] * len(photos))] == [AT_ONCE, 1]
    assert [photo.explained for photo in read.photos[-2:]] == ["red", "blue"]
    assert read.photos[-1].cells is None  # nothing speaks for blue
    with pytest.raises(BadParameter, match="one target"):
        reader(colour_model, ["red", "blue"])


def test_the_mean_of_maps_weighs_each_photo_alike():
    mean = MeanMap()
    for frame in ([[1, 0], [0, 3]], [[200, 200], [200, 200]], [[0, 0], [0, 0]]):
        mean.add(np.array(frame, np.float32))
    assert mean.count == 2
    np.testing.assert_allclose(mean.values, [[0.25, 0.125], [0.125, 0.5]])
