"""ONNX files: read whole, with what lies beside them, and refused with advice where they are not what they say."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import external_data_helper

import seewhy
from seewhy.errors import BadParameter, BadWeights, install
from support.onnx_graphs import classifier, drawn, saved

X = drawn(2, 3, 12, 16)
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "onnx2torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
import numpy as np, seewhy
net = seewhy.load(sys.argv[1])
x = np.random.default_rng(0).standard_normal((2, 3, 12, 16)).astype(np.float32)
for name in ("cam", "grad-cam", "hires-cam", "ablation-cam", "recipro-cam", "score-cam", "eigen-cam", "occlusion", "rise"):
    settings = {"masks": 20} if name == "rise" else {}
    maps = seewhy.METHODS[name].using(**settings)(net, x)
    assert np.isfinite(maps[0].values).all() and maps[0].values.any(), name
print(len(seewhy.doctor(net, x).methods), "torch" in sys.modules)
try:
    seewhy.load(sys.argv[1], options={"gradients": True})
except seewhy.SeewhyError as error:
    print(type(error).__name__, error)
"""


def test_torch_is_neither_needed_nor_imported(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    done = subprocess.run([sys.executable, "-c", ALONE, str(path)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.endswith("False")
    assert second == f"MissingExtra onnx2torch is not installed. Install it with: {install('onnx-torch')}"


def test_the_source_names_the_bytes(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    (heatmap,) = seewhy.grad_cam(seewhy.load(path), X[:1])
    assert heatmap.source.weights.startswith("net.onnx sha256:")
    assert {"onnx", "onnxruntime"} <= {*heatmap.source.versions}
    saved(classifier(opset=16), path)
    assert seewhy.load(path).weights != heatmap.source.weights


def with_weights_beside(tmp_path, where="w.bin"):
    path = tmp_path / "net.onnx"
    onnx.save(classifier(), str(path), save_as_external_data=True, location="w.bin", size_threshold=0)
    if where != "w.bin":
        proto = onnx.load(str(path), load_external_data=False)
        for tensor in proto.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = where
        path.write_bytes(proto.SerializeToString())
    return path


def test_weights_beside_the_file_are_read(tmp_path):
    path = with_weights_beside(tmp_path)
    assert external_data_helper.uses_external_data(onnx.load(str(path), load_external_data=False).graph.initializer[0])
    np.testing.assert_array_equal(seewhy.load(path).answer(X).scores, seewhy.wrap(classifier()).answer(X).scores)
    known = seewhy.load(path).weights
    beside = tmp_path / "w.bin"
    beside.write_bytes(beside.read_bytes()[:-4] + b"\0\0\0\0")
    assert seewhy.load(path).weights != known


@pytest.mark.parametrize(("where", "words"), [
    ("gone.bin", r"a file beside it, 'gone.bin', which is not there: fetch that file, too"),
    ("../w.bin", "outside of its folder, which is not read"),
    ("/etc/passwd", "outside of its folder, which is not read"),
    ("a/../../w.bin", "outside of its folder"),
    ("", "does not say in which file"),
])  # fmt: skip
def test_weights_that_lie_elsewhere_are_refused(tmp_path, where, words):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = with_weights_beside(folder, where)
    (tmp_path / "w.bin").write_bytes((folder / "w.bin").read_bytes())
    for trust in (False, True):
        with pytest.raises(BadWeights, match=words):
            seewhy.load(path, trust=trust)


def test_links_out_of_the_folder_are_followed_where_they_are_trusted(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = with_weights_beside(folder)
    (folder / "w.bin").rename(tmp_path / "blob")
    (folder / "w.bin").symlink_to(tmp_path / "blob")
    with pytest.raises(BadWeights, match=r"trust=True"):
        seewhy.load(path)
    assert seewhy.load(path, trust=True).answer(X).scores.shape == (2, 5)


def test_weights_that_are_cut_short_are_refused(tmp_path):
    path = with_weights_beside(tmp_path)
    beside = tmp_path / "w.bin"
    beside.write_bytes(beside.read_bytes()[:1000])
    with pytest.raises(BadWeights, match=r"are not as a whole in 'w.bin': the file is cut short"):
        seewhy.load(path)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "holds no ONNX graph"), (b"no model", "is no ONNX model"), (b"\x08\x08", "holds no ONNX graph"),
])  # fmt: skip
def test_what_is_no_model_is_refused(tmp_path, data, words):
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(BadWeights, match=words):
        seewhy.load(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_part_of_a_file_is_refused(tmp_path, share):
    path = saved(classifier(), tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(seewhy.SeewhyError):
        seewhy.load(path)


def test_what_a_file_does_not_take_is_refused(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    with pytest.raises(BadWeights, match="There is no file"):
        seewhy.load(tmp_path / "gone.onnx")
    with pytest.raises(BadParameter, match="it takes no num_classes"):
        seewhy.load(path, options={"num_classes": 3})
    with pytest.raises(BadParameter, match="it takes no weights"):
        seewhy.load(path, weights="w.safetensors")


def test_gradients_come_by_torch_and_the_source_says_so(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    net = seewhy.load(path, options={"gradients": True}, prepare={"mean": 0.5, "std": 0.5})
    (heatmap,) = seewhy.gradient(net, X[:1])
    assert heatmap.source.weights.startswith("net.onnx sha256:")
    assert "turned into torch by onnx2torch" in heatmap.source.weights
    assert (net.prepare.size, net.prepare.mean) == ((12, 16), 0.5)
    for a, b in zip(seewhy.grad_cam(net, X), seewhy.grad_cam(seewhy.load(path), X), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dims", [(2**40, 2**20), (-3, 5), (3, 5)])
def test_weights_of_another_size_than_their_file_are_refused(tmp_path, dims):
    path = with_weights_beside(tmp_path)
    proto = onnx.load(str(path), load_external_data=False)
    tensor = proto.graph.initializer[0]
    del tensor.dims[:]
    tensor.dims.extend(dims)
    for entry in tensor.external_data:
        if entry.key == "length":
            entry.value = str(4 * dims[0] * dims[1]) if dims != (3, 5) else entry.value
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(BadWeights, match="are not as a whole in"):
        seewhy.load(path)


def test_what_optimum_writes_beside_a_model_is_read(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    settings = {"do_resize": True, "size": {"height": 12, "width": 16}, "do_normalize": True, "image_mean": [0.5] * 3,
                "image_std": [0.25] * 3, "resample": 3}  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {str(place): f"class {place}" for place in range(5)}}))
    net = seewhy.load(path)
    assert (net.prepare.size, net.prepare.crop, net.prepare.mean, net.prepare.interpolation) == (
        (12, 16),
        None,
        (0.5,) * 3,
        "bicubic",
    )
    assert net.labels == [f"class {place}" for place in range(5)]
    (tmp_path / "config.json").write_text("{")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**settings, "image_mean": [0.5] * 2}))
    with pytest.raises(seewhy.SeewhyError):
        seewhy.load(path)
    (tmp_path / "preprocessor_config.json").write_text("[]")
    assert (seewhy.load(path).labels, seewhy.load(path).prepare.size) == (None, (12, 16))
