"""The demo's photos embedded: kinds apart, neighbours of a new photo, files that give it back."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.demo import KINDS, scenes
from seewhy.errors import BadParameter, BadRecord
from seewhy.inside.embeddings.embedding import Embedding
from seewhy.inside.embeddings.gathering import embedded
from seewhy.inside.embeddings.vectors import neighbour_purity

PHOTOS = 40


@pytest.fixture(scope="module")
def model() -> Any:
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("scenes")
    for place, scene in enumerate(scenes(PHOTOS, 5)):
        (folder / scene.name).mkdir(exist_ok=True)
        scene.image.save(folder / scene.name / f"{place}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def embedding(model: Any, folder: Any) -> Embedding:
    return embedded(model, folder)


def test_t_sne_separates_the_kinds_of_the_demo(embedding: Embedding) -> None:
    pytest.importorskip("sklearn")
    projection = embedding.project()
    share, chance = projection.purity("truth")
    assert chance == pytest.approx(3 / 39)  # four photos of each of ten kinds
    assert neighbour_purity(projection.points, embedding.photos.kinds("truth"), 3)[0] > 0.7 > 5 * chance
    shuffled = np.random.default_rng(0).permutation(embedding.photos.kinds("truth"))
    assert neighbour_purity(projection.points, shuffled, 3)[0] < 0.25  # what chance gives, measured
    assert share > 3 * chance  # of ten neighbours three at most are of the own kind
    assert projection.layout.trustworthiness > 0.9
    assert projection.layout.trustworthiness > projection.layout.of_pca
    np.testing.assert_array_equal(projection.points, embedding.project().points)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_those_of_a_plain_loop(embedding: Embedding, metric: str) -> None:
    def apart(one: Any, other: Any) -> float:
        a, b = one.astype(float), other.astype(float)
        if metric == "euclidean":
            return float(((a - b) ** 2).sum() ** 0.5)
        return float(1 - (a * b).sum() / ((a * a).sum() ** 0.5 * (b * b).sum() ** 0.5))

    all_places = embedding.all_neighbours(4, metric)
    for place in (0, 17, PHOTOS - 1):
        near = embedding.neighbours(place, 4, metric)
        by_hand = sorted((apart(embedding.features[place], row), j) for j, row in enumerate(embedding.features) if j != place)
        assert [one.number for one in near] == [number for _, number in by_hand[:4]]
        assert [one.distance for one in near] == pytest.approx([distance for distance, _ in by_hand[:4]], abs=1e-6)
        assert near.photo == embedding.photos.paths[place]
        assert all_places[place].tolist() == [number for _, number in by_hand[:4]]


def test_a_new_photo_is_asked_of_the_network_that_made_the_embedding(embedding: Embedding, model: Any, folder: Any) -> None:
    new = scenes(1, 77)[0]
    near = embedding.neighbours(new.image, 3, model=model)
    assert [one.truth for one in near] == [new.name] * 3
    known = next(folder.glob("*/0.png"))
    again = embedding.neighbours(seewhy.read(known).pixels, 1, model=model)
    assert again[0].path == str(known)
    assert again[0].distance == pytest.approx(0, abs=1e-6)
    with pytest.raises(BadParameter, match=r"This image is none of the 40 photos.*give model="):
        embedding.neighbours(new.image)
    with pytest.raises(BadParameter, match="other weights"):
        embedding.neighbours(new.image, model=seewhy.load("demo/shortcut"))
    with pytest.raises(BadParameter, match="count is a whole number from 1"):
        embedding.neighbours(0, 0)


def test_weighted_embeddings_ask_the_same_of_a_new_photo(model: Any, folder: Any) -> None:
    weighted = embedded(model, folder / KINDS[0], weighted_by=seewhy.layer_cam)
    assert weighted.facts.words == "what demo/honest looked at (layer-cam) at body"
    known = weighted.photos.paths[2]
    near = weighted.neighbours(seewhy.read(known).pixels, 1, model=model)
    assert (near[0].path, near[0].distance) == (known, pytest.approx(0, abs=1e-6))


def test_copies_of_a_photo_are_its_neighbours_and_itself_is_not(embedding: Embedding) -> None:
    features = np.ones_like(embedding.features)
    same = Embedding(features, embedding.photos, embedding.facts)
    assert len(same.neighbours(30, 3)) == 3
    assert 30 not in {one.number for one in same.neighbours(30, 3)}
    assert "39 of 40 photos have the very features of another one" in same.advice[0]


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_a_file_gives_it_back(embedding: Embedding, tmp_path: Any, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    projection = embedding.project("pca")
    path = embedding.save(tmp_path / f"x{suffix}", projection)
    found = Embedding.load(path)
    np.testing.assert_array_equal(found.features, embedding.features)
    assert found.facts == embedding.facts
    assert (found.left_out, found.remarks) == (embedding.left_out, embedding.remarks)
    for name, column in vars(embedding.photos).items():
        if isinstance(column, np.ndarray):
            np.testing.assert_array_equal(getattr(found.photos, name), column)
            assert getattr(found.photos, name).dtype == column.dtype
        elif name != "measures":
            assert getattr(found.photos, name) == column
    if suffix == ".parquet":
        from pyarrow import parquet

        rows = parquet.read_table(path).to_pylist()
        assert [[row["x"], row["y"]] for row in rows] == projection.points.tolist()
        assert {row["truth_name"] for row in rows} == {*KINDS}


def test_a_file_of_other_facts_is_refused(embedding: Embedding, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("seewhy.inside.embeddings.embedding.asdict", lambda _facts: {"model": "net"})
        embedding.save(tmp_path / "x.npz")
    with pytest.raises(BadRecord, match="ModelFacts is a str"):
        Embedding.load(tmp_path / "x.npz")


def test_features_have_to_be_those_of_the_photos(embedding: Embedding) -> None:
    with pytest.raises(BadParameter, match=r"these are \(3, 64\) of 40 photos"):
        Embedding(embedding.features[:3], embedding.photos, embedding.facts)
