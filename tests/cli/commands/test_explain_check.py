"""`seewhy explain --check`: does a contrast hold?"""

import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli.app import main
from seewhy.demo.scenes import scene
from seewhy.metrics.contrast import contrast_check
from support.strict_json import strict


@pytest.fixture
def picture(tmp_path):
    """A drawn bird or car or whatever scene 0 shows, beside another thing."""
    drawn = scene(0, seed=20_000, pair=True)
    path = tmp_path / "two.png"
    drawn.image.save(path)
    return path, drawn


def run(picture, *words):
    path, _ = picture
    where = ["--model", "demo/honest", "--out", str(path.parent / "out"), "--no-sheet"]
    return CliRunner().invoke(main, ["explain", str(path), *where, *map(str, words)])


def test_the_sentence_is_that_of_the_library_and_other_maps_have_none(picture):
    path, drawn = picture
    asked = f"{drawn.label}-vs-{drawn.other}"
    done = run(picture, "--target", asked, "--target", "top", "--check")
    assert done.exit_code == 0, done.output
    model = seewhy.load("demo/honest")
    heatmap = seewhy.grad_cam(model, str(path), target=asked)[0]
    said = [line.strip() for line in done.stdout.splitlines() if line.startswith("    check ")]
    assert said == [f"check {contrast_check(model, str(path), heatmap)}"]


def test_json_has_the_checks_of_each_map(picture):
    _, drawn = picture
    done = run(picture, "--target", f"{drawn.label}-vs-{drawn.other}", "--target", "top", "--check", "--json")
    contrast, one, other, top = (strict(line) for line in done.stdout.splitlines())
    (check,) = contrast["checks"]
    assert [one["index"], other["index"]] == [drawn.label, drawn.other]  # the maps of both stand beside their contrast
    assert one["checks"] == other["checks"] == []
    assert check["name"] == "contrast"
    assert check["settings"]["placements"] == 39
    assert top["checks"] == []
    assert "checks" not in strict(run(picture, "--json").stdout)


def test_what_cannot_be_found_out_is_told_and_the_map_is_written(picture):
    _, drawn = picture
    done = run(picture, "--target", f"{drawn.label}-vs-{drawn.other}", "--tile", 64, "--check")
    assert done.exit_code == 0
    assert "check contrast: grey." in done.stdout
    assert "joined from tiles" in done.stdout


def test_a_class_that_is_asked_for_anyway_is_explained_once(picture):
    _, drawn = picture
    done = run(picture, "--target", f"{drawn.label}-vs-{drawn.other}", "--target", drawn.name, "--check", "--json")
    assert [strict(line)["index"] for line in done.stdout.splitlines()][1:] == [drawn.label, drawn.other]


def test_without_a_contrast_it_is_misuse(picture):
    done = run(picture, "--target", "top", "--check")
    assert done.exit_code == 2
    assert "--target A-vs-B" in done.stderr


def test_without_a_contrast_no_network_is_loaded(picture, tmp_path):
    path, _ = picture
    done = CliRunner().invoke(main, ["explain", str(path), "--model", str(tmp_path / "no.pth"), "--check", "-o", str(tmp_path)])
    assert (done.exit_code, "--target A-vs-B" in done.stderr) == (2, True)


def test_the_record_has_the_check_and_verify_runs_it_again(picture):
    path, drawn = picture
    done = run(picture, "--target", f"{drawn.label}-vs-{drawn.other}", "--check", "--record")
    (said,) = [line.strip() for line in done.stdout.splitlines() if line.startswith("    check ")]
    (record,) = (path.parent / "out").glob("*vs*.record.json")
    assert len([*(path.parent / "out").glob("*.record.json")]) == 3
    again = CliRunner().invoke(main, ["verify", str(record)])
    assert again.exit_code == 0, again.output
    assert said in [line.strip() for line in again.stdout.splitlines()]
