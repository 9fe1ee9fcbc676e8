"""Which files of a folder are its weights, and which folder a name stands for."""

import json

import pytest

from seewhy.errors import BadWeights, NoSuchName
from seewhy.models.zoo.hf_files import folder_of, weight_files
from seewhy.models.zoo.sources import Request


def put(folder, *names, **shards):
    """Empty files, and a list of shards: which tensor lies in which file."""
    for name in names:
        (folder / name).write_bytes(b"")
    if shards:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    return folder


def found(folder):
    return [path.name for path in weight_files(folder)]


def test_safetensors_come_before_pickles_and_one_file_before_shards(tmp_path):
    assert found(tmp_path) == []
    assert found(put(tmp_path, "pytorch_model.bin")) == ["pytorch_model.bin"]
    put(tmp_path, "b.safetensors", "a.safetensors", x="b.safetensors", y="a.safetensors", z="b.safetensors")
    assert found(tmp_path) == ["a.safetensors", "b.safetensors"]
    assert found(put(tmp_path, "model.safetensors")) == ["model.safetensors"]


def test_of_shards_all_or_none_are_weights(tmp_path):
    assert found(put(tmp_path, "a.safetensors", x="a.safetensors", y="missing.safetensors")) == []
    assert found(put(tmp_path, "pytorch_model.bin")) == ["pytorch_model.bin"]
    (tmp_path / "pytorch_model.bin").unlink()
    for broken in ([], {}, "text", None):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": broken}))
        assert found(tmp_path) == []


def test_shards_and_links_elsewhere_are_refused(tmp_path):
    folder, other = tmp_path / "folder", tmp_path / "other.safetensors"
    folder.mkdir()
    other.write_bytes(b"")
    put(folder, x="../other.safetensors")
    with pytest.raises(BadWeights, match="no file of its own"):
        weight_files(folder)
    put(folder, x="link.safetensors")
    (folder / "link.safetensors").symlink_to(other)
    with pytest.raises(BadWeights, match=r"link out of its folder.*--trust"):
        weight_files(folder)
    assert [path.name for path in weight_files(folder, trust=True)] == ["link.safetensors"]


def test_a_name_is_a_folder_here_or_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vit").mkdir()
    put(tmp_path / "vit", "config.json", "weights")
    for name in ("vit", "./vit", str(tmp_path / "vit")):
        assert folder_of(Request(name, name)).resolve() == tmp_path / "vit"
    put(tmp_path, "b", "a")
    with pytest.raises(BadWeights, match=r"holds no config\.json.*\(it holds a, b, vit\)"):
        folder_of(Request(".", "."))
    for name in ("./nowhere", "~nobody/nowhere", "org/name/more", "org/na me"):
        with pytest.raises(NoSuchName, match=r"neither a folder here nor a repository's name"):
            folder_of(Request(name, name))
