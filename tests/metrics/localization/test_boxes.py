"""GT-known, top-1 and top-5 localization, MaxBoxAcc and MaxBoxAccV2: by hand, and by the released code's own steps."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.metrics.localization.boxes import GRID, BoxScoring, resized_boxes
from seewhy.metrics.localization.choosing import split
from seewhy.metrics.localization.overlap import overlaps
from seewhy.objects.find import find
from seewhy.truth.accuracy import Portion

SIDE = 32


def square(x0, y0, x1, y1, side=SIDE):
    values = np.zeros((side, side))
    values[y0:y1, x0:x1] = 1
    return values


def named(scores):
    return {each.name: each for each in scores}


def scored(*samples, **how):
    scoring = BoxScoring((SIDE, SIDE), **how)
    for sample in samples:
        scoring.add(*sample)
    return scoring


def test_true_boxes_on_another_grid_are_cut_off_to_whole_pixels():
    assert resized_boxes([(1, 2, 4, 3)], (10, 20), (35, 10)).tolist() == [[3, 1, 14, 1]]  # an example of the released code
    assert resized_boxes([(0, 0, 50, 40)], (50, 40), (32, 32)).tolist() == [[0, 0, 31, 31]]  # the last pixels


def test_gt_known_by_hand():
    scoring = scored(
        (square(0, 0, 16, 16), [(0, 0, 16, 16)], 1),
        (square(0, 0, 16, 16), [(0, 0, 16, 8)], 3),  # half of it
        (square(0, 0, 16, 16), [(0, 0, 16, 7)], 1),  # less than half
        (square(0, 0, 16, 16), [(20, 20, 32, 32), (1, 1, 16, 16)], 9),  # one of two true boxes
        (np.zeros((SIDE, SIDE)), [(0, 0, 16, 16)], 1),  # no box at all
    )
    found = named(scoring.scores(None))
    assert found["GT-known"].value == 3 / 5
    assert found["GT-known"].interval == Portion(3, 5).interval
    assert found["top-1 localization"].value == 1 / 5
    assert found["top-5 localization"].value == 2 / 5
    assert found["top-1 localization"].error == 4 / 5
    assert "fixed beforehand" in found["GT-known"].supervision


def test_top_5_is_that_any_of_five_pairs_of_class_and_box_is_right():
    """Brute force: five answers, each with the box of its own map."""
    rng, hits, scoring = np.random.default_rng(0), [], BoxScoring((SIDE, SIDE))
    for _ in range(30):
        maps = [square(*(corner := rng.integers(0, 16, 2)), *(corner + rng.integers(8, 16, 2))) for _ in range(8)]
        true_class, order = int(rng.integers(8)), rng.permutation(8)
        ys, xs = np.nonzero(maps[true_class])
        off = int(rng.integers(0, 8))
        true = (int(xs.min()), int(ys.min()), min(int(xs.max()) + 1 + off, SIDE), int(ys.max()) + 1)
        pairs = []
        for answer in order[:5]:
            (box,) = find(maps[answer], preset="grad-cam")
            pairs.append(answer == true_class and overlaps([box.edges], [true])[0, 0] >= 0.5)
        hits.append(any(pairs))
        scoring.add(maps[true_class], [true], 1 + list(order).index(true_class))
    assert 0 < sum(hits) < 30
    assert named(scoring.scores())["top-5 localization"].value == sum(hits) / 30


def test_without_ranks_there_is_no_top_1():
    scoring = scored((square(0, 0, 16, 16), [(0, 0, 16, 16)]), (square(0, 0, 16, 16), [(0, 0, 16, 16)], 1))
    assert not [name for name in named(scoring.scores()) if name.startswith("top")]


def released(samples, largest, delta):
    """MaxBoxAcc by the released code's own steps with OpenCV: one threshold after the other, one photo after the other."""
    cv2 = pytest.importorskip("cv2")
    right = np.zeros(len(GRID))
    for values, boxes, *_ in samples:
        image = ((values - values.min()) / (values - values.min()).max() * 255).astype(np.uint8)
        for at, threshold in enumerate(GRID):
            binary = cv2.threshold(image, int(threshold * image.max()), 255, cv2.THRESH_BINARY)[1]
            contours = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
            best = 0.0
            for contour in [max(contours, key=cv2.contourArea)] if largest else contours:
                x, y, w, h = cv2.boundingRect(contour)
                x1, y1 = min(x + w, SIDE - 1), min(y + h, SIDE - 1)
                for a0, b0, a1, b1 in boxes:
                    across, down = min(x1, a1) - max(x, a0) + 1, min(y1, b1) - max(y, b0) + 1
                    common = max(across, 0) * max(down, 0)
                    best = max(best, common / ((x1 - x + 1) * (y1 - y + 1) + (a1 - a0 + 1) * (b1 - b0 + 1) - common))
            right[at] += best >= delta
    return right.max() / len(samples), GRID[int(right.argmax())]


def hills(count, seed):
    rng, samples = np.random.default_rng(seed), []
    at = np.arange(SIDE)
    for _ in range(count):
        middles, widths = rng.uniform(6, 26, (3, 2)), rng.uniform(2, 6, (3, 2))
        hill = sum(
            height * np.exp(-(((at[:, None] - y) / v) ** 2) - ((at - x) / w) ** 2)
            for (x, y), (w, v), height in zip(middles, widths, (1, 0.8, 0.5), strict=True)
        )
        corner = middles[0] - 2 * widths[0] * rng.uniform(0.3, 0.9)
        box = np.concatenate([corner, corner + 3 * widths[0]]).clip(0, SIDE - 1).astype(int)
        samples.append((hill, [tuple(map(int, box))], int(rng.integers(1, 4))))
    return samples


def test_max_box_acc_is_that_of_the_released_code():
    samples = hills(8, 3)
    found = named(scored(*samples).scores(None))
    value, threshold = released(samples, True, 0.5)
    first = found["MaxBoxAcc, largest region, IoU 0.5"]
    assert first.value == value
    assert int(threshold * 255) == round(first.thresholds[0] * 255)
    of_each = [released(samples, False, delta)[0] for delta in (0.3, 0.5, 0.7)]
    assert [found[f"MaxBoxAcc, all regions, IoU {delta}"].value for delta in (0.3, 0.5, 0.7)] == of_each
    assert found["MaxBoxAccV2"].value == pytest.approx(np.mean(of_each))
    assert len(set(of_each)) > 1
    assert found["MaxBoxAcc, all regions, IoU 0.5"].interval == Portion(round(8 * of_each[1]), 8).interval
    assert "these very photos" in found["MaxBoxAccV2"].supervision


def test_a_threshold_that_other_photos_chose_is_used_as_it_is():
    """One photo says 0.8 (its map has a wide foot); on the other, whose object is its foot, that is wrong."""
    foot = square(0, 0, 24, 24) * 0.5 + square(4, 4, 14, 14) * 0.5
    narrow, wide = (foot, [(4, 4, 14, 14)], 1), (foot, [(0, 0, 24, 24)], 1)
    chooser, other = scored(narrow, narrow), scored(wide)
    found = named(other.scores(chooser))["MaxBoxAcc, largest region, IoU 0.5"]
    assert found.value == 0
    assert found.thresholds[0] == 127 / 255  # the first level at which the foot is gone
    assert found.supervision == "the true boxes of 2 other photos"
    assert named(other.scores(None))["MaxBoxAcc, largest region, IoU 0.5"].value == 1
    assert named(chooser.scores(chooser))["MaxBoxAccV2"].value == 1
    top = named(other.scores(chooser))["top-1 localization, largest region"]
    assert (top.value, top.thresholds) == (0, found.thresholds)


def test_a_share_of_the_photos_chooses_and_is_not_scored():
    samples = hills(12, 5)
    chosen, rest = split(12, 0.25, seed=0)
    assert (len(chosen), len(rest), {*chosen, *rest}) == (3, 9, set(range(12)))
    by_share = named(scored(*samples).scores(0.25))
    by_hand = named(scored(*(samples[at] for at in rest)).scores(scored(*(samples[at] for at in chosen))))
    for name in ("MaxBoxAccV2", "MaxBoxAcc, largest region, IoU 0.5", "top-1 localization, largest region"):
        assert by_share[name].value == by_hand[name].value
        assert by_share[name].images == 9
        assert by_share[name].thresholds == by_hand[name].thresholds
    assert by_share["GT-known"].images == 12


def test_controls_are_scored_by_the_same_rule_each_at_its_own_best_threshold():
    """A box in the middle: the centre finds it at some threshold, whatever the maps do."""
    samples = [(square(0, 0, 6, 6), [(8, 8, 24, 24)], 1)] * 4
    found = named(scored(*samples).scores(0.5))["MaxBoxAccV2"]
    assert found.value == 0
    random, centre = found.controls
    assert (random.name, centre.name, centre.value) == ("random", "centre", 1)
    assert centre.ahead == (-1, -1)
    gt_known = named(scored(*samples, how={"threshold": 0.6, "preset": None}).scores())["GT-known"]
    assert gt_known.controls[1].value == 1  # above 0.6 of a Gaussian: |offset| < 0.25 * sqrt(-2 ln 0.6) = 0.2527 of the side
    assert gt_known.supervision == "none: boxes by threshold=0.6, fixed beforehand"


def test_curves_say_how_many_photos_are_right_at_each_threshold():
    scoring = scored((square(0, 0, 24, 24) * 0.5 + square(4, 4, 14, 14) * 0.5, [(4, 4, 14, 14)]))
    curve = scoring.curves()["maps"]
    np.testing.assert_array_equal(curve.accuracy[0.5], curve.thresholds >= 127 / 255)
    assert set(scoring.curves()) == {"maps", "random", "centre"}


def test_a_heatmap_is_scored_on_its_photo():
    scene = seewhy.demo.scenes(1)[0]
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), scene.image)
    scoring, (box,) = BoxScoring((48, 48)), heatmap.boxes()
    assert scoring.add(heatmap, [box.edges]) == 1
    assert scoring.add(heatmap.full(), [box.edges]) == 1
    assert scoring.add(heatmap, [(0, 0, 20, 20)], found=(0, 0, 20, 10)) == 0.5
    assert scoring.add(heatmap, [box.edges], found=box) == scoring.add(heatmap, [box.edges], found=heatmap.boxes()) == 1
    assert scoring.add(heatmap, [box.edges], found=()) == 0  # nothing was found


def test_a_part_of_the_photos():
    samples = hills(6, 2)
    part, alone = scored(*samples).part([1, 3, 4]), scored(*(samples[at] for at in (1, 3, 4)))
    for one, other in zip(part.scores(None), alone.scores(None), strict=True):
        assert (one.name, one.value, one.interval, one.images) == (other.name, other.value, other.interval, 3)


def test_the_swept_measures_can_be_left_out():
    scoring = BoxScoring(None, how={"preset": "cam", "refine": "unused by controls"})
    scoring.add(square(0, 0, 16, 16), [(0, 0, 16, 16)], 1, found=(0, 0, 16, 16))
    found = named(scoring.scores())
    assert list(found) == ["GT-known", "top-1 localization", "top-5 localization"]
    assert found["GT-known"].value == 1
    assert [each.name for each in found["GT-known"].controls] == ["random", "centre"]


def test_what_cannot_be_scored_is_refused():
    scoring = BoxScoring()
    with pytest.raises(BadParameter, match="no photos to score"):
        scoring.scores()
    with pytest.raises(BadParameter, match="without a true box"):
        scoring.add(np.ones((8, 8)), [])
    with pytest.raises(BadParameter, match="reaches beyond the photo of 8 x 8"):
        scoring.add(np.ones((8, 8)), [(0, 0, 20, 20)])
    for rank in (0, 1.5):
        with pytest.raises(BadParameter, match=f"whole number from 1 on, not {rank}"):
            scoring.add(np.ones((8, 8)), [(0, 0, 4, 4)], rank=rank)
    scoring.add(np.ones((8, 8)), [(0, 0, 4, 4)])
    for share in (0.5, 0.0, 1.0, -1.0):
        with pytest.raises(BadParameter, match="of 1 photo leaves none"):
            scoring.scores(share)
    with pytest.raises(BadParameter, match="choose the threshold on"):
        scoring.scores(BoxScoring())
    assert named(scoring.scores(None))["MaxBoxAccV2"].value == 0  # a flat map
