"""Two runs compared as a whole."""

from dataclasses import replace

import numpy as np
import pytest

import seewhy
from seewhy.dataset.comparing.comparing_runs import compare_runs
from seewhy.dataset.dataset_run import open_run
from seewhy.dataset.info import read_info, write_info
from seewhy.errors import BadParameter, SeewhyError


def test_what_the_honest_network_does_otherwise_is_told(two_runs):
    a, b = two_runs
    found = compare_runs(a, b)
    assert len(found.photos) == 24
    rows = {path.name: [*open_run(path).photos()] for path in two_runs}
    right = {name: np.array([photo.right for photo in photos]) for name, photos in rows.items()}
    assert found.answers.before.part == right["shortcut"].sum()
    assert found.answers.after.part == right["honest"].sum()
    assert found.answers.fixed == (right["honest"] & ~right["shortcut"]).sum()
    bird = next(each for each in found.classes if each.label == "bird")
    others = [each for each in found.classes if each.label != "bird"]
    assert bird.shift.mean > 0.8  # from the stamp to the bird
    assert bird.shift.mean > max(each.shift.mean for each in others)
    assert bird.looks_elsewhere
    assert not any(each.looks_elsewhere for each in others)
    assert found.classes[0].label == "bird"
    assert any(line.startswith("bird: it looks elsewhere") for line in found.says)
    assert found.border.mean < 0
    assert any(line.startswith("By ") and "less of the evidence lies at the border" in line for line in found.says)


def test_photos_that_changed_most_come_first(two_runs):
    photos = compare_runs(*two_runs).photos
    same = [photo.looks.energy_shift for photo in photos if photo.change == "same"]
    assert same == sorted(same, reverse=True)
    kinds = [photo.change for photo in photos]
    assert kinds == sorted(kinds, key=("broken", "fixed", "other", "same").index)


def test_a_run_beside_itself_has_no_difference(two_runs):
    found = compare_runs(two_runs[0], two_runs[0])
    assert found.counts["same"] == 24
    assert found.shift.mean == pytest.approx(0, abs=1e-6)
    assert (found.answers.fixed, found.answers.broken, found.answers.p) == (0, 0, 1)
    assert "both runs are of the same weights" in found.notes
    assert not any(each.looks_elsewhere for each in found.classes)


def test_what_differs_between_the_runs_is_said(two_runs, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(two_runs[1], other)
    info = read_info(other)
    write_info(other, replace(info, layer="body.5", methods=({"name": "rise", "params": {}},)))
    found = compare_runs(two_runs[0], other)
    assert found.method is None
    assert any("layers differ" in note for note in found.notes)
    assert any("A has grad-cam, B rise" in note for note in found.notes)
    assert all(photo.looks is None for photo in found.photos)
    with pytest.raises(BadParameter, match="not one of both runs"):
        compare_runs(two_runs[0], other, "grad-cam")
    write_info(other, replace(info, labels=("x", "y")))
    with pytest.raises(BadParameter, match="share no label"):
        compare_runs(two_runs[0], other)


def test_runs_over_other_photos_are_refused(two_runs, stored_run):
    folder = stored_run()
    write_info(folder, replace(read_info(folder), labels=None))
    with pytest.raises(BadParameter, match="share no photo"):
        compare_runs(two_runs[0], folder)
    with pytest.raises(SeewhyError, match="no run"):
        compare_runs(two_runs[0], folder.parent)
    assert seewhy.compare_runs is compare_runs
