"""What a drift says of each photo, and of all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seewhy import BadParameter, Drift, PhotoDrift
from seewhy.comparison.records import worst_first
from seewhy.images.places import Grid
from seewhy.maps.source import Predicted


@pytest.fixture
def record(made_heatmap):
    def make(**other):
        heatmap = made_heatmap(np.eye(3))
        predicted = Predicted(281, "tabby", 0.75)
        facts = {"image": "cat.jpg", "place": 0, "a": heatmap, "b": heatmap, "predicted_a": predicted, "predicted_b": predicted,
                 "same_top1": True, "top5_overlap": 0.8, "spearman": 0.9, "energy_shift": 0.1, "centre_shift": 2.0}  # fmt: skip
        return PhotoDrift(**{**facts, **other})

    return make


def drift(*photos):
    return Drift(worst_first(photos), "a", "b", "grad-cam", "", "top 1")


def test_turned_predictions_come_first_then_what_moved_most(record):
    few = record(energy_shift=0.2), record(energy_shift=0.4, same_top1=None), record(energy_shift=0.1, same_top1=False)
    assert [photo.energy_shift for photo in drift(*few)] == [0.1, 0.4, 0.2]
    assert drift(*few)[:2] == (few[2], few[1])


def test_the_summary_by_hand(record, made_heatmap):
    other = made_heatmap(np.eye(3), score=6.0, probability=0.25)
    found = drift(record(), record(spearman=None, flat="b", b=other, energy_shift=0.5, same_top1=False, top5_overlap=0.4))
    assert found.summary == {
        "photos": 2, "failed": 0, "top1_agreement": 0.5, "top5_overlap": pytest.approx(0.6), "max_score_change": 1.25,
        "max_probability_change": 0.5, "mean_spearman": 0.9, "min_spearman": 0.9, "without_spearman": 1,
        "mean_energy_shift": pytest.approx(0.3), "max_energy_shift": 0.5, "max_centre_shift": 2.0,
    }  # fmt: skip
    assert found[0].score_change == -1.25
    assert drift().summary["mean_spearman"] is None
    assert "top1_agreement 0.5" in repr(found)


def test_scores_of_other_kinds_have_no_change(record, made_heatmap):
    photo = record(b=made_heatmap(np.eye(3), scores="probability", score=0.75))
    assert photo.score_change is None
    assert photo.probability_change == 0
    assert record(b=made_heatmap(np.eye(3), probability=None)).probability_change is None


def test_bounds_are_kept_or_said(record):
    photo = record(spearman=0.79996, energy_shift=0.25, same_top1=False, predicted_b=Predicted(3, None, 0.5))
    assert photo.breaches(0.8, 0.2, True) == ["predicted tabby, then 3", "Spearman 0.8000 < 0.8", "energy shift 0.2500 > 0.2"]
    assert photo.breaches(None, None) == photo.breaches(0.7, 0.25) == []
    assert record(same_top1=None).breaches(None, None, True) == []
    assert photo.breaches(None, None, max_centre_shift=1.5) == ["centre moved 2.0 px > 1.5"]
    assert record(centre_shift=None).breaches(None, None, max_centre_shift=0) == []


def test_no_correlation_keeps_the_bound_only_of_two_flat_maps(record):
    assert record(spearman=None, flat="both").breaches(0.9, None) == []
    (said,) = record(spearman=None, flat="b").breaches(-1, None)
    assert said == "Spearman not defined, as the map of B is the same everywhere"


@pytest.mark.parametrize("bound", [float("nan"), 2, -1.5])
def test_a_bound_that_is_none_is_refused(bound, record):
    for name in ("min_spearman", "max_energy_shift"):
        with pytest.raises(BadParameter, match=name):
            drift().breaches(**{name: bound})
    with pytest.raises(BadParameter, match="max_centre_shift"):
        record().breaches(None, None, max_centre_shift=-abs(bound))


def test_json_has_every_number(record):
    text = drift(record(spearman=None, flat="a", notes=("n",))).to_json()
    said = json.loads(text)
    assert [*said] == ["a", "b", "method", "method_why", "target", "notes", "summary", "photos", "failed"]
    (photo,) = said["photos"]
    assert (photo["spearman"], photo["flat"], photo["notes"], photo["energy_shift"]) == (None, "a", ["n"], 0.1)
    assert photo["a"]["predicted"]["label"] == "tabby"
    assert photo["b"]["score"] == 7.25


def test_words_say_what_is_known(record):
    assert record().words == "Spearman 0.900, energy shift 10.0 %, centre moved 2.0 px, probability +0.0 %"
    flipped = record(spearman=None, flat="both", centre_shift=None, same_top1=False)
    assert flipped.words.startswith("Spearman not defined (both flat), energy shift 10.0 %, probability")
    assert flipped.words.endswith("predicted tabby, then tabby")


def test_the_centre_moves_in_cells_of_what_was_given(record, made_heatmap):
    for shape, unit in (((4, 5, 6), "voxels"), ((9,), "samples")):
        heatmap = replace(made_heatmap(np.eye(3)), values=np.ones(shape, np.float32), box=Grid.whole(shape), image=None)
        assert f"centre moved 2.0 {unit}" in record(a=heatmap, b=heatmap).words


def test_a_record_is_drawn_and_saved(record, tmp_path):
    path = record().save(tmp_path / "drift.png")
    assert path.stat().st_size > 1000
    assert replace(record(), image="x").picture().size == record().picture().size
