"""One pass over the photos of a run."""

import numpy as np
import pytest

from seewhy.dataset.failures.gathering import confidence, cost, gathered
from seewhy.truth.accuracy import Judgement
from support.answered import answered


def test_photos_go_where_they_belong():
    photos = [
        answered(0, 0, 0, 0.9), answered(1, 0, 1, 0.7), answered(2, None, 3, 0.4),
        answered(3, 1, 1, error="BadImage: it is none", maps=[]), answered(4, 2, 2, 0.8, embedding=np.ones(3, np.float32)),
    ]  # fmt: skip
    run = gathered(photos)
    assert run.count == 5
    assert [[p.item for p in some] for some in (run.wrong, run.right, run.untold)] == [[1], [0, 4], [2]]
    assert run.judgements == (Judgement((0,), 0, 1), Judgement((0,), 1, 2), Judgement((2,), 2, 1))
    assert run.probabilities.tolist() == [0.9, 0.7, 0.8]
    assert run.unjudged.tolist() == [0.4]
    assert [(one.item, one.error) for one in run.failed] == [(3, "BadImage: it is none")]
    assert all(photo.embedding is None for photo in run.right)
    assert (run.named((0, 2)), run.name(3), run.name(7)) == ("cat or cow", "hen", "class 7")


def test_copies_of_a_file_are_counted_and_those_with_another_label():
    files = [("a", 0), ("a", 0), ("b", 1), ("a", 1), ("c", None), ("c", None), (None, 0), (None, 1)]
    run = gathered(answered(item, truth, 0, sha256=sha256) for item, (sha256, truth) in enumerate(files))
    assert (run.copies, run.contradicted) == (3, 1)


def test_of_many_photos_some_are_kept_and_all_are_counted():
    run = gathered((answered(i, 0, 1) for i in range(100)), seed=3, most=10)
    assert (len(run.wrong), run.wrong_count, len(run.judgements)) == (10, 100, 100)
    kept = [photo.item for photo in run.wrong]
    assert kept == sorted(kept)
    assert kept == [photo.item for photo in gathered((answered(i, 0, 1) for i in range(100)), seed=3, most=10).wrong]


def test_each_photo_has_the_same_chance_to_be_kept():
    photos = [answered(i, 0, 1) for i in range(8)]
    times = np.zeros(8)
    for seed in range(400):
        times[[photo.item for photo in gathered(photos, seed, most=2).wrong]] += 1
    assert abs(times / 400 - 0.25).max() < 0.09  # 4 standard errors


def test_a_mistake_costs_the_probability_with_which_it_was_made():
    assert cost([answered(0, 0, 1, 0.9), answered(1, 0, 1, 0.25)]) == pytest.approx(1.15)
    assert confidence(answered(0, 0, 1, predicted=None)) == 0
