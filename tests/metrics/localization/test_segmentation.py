"""Mean IoU: by hand, as torchmetrics counts it, and every background threshold at once as one after the other."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.localization.segmentation import BackgroundScoring, SegmentationScoring, mean_iou
from seewhy.truth.confusion import class_iou, confusion

TRUE = np.array([[0, 0, 1, 1], [0, 2, 1, 255]])
SAID = np.array([[0, 1, 1, 1], [0, 2, 2, 2]])


def label_maps(count=4, classes=5, side=12, void=0.1):
    rng = np.random.default_rng(0)
    true = rng.integers(0, classes, (count, side, side))
    said = np.where(rng.random(true.shape) < 0.6, true, rng.integers(0, classes, true.shape))
    true[rng.random(true.shape) < void] = 255
    return said, true


def test_by_hand():
    found = confusion(SAID, TRUE, 3)
    assert found.tolist() == [[2, 1, 0, 0], [0, 2, 1, 0], [0, 0, 1, 0]]  # rows true, columns said; the void pixel is left out
    scoring = SegmentationScoring(["background", "cat", "dog"])
    assert scoring.add(SAID, TRUE) == pytest.approx((2 / 3 + 2 / 4 + 1 / 2) / 3)
    scores = {each.name: each for each in scoring.scores()}
    assert scores["mIoU"].value == pytest.approx((2 / 3 + 2 / 4 + 1 / 2) / 3)
    assert [scores[f"IoU, {name}"].value for name in scoring.names] == pytest.approx([2 / 3, 2 / 4, 1 / 2])


def test_one_confusion_matrix_over_all_photos_is_no_mean_of_photos():
    scoring = SegmentationScoring(2)
    few, many = np.ones((1, 2), int), np.ones((1, 10), int)
    own = [scoring.add(np.array([[1, 0]]), few), scoring.add(many, many)]
    assert own == [pytest.approx(0.25), 1]  # of class 1: 1/2 and 1; of class 0, which is predicted once: 0
    assert scoring.scores()[0].value == pytest.approx((11 / 12 + 0) / 2)
    assert scoring.matrix.tolist() == [[0, 0, 0], [1, 11, 0]]


def test_a_class_that_is_nowhere_is_left_out():
    assert np.isnan(class_iou([3, 0], [4, 0], [4, 0])).tolist() == [False, True]
    assert mean_iou([3, 0], [4, 0], [4, 0]) == 3 / 5
    assert np.isnan(mean_iou([0], [0], [0]))
    names = [each.name for each in _scored(SAID[:1], TRUE[:1], ["background", "cat", "dog"]).scores()]
    assert names == ["mIoU", "IoU, background", "IoU, cat"]


def _scored(said, true, classes):
    scoring = SegmentationScoring(classes)
    scoring.add(said, true)
    return scoring


def test_pixels_predicted_as_void_are_of_no_class():
    found = confusion(np.array([[255, 1]]), np.array([[1, 1]]), 2)
    assert found.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert _scored(np.array([[255, 1]]), np.array([[1, 1]]), 2).scores()[0].value == 1 / 2


def test_as_torchmetrics():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.classification")
    said, true = label_maps()
    scoring = SegmentationScoring(5)
    theirs = classification.MulticlassJaccardIndex(5, ignore_index=255)
    matrix = classification.MulticlassConfusionMatrix(5, ignore_index=255)
    for some, truth in zip(said, true, strict=True):
        scoring.add(some, truth)
        theirs.update(torch.tensor(some), torch.tensor(truth))
        matrix.update(torch.tensor(some), torch.tensor(truth))
    assert scoring.scores()[0].value == pytest.approx(float(theirs.compute()), rel=1e-6)
    np.testing.assert_array_equal(scoring.matrix[:, :-1], matrix.compute().numpy())


def test_scores_have_intervals_and_controls():
    """Controls have as many pixels of each class, elsewhere: a disc in the middle is what the centre finds."""
    at = np.arange(40) - 19.5
    disc = ((at[:, None] ** 2 + at**2) < 150).astype(int)
    corner = np.roll(disc, (15, 15), (0, 1))
    for said, expected in ((disc, 1.0), (corner, 1.0)):
        first = _scored(said, disc, 2).scores()[0]
        assert first.controls[1].value == pytest.approx(expected)
    found = SegmentationScoring(2)
    for shift in range(8):
        found.add(np.roll(disc, shift, 0), disc)
    first = found.scores("masks of 3 photos")[0]
    assert first.interval[0] < first.value < first.interval[1] < first.controls[1].value == 1
    assert first.controls[0].value < first.value
    assert first.supervision == "masks of 3 photos"


def test_without_photos_there_is_no_score():
    with pytest.raises(BadParameter, match="no photos to score"):
        SegmentationScoring(2).scores()


def class_maps(seed, side=10):
    """Two classes' maps of low resolution and true labels of three classes."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, (side, side + 2))
    true[rng.random(true.shape) < 0.1] = 255
    return {1: rng.random((5, 6)) * 7 - 1, 2: rng.random((side, side + 2))}, true


def one_after_the_other(samples, threshold, classes=3):
    """The same for one threshold, slowly: mean IoU of the label map that it makes."""
    import cv2

    matrix = np.zeros((classes, classes))
    for maps, true in samples:
        strengths = [np.full(true.shape, threshold)]
        for values in maps.values():
            grown = np.maximum(cv2.resize(np.float32(values), true.shape[::-1], interpolation=cv2.INTER_LINEAR), 0)
            strengths.append(grown / (grown.max() + 1e-5))
        said = np.array([0, *maps])[np.argmax(strengths, 0)]
        for row, column in zip(*np.nonzero(true != 255), strict=True):
            matrix[true[row, column], said[row, column]] += 1
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float(np.mean(matrix.diagonal() / union))


def test_every_background_threshold_at_once():
    pytest.importorskip("cv2")
    samples = [class_maps(0), class_maps(1), ({2: class_maps(2)[0][2]}, class_maps(2)[1])]
    steps = (0.0, 0.15, 0.4, 0.77, 0.999)
    scoring = BackgroundScoring(3, thresholds=steps)
    for maps, true in samples:
        scoring.add(maps, true)
    expected = [one_after_the_other(samples, step) for step in steps]
    np.testing.assert_allclose(scoring.curves()["maps"].values, expected, atol=1e-12)
    best = scoring.scores()[0]
    assert best.value == pytest.approx(max(expected))
    assert best.thresholds == (steps[int(np.argmax(expected))],)
    assert "of these very photos" in best.supervision


def test_a_background_threshold_that_other_photos_chose():
    maps = {1: np.array([[0.2, 0.6, 1.0]])}
    wide, narrow = (np.array([[0, 1, 1]]), np.array([[0, 0, 1]]))
    chooser, scored = BackgroundScoring(2), BackgroundScoring(2)
    chooser.add(maps, narrow)
    scored.add(maps, wide)
    found = scored.scores(chooser)[0]
    assert found.thresholds[0] == pytest.approx(0.6)
    assert found.value == pytest.approx((1 / 2 + 1 / 2) / 2)  # each class has one pixel of two
    assert scored.scores()[0].value == 1
    assert found.supervision == "the true masks of 1 other photo"
    assert {each.name for each in found.controls} == {"random", "centre"}


def test_a_photo_without_maps_is_background():
    scoring = BackgroundScoring(2)
    scoring.add({}, np.array([[0, 0, 1]]))
    assert scoring.scores()[0].value == pytest.approx((2 / 3 + 0) / 2)


def test_maps_of_classes_that_are_not_there_are_refused():
    scoring = BackgroundScoring(2)
    with pytest.raises(BadParameter, match=r"classes 1 to 1, and 0 is the background: there is no map of \[0, 2\]"):
        scoring.add({0: np.ones((2, 2)), 2: np.ones((2, 2))}, np.zeros((2, 2)))
    with pytest.raises(BadParameter, match="true labels go from 0 to 3"):
        scoring.add({1: np.ones((1, 2))}, np.array([[0, 3]]))
    with pytest.raises(BadParameter, match="no photos to score"):
        scoring.scores()


def test_label_maps_of_void_alone_are_refused():
    scoring = SegmentationScoring(2)
    scoring.add(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8))
    with pytest.raises(BadParameter, match="Every pixel of the true label maps is void"):
        scoring.scores()


def test_maps_are_given_by_numbers_of_classes():
    with pytest.raises(BadParameter, match="classes 1 to 1"):
        BackgroundScoring(2).add({"dog": np.ones((4, 4))}, np.zeros((4, 4), np.uint8))
