"""Files that strangers made: nothing in them runs, and nothing outside of them is read, unless the person trusts."""

import io
import os
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path
from traceback import FrameSummary

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seewhy import load
from seewhy.cli.app import main
from seewhy.errors import BadNetwork, BadWeights
from seewhy.models.zoo import exported, open_file
from seewhy.models.zoo import weights as state_dicts
from seewhy.models.zoo.archive import records
from support.files import hostile as hostile_files
from support.files.hostile import FILES, Small, Trap, pickled, program, script, state, zipped

X = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
SUFFIXES = (".pt2", ".pt", ".pth", ".bin", ".ckpt", ".ts", ".torchscript", ".safetensors")
NET = "from support.files.hostile import Small\n"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The bytes of a hostile file, made once, and what exists once any of its code ran."""
    mark, made = tmp_path_factory.mktemp("hostile") / "sprung", {}

    def give(kind: str) -> tuple[bytes, Path]:
        if kind not in made:
            made[kind] = FILES[kind](mark)
            mark.unlink(missing_ok=True)  # a script that is saved may run, too
        return made[kind], mark

    return give


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
    expected = network(torch.as_tensor(X)).detach().numpy()
    np.testing.assert_allclose(load(str(tmp_path / "net.pt"), trust=True).answer(X).scores, expected, rtol=1e-5)
    (tmp_path / "net.py").write_text(NET)
    model = load(f"{tmp_path / 'net.py'}:Small", weights=tmp_path / "net.pt", trust=True)
    np.testing.assert_allclose(model.answer(X).scores, expected, rtol=1e-5)


def swapped(path: Path, content: bytes) -> None:
    """Another file takes its name, as a stranger with access to the folder would do it."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.replace(other, path)


@pytest.mark.parametrize("place", [True, False], ids=["in its place", "into it"])
def test_a_program_that_is_swapped_behind_the_check_is_the_one_that_was_checked(hostile, tmp_path, monkeypatch, place):
    network = Small().eval()
    path, check = tmp_path / "net.pt2", exported.unproven
    torch.export.save(torch.export.export(network, (torch.as_tensor(X),)), path)
    tag = load(str(path)).weights
    trap, mark = hostile("a program's sample inputs")

    def checked(*asked):
        found = check(*asked)
        swapped(path, trap) if place else path.write_bytes(trap)
        return found

    monkeypatch.setattr(exported, "unproven", checked)
    if place:
        model = load(str(path))
        np.testing.assert_allclose(model.answer(X).scores, network(torch.as_tensor(X)).detach().numpy(), rtol=1e-5)
        assert model.weights == tag
    else:
        with pytest.raises(BadWeights, match="was changed while it was read"):
            load(str(path))
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_digest_is_that_of_what_was_loaded(tmp_path, monkeypatch, suffix):
    safetensors = pytest.importorskip("safetensors.torch")
    save = safetensors.save_file if suffix == ".safetensors" else torch.save
    first, path = state(), tmp_path / f"w{suffix}"
    save(first, path)
    save({name: tensor + 1 for name, tensor in first.items()}, tmp_path / "second")
    network, whole = Small(), (path.read_bytes(), (tmp_path / "second").read_bytes())
    digest = state_dicts.digest
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


def two_ends(at: int = 0, count: int = 1) -> bytes:
    """An archive with the longer end, too, and a pointer to it."""
    records = zipped({"x/data.pkl": b"1"})
    start, length = records.rindex(b"PK\x01\x02"), len(records) - 22 - records.rindex(b"PK\x01\x02")
    long = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    return records[:-22] + long + struct.pack("<4sLQL", b"PK\x06\x07", 0, start + length + at, 1) + records[-22:]


ODD = {  # archives that torch did not write, and what is said of them
    "packed": (lambda: zipped({"x/data.pkl": b"0" * 500}, packed=True), "packed or encrypted"),
    "without a folder": (lambda: zipped({"data.pkl": b""}), "no name as torch gives it"),
    "two folders": (lambda: zipped({"x/data.pkl": b"", "y/data": b""}), "no name as torch gives it"),
    "out of its folder": (lambda: zipped({"x/data.pkl": b"", "x/../data": b""}), "no name as torch gives it"),
    "control characters": (lambda: zipped({"x/data.pkl": b"", "x/da\x1bta": b""}), "no name as torch gives it"),
    "two of a name": (lambda: zipped({"x/data.pkl": b"", "x/DATA.pkl": b""}), "two records"),
    "other names inside": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"data.pkl", b"datb.pkl", 1), "two lists do not agree"),
    "other sizes inside": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"\x01\0\0\0\x01", b"\x02\0\0\0\x01", 1), "not agree"),
    "encrypted": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"PK\x03\x04\x14\0\0", b"PK\x03\x04\x14\0\1"), "not agree"),
    "something behind": (lambda: zipped({"x/data.pkl": b"1"}) + b"\0", "behind its list"),
    "something between": (lambda: hostile_files.gap(zipped({"x/data.pkl": b"1"})), "between its records and its list"),
    "fewer than it says": (lambda: zipped({"x/data.pkl": b"1"}).replace(b"\0\0\1\0\1\0", b"\0\0\1\0\2\0"), "not where it says"),
    "two ends": (lambda: two_ends(at=1), "two ends do not agree"),
    "two ends, other numbers": (lambda: two_ends(count=2), "two ends do not agree"),
    "half an end": (
        lambda: (one := zipped({"x/a": b"1"}))[:-22] + b"PK\x06\x07".ljust(20, b"\0") + one[-22:],
        "central directory",
    ),
    "empty": (lambda: zipped({}), "it is empty"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_archive_that_readers_could_differ_about_is_refused(tmp_path, kind):
    make, said = ODD[kind]
    with pytest.raises(BadWeights, match=rf"w\.pth is no archive as torch writes it \(.*({said}).*--trust"):
        records(io.BytesIO(make()), tmp_path / "w.pth")


def test_archives_of_torch_and_of_zipfile_are_read(tmp_path):
    names = ["byteorder", "data.pkl", "data/0", "data/1", "data/2", "data/3", "version"]
    saved = pickled(state())
    assert {*names} <= {*records(io.BytesIO(saved), tmp_path)}
    assert records(io.BytesIO(zipped(hostile_files.unzipped(saved))), tmp_path) == records(io.BytesIO(saved), tmp_path)
    assert records(io.BytesIO(two_ends()), tmp_path) == ["data.pkl"]
    with torch.serialization.skip_data():  # of more than 4 GB, sparse
        torch.save({"a": torch.empty(1_100_000_000), "b": torch.ones(3)}, tmp_path / "big.pth")
    with (tmp_path / "big.pth").open("rb") as file:
        assert "data/1" in records(file, tmp_path / "big.pth")


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


@pytest.mark.parametrize("formula", ["2**9**9**9", "Pow(Integer(2), Integer(99999999))", "1 << 99999999", "((2**8)**8)**8"])
def test_a_formula_that_is_worked_out_for_ever_is_refused(tmp_path, formula):
    found = program()
    name = next(name for name in found if name.endswith("model.json"))
    changed = found[name].replace(b'{"as_int": 1}', b'{"as_expr": {"expr_str": "%s"}}' % formula.encode(), 1)
    assert changed != found[name]
    (tmp_path / "net.pt2").write_bytes(zipped({**found, name: changed}))
    with pytest.raises(BadWeights, match=r"net\.pt2 needs code, or what is not known to be harmless"):
        load(str(tmp_path / "net.pt2"))


def test_a_program_without_its_parts_is_said(tmp_path):
    found = program()
    for part in ("archive_format", "models/model.json"):
        less = {name: content for name, content in found.items() if not name.endswith(part)}
        (tmp_path / "net.pt2").write_bytes(zipped(less))
        with pytest.raises(BadWeights, match=rf"no intact file of torch\.export: .*holds no {part}"):
            load(str(tmp_path / "net.pt2"))


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    with pytest.raises(BadWeights, match="no plain file"), open_file.opened(Path(os.devnull)):
        pass
    with pytest.raises(BadWeights, match="cannot be opened"), open_file.opened(tmp_path / "nowhere"):
        pass
