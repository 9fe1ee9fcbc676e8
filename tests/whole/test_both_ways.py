"""The same question in Python and on the command line gives the same map, the same Source and, saved alike, the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import seewhy
from seewhy.cli.app import main
from seewhy.demo import scenes
from support import onnx_graphs

torch = pytest.importorskip("torch")
VOLUMES = """
import torch
torch.manual_seed(0)
layers = torch.nn.Conv3d(1, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3)
net = torch.nn.Sequential(*layers)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenes(1, 3, kinds=["bird"])[0].image.save("bird.png")
    Path("nets.py").write_text(VOLUMES)


def by_command(photo, spec, *arguments):
    """The Source as --json tells it, and the files of the one map."""
    words = ["explain", photo, "--model", spec, "--out", "out", "--values", "--json", *map(str, arguments)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    facts = json.loads(line)
    png = next(Path(file) for file in facts["files"] if file.endswith(".png"))
    return facts, png


def check(photo, model, facts, png, method="grad-cam", target=None, **how):
    """Python gives the same values, the same facts, and files of the same bytes."""
    (heatmap,) = seewhy.explain(model, photo, [method], *([] if target is None else [target]), **how)
    with np.load(next(Path("out").glob("*.npz"))) as stored:
        assert np.array_equal(stored["values"], heatmap.values)
    told = json.loads(heatmap.source.to_json())
    told = {name: value for name, value in told.items() if name != "predicted" or value}  # the line says it of every map
    assert {name: facts[name] for name in told} == told
    assert seewhy.Heatmap.source_of(png) == heatmap.source
    for path in (png, *(path for path in Path("out").iterdir() if path.suffix in (".npz", ".gz"))):
        picture = "panel" if isinstance(heatmap.image, seewhy.Volume) else "overlay"  # as the command names it in the file
        look = {"picture": picture, "legend": True} if path == png else {}
        again = heatmap.save(Path(f"again{''.join(path.suffixes[-2:] if path.suffix == '.gz' else path.suffix)}"), **look)
        assert again.read_bytes() == path.read_bytes(), path
    return heatmap.source


def test_a_network_of_torch_with_two_numbers_of_its_preprocessing():
    facts, png = by_command("bird.png", "demo/honest", "--prepare", "mean=0.4", "--prepare", "interpolation=bicubic")
    model = seewhy.load("demo/honest", prepare={"mean": 0.4, "interpolation": "bicubic"})
    source = check("bird.png", model, facts, png)
    assert source.recipe == {"spec": "demo/honest", "prepare": {"mean": 0.4, "interpolation": "bicubic"}}
    assert (source.prepare["mean"], source.prepare["std"], source.prepare["size"]) == (0.4, (0.25,) * 3, 96)


def test_a_target_a_layer_a_method_s_parameters_and_how_it_is_wrapped():
    words = ("--target", "bird", "--layer", "body", "--set", "signed=true", "--geometry", "plain", "--scores", "probability")
    facts, png = by_command("bird.png", "demo/honest", *words)
    model = seewhy.load("demo/honest", geometry="plain", scores="probability")
    check("bird.png", model, facts, png, seewhy.grad_cam.using(signed=True), "bird", layer="body")


def test_a_method_that_draws():
    facts, png = by_command("bird.png", "demo/honest", "-M", "lime", "--set", "samples=40", "--set", "seed=5")
    source = check("bird.png", seewhy.load("demo/honest"), facts, png, seewhy.lime.using(samples=40, seed=5))
    assert source.params["seed"] == 5


def test_tiles():
    facts, png = by_command("bird.png", "demo/honest", "--tile", 64, "--overlap", 32)
    source = check("bird.png", seewhy.load("demo/honest"), facts, png, tile=64, overlap=32)
    assert source.tile["asked"] == {"tile": 64, "overlap": 32}


def test_a_graph_of_onnx():
    pytest.importorskip("onnxruntime")
    onnx_graphs.saved(onnx_graphs.classifier(), Path("net.onnx"))
    facts, png = by_command("bird.png", "net.onnx", "-M", "eigen-cam", "--prepare", "mean=0.5", "--prepare", "std=0.5")
    check("bird.png", seewhy.load("net.onnx", prepare={"mean": 0.5, "std": 0.5}), facts, png, "eigen-cam")


def test_a_volume():
    nibabel = pytest.importorskip("nibabel")
    voxels = np.random.default_rng(0).normal(size=(9, 8, 7)).astype(np.float32)
    nibabel.Nifti1Image(voxels, np.eye(4)).to_filename("scan.nii.gz")
    facts, png = by_command("scan.nii.gz", "nets.py:net", "--prepare", "window=-1,1")
    source = check("scan.nii.gz", seewhy.load("nets.py:net", prepare={"window": (-1, 1)}), facts, png)
    assert source.versions["nibabel"] == nibabel.__version__
    assert source.image_size == (9, 8, 7)


PROGRAM = """
import seewhy, sys
(heatmap,) = seewhy.grad_cam(seewhy.load("demo/honest"), "bird.png")
for ending in ("png", "npz"):
    heatmap.save(f"{sys.argv[1]}.{ending}")
"""


def test_two_processes_write_the_same_bytes(monkeypatch):
    """This one and another, whose hashes differ; as many threads in both, which the record names."""
    environment = {**os.environ, "PYTHONHASHSEED": "random", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    subprocess.run([sys.executable, "-c", PROGRAM, "a"], check=True, env=environment)
    monkeypatch.setattr(sys, "argv", ["-c", "b"])
    exec(PROGRAM, {})
    for ending in ("png", "npz"):
        assert Path(f"a.{ending}").read_bytes() == Path(f"b.{ending}").read_bytes()
