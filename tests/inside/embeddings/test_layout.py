"""Vectors in the plane: groups stay apart, the seed decides, settings are held against how many there are."""

import sys

import numpy as np
import pytest

from seewhy.errors import BadParameter, MissingExtra, NoSuchName, NotApplicable
from seewhy.inside.embeddings import layout
from seewhy.inside.embeddings.layout import advice_on, laid_out
from seewhy.inside.embeddings.vectors import neighbour_purity, unit

pytest.importorskip("sklearn")
KINDS = np.repeat(np.arange(4), 12)


@pytest.fixture(scope="module")
def clouds():
    """Four groups by their directions, in 60 dimensions of which only 12 tell them apart."""
    rng = np.random.default_rng(0)
    return np.repeat(np.eye(4, 60) * 3, 12, 0) + rng.normal(0, 0.5, (48, 60))


@pytest.fixture(scope="module")
def found(clouds):
    return laid_out(clouds)


def slow_trustworthiness(rows, points, k):
    """Venna & Kaski 2001: 1 - 2 / (n k (2 n - 3 k - 1)) sum over the k neighbours in the plane of how far they rank beyond."""
    n, total = len(rows), 0
    for i in range(n):
        ranked = sorted((j for j in range(n) if j != i), key=lambda j: float(np.linalg.norm(rows[i] - rows[j])))
        near = sorted((j for j in range(n) if j != i), key=lambda j: float(np.linalg.norm(points[i] - points[j])))[:k]
        total += sum(max(0, ranked.index(j) + 1 - k) for j in near)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total


def test_groups_stay_together_and_how_far_that_holds_is_measured(clouds, found):
    share, chance = neighbour_purity(found.points, KINDS, 5)
    assert share > 0.95 > 4 * chance - 0.1
    assert found.params == {"seed": 0, "metric": "cosine", "perplexity": 47 / 3}
    assert found.trustworthiness == pytest.approx(slow_trustworthiness(unit(clouds), found.points, 5))
    assert found.trustworthiness > 0.8
    assert found.judged == 48
    assert found.words == "t-SNE, perplexity 15.6667"
    assert abs(found.points.mean(0)).max() < 1e-3


def test_the_same_seed_gives_the_same_map(clouds, found):
    np.testing.assert_array_equal(laid_out(clouds).points, found.points)
    some = clouds[::4]
    np.testing.assert_array_equal(*(laid_out(some, "pca", seed).points for seed in (0, 1)))  # of which nothing is drawn


def test_the_metric_decides_what_is_alike(clouds):
    stretched = clouds * np.linspace(1, 9, 48)[:, None]  # other lengths, the same directions
    by_angle = laid_out(stretched, "pca")
    np.testing.assert_allclose(by_angle.points, laid_out(clouds, "pca").points, atol=1e-6)
    by_place = laid_out(clouds, "pca", metric="euclidean")
    np.testing.assert_allclose(laid_out(3 * clouds, "pca", metric="euclidean").points, 3 * by_place.points, rtol=1e-4)
    assert by_angle.trustworthiness == by_angle.of_pca


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"how": "tsne"}, NoSuchName, "Closest: t-sne"),
        ({"perplexity": 48}, BadParameter, "less than that of the photos, 48"),
        ({"perplexity": 0}, BadParameter, "5 to 50 are usual"),
        ({"perplexity": "many"}, BadParameter, "a number from 1"),
        ({"neighbours": 5}, BadParameter, "neighbours is of UMAP"),
        ({"how": "umap", "perplexity": 5}, BadParameter, "UMAP has neighbours"),
        ({"how": "pca", "perplexity": 5}, BadParameter, "have no settings"),
        ({"seed": -1}, BadParameter, "seed is a whole number from 0"),
        ({"metric": "city"}, BadParameter, "'cosine'"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_settings_that_do_not_fit_are_refused(clouds, asked, error, words):
    with pytest.raises(error, match=words):
        laid_out(clouds, **asked)


def test_too_few_photos_and_equal_ones_are_refused_with_advice(clouds):
    with pytest.raises(BadParameter, match=r't-SNE lays out 5 photos or more, and 4 have features. Take how="pca"'):
        laid_out(clouds[:4])
    with pytest.raises(BadParameter, match="1 has features"):
        laid_out(clouds[:1], "pca")
    with pytest.raises(NotApplicable, match="All 8 photos have the same features"):
        laid_out(np.ones((8, 3)))
    assert laid_out(clouds[:4], "pca").trustworthiness is None  # of too few it is not measured


def test_a_perplexity_of_most_photos_is_told(clouds):
    (told,) = [words for words in laid_out(clouds[::3], perplexity=9).advice if "perplexity of 9" in words]
    assert "more than a third of the 16 photos" in told


def test_copies_constants_and_nothing_are_told():
    rows = np.array([[1, 2, 0, 5], [1, 2, 0, 5], [1, 3, 0, 5], [1, 2, 0, 5]], np.float32)
    assert advice_on(rows) == (
        "2 of 4 photos have the very features of another one: copies, which lie in one place",
        "3 of 4 features are the same in all photos: they say nothing here",
    )
    assert "1 photos have features of nothing but zeros" in advice_on(np.array([[0, 0], [1, 2]]))[0]
    assert advice_on(np.array([[1, 2], [3, 4]])) == ()


@pytest.mark.parametrize(("how", "module", "extra"), [("opentsne", "openTSNE", "tsne"), ("umap", "umap", "umap")])
def test_what_is_not_installed_names_its_extra(clouds, monkeypatch, how, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"\[{extra}\]"):
        laid_out(clouds, how)


def test_without_scikit_learn_principal_components_are_left(clouds, monkeypatch):
    monkeypatch.setattr(layout, "_manifold", lambda: None)
    with pytest.raises(MissingExtra, match=r'how="pca" needs nothing.*\[dataset\]'):
        laid_out(clouds)
    assert laid_out(clouds, "pca").trustworthiness is None


@pytest.mark.parametrize("how", ["opentsne", "umap"])
def test_the_others_where_they_are_installed_keep_groups_together_too(clouds, how):
    pytest.importorskip({"opentsne": "openTSNE"}.get(how, how), reason="needs openTSNE or UMAP, which are extras")
    one = laid_out(clouds, how)
    assert neighbour_purity(one.points, KINDS, 5)[0] > 0.9
    np.testing.assert_array_equal(one.points, laid_out(clouds, how).points)


def test_one_feature_alone_is_laid_out_too():
    rows = np.repeat([0.0, 10.0], 20)[:, None] + np.random.default_rng(0).normal(0, 1, (40, 1))
    points = laid_out(rows, metric="euclidean").points
    assert neighbour_purity(points, np.repeat([0, 1], 20), 5)[0] > 0.95  # by chance 0.49
