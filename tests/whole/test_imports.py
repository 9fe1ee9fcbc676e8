"""What a run of the command line imports: nothing of libraries that the network's spec does not name."""

import subprocess
import sys

import pytest

RUN = """
import sys
from seewhy.cli.app import main
main(["explain", "photo.png", "--out", "out", *sys.argv[1:]], standalone_mode=False)
print(*sys.modules)
"""
OTHERS = {
    "torchvision", "timm", "transformers", "huggingface_hub", "onnx", "onnxruntime", "keras", "tensorflow", "jax", "scipy",
    "skimage", "nibabel", "pydicom", "rasterio", "matplotlib", "pandas", "httpx", "torch._dynamo", "torch.onnx",
}  # fmt: skip


def imported(folder, noise, *arguments: str) -> set[str]:
    """The modules that are there after one photo was explained, in a process of its own."""
    noise((40, 30)).save(folder / "photo.png")
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    assert len([*(folder / "out").glob("*.png")]) >= 1
    return {*done.stdout.splitlines()[-1].split()}


def test_a_network_of_torch_alone_needs_torch_alone_and_not_its_compiler(tmp_path, noise):
    pytest.importorskip("torch")
    methods = ["--method", "grad-cam", "--method", "occlusion", "--budget", "4"]
    modules = imported(tmp_path, noise, "--model", "demo/honest", *methods)
    assert "torch" in modules
    assert modules & OTHERS == set()


def test_an_onnx_file_needs_no_torch(tmp_path, noise):
    pytest.importorskip("onnxruntime")
    from support.onnx_graphs import classifier, saved  # here, for it imports onnx

    saved(classifier(), tmp_path / "net.onnx")
    prepare = ["--prepare", "mean=0.5", "--prepare", "std=0.5"]
    modules = imported(tmp_path, noise, "--model", "net.onnx", *prepare)
    assert "onnxruntime" in modules
    assert modules & (OTHERS - {"onnx", "onnxruntime"} | {"torch"}) == set()
