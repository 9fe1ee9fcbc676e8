"""Groups of vectors: found where there are some, and none made of noise."""

import sys

import numpy as np
import pytest

from seewhy.dataset.failures.grouping import OUTSIDE, grouping, silhouettes
from seewhy.errors import MissingExtra
from seewhy.inside.embeddings.vectors import unit

pytest.importorskip("sklearn")


def slow_silhouettes(rows, labels):
    """Rousseeuw 1987: (b - a) / max(a, b), of the mean distances within a vector's group and to the nearest other one."""
    found = []
    for i, row in enumerate(rows):
        apart = [float(np.linalg.norm(row - other)) for other in rows]
        mean = {
            label: np.mean([apart[j] for j in range(len(rows)) if labels[j] == label and j != i])
            for label in set(labels.tolist())
        }
        a, b = mean.pop(int(labels[i])), min(mean[label] for label in mean if label != labels[i])
        found.append((b - a) / max(a, b))
    return found


def clouds(sizes, spread, seed=0, length=16):
    rng = np.random.default_rng(seed)
    centres = np.eye(length)[: len(sizes)] * 4
    return np.concatenate([c + rng.normal(0, spread, (n, length)) for c, n in zip(centres, sizes, strict=True)])


def test_clouds_are_found():
    found = grouping(clouds((6, 5, 4), 0.4))
    assert found is not None
    assert [len({*found.labels[some].tolist()}) for some in (slice(0, 6), slice(6, 11), slice(11, 15))] == [1, 1, 1]
    assert len({*found.labels.tolist()}) == 3
    assert found.silhouette > 0.5 > found.chance


def test_a_single_cloud_is_no_groups():
    told = [grouping(clouds((18,), 1.0, seed), seed) is not None for seed in range(4)]
    assert sum(told) <= 1


def test_angles_count_and_not_lengths_and_the_same_is_found_again():
    rng = np.random.default_rng(1)
    vectors = clouds((7, 7), 0.3, 1)
    longer = grouping(vectors * rng.uniform(0.1, 10, (14, 1)))
    found = grouping(vectors)
    assert found is not None
    assert longer is not None
    assert found.labels.tolist() == longer.labels.tolist()


def test_a_vector_between_two_groups_is_in_none():
    two = clouds((6, 6), 0.2, 4)
    found = grouping(np.concatenate([two, two.mean(0, keepdims=True)]))
    assert found is not None
    assert found.labels[:-1].min() >= 0
    assert silhouettes(unit(two), found.labels[:-1]) == pytest.approx(slow_silhouettes(unit(two), found.labels[:-1]))


@pytest.mark.parametrize("vectors", [np.ones((11, 4)), np.ones((30, 4)), np.zeros((30, 4)), np.outer(np.arange(1, 20), [1, 2])])
def test_too_few_or_equal_ones_are_no_groups(vectors):
    assert grouping(vectors) is None


def test_a_group_of_two_is_none():
    found = grouping(clouds((6, 6, 2), 0.2))
    assert found is not None
    assert (found.labels == OUTSIDE).sum() == 2


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match="dataset"):
        grouping(clouds((6, 6), 0.4))
