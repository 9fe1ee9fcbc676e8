"""top_photos(): which photos come first, and what is cut out of them."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadImage, BadParameter
from seewhy.progress import stoppable
from seewhy.targets.target import Class, Unit
from support import networks

DOTS = [(30, 40), (52, 12), (12, 60), (40, 24), (60, 50)]
HALVES = [4, 2, 6, 3, 5]  # of the squares: in the third most of a cell's block is red


@pytest.fixture
def folder(tmp_path: Path, red_dot: Callable[..., Any]) -> Path:
    for name, (x, y), half in zip("abdef", DOTS, HALVES, strict=True):
        red_dot((80, 96), x, y, half).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    return tmp_path


def test_the_first_of_a_folder_are_those_of_a_plain_loop(folder: Path, red_model: Any) -> None:
    found = seewhy.top_photos(red_model, [Unit("cells", 0, "sum"), "not red"], folder, 3)
    values: dict[str, list[float]] = {}
    for path in sorted(folder.glob("[abdef].png")):
        (batch,) = red_model.batches(path)
        a = np.asarray(red_model.activations(batch.x, ["cells"])[0]["cells"])
        values[str(path)] = [float(a.sum(dtype=np.float64)), float(red_model.answer(batch.x).scores[0, 1])]
    for t, ranking in enumerate(found):
        plain = sorted(values, key=lambda path: -values[path][t])[:3]
        assert [photo.photo for photo in ranking.photos] == plain
        np.testing.assert_allclose([photo.value for photo in ranking.photos], [values[path][t] for path in plain], rtol=1e-6)
        assert ranking.mean == pytest.approx(np.mean([each[t] for each in values.values()]))
        assert ranking.seen == 5
    assert (found.seen, found.listed) == (5, 6)
    assert [(left.place, Path(left.name).name) for left in found.failed] == [(2, "c.png")]
    assert "5 photos, 1 could not be read" in str(found)
    assert len(found) == 2
    assert found[1].words == "not red (1)"


def test_what_is_cut_out_is_the_dot_wherever_it_lies(folder: Path, red_model: Any) -> None:
    (ranking,) = seewhy.top_photos(red_model, Unit("cells", 0), folder, 5)
    at = dict(zip("abdef", DOTS, strict=True))
    for photo in ranking.photos:
        x, y = at[Path(photo.photo).stem]
        assert isinstance(photo.box, seewhy.Extent)
        assert photo.box.left - 4 < x < photo.box.right + 4
        assert photo.box.top - 4 < y < photo.box.bottom + 4
        assert photo.box.right - photo.box.left < 12  # a cell sees four pixels of the input, five of the photo
        red, green, _ = np.asarray(photo.crop.picture, float).mean((0, 1))  # type: ignore[union-attr]
        assert red > green


def test_of_a_mirrored_photo_the_part_is_found_too(red_network: Any, red_dot: Callable[..., Any]) -> None:
    def mirrored(photo: Image.Image) -> Any:
        return np.asarray(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), np.float32).transpose(2, 0, 1) / 255

    model = seewhy.wrap(red_network, prepare=mirrored)
    ((photo,),) = (each.photos for each in seewhy.top_photos(model, Unit("cells", 0), [red_dot((64, 48), 50, 20)]))
    left, right = sorted((photo.box.left, photo.box.right))  # type: ignore[union-attr]
    assert 44 < left < right < 56
    red, green, _ = np.asarray(photo.crop.picture, float).mean((0, 1))  # type: ignore[union-attr]
    assert red > 2 * green


def test_of_a_class_all_that_the_network_saw_is_shown(folder: Path, red_model: Any) -> None:
    (ranking,) = seewhy.top_photos(red_model, "red", folder, 1)
    (photo,) = ranking.photos
    assert photo.cell is None
    assert photo.box == pytest.approx((0, 8, 80, 88), abs=1)  # the middle 64x64 of 64x76


def test_equal_photos_come_in_order_unless_their_means_differ(red_dot: Callable[..., Any], red_model: Any) -> None:
    dot = red_dot((64, 64), 30, 30)
    two = np.asarray(dot).copy()
    two[48:56, 48:56] = (255, 0, 0)
    (ranking,) = seewhy.top_photos(red_model, Unit("cells", 0), [dot, dot, Image.fromarray(two)], 3)
    assert [photo.number for photo in ranking.photos] == [2, 0, 1]
    assert ranking.photos[0].value == ranking.photos[2].value


def test_a_unit_that_no_photo_excites_is_told(red_model: Any) -> None:
    green = Image.new("RGB", (64, 64), (0, 160, 0))
    (ranking,) = seewhy.top_photos(red_model, Unit("cells", 0), [green, green])
    assert ranking.note == "no photo excites it: 0 for all; they come in the order of the set"
    assert ranking.note in str(ranking)


def test_prepared_numbers_are_ranked_without_pictures() -> None:
    x = networks.images(5)
    model = seewhy.wrap(networks.pooled(), batch_size=2)
    found = seewhy.top_photos(model, [Unit("act2", k) for k in range(4)], x, 2)
    a = np.asarray(model.activations(x, ["act2"])[0]["act2"])
    for k, ranking in enumerate(found):
        assert [photo.number for photo in ranking.photos] == [*np.argsort(-a[:, k].max((1, 2)), kind="stable")[:2]]
        assert ranking.photos[0].crop is None
    with pytest.raises(seewhy.NotApplicable, match="prepared arrays, volumes and signals are ranked alone"):
        found.picture()


def test_ctrl_c_ends_with_the_photos_until_then(red_network: Any, red_dot: Callable[..., Any]) -> None:
    model = seewhy.wrap(red_network, prepare={"size": 64, "crop": 64, "mean": 0.0, "std": 1.0}, batch_size=1)
    dots = [red_dot((64, 64), 30, 30, half) for half in (2, 4, 6)]

    batches = model.batches
    with stoppable(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "batches", lambda _self, images, whole=False: _stepped(dots, batches))
        found = seewhy.top_photos(model, Unit("cells", 0), dots)
    assert found.interrupted
    assert found.seen == 2
    assert len(found[0].photos) == 2
    assert "interrupted" in str(found)


def _stepped(dots: list[Image.Image], batches: Any) -> Iterator[Any]:
    for place, batch in enumerate(batches(dots)):
        if place == 1:
            os.kill(os.getpid(), signal.SIGINT)
        yield batch


def test_what_cannot_be_asked_is_advice(tmp_path: Path, red_model: Any, red_dot: Callable[..., Any]) -> None:
    with pytest.raises(BadParameter, match="count is a whole number from 1 to 1,000, not 0"):
        seewhy.top_photos(red_model, Class(0), [red_dot((64, 64), 3, 3)], 0)
    with pytest.raises(BadParameter, match="no model"):
        seewhy.top_photos("demo", Class(0), [red_dot((64, 64), 3, 3)])  # type: ignore[arg-type]
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BadImage, match="None of the 1 photos could be read"):
        seewhy.top_photos(red_model, Class(0), tmp_path)
