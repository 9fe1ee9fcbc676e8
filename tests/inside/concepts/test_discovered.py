"""Concepts as a person holds them: what they offer is what lies beneath."""

import copy

import numpy as np
import pytest

import seewhy
from seewhy.errors import NoSuchName
from support.planted_patches import amounts, images, model


@pytest.fixture(scope="module")
def found():
    return seewhy.concepts(model(), images(amounts(6)), "act", count=3, samples=2)


def test_it_offers_maps_pictures_and_files(found, tmp_path):
    np.testing.assert_array_equal(found.heatmap(1, 2).values, found.photos[1].maps[1])
    assert [m.source.method for m in found.transform(model(), images(amounts(1)))] == ["concept 1", "concept 2", "concept 3"]
    assert found.save(tmp_path / "c.npz") == tmp_path / "c.npz"
    assert type(seewhy.Concepts.load(tmp_path / "c.npz")) is seewhy.Concepts
    with pytest.raises(NoSuchName):
        found.heatmap(1, 4)


def test_a_copy_says_the_same_and_a_text_is_short(found):
    assert copy.deepcopy(found).says == found.says
    assert len(repr(found)) < 2000
