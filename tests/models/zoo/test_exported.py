"""Networks in one piece: the scores and the gradients of the Python network they were made from, and nothing inside."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim, export

import seewhy
from seewhy import load, wrap
from seewhy.errors import BadNetwork, BadParameter, BadWeights, NotApplicable
from seewhy.models.zoo.exported import unproven

X = np.random.default_rng(0).normal(size=(5, 3, 8, 8))
METHODS = {"gradient": {}, "occlusion": {"window": 4, "stride": 2}, "integrated-gradients": {"steps": 4}}


class Small(nn.Module):
    """A convolution and a BatchNorm, that in train mode would give other scores."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.norm, self.weigh = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.norm.running_var.fill_(3.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.norm(self.see(x)).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Small().double().eval()


def in_one_piece(network: nn.Module, kind: str):
    x = torch.as_tensor(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        return {
            "script": lambda: torch.jit.script(network),
            "trace": lambda: torch.jit.trace(network, x),
            "frozen": lambda: torch.jit.freeze(torch.jit.script(network)),
            "export of 1": lambda: export(network, (x[:1],)),
            "export of 3": lambda: export(network, (x[:3],)),
            "export of 2 to 4": lambda: export(network, (x[:3],), dynamic_shapes=({0: Dim("batch", min=2, max=4)},)),
            "export of any": lambda: export(network, (x,), dynamic_shapes=({0: Dim.AUTO},)),
        }[kind]()


KINDS = ["script", "trace", "frozen", "export of 1", "export of 3", "export of 2 to 4", "export of any"]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_gradients_are_those_of_the_python_network(network, kind):
    model, plain = wrap(in_one_piece(network, kind)), wrap(network)
    for n in (1, 3, 5):
        np.testing.assert_allclose(model.answer(X[:n]).scores, plain.answer(X[:n]).scores, rtol=1e-12)
    for name, settings in METHODS.items():
        method = seewhy.METHODS[name].using(**settings)
        for one, other in zip(method(model, X, target=2), method(plain, X, target=2), strict=True):
            np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-9)
            assert one.source.warnings == other.source.warnings


@pytest.mark.parametrize("kind", ["script", "export of 3"])
def test_what_lies_inside_is_refused_with_what_can_be_asked(network, kind):
    model = wrap(in_one_piece(network, kind), name="mine")
    names = ("grad-cam", "guided-backprop", "lrp", "full-grad", "cam", "ablation-cam", "layer-cam")
    for name, where in ((name, {"layer": "see"} if name == "layer-cam" else {}) for name in names):
        with pytest.raises(NotApplicable, match=r"mine is .*cannot be read inside.*gradient.*occlusion"):
            seewhy.METHODS[name](model, X, **where)
    for ask in (model.layers, lambda: model.upto("see"), lambda: model.activations(X, ["see"])):
        with pytest.raises(NotApplicable, match="cannot be read inside"):
            ask()


def test_a_scripted_network_in_train_mode_is_asked_in_eval_mode_and_given_back(network):
    scripted = in_one_piece(network, "script")
    scripted.train()
    np.testing.assert_allclose(wrap(scripted).answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    assert scripted.training
    assert scripted.norm.training


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


def test_a_gradient_that_is_not_let_through_is_said(network):
    class Shut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return self.inside(x)

    model = wrap(in_one_piece(Shut().eval(), "script"))
    np.testing.assert_allclose(model.answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    with pytest.raises(seewhy.NeedsGradients, match=r"lets no gradient through.*occlusion"):
        seewhy.gradient(model, X)


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


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


def test_a_whole_pickled_network_runs_only_where_it_is_trusted(network, tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(network, path)
    with pytest.raises(BadWeights, match=r"whole\.pt is pickled whole.*test_exported\.Small.*not done.*--trust"):
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
