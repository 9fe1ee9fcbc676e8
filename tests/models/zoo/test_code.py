"""Networks that a person's own Python makes, from a file or a module; what their code raises is told with its line."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import seewhy
from seewhy import load
from seewhy.cli.app import main
from seewhy.errors import BadNetwork, BadParameter, BadWeights, NoSuchName
from seewhy.models.zoo.code import FOLDERS, python_object
from support.keras_models import keras_saves

CODE = """
from torch import nn
import torch
import numpy as np
import beside

def net(classes=3, broken=False):
    if broken:
        raise KeyError("no such thing")
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
    return made.double()

class Net(nn.Module):
    def __init__(self, bias=beside.BIAS):
        super().__init__()
        self.bias = nn.Parameter(torch.full((2,), bias))
    def forward(self, x):
        return x.mean((1, 2, 3))[:, None] + self.bias

instance = Net(7.0)

def pair():
    return Net(1.0), {"size": 8, "crop": 8, "mean": 0.0, "std": 1.0}, ["low", "high"]

def predict(images):
    return np.stack([images.mean((1, 2, 3)) / 255, 1 - images.mean((1, 2, 3)) / 255], 1)

def function():
    return predict

def wrapped():
    import seewhy
    return seewhy.wrap(Net(2.0), name="mine", prepare={"size": 8, "crop": 8})

number = 3

class Space:
    net = staticmethod(net)
"""


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "beside.py").write_text("BIAS = 5.0\n")
    (tmp_path / "own_nets.py").write_text(CODE)
    path = [*sys.path]
    yield tmp_path / "own_nets.py"
    sys.path[:] = path
    FOLDERS.clear()
    for name in [name for name in sys.modules if name.startswith(("beside", "own_nets"))]:
        del sys.modules[name]


X = np.random.default_rng(0).normal(size=(2, 3, 8, 8))


@pytest.mark.parametrize("where", ["file", "module", "relative"])
def test_a_function_a_class_and_an_instance_give_their_network(file, monkeypatch, where):
    monkeypatch.chdir(file.parent)
    place = {"file": str(file), "module": "own_nets", "relative": "./own_nets.py"}[where]
    mean = X.mean((1, 2, 3))[:, None].repeat(2, 1)
    np.testing.assert_allclose(load(f"{place}:Net").answer(X).scores, mean + 5, rtol=1e-6)
    np.testing.assert_allclose(load(f"{place}:Net", options={"bias": 1.0}).answer(X).scores, mean + 1, rtol=1e-6)
    np.testing.assert_allclose(load(f"{place}:instance").answer(X).scores, mean + 7, rtol=1e-6)
    assert load(f"{place}:Space.net", options={"classes": 6}).answer(X).scores.shape == (2, 6)
    assert sys.path[0] != str(file.parent.resolve())
    assert sys.path[-len(FOLDERS)] == FOLDERS[0] == str(file.parent.resolve())  # before folders loaded earlier


def test_weights_go_in_and_are_told(file):
    own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).double()
    torch.save({"state_dict": {f"model.{name}": tensor for name, tensor in own.state_dict().items()}}, file.parent / "w.ckpt")
    model = load(f"{file}:net", file.parent / "w.ckpt", options={"classes": 2})
    np.testing.assert_allclose(model.answer(X).scores, own(torch.as_tensor(X)).detach().numpy(), rtol=1e-12)
    assert model.weights.startswith("w.ckpt sha256:")
    assert "without 'model.'" in model.weights
    assert load(f"{file}:net").weights == f"as {file}:net makes them"
    with pytest.raises(BadWeights, match="num_classes"):
        load(f"{file}:net", file.parent / "w.ckpt")
    with pytest.raises(BadParameter, match=r"weights go into a torch\.nn\.Module"):
        load(f"{file}:function", file.parent / "w.ckpt")


def test_preprocessing_labels_functions_and_models_come_along(file, noise):
    model = load(f"{file}:pair")
    assert (model.labels, model.prepare.size, model.name) == (["low", "high"], 8, f"{file}:pair")
    assert load(f"{file}:pair", labels=["a", "b"], prepare={"size": 4, "crop": 4}).labels == ["a", "b"]
    function = load(f"{file}:function")
    photo = noise((20, 16))
    (batch,) = function.batches(photo)
    bright = np.asarray(photo).mean() / 255
    np.testing.assert_allclose(function.answer(batch.x).scores, [[bright, 1 - bright]], rtol=1e-6)
    mine = load(f"{file}:wrapped", labels=["a", "b"])
    assert (mine.name, mine.labels) == ("mine", ["a", "b"])
    with pytest.raises(BadParameter, match=r"a seewhy model already: give batch_size to `wrap`"):
        load(f"{file}:wrapped", batch_size=2)


def test_errors_of_the_code_name_the_file_the_line_and_the_exception(file):
    with pytest.raises(BadNetwork, match=r"own_nets\.py, line 9: KeyError: 'no such thing'"):
        load(f"{file}:net", options={"broken": True})
    file.with_name("bad.py").write_text("x = 1\ndef net(:\n")
    with pytest.raises(BadNetwork, match=r"bad\.py, line 2: SyntaxError"):
        load(f"{file.with_name('bad.py')}:net")
    file.with_name("lost.py").write_text("\nimport nothing_of_this_name\n")
    with pytest.raises(BadNetwork, match=r"lost\.py, line 2: ModuleNotFoundError.*nothing_of_this_name"):
        load(f"{file.with_name('lost.py')}:net")


def test_a_forward_may_import_what_lies_beside_the_file(tmp_path, file):
    (tmp_path / "beside_later.py").write_text("FACTOR = 3.0\n")
    file.with_name("own_nets_lazy.py").write_text(
        "from torch import nn\nclass Lazy(nn.Module):\n    def forward(self, x):\n        from beside_later import FACTOR\n"
        "        return FACTOR * x.mean((2, 3))\n"
    )
    model = load(f"{file.with_name('own_nets_lazy.py')}:Lazy")
    np.testing.assert_allclose(model.answer(X).scores, 3 * X.mean((2, 3)), rtol=1e-5)


def test_each_file_finds_its_own_neighbour(tmp_path, file):
    """Of the same name; later, too, the folder that was loaded last comes first."""
    for name, number in (("a", 1.0), ("b", 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "beside.py").write_text(f"BIAS = {number}\n")
        (folder / "beside_later.py").write_text(f"FACTOR = {number}\n")
        (folder / "own_nets.py").write_text(CODE)
    for name, number in (("a", 1.0), ("b", 2.0), ("a", 1.0)):
        assert load(f"{tmp_path / name / 'own_nets.py'}:Net").network.bias[0] == number
    both = [str((tmp_path / name).resolve()) for name in ("a", "b")]
    assert [folder for folder in sys.path if folder in both] == both  # folders of other tests may lie behind them


@pytest.mark.parametrize(
    "leave", ["import sys\nsys.exit(2)\n", "from argparse import ArgumentParser\nArgumentParser().parse_args()\n"]
)
def test_a_file_that_leaves_is_told(file, leave, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["seewhy", "--unknown"])
    file.with_name("own_nets_script.py").write_text(leave)
    with pytest.raises(BadNetwork, match=r"own_nets_script\.py, line 2: SystemExit: 2"):
        load(f"{file.with_name('own_nets_script.py')}:net")


def test_what_is_not_there_is_told_with_the_nearest(file):
    for spec, said in (
        (f"{file}:nett", "Closest: net"),
        (f"{file}", "FILE.py:NAME"),
        (f"{file}:", "FILE.py:NAME"),
        (f"{file.parent}/nowhere.py:net", r"No file .*nowhere\.py"),
        ("no_such_module_here:net", "No module 'no_such_module_here'"),
        ("torch.no_such_part:net", "No module 'torch.no_such_part'"),
    ):
        with pytest.raises(NoSuchName, match=said):
            load(spec)
    with pytest.raises(BadParameter, match=r"colour.*it takes \(classes=3, broken=False\)"):
        load(f"{file}:net", options={"colour": 3})
    with pytest.raises(BadParameter, match=r"missing a required argument: 'images'.*return predict"):
        load(f"{file}:predict")
    with pytest.raises(BadParameter, match="takes no options"):
        load(f"{file}:instance", options={"bias": 3})
    with pytest.raises(BadNetwork, match="is int: name a network"):
        load(f"{file}:number")


def test_the_command_line_explains_and_lists_them(file, noise, monkeypatch):
    monkeypatch.chdir(file.parent)
    noise((40, 30)).save("photo.png")
    prepare = [word for pair in ("size=16", "crop=16", "mean=0.5", "std=0.5") for word in ("--prepare", pair)]
    for spec in (str(file), "own_nets.py", "own_nets"):
        model = [f"{spec}:net", "--option", "classes=4", *prepare]
        done = CliRunner().invoke(
            main, ["explain", "photo.png", "--no-sheet", "--model", *model, "-M", "gradient", "-M", "grad-cam"]
        )
        assert done.exit_code == 0, done.output
        listed = CliRunner().invoke(main, ["layers", *model])
        assert listed.exit_code == 0, listed.output
        assert "Conv2d" in listed.output
    assert {path.name for path in Path("seewhy-out").iterdir()} == {  # spelled otherwise, it counts as another model
        f"photo.top-1.{what}{model}.png"
        for what in ("input.gradient", "1.grad-cam")
        for model in ("", ".of-own_nets-py-net", ".of-own_nets-net")
    }


def test_the_command_line_takes_trust(file, monkeypatch, noise):
    monkeypatch.chdir(file.parent)
    noise((40, 30)).save("photo.png")
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "whole.pt")
    asked = ["explain", "photo.png", "--model", "whole.pt", "--prepare", "size=16", "--prepare", "crop=16", "-M", "gradient"]
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1
    assert "whole.pt is pickled whole" in refused.output
    assert "torch.nn.modules.container.Sequential" in refused.output
    trusted = CliRunner().invoke(main, [*asked, "--trust"])
    assert trusted.exit_code == 0, trusted.output


def test_the_seewhy_functions_take_such_a_model(file, noise):
    (heatmap,) = seewhy.gradient(load(f"{file}:pair"), noise((20, 16)))
    assert heatmap.source.weights == f"as {file}:pair makes them"
    np.testing.assert_allclose(heatmap.values, heatmap.values.flat[0], rtol=1e-6)  # the mean weighs all pixels alike


def test_labels_and_preprocessing_are_given_to_a_copy_of_a_model_that_code_holds(tmp_path, monkeypatch):
    (tmp_path / "holder_of_a_model.py").write_text(
        "import seewhy\nheld = seewhy.wrap(lambda x: x.mean((1, 2)), name='mean', takes='uint8', prepare={'size': 8})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    held = importlib.import_module("holder_of_a_model").held
    given = load("holder_of_a_model:held", labels=["red", "green", "blue"], prepare={"size": 4})
    assert (given.labels, given.prepare.size) == (["red", "green", "blue"], 4)
    assert (held.labels, held.prepare.size) == (None, 8)
    same = load("holder_of_a_model:held")
    assert (same.function, same.prepare, same.labels) == (held.function, held.prepare, None)
    assert (same.origin.recipe, held.origin.recipe) == ({"spec": "holder_of_a_model:held"}, {})


def test_a_name_in_a_file_or_a_module_stands_for_what_is_there(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class Own:\n    pass\n")
    assert python_object(f"{file}:Own").__name__ == "Own"
    assert python_object("json:loads") is json.loads
    assert python_object("json") is json
    with pytest.raises(NoSuchName, match="Own"):
        python_object(f"{file}:Owm")


KERAS = """
import keras

def net(classes=3):
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(classes, name="last")])

made = net(2)
"""


@keras_saves
def test_keras_models_come_from_code_too(tmp_path):
    pytest.importorskip("keras")
    file = tmp_path / "nets.py"
    file.write_text(KERAS)
    x = np.zeros((1, 3, 8, 8), np.float32)
    assert load(f"{file}:made").answer(x).scores.shape == (1, 2)
    model = load(f"{file}:net", options={"classes": 4})
    assert model.answer(x).scores.shape == (1, 4)
    model.keras_model.get_layer("last").bias.assign(np.arange(4))
    model.keras_model.save_weights(tmp_path / "mine.weights.h5")
    again = load(f"{file}:net", tmp_path / "mine.weights.h5", options={"classes": 4})
    assert again.answer(x).scores.tolist() == [[0, 1, 2, 3]]
    assert again.weights.startswith("mine.weights.h5 sha256:")


NETS = """
import torch
from torch import nn

def small(classes=3):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))

def trained():
    net = small()
    for weight in net.parameters():
        nn.init.constant_(weight, 0.1)
    return net

ready = small()

def service():
    return lambda photos: photos.mean((1, 2))
"""


def test_random_weights_of_own_code_are_drawn_from_the_seed_and_said(tmp_path):
    (tmp_path / "own_nets.py").write_text(NETS)
    spec, prepare = f"{tmp_path / 'own_nets.py'}:", {"size": 16, "mean": 0.5, "std": 0.5}
    photo = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    state = torch.random.get_rng_state()
    for name in ("small", "ready"):
        made = [load(spec + name, "random", prepare=prepare, options={"seed": seed}) for seed in (0, 0, 1)]
        first, again, other = (seewhy.grad_cam(model, photo, target=1)[0] for model in made)
        assert first.source.weights == "random, seed 0"
        assert any("random weights, which nobody trained" in warning for warning in first.warnings)
        assert first.source.weights_sha256 == again.source.weights_sha256 != other.source.weights_sha256
        np.testing.assert_array_equal(first.values, again.values)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert load(spec + "small", "random", prepare=prepare, options={"classes": 7}).answer(
        np.zeros((1, 3, 16, 16))
    ).scores.shape == (1, 7)
    for name, said in (("trained", "draws no weights"), ("service", "gives function")):
        with pytest.raises(BadParameter, match=said):
            load(spec + name, "random", prepare=prepare)
