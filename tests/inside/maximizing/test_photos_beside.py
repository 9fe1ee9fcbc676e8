"""Images beside the photos that excite the same most: the same values, what is said, and the sheet."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from seewhy.inside.maximizing.maximized import NAME, Maximized
from seewhy.inside.maximizing.objectives import layers_of, objective_of, read
from seewhy.targets.sums import Direction
from seewhy.targets.target import Class, Contrast, Unit

AIM = Unit("cells", 0, "sum")


@pytest.fixture
def folder(tmp_path: Path, red_dot: Callable[..., Any]) -> Path:
    for name, half in (("a", 6), ("b", 20), ("c", 12)):
        red_dot((80, 96), 40, 48, half).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def made(red_model: Any) -> Maximized:
    return seewhy.maximize(red_model, AIM, steps=3, parametrisation="pixels")


def test_the_value_of_the_best_photo_is_the_objective_of_it(folder: Path, red_model: Any) -> None:
    channels = np.asarray(
        red_model.activations(next(iter(red_model.batches(folder / "a.png"))).x, ["cells"])[0]["cells"]
    ).shape[1]
    aims: list[Any] = [
        AIM, Unit("cells", 0), Unit("cells", 0, (2, 3)), Class(0), Contrast(0, 1), Direction("cells", np.ones(channels), 1),
        Unit("cells", 0) + 2 * Class(0) - Direction("cells", np.ones(channels)),
    ]  # fmt: skip
    found = seewhy.top_photos(red_model, aims, folder, 3)
    for aim, ranking in zip(aims, found, strict=True):
        objective = objective_of(aim, red_model.labels)
        assert ranking.target == str(objective)
        for photo in ranking.photos:
            (batch,) = red_model.batches(photo.photo)
            emitted = red_model.pulled(np.asarray(batch.x), layers_of(objective)).a
            assert photo.value == pytest.approx(read(objective, emitted).values[0], rel=1e-5, abs=1e-5)


def test_what_is_said_and_the_facts_tell_the_best_photo(folder: Path, red_model: Any, made: Maximized, tmp_path: Path) -> None:
    found = seewhy.top_photos(red_model, [Class(1), AIM], folder, 2)
    beside = made.beside(found)
    best = found[1].photos[0]
    assert Path(best.photo).name == "b.png"
    assert str(beside) == f"{made}; the best of 3 photos: {best.value:.4g}, {best.photo}"
    assert made.facts["top_photos"] is None
    facts = beside.facts["top_photos"]
    assert [each["target"] for each in facts["rankings"]] == ["unit:cells:0:sum"]
    assert facts["rankings"][0]["photos"] == [photo.facts for photo in found[1].photos]
    assert [Path(each["image"]).name for each in facts["failed"]] == ["d.png"]
    beside.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as png:
        assert json.loads(png.text[NAME])["top_photos"] == json.loads(json.dumps(facts))  # type: ignore[attr-defined]


def test_the_sheet_has_the_image_and_the_parts_of_photos(
    folder: Path, red_model: Any, made: Maximized, written: list[Any]
) -> None:
    beside = made.beside(seewhy.top_photos(red_model, AIM, folder, 2))
    sheet = np.asarray(beside.picture(), int)
    said = [text for text, *_ in written]
    assert beside.top_photos is not None
    for value in (made.values[0], *(photo.value for photo in beside.top_photos[0].photos)):
        assert f"{value:.4g}" in said
    red = (sheet[..., 0] > 200) & (sheet[..., 1] < 60) & (sheet[..., 2] < 60)
    assert not red[:, : 18 + 160].any()  # there is the image
    assert red[:, 18 + 160 + 14 :][:, :160].sum() > 0.9 * 160 * 160  # the best part is red through and through
    clear = np.asarray(beside.picture(transparent=True), int)
    assert clear[:, : 18 + 160].mean() > sheet[:, : 18 + 160].mean()  # white where nothing mattered


def test_a_batch_stands_in_rows_above_the_photos(folder: Path, red_model: Any) -> None:
    found = seewhy.top_photos(red_model, AIM, folder, 3)
    one, five = (seewhy.maximize(red_model, AIM, steps=1, batch=n).beside(found).picture() for n in (1, 5))
    assert one.width == five.width == 2 * 18 + 4 * 160 + 3 * 14
    assert five.height > 2 * one.height


def test_photos_of_another_question_are_refused(folder: Path, red_network: Any, red_model: Any, made: Maximized) -> None:
    for what, says in (
        (Unit("cells", 0), "made for unit:cells:0:sum, the photos ranked by unit:cells:0. Rank"),
        ([AIM, AIM], "ranked by unit:cells:0:sum, unit:cells:0:sum"),
        (Class(0) + Class(1), r"ranked by 0 \+ 1"),
    ):
        with pytest.raises(BadParameter, match=says):
            made.beside(seewhy.top_photos(red_model, what, [str(folder / "a.png")]))
    other = seewhy.wrap(red_network, prepare={"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}, name="other")
    with pytest.raises(BadParameter, match="ranked by other, the images made for red"):
        made.beside(seewhy.top_photos(other, AIM, [str(folder / "a.png")]))
