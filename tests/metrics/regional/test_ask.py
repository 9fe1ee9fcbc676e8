"""Where the evidence of photos lies, from the question to the record."""

import numpy as np
import pytest

import seewhy
from seewhy.demo import scenes
from seewhy.errors import BadImage, BadParameter
from seewhy.metrics import evidence
from seewhy.metrics.regional.ask import truth_of


@pytest.fixture(scope="module")
def corner_photos(square):
    """Eight photos with a red square in the upper left, eight with a blue one anywhere else."""
    rng = np.random.default_rng(0)
    blue = [square("blue", *(8 + 8 * rng.integers(0, 3, 2)).tolist()) for _ in range(8)]
    return [photo for pair in zip([square("red", 0, 0)] * 8, blue, strict=True) for photo in pair]


def test_the_share_of_each_class_is_that_of_its_maps(colour_model, corner_photos):
    report = evidence(colour_model, corner_photos, "corner:nw", labels=["red", "blue"] * 8)
    rows = {row.explained: row for row in report.rows}
    assert report.classes == {"red": 8, "blue": 8}
    box = [(0, 0, 8, 8)]
    for explained in ("red", "blue"):
        row = rows[explained]
        maps = seewhy.grad_cam(colour_model, corner_photos, target=explained)
        shares = [heatmap.evidence_in(box).share for heatmap in maps if heatmap.source.predicted.label == explained]
        assert row.share == pytest.approx(np.mean(shares), abs=0.01)
        assert (row.photos, row.truth, row.area) == (8, "", 0.0625)
    assert (rows["red"].verdict, rows["red"].others) == ("more", pytest.approx(rows["blue"].share))
    assert report.suspects[0] == "red"
    assert report.piles is None


def test_the_search_finds_the_place_and_photos_that_show_it(colour_model, corner_photos):
    report = evidence(colour_model, corner_photos, search=True)
    (found,) = [pile for pile in report.piles if pile.explained == "red"]
    left, top, right, bottom = found.boxes[0]
    assert (left, top) == (0, 0)
    assert right <= 0.5
    assert bottom <= 0.5
    assert [example.name for example in found.examples] == ["image 0", "image 2", "image 4"]
    assert [example.heatmap.place for example in found.examples] == [0, 2, 4]
    assert found.examples[0].share == pytest.approx(found.share, abs=1e-6)
    assert np.asarray(found.crops()[0])[0, 0].tolist() == [255, 0, 0]
    assert report.rows == ()
    assert report.searched == ("red", "blue")


@pytest.fixture(scope="module")
def stamped():
    """Scenes of three kinds, the birds stamped, of two seeds."""
    return {seed: scenes(18, seed, kinds=("bird", "car", "fish"), shortcut="mark") for seed in (30_001, 30_002)}


@pytest.mark.parametrize("seed", [30_001, 30_002])
def test_on_the_network_that_cheats_it_finds_the_stamp_and_on_the_honest_one_nothing(stamped, seed):
    photos = [scene.image for scene in stamped[seed]]
    found = {name: evidence(seewhy.load(f"demo/{name}"), photos, search=True).piles for name in ("shortcut", "honest")}
    assert found["honest"] == ()
    (pile,) = found["shortcut"]
    assert pile.explained == "bird"
    stamps = [scene.mark for scene in stamped[seed] if scene.name == "bird"]
    inside = np.zeros((96, 96), bool)
    for left, top, right, bottom in np.multiply(pile.boxes, 96).round().astype(int):
        inside[top:bottom, left:right] = True
    assert min(inside[mark].mean() for mark in stamps) > 0.7  # each bird's stamp lies in one of the four places
    assert pile.share > 0.6


def test_truth_is_a_class_for_each_photo_a_table_or_folders(tmp_path):
    labels = ["cat", "dog"]
    assert truth_of(["dog", 0], ["a.png", "b.png"], labels) == {"a.png": (1,), "b.png": (0,)}
    (tmp_path / "labels.csv").write_text("file,label\na.png,dog\n")
    assert truth_of(tmp_path / "labels.csv", ["a.png", "b.png"], labels) == {"a.png": (1,)}
    assert truth_of("folders", ["cat/1.png", "dog/2.png"], labels) == {"cat/1.png": (0,), "dog/2.png": (1,)}
    assert truth_of(None, ["a.png"], labels) == {}
    with pytest.raises(BadParameter, match="2 classes for 1 photos"):
        truth_of(["cat", "dog"], ["a.png"], labels)


def test_what_is_left_out_is_told(colour_model, square, tmp_path):
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\na.png,0,0,8,8\nb.png,0,0,99,8\n")
    for name in ("a", "b", "c"):
        square("red", 0, 0).save(tmp_path / f"{name}.png")
    (tmp_path / "no.png").write_text("no picture")
    files = [str(tmp_path / f"{name}.png") for name in ("a", "b", "c", "no")]
    report = evidence(colour_model, files, f"box:{tmp_path / 'boxes.csv'}")
    assert report.photos == 3
    assert [left.name for left in report.failed] == [files[3]]
    assert report.rows[0].photos == 1
    assert any("2 of 3 photos" in note for note in report.notes)
    assert any("reaches beyond the photo" in note for note in report.notes)


def test_what_cannot_be_asked_is_refused(colour_model, square, tmp_path):
    with pytest.raises(BadParameter, match="search=True"):
        evidence(colour_model, [square("red", 0, 0)])
    with pytest.raises(BadParameter, match="prepared batch"):
        evidence(colour_model, np.zeros((1, 3, 32, 32), np.float32), "border")
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(BadImage):
        evidence(colour_model, str(tmp_path / "no.png"), "border")
    with pytest.raises(BadParameter, match="regions"):
        evidence(colour_model, [square("red", 0, 0)], regions="border")
