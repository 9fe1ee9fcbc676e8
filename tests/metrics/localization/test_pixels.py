"""PxAP and pixel IoU: by hand, by the released code's own steps, and as scikit-learn's average precision."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.localization.boxes import GRID
from seewhy.metrics.localization.pixels import PixelScoring, nearest, pixel_average_precision, stretched
from seewhy.truth.evidence import MarkedObject


def scored(*samples, size=None, **how):
    scoring = PixelScoring(size, **how)
    for sample in samples:
        scoring.add(*sample)
    return scoring


def named(scores):
    return {each.name: each for each in scores}


def test_by_hand():
    """From 1, 0.5 and 0 on lie a pixel of the object, that and one beside it, all four: precision 1, 1/2, 2/4."""
    values, mask = np.array([[4.0, 2.0, 0.0, 0.0]]), np.array([[1, 0, 1, 0]])
    scoring = scored((values, mask), thresholds=(0, 0.5))
    found = named(scoring.scores(None))
    assert found["PxAP"].value == 1 / 2 * 1 + 0 * 1 / 2 + 1 / 2 * 2 / 4
    assert found["pixel IoU"].value == 1 / 2  # 1/2, 1/3, 2/4
    curve = scoring.curves()["maps"]
    assert curve.thresholds.tolist() == [2, 1, 0.5, 0]
    np.testing.assert_array_equal(curve.precision, [np.nan, 1, 1 / 2, 2 / 4])
    assert curve.recall.tolist() == [0, 1 / 2, 1 / 2, 1]
    assert curve.iou.tolist() == [0, 1 / 2, 1 / 3, 2 / 4]


def samples(count=5, side=14):
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        mask = rng.random((side, side)) < 0.3
        ignored = rng.random((side, side)) < 0.2
        found.append((rng.random((side, side)) + 0.5 * mask, mask, ignored))
    return found


def released(some):
    """PxAP by the released code's own steps: histograms in ascending order, then sums from the top."""
    edges, hist = np.append(list(GRID), [1.0, 2.0, 3.0]), np.zeros((2, len(GRID) + 2))
    for values, mask, ignored in some:
        shifted = values - values.min()
        shifted /= shifted.max()
        truth = mask.astype(np.uint8) + 255 * (ignored & ~mask).astype(np.uint8)
        hist += [np.histogram(shifted[truth == kind], edges)[0] for kind in (1, 0)]
    tp, fp = hist[:, ::-1].cumsum(1)
    some_found = (tp + fp) != 0
    precision, recall = tp / np.where(some_found, tp + fp, 1), tp / hist[0].sum()
    return (precision[1:] * np.diff(recall))[some_found[1:]].sum()


def test_pxap_is_that_of_the_released_code():
    assert named(scored(*samples()).scores())["PxAP"].value == pytest.approx(released(samples()), rel=1e-12)


def test_pxap_is_average_precision_where_no_two_pixels_share_a_bin():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    values = rng.permutation(np.linspace(0, 1, 100)).reshape(10, 10)
    mask = rng.random((10, 10)) < values
    expected = metrics.average_precision_score(mask.ravel(), values.ravel())
    assert named(scored((values, mask)).scores(None))["PxAP"].value == pytest.approx(expected, rel=1e-12)


def test_maps_that_are_perfect_or_flat():
    """Examples of the released code's own tests: 1 for the mask itself, the object's share of the area for a constant."""
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3:7] = True
    ignored = np.zeros((9, 9), bool)
    ignored[7:] = True
    for left_out in (0.0, 1.0):
        assert named(scored((np.where(ignored, left_out, mask), mask, ignored)).scores(None))["PxAP"].value == 1
    flat = named(scored((np.full((9, 9), 0.5), mask, ignored)).scores(None))["PxAP"]
    assert flat.value == 12 / (81 - 18)


def test_what_is_ignored_and_object_at_once_is_object():
    mask = np.array([[True, False]])
    assert named(scored((np.array([[1.0, 0.0]]), mask, mask)).scores(None))["PxAP"].value == 1
    with_ignored = MarkedObject(np.array([[True, False, False]]), np.array([[False, False, True]]))
    assert named(scored((np.array([[1.0, 0.0, 2.0]]), with_ignored)).scores(None))["PxAP"].value == 1


def test_masks_come_to_another_grid_as_opencvs_nearest_does_it():
    cv2 = pytest.importorskip("cv2")
    for shape, size in (((37, 50), (22, 22)), ((20, 31), (45, 40))):
        mask = np.random.default_rng(2).random(shape) < 0.5
        expected = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        np.testing.assert_array_equal(nearest(mask, size), expected > 0)


def test_a_threshold_that_other_photos_chose():
    values = np.array([[1.0, 0.5, 0.0]])
    chooser = scored((values, np.array([[1, 0, 0]])), thresholds=(0, 0.25, 0.75))
    other = scored((values, np.array([[1, 1, 0]])), thresholds=(0, 0.25, 0.75))
    found = named(other.scores(chooser))["pixel IoU"]
    assert (found.value, found.supervision) == (1 / 2, "the true masks of 1 other photo")
    assert named(other.scores(None))["pixel IoU"].value == 1
    assert named(other.scores(None))["pixel IoU"].thresholds == (0.25,)


def test_scores_have_intervals_and_controls():
    at = np.arange(28) - 13.5
    disc = (at[:, None] ** 2 + at**2) < 60
    shifted = [np.roll(disc, k, 0) for k in range(6)]
    found = named(scored(*((disc * 1.0, mask) for mask in shifted)).scores())["PxAP"]
    random, centre = found.controls
    assert random.value < found.value < 1
    assert centre.value > random.value
    assert found.interval[0] < found.value < found.interval[1]


def test_a_map_from_its_least_to_its_greatest_value():
    assert stretched(np.array([-1.0, 0.0, 3.0])).tolist() == [0, 0.25, 1]
    assert stretched(np.array([2.0, 2.0])).tolist() == [0, 0]


def test_resamples_without_an_object_count_for_nothing():
    assert np.isnan(pixel_average_precision(np.zeros((1, 6)))).all()


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(BadParameter, match="no photos"):
        PixelScoring().scores()
    with pytest.raises(BadParameter, match="No mask marks a pixel"):
        scored((np.eye(3), np.zeros((3, 3))), (np.eye(3), np.zeros((3, 3)))).scores()
    with pytest.raises(BadParameter, match="give a mask of the image's own size"):
        PixelScoring().add(np.eye(3), np.zeros((4, 3)))
