"""`seewhy.embed`: of a network and photos, or of a run as it is stored."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

import seewhy
from seewhy.dataset.run_embedding import embed
from seewhy.demo import scenes
from seewhy.errors import BadParameter, NoSuchName


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("embedded")
    for place, scene in enumerate(scenes(6, 11, kinds=("bird", "car"))):
        (folder / "photos" / scene.name).mkdir(parents=True, exist_ok=True)
        scene.image.save(folder / "photos" / scene.name / f"{place}.png", compress_level=1)
    (folder / "photos" / "car" / "broken.png").write_text("none")
    model = seewhy.load("demo/shortcut")
    return seewhy.explain_dataset(model, folder / "photos", folder / "run", methods=("grad-cam", "hires-cam"))


@pytest.mark.parametrize("weighted_by", [None, "grad-cam", seewhy.hires_cam], ids=["mean", "by name", "by method"])
def test_a_run_gives_what_the_network_would_but_for_half_precision(run: Any, weighted_by: Any) -> None:
    stored = embed(run, weighted_by=weighted_by)
    fresh = embed(seewhy.load("demo/shortcut"), run.info.data, weighted_by=weighted_by)
    np.testing.assert_allclose(stored.features, fresh.features, rtol=2e-3, atol=1e-3)
    for name in ("numbers", "predicted", "scores", "probabilities", "true_probabilities"):
        np.testing.assert_allclose(getattr(stored.photos, name), getattr(fresh.photos, name), rtol=1e-4, atol=1e-6)
    assert (stored.photos.paths, stored.photos.truth) == (fresh.photos.paths, fresh.photos.truth)
    assert [left.number for left in stored.left_out] == [left.number for left in fresh.left_out]
    assert "broken.png" in str(stored.left_out[0])
    assert stored.facts.words == fresh.facts.words
    assert stored.facts.model.weights_sha256 == fresh.facts.model.weights_sha256
    photo = next(photo for photo in run.photos() if photo.error is None)
    assert stored.photos.measures["border"][0] == pytest.approx(photo.map().evidence["border"])
    assert "border" in [*stored.project("pca").colourings]


def test_nothing_runs_for_a_run(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seewhy.models.load.load", lambda *_: pytest.fail("a network was loaded"))
    assert len(embed(seewhy.open_run(run.folder))) == 6


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layer": "other"}, BadParameter, "the run has features of body"),
        ({"pooling": "max"}, BadParameter, "a run holds means over space"),
        ({"weighted_by": "grad-cam-pp"}, NoSuchName, "It has maps by grad-cam, hires-cam"),
        ({"photos": "x"}, BadParameter, "photos and truth of its own"),
    ],
    ids=["layer", "pooling", "method", "photos"],
)
def test_what_a_run_does_not_hold_is_refused_with_advice(run: Any, given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        embed(run, **given)


def test_a_network_needs_photos_and_knows_its_arguments(run: Any) -> None:
    with pytest.raises(BadParameter, match="say which photos"):
        embed(seewhy.load("demo/honest"))
    with pytest.raises(BadParameter, match=r"embed has no parameter 'layers'. It is called layer"):
        embed(run, layers="body")  # type: ignore[call-arg]
