"""Vectors: their principal components, and which lie next to which, each told a second time by plain loops."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.embeddings import vectors as module
from seewhy.inside.embeddings.vectors import check_metric, components, nearest, nearest_others, neighbour_purity, unit


def test_components_are_those_of_the_singular_vectors():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 5)) * (5, 3, 1, 1, 1)
    found = components(vectors)
    centred = vectors - vectors.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    assert abs(found) == pytest.approx(abs(u[:, :2] * s[:2]))
    assert found[abs(found[:, 0]).argmax(), 0] > 0
    few = vectors[:4]  # fewer vectors than numbers
    u, s, _ = np.linalg.svd(few - few.mean(0), full_matrices=False)
    assert abs(components(few, 3)) == pytest.approx(abs(u[:, :3] * s[:3]))
    assert components(few, 6)[:, 4:].tolist() == [[0, 0]] * 4
    assert components(np.ones((3, 4))).tolist() == [[0, 0]] * 3
    assert components(np.array([[1.0], [2.0]])).shape == (2, 2)


def slow_distance(one, other, metric):
    if metric == "euclidean":
        return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
    lengths = sum(a * a for a in one) ** 0.5 * sum(b * b for b in other) ** 0.5
    return 1 - sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 1.0


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_nearest_are_those_of_a_plain_loop(metric, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 8 * 23 * 3)  # three queries at once
    draw = np.random.default_rng(0)
    rows, queries = draw.normal(size=(23, 4)), draw.normal(size=(7, 4))
    rows[5] = 0
    rows[9] = rows[2]  # of equally near ones the first
    found = nearest(rows, queries, 6, metric)
    for query, places, distances in zip(queries.tolist(), found.places, found.distances, strict=True):
        slow = sorted((round(slow_distance(query, row, metric), 12), place) for place, row in enumerate(rows.tolist()))
        assert places.tolist() == [place for _, place in slow[:6]]
        assert distances == pytest.approx([distance for distance, _ in slow[:6]])


def test_what_all_vectors_have_in_common_costs_no_digits():
    rng = np.random.default_rng(0)
    near = rng.normal(size=(40, 6))
    found = nearest_others(near + 2.0**30, 3, "euclidean")
    apart = np.linalg.norm((near + 2.0**30)[:, None] - (near + 2.0**30)[None], axis=2) + np.diag(np.full(40, np.inf))
    np.testing.assert_array_equal(found.places, apart.argsort(1)[:, :3])
    np.testing.assert_allclose(found.distances, np.sort(apart, 1)[:, :3], rtol=1e-6)


def test_the_nearest_others_leave_out_the_vector_itself_and_not_its_copies():
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = nearest_others(rows, 2, "euclidean")
    assert [sorted(places) for places in found.places.tolist()] == [[3, 4], [0, 3], [0, 3], [0, 4], [0, 3]]
    assert nearest_others(rows, 9, "euclidean").places.shape == (5, 4)
    same = nearest_others(np.ones((5, 2)), 2)  # all in one place: still two others each
    assert all(place not in others for place, others in enumerate(same.places.tolist()))


def test_purity_is_the_share_of_neighbours_of_the_own_kind():
    rows = np.array([[0.0], [0.1], [0.3], [5.0], [5.1], [9.0]])
    share, chance = neighbour_purity(rows, np.array([0, 0, 1, 1, 1, -1]), 1)
    assert share == 4 / 5  # 0-1, 1-0, 3-4, 4-3 are of one kind; 2-1 is not; the last is of no kind
    assert chance == pytest.approx(np.mean([1, 1, 2, 2, 2]) / 4)
    assert np.isnan(neighbour_purity(rows[:1], np.array([0]))).all()


def test_unit_vectors_keep_their_direction():
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0, 0]]


def test_another_metric_is_refused():
    assert check_metric("cosine") == "cosine"
    with pytest.raises(BadParameter, match=r"'cosine'.*'euclidean'"):
        check_metric("manhattan")
