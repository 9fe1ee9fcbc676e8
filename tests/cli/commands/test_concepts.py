"""`seewhy concepts`: a page, a picture and numbers of what a layer is made of on a folder of photos."""

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli import app as command
from seewhy.inside.concepts import discovering

ASKED = ["-n", "2", "--samples", "2"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for i, scene in enumerate(seewhy.demo.scenes(6, 3)):
        scene.image.save(folder / f"{i}.png")
    return folder


def run(*words: object):
    return CliRunner().invoke(command.main, ["concepts", *map(str, words)])


def test_page_picture_and_numbers_are_those_of_python(scenes, tmp_path):
    out = [tmp_path / f"c{suffix}" for suffix in (".html", ".png", ".npz")]
    done = run("demo/honest", scenes, *ASKED, *(word for path in out for word in ("-o", path)))
    assert done.exit_code == 0, done.output
    assert all(path.is_file() for path in out)
    expected = seewhy.concepts(seewhy.load("demo/honest"), scenes, count=2, samples=2)
    assert seewhy.Concepts.load(out[2]).says == expected.says
    assert [line for line in done.stdout.splitlines() if line.startswith("-> ")] == [f"-> {path}" for path in out]
    words = " ".join(done.stdout.split())
    assert all(line in words for line in expected.says)
    mean = expected.importances[0].mean()
    rows = done.stdout.splitlines()[-2:]
    for k, row in enumerate(rows):
        assert row.split()[:4] == [str(k + 1), f"{100 * expected.shares[k]:.0f}", "%", f"{mean.mean[k]:.2f},"]
        assert row.endswith(f"{expected.importances[0].changed[k]} of 6")


def test_json_is_one_object_and_files_are_told_beside_it(scenes, tmp_path):
    done = run("demo/honest", scenes, *ASKED, "--json", "-o", tmp_path / "c.npz", "--crops", "0.5", "-t", "top")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["settings"]["crops"] == 0.5
    assert [each["concept"] for each in facts["concepts"]] == [1, 2]
    assert f"-> {tmp_path / 'c.npz'}" in done.stderr


def test_a_broken_photo_is_told_and_ends_nothing(scenes, tmp_path):
    for path in scenes.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.png").write_text("no photo")
    done = run("demo/honest", tmp_path, *ASKED, "--json")
    assert done.exit_code == 1
    facts = json.loads(done.stdout)
    assert facts["photos"] == 6
    assert [Path(each["photo"]).name for each in facts["failed"]] == ["broken.png"]


def test_who_interrupts_gets_what_is_done(scenes, tmp_path, monkeypatch):
    usual = discovering.measured_photo

    def measured(*given):
        signal.raise_signal(signal.SIGINT)
        return usual(*given)

    monkeypatch.setattr(discovering, "measured_photo", measured)
    done = run("demo/honest", scenes, *ASKED, "-o", tmp_path / "c.npz")
    assert done.exit_code == 130
    assert "ending with what is done" in done.stderr
    assert "stopped early: importance was measured in 1 of 6 photos" in seewhy.Concepts.load(tmp_path / "c.npz").notes


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "Say where it goes: -o concepts.html"),
        (["-o", "c.pdf"], "concepts are written as .html, .png or .npz"),
        (["--json", "-t", "bird", "-n", "2"], "of 6 photos are taken for bird, and concepts take 5 at least"),
        (["--json", "-n", "65"], "count=65: the layer has 64 channels"),
        (["--json", "-l", "nowhere"], "nowhere"),
    ],
    ids=["nothing", "suffix", "few", "count", "layer"],
)
def test_what_cannot_be_asked(scenes, words, why):
    done = run("demo/honest", scenes, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.split())
