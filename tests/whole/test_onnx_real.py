"""Real networks as ONNX files: torch's maps on real photos, and a detector of other people's."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import seewhy
from support import real
from support.onnx_graphs import drawn, exported

FACES = real.DATA / "models" / "ulfg-face" / "version-RFB-320.onnx"
PREPARE = {"mean": 127 / 255, "std": 128 / 255}
PHOTO = Image.fromarray(astronaut())
FACE = (170, 40, 275, 200)  # of the astronaut, by eye
needs_faces = pytest.mark.skipif(not FACES.is_file(), reason="needs the face detector of ../shared/data (SEEWHY_DATA)")


@cache
def networks(spec: str):
    """The network in torch, and as an ONNX file run by onnxruntime and turned into torch."""
    plain = real.model(spec)
    path = exported(plain.network, drawn(1, 3, 224, 224), Path(mkdtemp()) / "net.onnx")
    how = {"prepare": plain.prepare, "labels": plain.labels}
    return plain, seewhy.load(path, **how), seewhy.load(path, options={"gradients": True}, **how)


def photos() -> list[str]:
    return [str(real.DATA / "imagenet-sample" / row["file"]) for row in real.rows("imagenet-sample")[:60:30]]


def alike(found, expected, near: float) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.source.index == b.source.index
        assert a.box == b.box
        np.testing.assert_allclose(a.values, b.values, rtol=near, atol=near * abs(b.values).max())


@real.needs_data
@pytest.mark.parametrize(
    "method", ["grad-cam", "hires-cam", "xgrad-cam", "eigen-cam", "ablation-cam", "recipro-cam", "occlusion"]
)
def test_mobilenet_gives_torchs_maps(method):
    plain, ours, _ = networks("timm/mobilenetv2_100")
    settings = {"window": 96, "stride": 64} if method == "occlusion" else {}
    asked = seewhy.METHODS[method].using(**settings)
    given = photos()[:1] if method in ("ablation-cam", "recipro-cam", "occlusion") else photos()  # which ask for many scores
    alike(asked(ours, given), asked(plain, given), 1e-3)


@real.needs_data
@pytest.mark.parametrize("method", ["gradient", "guided-backprop", "lrp"])
def test_turned_into_torch_it_gives_torchs_gradients(method):
    plain, _, turned = networks("timm/mobilenetv2_100")
    asked = seewhy.METHODS[method]
    alike(asked(turned, photos()[:1]), asked(plain, photos()[:1]), 1e-2)
    assert "turned into torch by onnx2torch" in asked(turned, photos()[:1])[0].source.weights


@real.needs_data
def test_the_cells_lie_where_torch_finds_them():
    plain, ours, _ = networks("timm/mobilenetv2_100")
    x = next(iter(ours.batches(photos()[:1]))).x
    assert ours.cells(ours.default(x)[0], x) == plain.cells(plain.default(x)[0], x)


@needs_faces
@pytest.mark.parametrize("method", ["occlusion", "score-cam", "rise"])
def test_a_face_is_why_a_face_is_found(method):
    detector = seewhy.load(FACES, prepare=PREPARE, labels=["background", "face"])
    (found,) = seewhy.detections(detector, [PHOTO])
    face = next(each for each in found if each.label == "face")
    assert face.score > 0.99
    x0, y0, x1, y1 = face.box
    assert FACE[0] < x0 < x1 < FACE[2] and FACE[1] < y0 < y1 < FACE[3]  # noqa: PT018
    settings = {"rise": {"masks": 200}, "occlusion": {"window": 48, "stride": 24}}.get(method, {})
    (heatmap,) = seewhy.METHODS[method].using(**settings)(detector, [PHOTO], target="box:face")
    row, column = np.unravel_index(heatmap.values.argmax(), heatmap.values.shape)
    at = (512 * (column + 0.5) / heatmap.values.shape[1], 512 * (row + 0.5) / heatmap.values.shape[0])
    reach = 64 * 512 / 320 if method == "score-cam" else 60  # of a cell of four by five
    assert FACE[0] - reach < at[0] < FACE[2] + reach and FACE[1] - reach < at[1] < FACE[3] + reach  # noqa: PT018


@needs_faces
def test_onnx2torch_and_onnxruntime_agree_on_it():
    turned = seewhy.load(FACES, options={"gradients": True}, prepare=PREPARE, labels=["background", "face"])
    assert float(turned.weights.rpartition("to ")[2].partition(";")[0]) < 1e-5
