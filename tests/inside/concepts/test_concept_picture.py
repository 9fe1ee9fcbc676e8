"""The picture of concepts: a row for each, with its crops."""

import numpy as np
import pytest

import seewhy
from seewhy.inside.concepts.concept_picture import SIDE
from support import planted_patches
from support.planted_patches import amounts, images, model


@pytest.fixture(scope="module", name="of_scenes")
def scenes_concepts():
    return planted_patches.of_scenes()


def test_a_crop_stands_in_it_as_it_is(of_scenes):
    """Somewhere in the picture is the first crop, enlarged to SIDE: its right place is the best of all in its row."""
    picture = np.asarray(of_scenes.picture(3), float).mean(2)
    crop = np.asarray(of_scenes.crop(of_scenes.typical[0][0]).resize((SIDE, SIDE)), float).mean(2)
    left = 18 + SIDE + 14  # behind the edge, the words and the gap
    apart = [abs(picture[top : top + SIDE, left : left + SIDE] - crop).mean() for top in range(0, 200)]
    assert min(apart) < 8 < np.median(apart)


def test_a_row_for_each_concept_and_none_for_crops_that_are_not_there(of_scenes):
    more = of_scenes.picture(5)
    assert more.width - of_scenes.picture(3).width == 2 * (SIDE + 14)
    arrays = seewhy.concepts(model(), images(amounts(5)), "act", count=3, samples=2)
    assert arrays.picture(2).height < 3 * SIDE + 300  # words alone
