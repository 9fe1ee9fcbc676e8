"""The files that a traced network is written to."""

import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from seewhy import BadNetwork, MissingExtra, NotApplicable
from seewhy.models.torch.exporting import files
from seewhy.models.torch.exporting.tracing import quiet


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, images):
        flat = images.flatten(1)
        return self.fc(flat), flat.reshape(-1, 2, 2).relu()


class Eigen(nn.Module):
    def forward(self, images):
        return images.flatten(1), torch.linalg.eigh(images[:, 0])[0]


def program(network=None):
    batch = {0: torch.export.Dim("n")}
    with torch.no_grad():
        traced = torch.export.export(network or Both(), (torch.zeros(2, 1, 2, 2),), dynamic_shapes=(batch,), strict=False)
        return traced.run_decompositions({})


def test_both_files_give_what_the_program_gives(tmp_path):
    traced, x = program(), np.random.default_rng(0).normal(size=(3, 1, 2, 2)).astype(np.float32)
    with quiet(), torch.no_grad():
        told = files.onnx_file(traced, tmp_path / "file.onnx", '{"a": 1}')
        assert files.pt2_file(traced, tmp_path / "file.pt2", '{"a": 1}') == {}
        expected = traced.module()(torch.tensor(x))
        for run in (files.opened_onnx(tmp_path / "file.onnx"), files.opened_pt2(tmp_path / "file.pt2")):
            for rows in ([0], [0, 1, 2]):
                for found, whole in zip(run(x[rows]), expected, strict=True):
                    np.testing.assert_allclose(found, whole[rows], rtol=1e-5)
    model = onnx.load(tmp_path / "file.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert told == {"opset": model.opset_import[0].version}
    assert {each.key: each.value for each in model.metadata_props}["seewhy"] == '{"a": 1}'
    (images,) = model.graph.input
    assert (images.name, [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim]) == ("images", ["n", 1, 2, 2])
    assert [each.name for each in model.graph.output] == ["scores", "maps"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.onnx", "file.pt2"]


def test_what_onnx_does_not_know_is_refused_with_the_other_way(tmp_path):
    with quiet(), pytest.raises(NotApplicable, match=r"torch.onnx has no form for this network: .*eigh.*Write a .pt2 file"):
        files.onnx_file(program(Eigen()), tmp_path / "file.onnx", "{}")


def test_weights_beyond_two_gigabytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 10)
    with pytest.raises(NotApplicable, match=r"2 GB that one ONNX file may have. Write a .pt2 file instead."):
        files.onnx_file(program(), tmp_path / "file.onnx", "{}")


def test_without_onnxscript_or_onnxruntime_it_is_said_what_to_install(tmp_path, monkeypatch):
    for package, use in (("onnxscript", lambda p: files.onnx_file(program(), p, "{}")), ("onnxruntime", files.opened_onnx)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingExtra, match=rf"{package} is not installed. Install it with: pip install '.*\[export\]'"):
            use(tmp_path / "file.onnx")


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "file.onnx").write_bytes(b"no network")
    with pytest.raises(BadNetwork, match="onnxruntime cannot run what was written"):
        files.opened_onnx(tmp_path / "file.onnx")
