"""Networks saved whole: a file is loaded with its digest, code in it runs only where it is trusted."""

import io
import warnings
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from seewhy import load, wrap
from seewhy.cli.app import main
from seewhy.errors import BadNetwork, BadParameter, BadWeights
from support.files.hostile import FILES, Small, Trap, script
from support.programs import X, in_one_piece, normed


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return normed()


@pytest.mark.parametrize("kind", ["script", "trace", "export of 1"])
def test_a_file_is_loaded_with_its_digest(network, kind, tmp_path):
    one = in_one_piece(network, kind)
    path = tmp_path / ("net.pt2" if kind.startswith("export") else "net.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(one, path) if path.suffix == ".pt2" else torch.jit.save(one, path)
    model = load(str(path), prepare={"size": 8, "crop": 8}, trust=not kind.startswith("export"))
    np.testing.assert_allclose(model.answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    assert model.weights.startswith(f"{path.name} sha256:")
    with pytest.raises(BadParameter, match="takes no num_classes, weights"):
        load(str(path), weights=path, options={"num_classes": 3})
    path.write_bytes(path.read_bytes()[:-200])
    for trust in (False, True):
        with pytest.raises(BadWeights, match=r"net\.pt"):
            load(str(path), trust=trust)


def test_a_whole_pickled_network_runs_only_where_it_is_trusted(network, tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(network, path)
    with pytest.raises(BadWeights, match=r"whole\.pt is pickled whole.*programs\.Normed.*not done.*--trust"):
        load(str(path))
    model = load(str(path), trust=True)
    np.testing.assert_allclose(model.answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    assert "see" in model.layers(X)


def test_a_trap_beside_weights_is_not_sprung(tmp_path):
    torch.save({"weight": torch.ones(1), "trap": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(BadWeights, match=r"open.*not done"):
        load(str(tmp_path / "trap.pth"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["state.pth", "state.safetensors"])
def test_weights_without_a_network_are_told_where_they_go(network, tmp_path, name):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors.torch").save_file(network.state_dict(), tmp_path / name)
    else:
        torch.save(network.state_dict(), tmp_path / name)
    with pytest.raises(BadNetwork, match=r"holds weights and no network.*weights="):
        load(str(tmp_path / name))
    with pytest.raises(BadWeights, match="There is no file"):
        load(str(tmp_path / "nowhere.pt2"))


XS = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
SUFFIXES = (".pt2", ".pt", ".pth", ".bin", ".ckpt", ".ts", ".torchscript", ".safetensors")
NET = "from support.files.hostile import Small\n"


@pytest.mark.parametrize("kind", FILES)
def test_nothing_in_a_file_runs_whatever_its_name_ends_in(hostile, tmp_path, kind):
    content, mark = hostile(kind)
    (tmp_path / "net.py").write_text(NET)
    for suffix in SUFFIXES:
        path = tmp_path / f"net{suffix}"
        path.write_bytes(content)
        with pytest.raises((BadWeights, BadNetwork), match=rf"net\{suffix}.*(--trust|--weights|state dict|torch)"):
            load(str(path), prepare={"size": 8, "crop": 8})
        assert not mark.exists()
        with pytest.raises(BadWeights, match=rf"net\{suffix}"):
            load(f"{tmp_path / 'net.py'}:Small", weights=path)
        assert not mark.exists()


@pytest.mark.parametrize("kind", ["two lists, a program behind", "TorchScript that writes when read", "an old pickle"])
@pytest.mark.parametrize("command", ["doctor", "layers", "explain"])
def test_no_command_runs_it(hostile, tmp_path, noise, kind, command):
    content, mark = hostile(kind)
    (tmp_path / "net.pt").write_bytes(content)
    noise((20, 16)).save(tmp_path / "photo.png")
    named = {"layers": [], "doctor": [], "explain": [str(tmp_path / "photo.png"), "--model"]}[command]
    done = CliRunner().invoke(main, [command, *named, str(tmp_path / "net.pt"), "--prepare", "size=16", "--prepare", "crop=16"])
    assert done.exit_code != 0
    assert "net.pt" in done.output
    assert "--trust" in done.output
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore")  # a trap leaves its file open
def test_the_traps_are_real(hostile):
    """What the tests say is not run does run elsewhere."""
    for kind in ("a pickle", "an old pickle", "two lists, a program behind", "TorchScript that writes when read"):
        content, mark = hostile(kind)
        read = torch.export.load if kind.startswith("two") else partial(torch.load, weights_only=False)
        with suppress(Exception):
            read(io.BytesIO(content))
        assert mark.exists(), kind
        mark.unlink()


def test_torchscript_is_loaded_where_it_is_trusted(tmp_path):
    network = Small().eval()
    (tmp_path / "net.pt").write_bytes(script(network))
    with pytest.raises(BadWeights, match=r"net\.pt is TorchScript, which is a program.*weights=.*--trust"):
        load(str(tmp_path / "net.pt"))
    expected = network(torch.as_tensor(XS)).detach().numpy()
    np.testing.assert_allclose(load(str(tmp_path / "net.pt"), trust=True).answer(XS).scores, expected, rtol=1e-5)
    (tmp_path / "net.py").write_text(NET)
    model = load(f"{tmp_path / 'net.py'}:Small", weights=tmp_path / "net.pt", trust=True)
    np.testing.assert_allclose(model.answer(XS).scores, expected, rtol=1e-5)
