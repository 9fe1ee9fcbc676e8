"""Many maps measured at once: the same as one by one, in fewer passes, with intervals and controls; scores, wins, tables."""

import json

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName
from seewhy.metrics import csv_of_scores, json_of_scores
from seewhy.metrics.faithfulness.asking import sensitivity_max
from seewhy.metrics.faithfulness.curves import deletion, insertion
from seewhy.metrics.faithfulness.drops import average_drop
from seewhy.metrics.localization.controls import control_over
from seewhy.metrics.localization.records import ControlScore
from seewhy.metrics.measuring import MetricScore, measure
from seewhy.truth.accuracy import Portion
from support.measuring import WEIGHTS, linear_model

X = np.random.default_rng(0).random((6, 1, 4, 4)).astype(np.float32) + 0.5
MAPS = [WEIGHTS - WEIGHTS[::-1] + 0.01 * np.random.default_rng(i).random((4, 4)) for i in range(6)]


def classes(calls=None):
    return linear_model(np.stack([WEIGHTS, WEIGHTS[::-1]]), scores="logits", calls=calls)


def test_it_is_what_each_metric_gives_by_itself():
    chosen = [deletion, insertion.using(steps=4, fill="zero"), "average-drop", "complexity"]
    found = measure(classes(), X, MAPS, chosen, target=0)
    assert [*found.values] == ["deletion", "insertion(steps=4, fill=zero)", "average-drop", "complexity"]
    for each in found.metrics:
        np.testing.assert_array_equal(found[each], each(classes(), X, MAPS, target=0))
    np.testing.assert_array_equal(found["insertion"], found[chosen[1]])
    assert found.reads == ("probability",) * 6
    assert found.places == (0, 1, 2, 3, 4, 5)
    random = [control_over("random", (4, 4), i) for i in range(6)]
    np.testing.assert_array_equal(found.controls["random"]["deletion"], deletion(classes(), X, random, target=0))


def test_passes_are_shared_and_counted():
    calls = []
    found = measure(classes(calls), X[:2], MAPS[:2], ["deletion", "pixel-flipping", "average-drop", "average-gain"], target=0)
    assert found.forwards == 2 * (2 * 15 + 1 + 2)  # 16 places: of map and control 15 each, the empty image, two masked ones
    assert sum(calls) == found.forwards + 2 - 1  # and each untouched image; the empty one of both is noted once
    calls.clear()
    assert measure(classes(calls), X[:2], MAPS[:2], "deletion", target=0, controls=()).controls == {}
    assert sum(calls) == 2 * (16 + 1) - 1


def test_scores_have_intervals_and_are_beside_the_controls():
    chosen = ["deletion", insertion.using(fill="zero"), "complexity"]
    found = measure(classes(), X, MAPS, chosen, target=0, controls=("random", "centre"))
    deleted, inserted, entropy = found.scores()[""]
    assert deleted.value == pytest.approx(found["deletion"].mean())
    low, high = deleted.interval
    assert low < deleted.value < high
    assert (deleted.better, deleted.percent, entropy.percent) == ("lower", True, False)
    for score in (deleted, inserted):  # the map of the network itself is ahead of chance, whichever way is better
        assert [each.name for each in score.controls] == ["random", "centre"]
        assert score.controls[0].ahead[0] > 0
    difference = found.controls["random"]["deletion"] - found["deletion"]
    low, high = deleted.controls[0].ahead
    assert low < difference.mean() < high
    half = 2.57 * difference.std(ddof=1) / np.sqrt(6)  # Student's, of five degrees of freedom
    assert (high - low) / 2 == pytest.approx(half, rel=0.25)


def test_maps_of_a_photo_are_averaged_before_photos_are():
    heavy = [*MAPS[:2], *MAPS[:2]]
    model = classes()
    both = seewhy.occlusion(model, X[:2], target=[0, 1], window=2, stride=2)
    found = measure(model, X[:2], [*both], "deletion", controls=())
    (score,) = found.scores()["occlusion"]
    assert len(found) == len(heavy) == 4
    assert score.images == 2
    photos = [found["deletion"][:2].mean(), found["deletion"][2:].mean()]
    assert score.value == pytest.approx(np.mean(photos))


def test_one_set_measured_in_parts():
    whole = measure(classes(), X, MAPS, "deletion", target=0)
    parts = measure(classes(), X[:2], MAPS[:2], "deletion", target=0) + measure(
        classes(), X[2:], MAPS[2:], "deletion", target=0
    )
    np.testing.assert_array_equal(parts["deletion"], whole["deletion"])
    assert parts.places == whole.places
    assert (len(parts), parts.forwards) == (6, whole.forwards)
    with pytest.raises(BadParameter, match="same metrics"):
        whole + measure(classes(), X[:1], MAPS[:1], "insertion", target=0)


def test_wins_of_one_method_over_another():
    model = classes()
    maps = [*seewhy.occlusion(model, X, target=0, window=2, stride=2), *seewhy.rise(model, X, target=0, masks=20)]
    found = measure(model, X, maps, ["average-drop", "mask-size"], controls=())
    first, second = found["average-drop"][:6], found["average-drop"][6:]
    won = found.win("occlusion", "rise")
    assert won.value == np.mean((first < second) + 0.5 * (first == second))
    assert found.win("rise", "occlusion").value == pytest.approx(1 - won.value)
    assert found.win("rise", "rise").value == 0.5
    assert (won.name, won.images) == ("win of occlusion over rise by average-drop", 6)
    with pytest.raises(NoSuchName, match="Measured were: occlusion, rise"):
        found.win("rise", "lime")
    with pytest.raises(BadParameter, match="nothing wins"):
        found.win("rise", "occlusion", "mask-size")


def test_what_is_not_defined_is_left_out_and_counted():
    maps = [np.ones((4, 4)), *MAPS[1:]]
    found = measure(classes(), X, maps, "average-drop", target=0)
    assert np.isnan(found["average-drop"][0])
    (score,) = found.scores()[""]
    assert score.images == 5
    assert score.value == pytest.approx(found["average-drop"][1:].mean())
    assert score.controls[0].value == pytest.approx(found.controls["random"]["average-drop"][1:].mean())
    (nothing,) = measure(classes(), X[:1], maps[:1], average_drop, target=0).scores()[""]
    assert nothing.images == 0
    assert np.isnan([nothing.value, *nothing.interval, nothing.controls[0].value]).all()


def test_one_photo_tells_no_interval():
    (score,) = measure(classes(), X[:1], MAPS[:1], "deletion", target=0).scores()[""]
    assert score.images == 1
    assert np.isfinite([score.value, score.controls[0].value]).all()
    assert np.isnan([*score.interval, *score.controls[0].interval, *score.controls[0].ahead]).all()
    assert str(score).count("(no interval)") == 2
    assert json.loads(json_of_scores([score]))["low"] is None


def test_shares_of_photos_have_wilsons_interval():
    """Resamples of six photos of which none rises would be sure of it."""
    found = measure(classes(), X, MAPS, ["average-increase", "deletion"], target=0)
    rises = found["average-increase"]
    assert {*rises} <= {0, 1}
    assert found.scores()[""][0].interval == Portion(int(rises.sum()), 6).interval


def test_what_asks_the_method_again_has_no_control():
    torch = pytest.importorskip("torch")
    model = seewhy.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)))
    found = measure(model, X[:2], seewhy.gradient(model, X[:2]), [sensitivity_max, "deletion"])
    assert [*found.controls["random"]] == ["deletion"]
    assert [each.controls == () for each in found.scores()["gradient"]] == [True, False]


def test_a_table_says_what_was_read():
    lines = measure(classes(), X, MAPS, ["deletion", "complexity"], target=0).table().splitlines()
    assert lines[0].split() == ["metric", "better", "value", "95", "%", "interval", "photos", "random"]
    assert lines[1].startswith("deletion    lower")
    assert " % " in lines[1]
    assert " % " not in lines[2]
    assert len(lines) == 3
    found = measure(linear_model(), X, MAPS, "deletion", target=0)
    assert found.table().splitlines()[-1] == "read of the network: score (as given): it is not known what its probability is"
    assert not found.scores()[""][0].percent


def test_scores_and_rows_are_written_down():
    score = MetricScore("deletion", 0.2, (0.1, 0.3), 5, "lower", (ControlScore("random", 0.5, (0.4, 0.6), (0.2, 0.4)),))
    assert str(score) == "deletion: 20.0 % (10.0 to 30.0), lower is better; 5 photos; random 50.0 % (40.0 to 60.0)"
    assert csv_of_scores([score]).splitlines()[0].startswith("metric,better,value,low,high,images,random,random_low")
    assert json.loads(json_of_scores({"cam": [score]}))["random_ahead_low"] == 0.2
    found = measure(classes(), X[:2], MAPS[:2], "deletion", target=0)
    first = found.rows()[0]
    assert (first["place"], first["target"], first["reads"]) == (0, "0", "probability")
    assert first["deletion"] == found["deletion"][0]
    assert first["deletion (random)"] == found.controls["random"]["deletion"][0]


def test_what_there_is_not_is_refused():
    with pytest.raises(NoSuchName, match="deletion"):
        measure(classes(), X, MAPS, "deltion")
    with pytest.raises(NoSuchName, match="random and centre"):
        measure(classes(), X, MAPS, controls=("sobel",))
    with pytest.raises(BadParameter, match="No metric"):
        measure(classes(), X, MAPS, [])
    with pytest.raises(NoSuchName, match="Measured were: deletion"):
        measure(classes(), X[:1], MAPS[:1], "deletion")["insertion"]
