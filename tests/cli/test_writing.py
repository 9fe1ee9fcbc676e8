"""Which files are written of a map, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import pytest

import seewhy
from seewhy.cli.writing import NUMBERS, VIEWS, Outputs, PhotoResult, place, print_json, print_text, writer
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted
from seewhy.pictures import canvas

VALUES = [[0.0, 1.0], [2.0, 3.0]]


def outputs(**other):
    plain = {"pictures": ("overlay",), "views": ("panel",), "overlay": {"alpha": 0.5}, "window": None, "legend": True}
    return Outputs(**{**plain, "values": False, **other})


def test_the_views_of_a_volume_are_those_that_are_drawn():
    assert sorted(VIEWS) == sorted(canvas.VIEWS)


@pytest.mark.parametrize(
    ("other", "endings"),
    [({}, [".png"]), ({"values": True}, [".png", NUMBERS]), ({"pictures": ("overlay", "overlay")}, [".png"]),
     ({"pictures": ("grey",)}, [".png"])],
)  # fmt: skip
def test_the_files_of_a_photos_map(made_heatmap, other, endings):
    """A picture that the map has none of gives way to the overlay; the numbers come last."""
    assert [*outputs(**other).writers(made_heatmap(VALUES))] == endings


def test_the_files_of_a_volumes_map(made_source):
    volume = seewhy.Volume(np.arange(64.0).reshape(4, 4, 4), np.eye(4))
    heatmap = seewhy.Heatmap(np.ones((2, 2, 2), np.float32), volume, seewhy.VolumeFit().box(volume), made_source())
    assert [*outputs(views=("panel", "axial"), values=True).writers(heatmap)] == [".png", ".axial.png", ".nii.gz", NUMBERS]


def test_a_file_holds_the_map_and_is_written_over_only_if_that_was_asked_for(made_heatmap, tmp_path):
    heatmap, path = made_heatmap(VALUES), tmp_path / "a.npz"
    write = writer(heatmap)
    write(path, False)
    assert seewhy.Heatmap.source_of(path) == heatmap.source
    with np.load(path) as file:
        assert file["values"].tolist() == VALUES
    with pytest.raises(seewhy.NotWritten):
        write(path, False)
    write(path, True)


def result(heatmap, path, predicted=None):
    return PhotoResult("cat.jpg", predicted, [(heatmap, [path / "a.png", path / "b.png"])], {})


def test_lines_of_text(made_heatmap, tmp_path, capsys):
    print_text(result(made_heatmap(VALUES, measured={"error_share": 0.123456}), tmp_path, Predicted(281, "tabby", 0.75)))
    head, line, measured, *warnings = capsys.readouterr().out.splitlines()
    assert head == "cat.jpg: tabby (281), 75.0 %"
    assert line == f"  grad-cam  top 1: tabby, tabby cat  logit 7.25, 75.0 %  at layer4  -> {tmp_path}/a.png, b.png"
    assert measured == "    error share 0.1235"
    assert warnings == ["    ! one", "    ! two"]


def test_what_is_not_known_is_not_said(made_heatmap, tmp_path, capsys):
    print_text(result(made_heatmap(VALUES, label=None, score=None, probability=None, warnings=()), tmp_path))
    assert capsys.readouterr().out.splitlines() == [
        "cat.jpg: no classes", f"  grad-cam  top 1  at layer4  -> {tmp_path}/a.png, b.png",
    ]  # fmt: skip
    print_text(result(made_heatmap(VALUES), tmp_path, Predicted(3, None, 0.5)))
    assert capsys.readouterr().out.startswith("cat.jpg: class 3, 50.0 %\n")


def test_lines_of_json(made_heatmap, tmp_path, capsys):
    heatmap = made_heatmap(VALUES)
    print_json(result(heatmap, tmp_path, Predicted(3, "cat", 0.5)))
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"] == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert facts["file"] == facts["files"][0]
    assert facts["box"] == [0, 0, 40, 30]
    assert facts["predicted"] == {"index": 3, "label": "cat", "probability": 0.5}
    assert (facts["method"], facts["layer"], facts["score"]) == ("grad-cam", "layer4", 7.25)
    print_json(result(heatmap, tmp_path))
    assert json.loads(capsys.readouterr().out)["predicted"] is None


def test_where_a_map_lies():
    assert place(Extent(0, 1, 2, 3)) == [0, 1, 2, 3]


def test_an_answer_by_random_weights_is_not_presented_as_one(made_heatmap, capsys):
    heatmap = made_heatmap(VALUES, weights="random, seed 0")
    print_text(PhotoResult("cat.jpg", Predicted(1, "tabby", 0.957), [(heatmap, [Path("a.png")])], {}))
    assert capsys.readouterr().out.splitlines()[0] == "cat.jpg: tabby (1), 95.7 % (by random weights: no answer)"
