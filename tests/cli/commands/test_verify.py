"""`seewhy verify`, as a person types it, also in another process than the one that drew the maps."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import seewhy
from seewhy.cli import app as command
from seewhy.maps.record import recorded
from support.ask import asked

NETS = """
import torch
from torch import nn

def net(width=4):
    torch.manual_seed(0)
    body = [nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU()]
    network = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))
    return network, {"size": 32, "crop": 32, "mean": 0.5, "std": 0.5}, list("abcde")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((60, 50), Image.Resampling.BICUBIC).save("cat.png")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(command.main, [*map(str, arguments)])


def verify(*arguments):
    """As by a person who trusts who made the maps: they name nets.py."""
    return run("verify", "--trust", *arguments)


def drawn(*more) -> list[str]:
    done = run("explain", "cat.png", "--model", "nets.py:net", "--out", "out", "--json", *more)
    assert done.exit_code == 0, done.output
    return [file for line in done.stdout.splitlines() for file in json.loads(line)["files"]]


def test_maps_are_verified_by_what_they_say_of_themselves(here):
    files = drawn("--method", "grad-cam", "--method", "gradient", "--picture", "overlay", "--picture", "grey", "--values")
    done = verify(*files)
    assert done.output.splitlines() == [f"{file}: the same, bit for bit" for file in files]
    assert done.exit_code == 0
    assert len(files) == 3


def test_the_maps_of_all_methods_are_the_same_in_another_process(here):
    """All but those that need attention; each network is loaded once."""
    model = seewhy.load("nets.py:net")
    names = [name for name in seewhy.METHODS if name not in ("attention-rollout", "transformer-relevance", "le-grad")]
    few = [asked(name) for name in names]
    files = [str(found.save(f"{found.source.method}.png")) for found in seewhy.explain(model, "cat.png", few)]
    assert len(files) == len(names) > 30
    ran = subprocess.run(
        [sys.executable, "-m", "seewhy", "verify", "--trust", "--json", *files], capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["file"] for line in lines] == files, ran.stderr
    assert [line["file"] for line in lines if line["faults"]] == []
    assert {line["same"] for line in lines} <= {"bit for bit", "to rounding"}
    assert ran.returncode == 0


def test_another_model_is_different_and_the_exit_code_says_so(here):
    files = drawn()
    done = verify(*files, "--model", "nets.py:net", "--option", "width=6")
    assert done.exit_code == 1
    assert f"{files[0]}: different" in done.output
    assert "    values differ by up to " in done.output
    assert "    the weights are not those that the file names (SHA-256 " in done.output
    assert verify(*files, "--model", "nets.py:net").exit_code == 0


def test_another_image_and_one_that_moved(here):
    (file,) = drawn()
    (here / "elsewhere").mkdir()
    (here / "cat.png").rename("elsewhere/cat.png")
    done = verify(file)
    assert done.exit_code == 1
    assert "cat.png is no file here: give the image that was explained, --image FILE." in done.output
    assert verify(file, "--image", "elsewhere/cat.png").exit_code == 0
    Image.open("elsewhere/cat.png").transpose(Image.Transpose.ROTATE_180).save("cat.png")
    done = verify(file)
    assert done.exit_code == 1
    assert "    the image's pixels are not those that the file names (SHA-256 " in done.output


def test_the_sheet_beside_the_maps_is_left_out(here):
    (file,) = drawn("--legend")
    run("explain", "cat.png", "--model", "nets.py:net", "--out", "out")
    done = verify(*sorted(map(str, (here / "out").glob("*.png"))))
    assert done.exit_code == 0, done.output
    assert f"{file.rpartition('/')[2]}: the same, bit for bit" in done.output
    if (here / "out" / "sheet.png").exists():
        assert "left out, as it shows many maps: " in done.output


def test_json_says_all_that_is_other(here):
    (file,) = drawn()
    (line,) = verify(file, "--json").stdout.splitlines()
    assert json.loads(line) == {
        "file": file, "same": "bit for bit", "faults": [], "differences": [], "largest": 0.0,
        "spearman": pytest.approx(1), "energy_shift": 0.0, "where": None, "parts": [], "unchecked": [], "checks": [],
        "signed": None,
    }  # fmt: skip


def test_exact_takes_no_rounding_for_the_same(here):
    (file,) = drawn()
    path = here / "near.npz"
    (found,) = seewhy.grad_cam(seewhy.load("nets.py:net"), "cat.png")
    recorded(replace(found, values=found.values * np.float32(1 + 1e-6))).save(path)
    assert "near.npz: the same to rounding (values differ by up to " in verify("near.npz").output
    assert verify("near.npz").exit_code == 0
    assert verify("near.npz", "--exact").exit_code == 1
    assert verify(file, "--exact").exit_code == 0


def test_misuse_is_exit_code_2_and_the_others_are_verified(here):
    (file,) = drawn()
    np.save("map.npy", np.zeros((2, 2)))
    done = verify("map.npy", file)
    assert done.exit_code == 2
    assert "map.npy: an .npy file holds values alone" in done.output
    assert f"{file}: the same, bit for bit" in done.output
    assert verify("gone.png").exit_code == 1
    done = verify(file, "--option", "depth=3")
    assert done.exit_code == 2, done.output
    assert verify(file, "--model", "nosuch/net").exit_code == 2


def test_other_weights_options_and_preprocessing_in_place_of_those_of_the_recipe(here):
    network = seewhy.load("nets.py:net").network
    torch.save(network.state_dict(), "v1.pth")
    (file,) = drawn("--weights", "v1.pth")
    torch.save({name: tensor * 1.5 for name, tensor in network.state_dict().items()}, "v2.pth")
    assert verify(file, "--weights", "v1.pth").exit_code == 0
    done = verify(file, "--weights", "v2.pth")
    assert done.exit_code == 1
    assert "    the weights are not those that the file names (SHA-256 " in done.output
    (here / "v1.pth").rename("moved.pth")
    done = verify(file)
    assert done.exit_code == 1
    assert "The weights v1.pth are not there." in done.output
    assert "Where it lies elsewhere now, give --weights FILE." in done.output
    assert "model=" not in done.output
    assert verify(file, "--weights", "moved.pth", "--exact").exit_code == 0
    done = verify(file, "--weights", "moved.pth", "--prepare", "mean=0.25")
    assert done.exit_code == 1
    assert "    the preprocessing is not the one that the file names: mean " in done.output
    done = verify(file, "--weights", "moved.pth", "--option", "width=6")
    assert done.exit_code == 1
    assert "moved.pth does not fit Sequential" in done.output
    (here / "nets.py").unlink()
    done = verify(file)
    assert done.exit_code == 1
    assert done.output.endswith("Where it lies elsewhere now, give --model SPEC.\n")


def test_a_model_that_was_wrapped_is_asked_for(here):
    (found,) = seewhy.grad_cam(seewhy.wrap(seewhy.load("nets.py:net").network, prepare={"size": 32, "crop": 32}), "cat.png")
    found.save("map.png")
    for more in ([], ["--weights", "v1.pth"]):
        done = verify("map.png", *more)
        assert done.exit_code == 1
        assert "was wrapped by hand" in done.output
        assert "--model FILE.py:NAME" in done.output
        assert "model=" not in done.output
    (found,) = seewhy.occlusion(seewhy.load("nets.py:net"), "cat.png", fill=np.zeros((1, 3, 32, 32)), window=16, stride=16)
    found.save("filled.png")
    done = verify("filled.png")
    assert done.exit_code == 1
    assert "fill is known by its SHA-256 alone." in done.output
    assert "in Python." in done.output
    assert "fill=" not in done.output


def test_scores_are_explained_as_they_were(here):
    (file,) = drawn("--scores", "probability")
    assert verify(file).exit_code == 0
    assert verify(file, "--model", "nets.py:net").exit_code == 0


def test_python_that_a_map_names_is_not_run_untrusted(here):
    (file,) = drawn()
    (here / "nets.py").write_text("raise SystemExit('it ran')")
    done = run("verify", file)
    assert done.exit_code == 1
    assert (
        "runs Python, 'nets.py:net', as the map itself names it. If you trust who made it: --trust, or give --model SPEC."
        in (done.output)
    )
    assert "it ran" not in done.output
    assert "it ran" in verify(file).output
