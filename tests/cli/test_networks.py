"""`seewhy explain` of several networks: side by side on the sheet, told apart by names of files, each with its labels."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from seewhy.cli.app import main
from support.files.birds import photo

pytest.importorskip("torch")
OUT = Path("out")
BOTH = ("--model", "demo/honest", "--model", "demo/shortcut")


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *map(str, arguments), "--out", "out"])


def test_two_networks_stand_side_by_side():
    Path("bad.png").write_bytes(b"no picture")
    done = run(photo("a.png"), photo("b.png", 1), "bad.png", *BOTH)
    assert done.exit_code == 1
    names = sorted(path.name for path in OUT.glob("*.grad-cam.*png"))
    assert [re.sub("top-1-[a-z]+.body.", "", name) for name in names] == [
        f"{letter}.grad-cam.of-demo-{model}.png" for letter in "ab" for model in ("honest", "shortcut")
    ]
    text = (OUT / "index.html").read_text("utf-8")
    assert re.findall('<th scope="col">([^<]*)', text) == ["photo", "demo/honest", "demo/shortcut"]
    assert re.findall('data-name="([^"]*)"', text) == ["a.png", "b.png", "bad.png"]
    assert re.findall('data-maps="([^"]*)"', text) == ["2", "2", "0"]
    assert len(re.findall('<p class="">demo/(?:honest|shortcut): ', text)) == 4
    assert "demo/honest: bad.png is not an image" in text
    assert [line for line in done.stdout.splitlines() if line.startswith("demo/")] == ["demo/honest:", "demo/shortcut:"]


def test_weights_of_each_and_one_for_all():
    done = run(
        photo("a.png"), "--model", "demo/honest", "--model", "demo/honest", "--weights", "", "--weights", "random", "--json"
    )
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    text = (OUT / "index.html").read_text("utf-8")
    assert len({*re.findall('<th scope="col">([^<]*)', text)}) == 3
    assert "demo/honest random: " in text
    assert "demo/honest as it is: " in text


def test_networks_that_call_themselves_alike_are_told_apart():
    Path("nets.py").write_text(
        "import seewhy\n"
        "def net(kind):\n"
        "    model = seewhy.load(f'demo/{kind}')\n"
        "    model.name = 'mine'\n"
        "    return model\n"
        "one, two = net('honest'), net('shortcut')\n"
    )
    done = run(photo("a.png"), "--model", "nets.py:one", "--model", "nets.py:two")
    assert done.exit_code == 0, done.output
    text = (OUT / "index.html").read_text("utf-8")
    assert re.findall('<th scope="col">([^<]*)', text) == ["photo", "nets.py:one", "nets.py:two"]
    assert re.findall('data-maps="([^"]*)"', text) == ["2"]


def test_what_cannot_be_meant_is_misuse():
    photo("a.png")
    twice = run("a.png", "--model", "demo/honest", "--model", "demo/honest")
    assert (twice.exit_code, "named twice" in twice.stderr) == (2, True)
    many = run("a.png", *BOTH, "--weights", "a", "--weights", "b", "--weights", "c")
    assert (many.exit_code, "--weights is given 3 times for 2 models" in many.stderr) == (2, True)
    again = run("a.png", "--model", "demo/honest", "--labels", "a", "--labels", "b")
    assert (again.exit_code, "--labels is given 2 times for 1 model:" in again.stderr) == (2, True)


def test_an_index_that_means_other_classes_is_said(tmp_path):
    other = tmp_path / "names.txt"
    other.write_text("\n".join(f"thing {i}" for i in range(10)))
    done = run(photo("a.png"), *BOTH, "--labels", "", "--labels", other, "-t", "3")
    assert done.exit_code == 0, done.output
    assert "seewhy: class 3 is not the same in all models: cup in demo/honest; thing 3 in demo/shortcut" in done.stderr
    refused = run("a.png", *BOTH, "--labels", "", "--labels", other, "-t", "cup")
    assert refused.exit_code == 2
    assert "demo/shortcut" in refused.stderr


def test_one_network_is_as_ever():
    done = run(photo("a.png"), "--model", "demo/honest")
    assert done.exit_code == 0
    assert not [path for path in OUT.iterdir() if ".of-" in path.name]
    assert not done.stdout.startswith("demo/honest:")


CLIPS = """
import torch, seewhy

def net():
    torch.manual_seed(0)
    pooled = torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3)
    layers = torch.nn.Conv3d(3, 4, 3, 2, 1), torch.nn.ReLU(), *pooled
    return torch.nn.Sequential(*layers).eval(), seewhy.ClipFit(seewhy.load("demo/honest").prepare, 2)
"""


def test_a_folder_of_frames_is_one_clip_to_a_network_of_clips():
    photo("frames/1.png"), photo("frames/2.png", 1)
    Path("nets.py").write_text(CLIPS)
    done = run("frames", "--model", "nets.py:net")
    assert done.exit_code == 0, done.output
    assert [line.split(":")[0] for line in done.stdout.splitlines() if ": class " in line] == ["frames"]
