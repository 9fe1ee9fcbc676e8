"""Programs of torch.export: code in a file is refused, and what an honest file holds needs no trust."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export

from seewhy import load
from seewhy.errors import BadNetwork, BadWeights
from seewhy.models.zoo.exported import unproven
from support.files.hostile import Trap
from support.programs import X, in_one_piece, normed


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return normed()


INSIDE = [  # where a file may hold code
    "sample inputs", "opaque object", "formula", "called formula", "disguised formula", "legacy pickle", "two of a name",
    "another case", "operation", "operation of a module",
]  # fmt: skip


@pytest.mark.parametrize("where", INSIDE)
def test_code_in_an_exported_file_is_refused_and_not_run(network, tmp_path, where):
    path, sprung = tmp_path / "net.pt2", tmp_path / "sprung"
    torch.export.save(in_one_piece(network, "export of 2 to 4"), path)
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    pickled = io.BytesIO()
    torch.save(Trap(sprung), pickled)
    root = next(iter(held)).partition("/")[0]
    touch = f"__import__('pathlib').Path('{sprung}').touch()"
    formula = {"called formula": "eval(chr(49))", "disguised formula": "(eval)(chr(49) + chr(49))"}.get(where, touch)
    model = f"{root}/models/model.json"
    double: dict[str, bytes] = {}
    if where == "sample inputs":
        held[f"{root}/data/sample_inputs/model.pt"] = pickled.getvalue()
    elif where == "opaque object":
        held[f"{root}/data/constants/opaque_obj_0"] = pickled.getvalue()
    elif where == "legacy pickle":
        config = f"{root}/data/weights/model_weights_config.json"
        held[config] = held[config].replace(b'"use_pickle": false', b'"use_pickle": true', 1)
        pickled = io.BytesIO()
        torch.save(Trap(sprung), pickled, _use_new_zipfile_serialization=False)
        held[f"{root}/data/weights/weight_0"] = pickled.getvalue()
    elif where.startswith("operation"):
        name = "os.system" if where == "operation of a module" else "torch.hub.os.system"
        held[model] = held[model].replace(b'"torch.ops.aten.relu.default"', json.dumps(name).encode())
        assert name.encode() in held[model]
    else:
        text = held[model].decode()
        changed = text.replace('"expr_str": "Symbol', f'"expr_str": {json.dumps(formula)}, "was": "Symbol')
        assert changed != text
        if where in ("two of a name", "another case"):
            double = {model if where == "two of a name" else model.replace(".json", ".JSON"): changed.encode()}
        else:
            held[model] = changed.encode()
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in [*double.items(), *held.items()]:
            archive.writestr(name, content)
    said = r"no archive as torch writes it \(there are two records" if double else r"needs code.*\(.*not run"
    with pytest.raises(BadWeights, match=rf"net\.pt2 (is )?{said}.*--trust"):
        load(str(path))
    assert not sprung.exists()


def as_argument(model: dict, text: str) -> None:
    model["graph_module"]["graph"]["inputs"].append({"as_sym_int": {"as_name": text}})


def as_argument_name(model: dict, text: str) -> None:
    model["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"] = [text]


def as_keyword(model: dict, text: str) -> None:
    """In the place of the image, whose context is JSON in JSON in JSON."""
    own = model["graph_module"]["module_call_graph"][0]["signature"]
    version, both = json.loads(own["in_spec"])
    both["children_spec"][1]["context"] = json.dumps([text])
    own["in_spec"] = json.dumps([version, both])


def as_enumeration(model: dict, text: str) -> None:
    as_keyword(model, {"__enum__": True, "fqn": "os:system", "name": text})  # type: ignore[arg-type]


def as_parameter_name(model: dict, text: str) -> None:
    model["graph_module"]["signature"]["input_specs"][0]["parameter"]["parameter_name"] = text


def as_attribute(model: dict, text: str) -> None:
    model["graph_module"]["graph"]["nodes"][0]["target"] = "_operator.attrgetter"


def as_key(model: dict, text: str) -> None:
    model["graph_module"]["graph"]["sym_int_values"][text] = {"as_int": 5}


def as_remark_elsewhere(model: dict, text: str) -> None:
    model["graph_module"]["graph"]["nodes"][0]["custom"] = text


def as_field_in_a_map(model: dict, text: str) -> None:
    """The keys of a map are names, but what its values hold are fields again."""
    model["graph_module"]["graph"]["tensor_values"]["name"] = {"sizes": [{"as_expr": {"expr_str": text}}]}


PLACES = [as_argument, as_argument_name, as_keyword, as_enumeration, as_parameter_name, as_attribute, as_key,
          as_remark_elsewhere, as_field_in_a_map]  # fmt: skip


def rewritten(path, change) -> None:
    """The file with another model.json."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in held if name.endswith("models/model.json"))
    model = json.loads(held[name])
    change(model)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for one, content in {**held, name: json.dumps(model).encode()}.items():
            archive.writestr(one, content)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_text_that_would_go_into_generated_code_is_refused(network, tmp_path, place):
    path, sprung = tmp_path / "net.pt2", tmp_path / "sprung"
    torch.export.save(in_one_piece(network, "export of any"), path)
    rewritten(path, lambda model: None)
    load(str(path))
    rewritten(path, lambda model: place(model, f"zz=open('{sprung}', 'w')"))
    with pytest.raises(BadWeights, match=r"net\.pt2 needs code.*\(.*(zz=open|attrgetter|fqn).*not run.*--trust"):
        load(str(path))
    assert not sprung.exists()


class Odd(nn.Module):
    """What an honest file may hold: formulas of einsum, a module that runs twice, a keyword, names that code uses, a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.see = nn.ReLU(), nn.Conv2d(3, 4, 3, padding="same")
        self.weigh = nn.utils.parametrizations.weight_norm(nn.Linear(4, 5))

    def forward(self, target: torch.Tensor, *, name: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        x = nn.functional.gelu(self.relu(self.relu(self.see(target)) + 1), approximate="tanh")
        x = torch.einsum("...ij,jk->...ik", x, torch.eye(8, dtype=x.dtype))
        return {"log its": self.weigh(x.mean((2, 3))), "aux.0": x if name is None else x * name}


def test_an_honest_file_needs_no_trust(tmp_path):
    path, odd, x = tmp_path / "odd.pt2", Odd().double().eval(), torch.as_tensor(X)
    torch.export.save(export(odd, (x,), {"name": torch.ones(1)}), path)
    assert unproven(io.BytesIO(path.read_bytes()), path) == []
    torch.export.save(export(odd, (x,), dynamic_shapes={"target": {0: Dim.AUTO}}), path)
    model = load(str(path), output="log its")
    np.testing.assert_allclose(model.answer(X).scores, odd(x)["log its"].detach(), rtol=1e-12)


def test_a_program_that_makes_no_module_is_said(network, tmp_path):
    path = tmp_path / "net.pt2"
    torch.export.save(in_one_piece(network, "export of any"), path)
    rewritten(path, lambda model: as_argument_name(model, "lambda"))  # a word, but not one that may be a name
    with pytest.raises(BadNetwork, match="makes no module that runs: SyntaxError"):
        load(str(path))
