"""Pickles: what is not made of tensors alone is named, and never run."""

import io
from collections import OrderedDict
from traceback import FrameSummary

import pytest
import torch

from seewhy.errors import BadWeights
from seewhy.models.zoo import weights as state_dicts
from seewhy.models.zoo.pickled import needed_code, tensors_only
from support.files import hostile as hostile_files
from support.files.hostile import Small, Trap, pickled, state, zipped


def test_what_other_libraries_allow_torch_to_make_is_asked_back(tmp_path):
    """torch itself lets a pickle look into any file of source code, so that tracebacks can be saved."""
    torch.save({**state(), "seen": FrameSummary(str(tmp_path / "secret"), 1, "f", line="x")}, tmp_path / "w.pth")
    with torch.serialization.safe_globals([Trap]):
        torch.save({**state(), "own": Trap}, tmp_path / "own.pth")
        torch.save({**state(), "load": torch.load}, tmp_path / "load.pth")
        asked = {
            "w.pth": "traceback.FrameSummary",
            "own.pth": "support.files.hostile.Trap",
            "load.pth": "torch.serialization.load",
        }
        for name, said in asked.items():
            with pytest.raises(BadWeights, match=rf"needs code \(.*{said}"):
                state_dicts.fill(Small(), tmp_path / name)


ODD_TENSORS = {
    "sparse": lambda tensor: torch.ones(tensor.shape).to_sparse(),
    "without numbers": lambda tensor: tensor.to("meta"),
    "quantised": lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    "nested": lambda tensor: torch.nested.nested_tensor([tensor[0], tensor[1, :1]]),
}


@pytest.mark.filterwarnings("ignore")  # of torch, of what will change
@pytest.mark.parametrize("kind", ODD_TENSORS)
def test_tensors_that_are_not_numbers_in_rows_are_bad_weights(tmp_path, kind):
    network = Small()
    torch.save({**state(), "see.weight": ODD_TENSORS[kind](network.see.weight.detach())}, tmp_path / "w.pth")
    with pytest.raises(BadWeights, match=r"w\.pth.* Small"):
        state_dicts.fill(network, tmp_path / "w.pth")


def test_numbers_outside_of_what_is_stored_are_bad_weights(tmp_path):
    found = hostile_files.unzipped(pickled({"a": torch.ones(4)}))
    name = next(name for name in found if name.endswith("data.pkl"))
    for size in (b"K\x05", b"J\xff\xff\xff\x7f"):
        path = tmp_path / "w.pth"
        path.write_bytes(zipped({**found, name: found[name].replace(b"K\x04\x85", size + b"\x85")}))
        with pytest.raises(BadWeights, match=r"w\.pth cannot be read as weights"):
            state_dicts.fill(Small(), path)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_a_pickle_would_import_is_listed_and_nothing_of_it_is_done(tmp_path, legacy):
    mark = tmp_path / "sprung"
    held = {"a": torch.ones(2, dtype=torch.float16), "trap": Trap(mark), "pair": (Trap, torch.load)}
    data = pickled(held, _use_new_zipfile_serialization=not legacy)
    assert sorted(needed_code(io.BytesIO(data))) == ["io.open", "support.files.hostile.Trap", "torch.serialization.load"]
    assert not mark.exists()


def test_tensors_of_every_kind_need_no_code():
    tensors = [torch.ones(2, dtype=kind) for kind in (torch.float16, torch.bfloat16, torch.complex64, torch.bool, torch.int8)]
    sparse, weight = torch.ones(2).to_sparse(), torch.nn.Parameter(torch.ones(1))
    more = [sparse, weight, torch.Size([1]), torch.device("cpu"), OrderedDict(a=1)]
    for legacy in (False, True):
        data = pickled([tensors, more], _use_new_zipfile_serialization=not legacy)
        assert needed_code(io.BytesIO(data)) == []


def test_names_that_a_pickle_makes_while_it_runs_are_said():
    named_late = b"\x80\x04\x8c\x02os\x8c\x06system\x93."  # two texts on the stack, and what they name
    assert needed_code(io.BytesIO(named_late)) == ["what it names while it runs (STACK_GLOBAL)"]
    broken = b"\x80\x02cos\nsystem\nX"  # ends inside a text
    assert needed_code(io.BytesIO(broken)) == ["os.system"]


def test_a_pickle_of_tensors_alone_is_told_from_others():
    assert tensors_only(pickled((torch.ones(1), [torch.ones(2)])))
    assert tensors_only(pickled({"a": torch.ones(1)}))
    assert not tensors_only(pickled(torch.ones(1)))  # no container
    assert not tensors_only(pickled({"trap": torch.load}))
    assert not tensors_only(b"nothing")
