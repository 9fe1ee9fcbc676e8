"""`seewhy explain` with ground truth: marks, further maps, accuracy, evidence; as a person types it."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes

pytest.importorskip("torch")
NAMES = ["a", "b", "c", "d"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    """Four photos, the first three of which are read as what they are: birds."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for seed, name in enumerate(NAMES):
        scenes(1, seed, kinds=["bird"])[0].image.save(f"photos/{name}.png")


def run(*arguments, photos="photos"):
    return CliRunner().invoke(main, ["explain", photos, "--model", "demo/honest", "--out", "out", *map(str, arguments)])


def answers() -> dict[str, int]:
    """What the network takes each photo for."""
    maps = seewhy.grad_cam(seewhy.load("demo/honest"), [f"photos/{name}.png" for name in NAMES])
    return {name: heatmap.source.predicted.index for name, heatmap in zip(NAMES, maps, strict=True)}


def truth(table="labels.csv", **classes) -> str:
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *((f"{name}.png", label) for name, label in classes.items())])
    return table


def mixed() -> tuple[dict[str, int], int]:
    """a and b as they are answered, c as another class; nothing of d.  With the answers and that other class."""
    said = answers()
    other = (said["c"] + 1) % 3
    truth(a=said["a"], b=f"{other}|{said['b']}", c=other)
    return said, other


def objects(done) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_wrong_answers_are_marked_and_explained_for_the_truth_too():
    said, other = mixed()
    labels = seewhy.load("demo/honest").labels
    done = run("--truth", "labels.csv")
    assert done.exit_code == 0, done.output
    heads = [line for line in done.stdout.splitlines() if line.startswith("photos/")]
    assert [head.split(":")[1].strip() for head in heads].count("WRONG") == 1
    assert heads[0].endswith("; right")
    assert heads[1].endswith("; right")
    assert heads[2].startswith(f"photos/c.png: WRONG: {labels[said['c']]} ({said['c']}), ")
    assert f"; truth {labels[other]} ({other}), ranked " in heads[2]
    assert heads[3].endswith("; no truth known")
    pictures = sorted(path.name.split(".")[1] for path in Path("out").glob("c.*.png"))
    assert pictures == sorted([f"{other}-{labels[other]}", f"top-1-{labels[said['c']]}"])
    assert [len([*Path("out").glob(f"{name}.*.png")]) for name in "abd"] == [1, 1, 1]
    assert "accuracy: 66.7 % (2 of 3; 95 % interval 20.8 % to 93.9 %)" in done.stdout
    assert f"  {labels[other]} ({other}) taken for {labels[said['c']]} ({said['c']})" in done.stdout
    assert "without truth: 1 photo (photos/d.png)" in done.stdout


def test_in_json_each_map_says_the_truth_and_whether_the_answer_is_right():
    said, other = mixed()
    done = run("--truth", "labels.csv", "--json")
    maps = objects(done)
    assert [(each["image"][7], each["index"]) for each in maps] == [
        *((n, said[n]) for n in "abc"),
        ("c", other),
        ("d", said["d"]),
    ]
    assert [each["right"] for each in maps] == [True, True, False, False, None]
    assert [[one["index"] for one in each["truth"]] for each in maps] == [[said["a"]], [other, said["b"]], [other], [other], []]
    assert maps[2]["truth_rank"] == rank(other)
    assert "seewhy: accuracy: 66.7 % (2 of 3" in done.stderr


def rank(index: int) -> int:
    """By a second derivation: of the class in photo c, by the probabilities of all of them."""
    model = seewhy.load("demo/honest")
    maps = seewhy.grad_cam(model, "photos/c.png", target=[*range(len(model.labels))])
    return 1 + sum(each.source.probability > maps[index].source.probability for each in maps)


def test_the_maps_of_the_truth_are_those_that_are_asked_for_by_its_name():
    _, other = mixed()
    assert run("--truth", "labels.csv").exit_code == 0
    written = {path.name: path.read_bytes() for path in Path("out").glob(f"c.{other}-*")}
    (name,) = written
    assert (
        CliRunner().invoke(main, ["explain", "photos/c.png", "-m", "demo/honest", "-t", str(other), "-o", "alone"]).exit_code
        == 0
    )
    np.testing.assert_array_equal(np.asarray(Image.open(f"out/{name}")), np.asarray(Image.open(f"alone/{name}")))


def test_truth_is_a_target_among_others():
    said, other = mixed()
    maps = objects(run("--truth", "labels.csv", "--json", "-t", "truth"))
    assert [(each["image"][7], each["target"]) for each in maps] == [
        ("a", str(said["a"])), ("b", str(other)), ("b", str(said["b"])), ("c", str(other)), ("d", "top 1"),
    ]  # fmt: skip
    maps = objects(run("--truth", "labels.csv", "--json", "-t", "top:2", "-t", "truth"))
    assert [each["target"] for each in maps if each["image"][7] == "c"] == ["top 1", "top 2", str(other)]
    maps = objects(run("--truth", "labels.csv", "--json", "-t", "top"))
    assert [each["target"] for each in maps] == ["top 1"] * 4
    assert [each["right"] for each in maps] == [True, True, False, None]


def test_folders_say_the_truth():
    labels = seewhy.load("demo/honest").labels
    said = answers()
    for name, label in (("a", labels[said["a"]]), ("b", labels[(said["b"] + 1) % 3])):
        Path("sorted", label).mkdir(parents=True)
        Path("photos", f"{name}.png").rename(f"sorted/{label}/{name}.png")
    maps = objects(run("--truth", "folders", "--json", "-r", "-t", "top", photos="sorted"))
    assert {each["image"][-5]: each["right"] for each in maps} == {"a": True, "b": False}


def test_what_cannot_be_is_refused_before_the_network_runs(monkeypatch):
    monkeypatch.setattr("seewhy.api.explain", lambda *_: pytest.fail("nothing is to be explained"))
    for arguments, words in [
        (
            ["--truth", truth(a="brid", b="brid", c="bird")],
            "of 3 photos 2 have a label that is not the model's: 'brid' (2). No class",
        ),
        (
            ["--truth", truth("other.csv", x="bird")],
            "other.csv names none of the images: it has x.png, and the images are photos/a.png",
        ),
        (["--truth", "none.csv"], "none.csv cannot be read: No such file"),
        (["-t", "truth"], "give --truth labels.csv, or --truth folders"),
        (["--boxes", truth("no-boxes.csv", a="bird")], "no-boxes.csv has the columns file, label. Boxes are read from"),
        (["--masks", "photos/a.png"], "photos/a.png is one mask for 4 images"),
    ]:
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_files_are_read_before_the_network_is_loaded(monkeypatch):
    monkeypatch.setattr("seewhy.cli.options.ModelOptions.load", lambda *_, **__: pytest.fail("no model is needed"))
    assert run("--truth", "none.csv").exit_code == 2


def test_the_evidence_in_boxes_is_that_of_the_map():
    Path("boxes.csv").write_text("file,x0,y0,x1,y1\na.png,10,12.5,50,60\nb.png,0,0,500,500\n")
    done = run("--boxes", "boxes.csv", "--json")
    a, b, *rest = objects(done)
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), "photos/a.png")
    share = heatmap.evidence_in([(10, 12.5, 50, 60)])
    assert a["evidence"] == [
        {"in": "the box", "share": share.share, "area": share.area, "ratio": share.ratio, "hit": share.hit, "seen": share.seen}
    ]
    assert "reaches beyond the photo" in b["evidence"][0]["error"]
    assert [each["evidence"] for each in rest] == [[], []]
    assert "seewhy: without an object marked: 3 photos (photos/b.png, photos/c.png, photos/d.png)" in done.stderr
    said = run("--boxes", "boxes.csv").stdout
    assert f"    in the box: {share}\n" in said
    assert "    ! the box: The box (0, 0, 500, 500) reaches beyond" in said
    shares = f"{100 * share.share:.1f} % on average, on {100 * share.area:.1f} %"
    assert f"evidence in boxes, grad-cam for top 1 at {heatmap.source.layer}: {shares}" in said
    assert "accuracy" not in said


def test_boxes_of_the_explained_class_count_and_else_all():
    said = answers()["a"]
    labels = seewhy.load("demo/honest").labels
    rows = [f"a.png,0,0,20,20,{labels[said]}", f"a.png,30,30,60,60,{labels[(said + 1) % 3]}", "a.png,1,1,9,9,unicorn"]
    Path("boxes.csv").write_text("\n".join(["file,x0,y0,x1,y1,label", *rows]))
    done = run("--boxes", "boxes.csv", "--json", "-t", said, "-t", (said + 1) % 3, "-t", (said + 2) % 3)
    first, second, third = (each["evidence"][0]["in"] for each in objects(done)[:3])
    assert first == f"the box of {labels[said]}"
    assert second == f"the box of {labels[(said + 1) % 3]}"
    assert third == f"the 3 boxes of {labels[said]}, {labels[(said + 1) % 3]}, unicorn"
    assert "seewhy: boxes have labels that are not the model's ('unicorn')" in done.stderr


def test_the_evidence_in_masks():
    size = seewhy.read("photos/a.png").pixels.size
    Path("masks").mkdir()
    marks = np.zeros(size[::-1], np.uint8)
    marks[10:40, 20:50] = 1
    Image.fromarray(marks).save("masks/a_mask.png")
    Image.fromarray(marks[1:]).save("masks/b.png")
    a, b, *_ = objects(run("--masks", "masks", "--json"))
    (heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), "photos/a.png")
    assert a["evidence"][0]["share"] == heatmap.evidence_in(mask=marks).share
    assert a["evidence"][0]["in"] == "the mask"
    assert "of different sizes" in b["evidence"][0]["error"]
    done = CliRunner().invoke(
        main, ["explain", "photos/a.png", "-m", "demo/honest", "-o", "out", "--masks", "masks/a_mask.png"]
    )
    assert "    in the mask: " in done.stdout


def test_without_ground_truth_nothing_of_it_is_said():
    done = run()
    assert not {"right", "truth", "accuracy", "evidence"} & {*done.stdout.replace(",", " ").replace(":", " ").split()}
    assert not {"right", "truth", "evidence"} & {*objects(run("--json"))[0]}


def test_two_models_end_with_how_often_they_differ():
    mixed()
    done = run("--truth", "labels.csv", "--model", "demo/shortcut")
    assert re.search(r"the models(' answers differ on \d of|give the same answers on all) ?4 photos", done.stdout), done.stdout


def test_a_mask_that_marks_nothing_is_said_to():
    Path("masks").mkdir()
    Image.fromarray(np.zeros(seewhy.read("photos/a.png").pixels.size[::-1], np.uint8)).save("masks/a.png")
    done = run("--masks", "masks")
    assert "its mask marks nothing: 1 photo (photos/a.png)" in done.stdout.splitlines()
    assert "without an object marked: 3 photos (photos/b.png, photos/c.png, photos/d.png)" in done.stdout.splitlines()


def test_help_says_where_wrong_answers_come_first():
    said = " ".join(CliRunner().invoke(main, ["explain", "--help"]).stdout.split())
    assert "come first on the sheet" in said
