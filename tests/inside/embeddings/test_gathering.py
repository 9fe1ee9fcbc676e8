"""A set of photos embedded: in order, broken files told, stopped without loss."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadImage
from seewhy.inside.embeddings.gathering import embedded
from seewhy.progress import stoppable


@pytest.fixture
def folder(tmp_path: Path, red_dot: Callable[..., Any]) -> Path:
    for label, places in (("red", (10, 20)), ("neither", (30,))):
        (tmp_path / label).mkdir()
        for x in places:
            red_dot((80, 64), x, 30).save(tmp_path / label / f"{x}.png")
    (tmp_path / "red" / "15.png").write_bytes(b"no picture")
    return tmp_path


def test_a_folder_with_a_broken_file(folder: Path, red_model: Any) -> None:
    found = embedded(red_model, folder, "cells")
    assert [Path(path).name for path in found.photos.paths] == ["30.png", "10.png", "20.png"]
    assert found.photos.numbers.tolist() == [0, 1, 3]
    assert found.photos.truth == ((2,), (0,), (0,))
    assert [left.number for left in found.left_out] == [2]
    assert "15.png" in str(found.left_out[0])
    for place, path in enumerate(found.photos.paths):
        (batch,) = red_model.batches(path)
        answer = red_model.answer(batch.x)
        (a,) = red_model.activations(batch.x, ["cells"])[0].values()
        np.testing.assert_allclose(found.features[place], np.asarray(a)[0].mean((1, 2)), rtol=1e-5)
        top = int(answer.scores[0].argmax())
        assert found.photos.predicted[place] == top
        assert found.photos.scores[place] == pytest.approx(answer.scores[0, top], rel=1e-5)
        assert found.photos.probabilities[place] == pytest.approx(answer.probabilities[0, top], rel=1e-5)
        true = answer.probabilities[0, found.photos.truth[place][0]]
        assert found.photos.true_probabilities[place] == pytest.approx(true, rel=1e-5)
    assert (found.facts.layer, found.facts.count, found.facts.data) == ("cells", 4, str(folder))
    assert found.facts.model.weights_sha256 == red_model.weights_sha256()
    assert "3 photos" in repr(found)


def test_images_in_memory_have_names_and_no_truth(red_model: Any, red_dot: Callable[..., Any]) -> None:
    found = embedded(red_model, [red_dot((80, 64), x, 30) for x in (10, 20)])
    assert len({*found.photos.paths}) == len(found.photos) == 2
    assert found.photos.truth == ((), ())
    assert found.photos.right.tolist() == [-1, -1]


def test_ctrl_c_ends_with_what_is_done_and_says_so(folder: Path, red_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seewhy.photo_sets.ahead.together", lambda _model, photos, _whole: ([photo] for photo in photos))
    with stoppable() as stop:
        stop.set()
        found = embedded(red_model, folder)
    assert len(found) == 1
    assert "stopped after 1 of 4 photos" in found.remarks


def test_nothing_but_broken_files_is_an_error(tmp_path: Path, red_model: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BadImage, match=r"None of the 1 photos.*a\.png"):
        embedded(red_model, tmp_path)


def test_of_a_network_without_classes_there_are_features_alone(red_dot: Callable[..., Any]) -> None:
    from support.embedders import FIT, Towers, ids  # here, for no other test needs them

    model = seewhy.wrap(Towers().double(), prepare=FIT, tokenizer=ids)
    assert model.no_classes
    found = embedded(model, [red_dot((64, 64), x, 30) for x in (10, 20, 40)], "act")
    assert found.photos.predicted.tolist() == [-1, -1, -1]
    assert np.isnan(found.photos.scores).all()
    assert found.features.std(0).any()
