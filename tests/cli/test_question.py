"""What a run asks about each photo, and what it is told of the answer."""

import numpy as np
import pytest

import seewhy
from seewhy.cli.question import Question, explain_photo, predict, rank
from seewhy.cli.truth import TruthAsked
from seewhy.errors import BadParameter, NoSuchName
from seewhy.methods.making.method import METHODS
from seewhy.targets.parse import as_targets
from seewhy.truth.given import GivenTruth, GroundTruth


@pytest.fixture
def ask(red_model, red_dot):
    def question(classes=(), targets=("top",), usual=True, methods=("grad-cam",)):
        truth = TruthAsked(GivenTruth(folders=bool(classes)), [], usual)
        truth.known, truth.labels = GroundTruth({"a.png": tuple(classes)}), red_model.labels
        return Question(
            red_model, [METHODS[name] for name in methods], as_targets(list(targets), red_model.labels), None, None, None, truth
        )

    def explained(**how):
        return explain_photo(question(**how), "a.png", seewhy.Photo(red_dot((64, 64), 20, 20), "a.png"))

    return explained


def test_the_answer_is_explained_and_told(ask, red_model, red_dot):
    found = ask()
    assert (found.name, found.predicted.label, found.failure) == ("a.png", "red", None)
    (heatmap,) = found.maps
    np.testing.assert_array_equal(heatmap.values, seewhy.grad_cam(red_model, red_dot((64, 64), 20, 20))[0].values)
    assert found.image is heatmap.image
    assert list(found.chosen_layers) == [heatmap.source.layer]


def test_a_wrong_answer_is_explained_for_the_truth_too_unless_targets_are_named(ask):
    found = ask(classes=[2])
    assert [heatmap.source.target for heatmap in found.maps] == ["top 1", "2"]
    assert found.known.wrong
    assert found.known.judgement.rank == 2
    assert [heatmap.source.target for heatmap in ask(classes=[2], usual=False).maps] == ["top 1"]
    assert [heatmap.source.target for heatmap in ask(classes=[0]).maps] == ["top 1"]


def test_what_cannot_be_asked_is_raised_and_what_was_done_before_is_kept(ask, monkeypatch):
    with pytest.raises(NoSuchName, match="No class"):
        ask(targets=["nothing of that name"])
    usual = seewhy.api.explain

    def fails(*given):
        error = BadParameter("no more")
        error.partial = usual(*given)
        raise error

    monkeypatch.setattr(seewhy.api, "explain", fails)
    found = ask(classes=[2])
    assert (len(found.maps), str(found.failure)) == (1, "no more")


def test_the_rank_of_the_truth_counts_all_classes(red_model, red_dot):
    photo = red_dot((64, 64), 20, 20)  # scores: red > 0, neither 0, not red < 0
    assert predict(red_model, photo).label == "red"
    assert rank(red_model, photo, [1]) == 3
    assert rank(red_model, photo, [1, 2]) == 2
    with pytest.raises(NoSuchName, match="0 to 2"):
        rank(red_model, photo, [3])
