"""What a file gives is held against the library, and what differs is noticed."""

import numpy as np
import pytest

from seewhy import BadNetwork
from seewhy.exporting.checking import checked

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 2, 4, 4)).astype(np.float32)
SCORES, MAPS = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 2, 2))


def run_of(scores=SCORES, maps=MAPS, calls=None):
    """A file that gives these of the images, which it knows again."""

    def run(x):
        places = [next(i for i in range(len(X)) if np.array_equal(X[i], image)) for image in x]
        if calls is not None:
            calls.append(places)
        return scores[places], maps[places]

    return run


def test_images_are_run_alone_and_together():
    calls = []
    found = checked(run_of(calls=calls), X, SCORES, MAPS, True, False)
    assert calls == [[0], [1], [2], [0, 1, 2]]
    assert (found.images, found.scores, found.maps, found.tied) == (3, 0, 0, 0)
    assert found.largest_score == abs(SCORES).max()
    calls.clear()
    checked(run_of(calls=calls), X, SCORES, MAPS, True, True)
    assert calls == [[0], [1], [2]]


def test_rounding_is_measured_and_let_through():
    found = checked(run_of(SCORES * (1 + 1e-6), MAPS + 1e-6), X, SCORES, MAPS, True, False)
    assert found.scores == pytest.approx(1e-6 * abs(SCORES).max(), rel=1e-6)
    assert found.maps == pytest.approx(1e-6, rel=1e-6)


@pytest.mark.parametrize("what", ["scores", "maps"])
@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_what_differs_is_noticed_also_in_one_cell_of_one_image(what, value):
    scores, maps = SCORES.copy(), MAPS.copy()
    changed = scores if what == "scores" else maps
    changed[2].flat[3] += value
    with pytest.raises(BadNetwork, match=f"^The {what} of the file differ from the library's by "):
        checked(run_of(scores, maps), X, SCORES, MAPS, True, False)


def test_what_only_goes_wrong_among_several_is_noticed():
    def mixes(x):
        scores, maps = run_of()(x)
        return scores, maps.mean(0, keepdims=True).repeat(len(x), 0)

    with pytest.raises(BadNetwork, match="maps of the file differ"):
        checked(mixes, X, SCORES, MAPS, True, False)


def test_another_shape_is_noticed():
    with pytest.raises(BadNetwork, match=r"gives maps of shape \(1, 4\), the library \(1, 2, 2\)"):
        checked(run_of(maps=MAPS.reshape(3, 4)), X, SCORES, MAPS, True, False)


def test_a_network_that_gives_nan_is_not_checked():
    maps = np.where(MAPS > 1, np.nan, MAPS)
    with pytest.raises(BadNetwork, match="own scores or maps hold NaN"):
        checked(run_of(maps=maps), X, SCORES, maps, True, False)


def test_maps_that_are_lost_in_rounding_are_told():
    assert checked(run_of(), X, SCORES, MAPS, True, False).notes == ()
    small = MAPS * 1e-7
    (note,) = checked(run_of(maps=small), X, SCORES, small, True, False).notes
    assert note.startswith("the maps are no larger than rounding")


def test_where_two_classes_are_equal_either_may_be_explained():
    scores, maps = SCORES.copy(), MAPS.copy()
    scores[0, :2] = scores[0].max() + 1
    maps[0] += 1  # of the other class
    assert checked(run_of(scores, maps), X, scores, MAPS, True, False).tied == 1
    with pytest.raises(BadNetwork, match="maps of the file differ"):
        checked(run_of(scores, maps), X, scores, MAPS, False, False)
    with pytest.raises(BadNetwork, match="cannot be checked which class is explained"):
        checked(run_of(np.ones((3, 5)), maps), X, np.ones((3, 5)), MAPS, True, False)
