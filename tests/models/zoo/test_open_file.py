"""Files stay what they were when they were opened, or are refused."""

import io
import os
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from seewhy.errors import BadWeights
from seewhy.models.zoo import weights as state_dicts
from seewhy.models.zoo.open_file import check_name, digest, opened
from support.files.hostile import Small, state, swapped


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_digest_is_that_of_what_was_loaded(tmp_path, monkeypatch, suffix):
    safetensors = pytest.importorskip("safetensors.torch")
    save = safetensors.save_file if suffix == ".safetensors" else torch.save
    first, path = state(), tmp_path / f"w{suffix}"
    save(first, path)
    save({name: tensor + 1 for name, tensor in first.items()}, tmp_path / "second")
    network, whole = Small(), (path.read_bytes(), (tmp_path / "second").read_bytes())
    tag = state_dicts.fill(network, path)[0]
    monkeypatch.setattr(state_dicts, "digest", lambda *files: (swapped(path, whole[1]), digest(*files))[1])
    assert state_dicts.fill(network, path)[0] == tag
    assert torch.equal(network.state_dict()["see.bias"], first["see.bias"])
    monkeypatch.setattr(state_dicts, "digest", lambda *files: (path.write_bytes(whole[0]), digest(*files))[1])
    with pytest.raises(BadWeights, match="was changed while it was read"):
        state_dicts.fill(network, path)
    if suffix == ".safetensors":  # whose reader takes names alone
        same = state_dicts.check_name
        monkeypatch.setattr(state_dicts, "digest", digest)
        monkeypatch.setattr(state_dicts, "check_name", lambda *asked: (swapped(path, whole[1]), same(*asked)))
        with pytest.raises(BadWeights, match="was changed while it was read"):
            state_dicts.fill(network, path)


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    with pytest.raises(BadWeights, match="no plain file"), opened(Path(os.devnull)):
        pass
    with pytest.raises(BadWeights, match="cannot be opened"), opened(tmp_path / "nowhere"):
        pass


def test_the_digest_is_the_start_of_the_sha256_of_all_files(tmp_path):
    contents = [b"a" * (1 << 20), b"", b"bc"]
    streams = [io.BytesIO(content) for content in contents]
    streams[0].seek(5)  # read from the start, wherever it was left
    assert digest(*streams) == f"sha256:{sha256(b''.join(contents)).hexdigest()[:16]}"


def test_a_file_that_grows_while_it_is_open_is_refused(tmp_path):
    path = tmp_path / "w"
    path.write_bytes(b"1")
    with opened(path) as file:
        assert file.read() == b"1"
        check_name(file, path)
    with pytest.raises(BadWeights, match="was changed while it was read"), opened(path):
        path.write_bytes(b"12")
    with opened(path) as file:
        path.rename(tmp_path / "away")
        with pytest.raises(BadWeights, match="was changed"):
            check_name(file, path)
