"""Maps of models of every kind are made again: ONNX files, Keras, functions, scenes by tiles, volumes of a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from support import networks

NETS = """
from support.files.scans import Sees

def volumes():
    return Sees(), {"spacing": 2.0, "window": (0, 900)}, ["lesion", "none"]

def brightness():
    return lambda images: images.reshape(len(images), -1, 3).mean(1)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    Path("nets.py").write_text(NETS)
    small = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(small).resize((60, 50), Image.Resampling.BICUBIC).save("cat.png")
    return tmp_path


def verified(heatmap, path: str, **more) -> seewhy.Remade:
    remade = seewhy.verify(heatmap.save(path), **more)
    assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())
    assert remade.heatmap.source == heatmap.source
    return remade


def test_an_onnx_file(here):
    pytest.importorskip("onnxruntime")
    from support.onnx_graphs import exported

    exported(networks.pooled().float(), networks.images(1, 32, 32).astype(np.float32), here / "net.onnx")
    model = seewhy.load("net.onnx", prepare={"size": 32, "crop": 32, "mean": 0.5, "std": 0.5})
    methods = ["grad-cam", seewhy.occlusion.using(window=9, stride=9), seewhy.lime.using(samples=20, segments="grid:2")]
    for found in seewhy.explain(model, "cat.png", methods):
        verified(found, f"{found.source.method}.png")
    (here / "net.onnx").unlink()
    with pytest.raises(seewhy.BadWeights, match=r"There is no file net\.onnx"):
        seewhy.verify("grad-cam.png")


def test_a_function_of_a_file_and_one_that_was_wrapped(here):
    (found,) = seewhy.occlusion(seewhy.load("nets.py:brightness"), "cat.png", window=20, stride=10)
    assert found.source.weights_sha256 == ""
    verified(found, "map.png", trust=True)

    def brightness(images):
        return images.reshape(len(images), -1, 3).mean(1)

    model = seewhy.wrap(brightness)
    (found,) = seewhy.occlusion(model, "cat.png", window=20, stride=10)
    with pytest.raises(seewhy.BadParameter, match="give model="):
        seewhy.verify(found.save("own.png"))
    verified(found, "own.png", model=model)


def test_a_keras_network(here):
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend here")
    options = {"input_shape": (32, 32, 3), "classes": 4}
    model = seewhy.load("keras/mobilenet", "random", options=options)
    for found in seewhy.explain(model, "cat.png", ["grad-cam", "gradient"], target=2):
        verified(found, f"{found.source.method}.npz")


def test_a_volume_of_a_file(here):
    nibabel = pytest.importorskip("nibabel")
    from support.files.scans import AFFINES, scan

    nibabel.save(nibabel.Nifti1Image(scan(AFFINES["all of it"]), AFFINES["all of it"]), "scan.nii.gz")
    (found,) = seewhy.grad_cam(seewhy.load("nets.py:volumes"), "scan.nii.gz", layer="see")
    for ending in (".nii.gz", ".png", ".npz"):
        verified(found, f"map{ending}", trust=True)


def test_a_scene_on_the_earth(here):
    rasterio = pytest.importorskip("rasterio")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 96, 128), np.uint8)
    shape = {"height": 96, "width": 128, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)}
    with rasterio.open("scene.tif", "w", "GTiff", **shape, **place) as file:
        file.write(pixels)
    model = seewhy.load("demo/honest")
    for found in (seewhy.grad_cam(model, "scene.tif")[0], seewhy.grad_cam(model, "scene.tif", tile=64)[0]):
        verified(found, "map.tif")
        verified(found, "map.png")
    with rasterio.open("map.tif", "r+") as file:
        a, b, c, d, e, f, *_ = file.transform
        file.transform = rasterio.Affine(a, b, c + 30, d, e, f - 40)
    remade = seewhy.verify("map.tif")
    assert (remade.same, remade.largest) == ("different", 0)
    assert remade.faults == ("it lies elsewhere on the earth, by up to 50 metres",)
    with rasterio.open("map.tif", "r+") as file:
        file.crs = rasterio.CRS.from_epsg(32633)
    assert seewhy.verify("map.tif").faults == (
        "it lies elsewhere on the earth: in EPSG:32633 as saved, in EPSG:32632 made again",
    )


def test_another_number_of_threads_is_the_same_at_least_to_rounding(here):
    model = seewhy.load("demo/honest")
    maps = seewhy.explain(model, "cat.png", ["grad-cam", "gradient", "integrated-gradients"])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        for found in maps:
            remade = found.source.again()
            assert remade.same in ("bit for bit", "to rounding")
            assert remade.faults == ()
            assert f"host threads: {threads} as saved, {threads + 1} made again" in remade.differences
    finally:
        torch.set_num_threads(threads)
