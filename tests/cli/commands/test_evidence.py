"""`seewhy evidence`: where the evidence of photos lies, on the command line."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from seewhy.cli.app import main
from seewhy.demo.scenes import scenes
from support.strict_json import strict


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Sixteen scenes in folders named by what they show, the birds stamped, and a table of boxes on the stamps."""
    folder = tmp_path_factory.mktemp("evidence") / "photos"
    rows = ["file,x0,y0,x1,y1"]
    for place, scene in enumerate(scenes(16, 40_000, kinds=("bird", "car"), shortcut="mark")):
        path = folder / scene.name / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene.image.save(path)
        if scene.mark.any():
            ys, xs = scene.mark.nonzero()
            rows.append(f"{path.name},{xs.min()},{ys.min()},{xs.max() + 1},{ys.max() + 1}")
    (folder.parent / "stamps.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(*words):
    return CliRunner().invoke(main, ["evidence", *map(str, words)])


def test_the_stamp_is_found_told_written_and_drawn(photos, tmp_path):
    out = tmp_path / "out"
    done = run("demo/shortcut", photos, "-r", "--in", f"box:{photos.parent / 'stamps.csv'}", "--in", "border", "--search",
               "--truth", "folders", "-o", out)  # fmt: skip
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "grad-cam for top 1 of demo/shortcut, 16 photos"
    (found,) = [line for line in lines if line.startswith("found: bird: ")]
    assert "its 3 mirror images" in found
    assert any("MORE" in line and line.split()[1] == "bird" for line in lines)
    assert any("nothing of it is known" in line and "8 of 16" in line for line in lines)  # cars have no stamp
    assert lines[-1].startswith(f"-> {out / 'evidence.json'}, evidence.csv, bird.evidence.grad-cam.png")
    written = sorted(path.name for path in out.iterdir())
    assert {"bird.evidence.grad-cam.png", "evidence.csv", "evidence.json"} <= {*written}
    said = strict((out / "evidence.json").read_text())
    stamp = said["regions"][0]
    assert (stamp["explained"], stamp["verdict"]) == ("bird", "more")
    assert stamp["share"] > 3 * stamp["area"]
    (bird,) = [pile for pile in said["search"] if pile["explained"] == "bird"]
    assert {example["image"].rpartition("/")[0] for example in bird["examples"]} == {str(photos / "bird")}
    again = run("demo/shortcut", photos, "-r", "--in", "border", "--search", "-o", out)
    assert again.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == written  # pictures of an earlier run are replaced


def test_json_and_csv_are_those_of_the_files(photos, tmp_path):
    out = tmp_path / "out"
    done = run("demo/honest", photos / "car", "--in", "corner:se", "--json", "-o", out)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == json.loads((out / "evidence.json").read_text())
    done = run("demo/honest", photos / "car", "--in", "corner:se", "--csv", "-o", out)
    assert done.stdout == (out / "evidence.csv").read_text()
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["within"], row["explained"], row["photos"]) == ("corner:se:0.25", "car", "8")


def test_where_all_fail_each_is_said_once(photos, tmp_path):
    names = [tmp_path / name for name in ("a.png", "b.png")]
    done = run("demo/honest", *names, "--in", "border", "-o", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (1, "")
    assert sorted(done.stderr.splitlines()) == [f"seewhy: {name} is not there." for name in names]


def test_a_photo_that_fails_is_named_and_the_others_are_told(photos, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    done = run("demo/honest", photos / "car", tmp_path / "no.png", "--in", "border", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "8 photos" in done.stdout
    assert "1 of 9 photos failed" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--search"),
        (["--in", "rim"], "corner:ne"),
        (["--in", "outside-object"], "--boxes or --masks"),
        (["--in", "border", "--json", "--csv"], "give one of them"),
        (["--in", "border", "--target", "top:2"], "several"),
    ],
)
def test_misuse_ends_with_two_and_says_what_there_is(photos, tmp_path, words, said):
    done = run("demo/honest", photos / "car", *words, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_no_region_is_refused_before_a_network_is_loaded(photos, tmp_path):
    for region, words in (("nowhere", "'nowhere' is no region"), ("outside-object", "--boxes or --masks"),
                          (f"box:{tmp_path / 'no.csv'}", "no.csv")):  # fmt: skip
        done = run(tmp_path / "no.pth", photos, "-r", "--in", region, "-o", tmp_path / "out")
        assert done.exit_code in (1, 2)
        assert words in done.stderr
        assert "no.pth" not in done.stderr
        assert not (tmp_path / "out").exists()
