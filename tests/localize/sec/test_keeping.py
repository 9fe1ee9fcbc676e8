"""What a training leaves: weights that load reads, in half precision if asked, and checkpoints that never run code."""

import pickle

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file
from torch import nn

from seewhy.localize.sec.keeping import (
    CHECKPOINT,
    Checkpoint,
    has_segmenter,
    read_checkpoint,
    write_checkpoint,
    write_halved,
    write_segmenter,
)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    assert read_checkpoint(tmp_path) is None
    made = Checkpoint("key", [[1.0, 2.0, 3.0, 6.0, True]], {"network": {"w": torch.arange(3.0)}})
    write_checkpoint(tmp_path, made)
    found = read_checkpoint(tmp_path)
    assert (found.key, found.epochs) == (made.key, made.epochs)
    assert torch.equal(found.states["network"]["w"], torch.arange(3.0))


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


def test_a_strangers_checkpoint_is_not_run(tmp_path, capsys):
    for data in (b"", b"nothing", pickle.dumps(Bomb(), 2)):
        (tmp_path / CHECKPOINT).write_bytes(data)
        assert read_checkpoint(tmp_path) is None
    torch.save(Bomb(), tmp_path / CHECKPOINT)
    assert read_checkpoint(tmp_path) is None
    assert "boom" not in capsys.readouterr().out


def test_weights_are_kept_whole_or_in_halves(tmp_path):
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    assert not has_segmenter(tmp_path)
    write_segmenter(tmp_path, network, {"form": 1})
    assert has_segmenter(tmp_path)
    whole = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in whole.items())
    write_halved(tmp_path)
    halves = load_file(tmp_path / "weights.safetensors")
    assert halves["0.weight"].dtype == torch.float16
    assert halves["1.num_batches_tracked"].dtype == torch.int64
