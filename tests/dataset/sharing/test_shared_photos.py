"""The photos of a run as other tools take them."""

import numpy as np
import pytest

from seewhy.dataset.sharing.shared_photos import SIDE, label_of, shared_photos


def test_each_photo_comes_with_its_answer_and_maps_from_0_to_1(shared_run):
    photos = [*shared_photos(shared_run)]
    assert [photo.row.item for photo in photos] == list(range(7))
    failed = [photo for photo in photos if photo.row.error]
    assert len(failed) == 1
    assert failed[0].maps == ()
    assert failed[0].facts["predicted"] is None
    for photo in photos:
        if photo.row.error:
            continue
        assert photo.facts["truth"] in ("bird", "car")
        assert photo.facts["right"] is (photo.facts["truth"] == photo.facts["predicted"])
        top = photo.maps[0]
        assert (top.name, top.label, top.values.shape) == ("top", photo.facts["predicted"], (SIDE, SIDE))
        assert (top.values.min(), top.values.max()) == (pytest.approx(0), pytest.approx(1))
        heatmap = shared_run.heatmap(photo.row.item)
        at = np.unravel_index(top.values.argmax(), top.values.shape)
        full = heatmap.full()
        assert full[int((at[0] + 0.5) * 96 / SIDE), int((at[1] + 0.5) * 96 / SIDE)] > 0.9 * full.max()


def test_the_first_so_many(shared_run):
    assert [photo.row.item for photo in shared_photos(shared_run, 2)] == [0, 1]


def test_true_classes_on_one_line():
    assert label_of(("cat", "dog"), (3, 4)) == "cat; dog"
    assert label_of((), ()) is None
    assert label_of((), (3,)) == "3"
