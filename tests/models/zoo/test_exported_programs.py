"""Programs of torch.export: what their generated code may name, and what it may call."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import export

from seewhy import load
from seewhy.errors import BadWeights
from seewhy.models.zoo import exported
from support.files.hostile import Small, program, swapped, zipped
from support.files.hostile_programs import CALL, calls_anything

X = np.zeros((1, 3, 8, 8), np.float32)


def test_a_program_of_harmless_words_calls_no_function_of_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, mark = tmp_path / "net.pt2", tmp_path / "sprung"
    path.write_bytes(calls_anything(mark))
    with pytest.raises(BadWeights, match=r"net\.pt2 needs code.*wrap_with_set_grad_enabled calls.*--trust"):
        load(str(path)).answer(X)
    assert not mark.exists()
    try:
        load(str(path), trust=True).answer(X)  # the trap is real
    except BadWeights:
        pytest.skip("torch 2.10 does not know all that the trap names, and cannot spring it")
    assert mark.exists()


def _changed(change) -> bytes:
    found = program()
    key = next(name for name in found if name.endswith("models/model.json"))
    model = json.loads(found[key])
    change(model["graph_module"]["graph"])
    return zipped({**found, key: json.dumps(model).encode()})


def _renamed(name: str):
    def change(graph) -> None:
        graph["nodes"][0]["name"] = graph["nodes"][0]["outputs"][0]["as_tensor"]["name"] = name

    return change


def _part(name: str):
    inner = {"as_graph": {"name": name, "graph": {}}}

    def change(graph) -> None:
        first = graph["nodes"][0]
        first["target"] = CALL
        first["inputs"] = [{"name": "", "arg": arg, "kind": 1} for arg in ({"as_bool": False}, inner)]

    return change


def _called(by: str, kind: int):
    """A value in the place of a part, given by place or by name."""

    def change(graph) -> None:
        first = graph["nodes"][0]
        first["target"] = CALL
        first["inputs"] = [{"name": by, "arg": {"as_tensor": {"name": "x"}}, "kind": kind}]

    return change


def _operation(graph) -> None:
    graph["nodes"][0]["inputs"][0]["arg"] = {"as_operator": "torch.ops.aten.relu.default"}


@pytest.mark.parametrize(
    "change",
    [*map(_renamed, ("self", "torch", "__class__", "a.b", "a b")), *map(_part, ("to_folder", "__globals__")),
     _called("", 1), _called("wrapped_func", 2), _operation],
)  # fmt: skip
def test_names_that_code_uses_and_calls_of_values_are_refused(tmp_path, change):
    (tmp_path / "net.pt2").write_bytes(_changed(change))
    with pytest.raises(BadWeights, match=r"net\.pt2 needs code, or what is not known to be harmless"):
        load(str(tmp_path / "net.pt2"))


class Regions(nn.Module):
    """With parts of its own: without gradients, and in another precision."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x * 2
        with torch.autocast("cpu", torch.bfloat16):
            z = (y + 1).mean((2, 3))
        return z


def test_parts_of_a_program_need_no_trust(tmp_path):
    torch.export.save(export(Regions().eval(), (torch.as_tensor(X),)), tmp_path / "net.pt2")
    np.testing.assert_allclose(load(str(tmp_path / "net.pt2")).answer(X).scores, 1)


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


def test_text_that_travels_along_needs_no_trust_and_what_is_no_text_does(tmp_path):
    """Such as `seewhy export` writes."""
    saved = export(Small().eval(), (torch.zeros(1, 3, 8, 8),))
    for name, refused in (("seewhy.json", False), ("labels.txt", False), ("code.py", True), ("weights.pt", True)):
        torch.export.save(saved, tmp_path / "net.pt2", extra_files={name: '{"formula": "__import__(os)"}'})
        if refused:
            with pytest.raises(BadWeights, match=rf"not known to be harmless \(extra/{name}\)"):
                load(str(tmp_path / "net.pt2"))
        else:
            assert load(str(tmp_path / "net.pt2")).answer(X).scores.shape[0] == 1
