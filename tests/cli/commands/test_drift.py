"""`seewhy drift`: two models on the same photos, worst first, with pictures and bounds for CI."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.demo.scenes import scene
from support.strict_json import strict


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """A folder with three photos, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for index in range(3):
        scene(index, seed=20_000).image.save(tmp_path / "photos" / f"{index}.png")
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, ["drift", *map(str, words)])


def test_the_worst_photo_is_first_in_table_json_csv_and_pictures(inside):
    done = run("demo/honest", "demo/shortcut", "photos", "--method", "grad-cam", "--worst", 2)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[:3] == ["A: demo/honest", "B: demo/shortcut", "grad-cam for top 1"]
    head = lines.index(next(line for line in lines if line.startswith("photo ")))
    shown = [line.split()[0] for line in lines[head + 1 : head + 3]]
    found = seewhy.drift(seewhy.load("demo/honest"), seewhy.load("demo/shortcut"), sorted((inside / "photos").iterdir()))
    assert shown == [f"photos/{photo.place}.png" for photo in found[:2]]
    assert lines[head + 3] == "(2 of 3 photos; all are in seewhy-drift/drift.csv)"
    assert lines[-2:] == [f"-> seewhy-drift/{photo.place}.drift.grad-cam.png" for photo in found[:2]]
    said = strict((inside / "seewhy-drift" / "drift.json").read_text())
    assert [photo["energy_shift"] for photo in said["photos"]] == pytest.approx([photo.energy_shift for photo in found])
    with (inside / "seewhy-drift" / "drift.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["image"] for row in rows] == [photo["image"] for photo in said["photos"]]
    assert sorted(path.name for path in (inside / "seewhy-drift").iterdir()) == sorted(
        ["drift.json", "drift.csv", *(f"{photo.place}.drift.grad-cam.png" for photo in found[:2])]
    )
    with Image.open(inside / "seewhy-drift" / f"{found[0].place}.drift.grad-cam.png") as picture:
        assert picture.width > 1600


def test_json_is_one_object_and_that_of_the_file(inside):
    done = run("demo/honest", "demo/honest", "photos/0.png", "--json", "-o", "out")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    said = strict(line)
    assert said == json.loads((inside / "out" / "drift.json").read_text())
    assert said["method"] == "grad-cam"
    assert said["method_why"] == "the first of grad-cam, recipro-cam, occlusion that both can do"
    assert said["summary"]["min_spearman"] == 1
    assert said["summary"]["max_energy_shift"] == 0


def test_bounds_decide_the_exit_code(inside):
    words = ("photos", "--method", "grad-cam", "-o", "out", "-n", 1)
    same = run("demo/honest", "demo/honest", *words, "--fail-under", 1, "--max-energy-shift", 0)
    assert (same.exit_code, same.stderr) == (0, "")
    moved = run("demo/honest", "demo/shortcut", *words, "--max-energy-shift", 0.001)
    assert moved.exit_code == 1
    first, last = moved.stderr.splitlines()
    assert "energy shift 0." in first
    assert first.endswith("> 0.001")
    assert last == "seewhy: 3 of 3 photos do not keep the bounds."
    low = run("demo/honest", "demo/shortcut", *words, "--fail-under", 0.9999)
    assert low.exit_code == 1
    assert "Spearman" in low.stderr


@pytest.mark.parametrize("bound", ["--fail-under", "--max-energy-shift"])
def test_a_bound_that_is_no_number_is_refused(bound, inside):
    for value in ("nan", "2", "x"):
        assert run("demo/honest", "demo/honest", "photos", bound, value).exit_code == 2


def test_a_bad_photo_never_ends_the_rest(inside):
    (inside / "photos" / "1.png").write_bytes(b"no picture")
    done = run("demo/honest", "demo/shortcut", "photos", "-o", "out")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "seewhy: 1 of 3 photos failed: photos/1.png"
    said = strict((inside / "out" / "drift.json").read_text())
    assert sorted(photo["image"] for photo in said["photos"]) == ["photos/0.png", "photos/2.png"]
    assert [left["image"] for left in said["failed"]] == ["photos/1.png"]
    assert "2 photos: top-1 agreement" in done.stdout


def test_pictures_of_a_drift_are_no_photos_and_are_made_again(inside):
    for _again in range(2):
        done = run("demo/honest", "demo/honest", "photos", "-o", "photos", "-n", 3)
        assert done.exit_code == 0, done.output
        assert "3 photos: top-1 agreement" in done.stdout
    names = {path.name for path in (inside / "photos").iterdir()}
    assert names == {"drift.json", "drift.csv", *(f"{i}.png" for i in range(3)), *(f"{i}.drift.grad-cam.png" for i in range(3))}


def test_photos_of_one_name_and_files_of_others_are_not_written_over(inside):
    (inside / "more").mkdir()
    scene(5, seed=20_000).image.save(inside / "more" / "0.png")
    (inside / "out").mkdir()
    (inside / "out" / "0.drift.grad-cam.png").write_bytes(b"mine")
    done = run("demo/honest", "demo/honest", "photos/0.png", "more/0.png", "-o", "out")
    assert done.exit_code == 0, done.output
    assert (inside / "out" / "0.drift.grad-cam.png").read_bytes() == b"mine"
    assert {path.name for path in (inside / "out").glob("*.png")} == {f"0.drift.grad-cam{n}.png" for n in ("", "-2", "-3")}


def test_options_of_one_model_are_not_those_of_the_other(inside):
    (inside / "names.txt").write_text("\n".join(["background", *(seewhy.load("demo/honest").labels or ())]))
    done = run("demo/honest", "demo/honest", "photos/0.png", "--prepare-b", "mean=0.1", "--json", "-o", "out")
    (photo,) = strict(done.stdout)["photos"]
    assert photo["score_change"] != 0
    same = run("demo/honest", "demo/honest", "photos/0.png", "--prepare", "mean=0.1", "--json", "-o", "out")
    assert strict(same.stdout)["photos"][0]["score_change"] == 0
    labels = run("demo/honest", "demo/honest", "photos/0.png", "--labels-b", "names.txt", "-o", "out")
    assert "  ! demo/honest has 11 labels for 10 scores: classes are matched by their numbers" in labels.stdout


def test_the_same_class_is_explained_where_it_is_named(inside):
    done = run("demo/honest", "demo/shortcut", "photos", "--target", "bird", "--json", "-o", "out")
    assert done.exit_code == 0, done.output
    for photo in strict(done.stdout)["photos"]:
        assert (photo["a"]["label"], photo["b"]["label"]) == ("bird", "bird")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["photos", "--target", "top:2"], "are several; one is compared"),
        (["photos", "--set", "signed=true"], "give --method"),
        (["photos", "--method", "grad-cat"], "No method 'grad-cat'"),
        (["photos", "--layer", "nowhere"], "No layer 'nowhere'"),
        (["photos/none.png"], "none.png"),
    ],
)
def test_what_cannot_be_asked_is_refused(words, said, inside):
    done = run("demo/honest", "demo/honest", *words)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_a_function_is_compared_by_what_both_can_do(inside):
    (inside / "function.py").write_text(
        "import numpy as np, seewhy\nlabels = seewhy.load('demo/honest').labels\n"
        "def f(x):\n    return x.mean((1, 2)) @ np.eye(3, len(labels))\n"
        "model = seewhy.wrap(f, name='f', takes='uint8', prepare={'size': 32, 'crop': 32}, labels=labels)\n"
    )
    words = ("demo/honest", "function.py:model", "photos/0.png", "-o", "out")
    done = run(*words, "--set", "window=16", "--method", "occlusion")
    assert done.exit_code == 0, done.output
    assert "  ! A explains logits, B as given" in done.stdout
    refused = run(*words, "--method", "grad-cam")
    assert refused.exit_code == 2
    assert "f gives scores only. " in refused.stderr
    assert "Both can do occlusion, " in refused.stderr


def test_only_the_worst_photos_stay_in_memory(inside, monkeypatch):
    kept = []
    from seewhy.comparison.drift import Comparison

    usual = Comparison.drift

    def drift(self, photos, failed=()):
        kept.extend(photos)
        return usual(self, photos, failed)

    monkeypatch.setattr(Comparison, "drift", drift)
    assert run("demo/honest", "demo/shortcut", "photos", "-n", 1, "-o", "out").exit_code == 0
    assert sorted(photo.a.image is None for photo in kept) == [False, True, True]
    assert all(np.isfinite(photo.energy_shift) for photo in kept)


def test_where_nothing_can_be_compared_that_is_all_that_is_said(inside):
    (inside / "bad.png").write_bytes(b"no picture")
    (inside / "empty").mkdir()
    done = run("demo/honest", "demo/honest", "bad.png", "empty", "-o", "out", "--fail-under", 0.5)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[2:] == ["auto for top 1", "no photo could be compared"]
    said = strict((inside / "out" / "drift.json").read_text())
    assert {left["image"] for left in said["failed"]} == {"bad.png", "empty"}
    assert said["summary"]["failed"] == 2
