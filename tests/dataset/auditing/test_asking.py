"""The audit as a whole, on networks of which it is known what they look at."""

import json
from collections import Counter

import numpy as np
import pytest

import seewhy
from seewhy.dataset.auditing import asking
from seewhy.dataset.auditing.asking import audit
from seewhy.demo import scenes
from seewhy.errors import BadImage, BadParameter
from seewhy.progress import stoppable

KINDS = ("bird", "car", "fish", "tree")


@pytest.fixture(scope="module")
def models():
    return {name: seewhy.load(f"demo/{name}") for name in ("shortcut", "honest")}


@pytest.mark.parametrize("seed", [92_000, 92_001])
def test_the_stamp_is_found_unasked_and_the_answer_follows_it(models, scene_folder, seed):
    found = audit(models["shortcut"], scene_folder(32, seed, KINDS, "mark"))
    assert found.verdict == "shortcut"
    assert {each.explained: each.verdict for each in found.classes} == {
        "bird": "shortcut", "car": "clear", "fish": "clear", "tree": "clear",
    }  # fmt: skip
    place = found.suspicions[0]
    assert place.kind == "place"
    assert place.mark.same
    assert place.planted.follows.share > 0.5 > place.planted.random.share
    assert found.says[0] == "Of 4 classes on 32 photos: rests on a shortcut: bird."
    assert (found.by, found.listed, found.passes) == ("truth", 32, 32 + 4 * 24)
    assert found.shown == ("bird",)


@pytest.mark.parametrize("seed", [92_000, 92_001, 92_002])
def test_on_the_honest_network_there_is_no_false_alarm_of_evidence(models, scene_folder, seed):
    """The photos of birds are stamped: what the data gives away may be said, but not that the network rests on it."""
    found = audit(models["honest"], scene_folder(32, seed, KINDS, "mark"))
    assert [each for each in found.suspicions if each.kind not in ("background", "file")] == []
    assert "shortcut" not in {each.verdict for each in found.classes}


def test_what_is_no_model_is_refused(scene_folder):
    with pytest.raises(BadParameter, match=r"dict is no model\. Make one"):
        audit({}, scene_folder(32, 92_000, KINDS, "mark"))


def test_of_photos_that_show_several_classes_the_first_counts_and_that_is_said(models, scene_folder, tmp_path):
    paths = sorted(scene_folder(32, 92_000, KINDS, "mark").rglob("*.png"))
    lines = [f"{path},{label}" for path in paths for label in (path.parent.name, "key")]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines]) + "\n")
    found = audit(models["honest"], tmp_path / "labels.csv", budget=20)
    assert {*found.evidence.classes} == {*KINDS}
    assert found.evidence.target == "each image's own"
    several = f"{found.photos} of {found.photos} photos show several classes: each counts as the first"
    assert any(note.startswith(several) for note in found.notes)


def test_without_truth_a_class_is_what_the_model_takes_photos_for(models, scene_folder):
    folder = scene_folder(32, 92_000, KINDS, "mark")
    found = audit(models["shortcut"], folder, truth="none", budget=80)
    assert found.by == "prediction"
    assert any("what the model takes it for" in note for note in found.notes)
    assert found.verdict == "shortcut"
    assert found.passes <= 80
    assert found.suspicions[0].planted.photos <= (80 - 32) // 4
    maps = seewhy.grad_cam(models["shortcut"], [str(path) for path in sorted(folder.rglob("*.png"))])
    answers = Counter(heatmap.source.label for heatmap in maps)
    assert found.evidence.classes == answers


def test_a_budget_draws_photos_evenly(models, scene_folder):
    found = audit(models["honest"], scene_folder(32, 92_001, KINDS, "mark"), budget=20)
    assert (found.photos, found.listed, found.passes) == (15, 32, 15)
    assert sorted(found.evidence.classes.values()) == [3, 4, 4, 4]
    assert found.verdict == "few"
    assert any("15 of 32 photos were drawn" in note for note in found.notes)


def test_a_file_that_gives_a_class_away_is_told(red_model, red_dot, tmp_path):
    """Photos of one class are smaller files of another size; where the dots lie is alike."""
    rng = np.random.default_rng(0)
    for place in range(24):
        red = place % 2 == 0
        (tmp_path / ("red" if red else "neither")).mkdir(exist_ok=True)
        size = (100, 80) if red else (80, 64)
        x, y = rng.integers(20, 60, 2).tolist()
        red_dot(size, x, y).save(tmp_path / ("red" if red else "neither") / f"{place}.png")
    found = audit(red_model, tmp_path, layer="cells")
    kinds = {(each.explained, each.kind, each.where) for each in found.suspicions}
    assert {("red", "file", "width in pixels"), ("neither", "file", "width in pixels")} <= kinds
    assert ("red", "file", "size 100 x 80") in kinds
    assert {each.explained: each.verdict for each in found.classes} == {"red": "data", "neither": "data"}
    assert found.says[0] == "Of 2 classes on 24 photos: is given away by its data: neither, red."
    (resaved,) = [each.resaved for each in found.suspicions if each.explained == "red" and each.resaved]
    assert (resaved.saving, resaved.verdict) == (("size", False, 80 * 64, 100 * 80), "stays")
    assert found.passes == 24 + 2 * 12 * 3  # those of red were scaled for either class


def test_broken_files_are_told_and_end_nothing(models, scene_folder, tmp_path):
    for place, scene in enumerate(scenes(12, 5, kinds=("car", "fish"))):
        scene.image.save(tmp_path / f"{place}.png")
    (tmp_path / "broken.png").write_text("none")
    found = audit(models["honest"], tmp_path)
    assert (found.photos, len(found.failed)) == (12, 1)
    assert found.failed[0].name.endswith("broken.png")
    assert json.loads(found.to_json())["failed"][0]["error"]
    for path in tmp_path.iterdir():
        path.write_text("none")
    with pytest.raises(BadImage):
        audit(models["honest"], tmp_path)


def test_interrupted_it_tells_what_is_known(models, scene_folder, monkeypatch):
    folder = scene_folder(32, 92_000, KINDS, "mark")
    with stoppable() as stop:
        stop.set()
        found = audit(models["shortcut"], folder)
    assert found.interrupted
    assert found.photos == found.passes == 16
    assert found.suspicions == () or all(each.planted is None for each in found.suspicions)


def test_misuse_is_told(models, scene_folder, monkeypatch):
    folder = scene_folder(32, 92_000, KINDS, "mark")
    with pytest.raises(BadParameter, match="budget"):
        audit(models["honest"], folder, budget=3)
    with pytest.raises(BadParameter, match="is not there"):
        audit(models["honest"], "no/such/folder")

    class Classless:
        name, labels, no_classes = "net", None, "it gives embeddings."

    with pytest.raises(BadParameter, match="it gives embeddings"):
        asking.audit_of(Classless(), asking.list_items(folder, None, truth="none"))


def test_amounts_of_a_regression_are_refused_for_they_are_no_classes(scene_folder):
    torch = pytest.importorskip("torch")
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    model = seewhy.wrap(torch.nn.Sequential(*layers).eval(), prepare={"size": 32, "crop": 32}, task="regression", name="ages")
    with pytest.raises(BadParameter, match="class by class, and the scores of ages are the amounts of a regression"):
        audit(model, scene_folder(32, 92_000, KINDS, "mark"), truth="none")
