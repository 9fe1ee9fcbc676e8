"""What is remembered of how a model was made: what `load` can be given again, and no secret."""

import json
from pathlib import Path
from types import SimpleNamespace as Holder

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.maps.source import Source
from seewhy.models.origin import NO_ORIGIN, Origin, advice, ground, holding, machine, recipe_of
from support import networks

SAID = {
    "a path": ({"weights": Path("a/b.pth")}, {"weights": "a/b.pth"}),
    "labels": ({"labels": ("cat", "dog")}, {"labels": ["cat", "dog"]}),
    "numbers of numpy": ({"options": {"num_classes": np.int64(3)}}, {"options": {"num_classes": 3}}),
    "a device and a precision": (
        {"device": torch.device("cpu"), "dtype": torch.float64, "grid": (14, 14)},
        {"device": "cpu", "dtype": "float64", "grid": [14, 14]},
    ),
    "nothing": ({"weights": None, "options": {}, "labels": None}, {}),
    "a place of the scores": ({"output": 0, "scores": "probability"}, {"output": 0, "scores": "probability"}),
}


@pytest.mark.parametrize("name", SAID)
def test_a_recipe_says_what_was_given(name):
    given, said = SAID[name]
    recipe = recipe_of("timm/resnet18", **given)
    assert recipe == {"spec": "timm/resnet18", **said}
    assert json.loads(json.dumps(recipe)) == recipe
    assert [*recipe] == ["spec", *sorted({*recipe} - {"spec"})]


@pytest.mark.parametrize(
    "given", [{"prepare": len}, {"output": lambda found: found}, {"options": {3: 4}}, {"inputs": object()}]
)
def test_there_is_no_recipe_of_what_no_text_can_say(given):
    assert recipe_of("demo/honest", **given) == {}


def test_a_recipe_of_a_service_holds_no_secret():
    options = {"header": "Authorization: hunter2", "headers": {"X-Key": "hunter2"}, "proxy": "http://u:hunter2@p", "size": 224}
    recipe = recipe_of("https://host/predict?key=hunter2", options=options)
    assert recipe == {"spec": "https://host/predict", "options": {"size": 224}}


def test_weights_are_named_as_they_were_said_as_long_as_they_are_these():
    origin = Origin(weights="a.pth", weights_sha256="00")
    assert origin.weights_now("a.pth", "00") == "a.pth"
    assert origin.weights_now("a.pth", "11") == "a.pth, changed since"
    assert origin.weights_now("b.pth", "11") == "b.pth"  # said anew
    assert origin.weights_now(None, "11") is None
    assert origin.weights_now("a.pth", "") == "a.pth"  # nobody can see them
    assert NO_ORIGIN.weights_now("a.pth", "11") == "a.pth"


def test_a_loaded_model_can_be_loaded_again_from_its_source():
    model = seewhy.load("demo/honest", labels=list("abcdefgh"), scores="probability")
    (heatmap,) = seewhy.grad_cam(model, np.full((96, 96, 3), 90, np.uint8))
    stored = Source.from_json(heatmap.source.to_json())
    (again,) = seewhy.grad_cam(seewhy.load(**stored.recipe), np.full((96, 96, 3), 90, np.uint8))
    assert again.source == heatmap.source
    assert np.array_equal(again.values, heatmap.values)


def test_trust_is_told_and_not_remembered_as_a_permission(tmp_path):
    torch.save(networks.pooled(), tmp_path / "net.pt")  # pickled whole
    model = seewhy.load(str(tmp_path / "net.pt"), trust=True)
    (heatmap,) = seewhy.grad_cam(model, networks.images(1))
    assert heatmap.source.recipe == {"spec": str(tmp_path / "net.pt")}
    assert heatmap.source.conditions["trusted"] is True
    with pytest.raises(seewhy.SeewhyError, match="trust"):
        seewhy.load(**heatmap.source.recipe)


def test_a_model_of_a_person_s_own_code_stays_as_it_is(tmp_path):
    (tmp_path / "nets.py").write_text("import seewhy, numpy\nmodel = seewhy.wrap(lambda x: numpy.ones((len(x), 2)))\n")
    loaded = seewhy.load(f"{tmp_path / 'nets.py'}:model")
    assert loaded.origin.recipe == {"spec": f"{tmp_path / 'nets.py'}:model"}


def test_the_versions_that_every_map_depends_on():
    assert {*ground()} == {"seewhy", "python", "numpy", "pillow"}
    assert {*machine()} == {"platform", "processors"}


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def is_network(part):
    return isinstance(part, nn.Module)


HELD = {
    ".model": lambda net: Holder(labels=["a"], model=net),
    ".net": lambda net: Holder(net=net, other=None),
    ".module_": lambda net: Holder(module_=net),
    ".learner.model": lambda net: Holder(learner=Holder(model=net, opt=3)),
    ".whatever": lambda net: Holder(whatever=net),
    "[0]": lambda net: (net, lambda photo: photo),
    "['model']": lambda net: {"epoch": 3, "model": net},
    ".steps[1][1].module_": lambda net: Holder(steps=[("scale", 1), ("net", Holder(module_=net))]),
}


@pytest.mark.parametrize("path", HELD)
def test_the_error_names_what_to_give_and_that_works(path):
    if path.count(".") + path.count("[") > 3:
        assert holding(HELD[path](network()), is_network) is None  # too deep
        return
    it = HELD[path](network().eval())
    with pytest.raises(seewhy.BadParameter) as refused:
        seewhy.wrap(it)
    assert f"It holds a network, Sequential, in {path}: give that, wrap(it{path})." in str(refused.value)
    assert seewhy.grad_cam(seewhy.wrap(eval(f"it{path}", {"it": it})), np.ones((1, 3, 8, 8)))


def test_what_lies_less_deep_comes_first_then_a_usual_name():
    near, far = network(), network()
    assert holding(Holder(learner=Holder(model=far), thing=near), is_network) == (".thing", near)
    assert holding(Holder(teacher=far, model=near), is_network) == (".model", near)
    round_about = Holder()
    round_about.model = Holder(owner=round_about)
    assert holding(round_about, is_network) is None
    assert advice(3, is_network) == advice(Holder, is_network) == ""


class Pipeline:
    """Like those that take names of files and give words."""

    def __init__(self, gives):
        self.model, self.gives = network().eval(), gives

    def __call__(self, photos):
        return self.gives(self, photos)


def fails(_it, photos):
    raise ValueError(f"no such file: {type(photos)}")


@pytest.mark.parametrize("gives", [fails, lambda it, photos: [[{"label": "cat", "score": 0.9}]] * len(photos)])
def test_a_callable_that_gives_no_scores_names_its_network(gives):
    model = seewhy.wrap(Pipeline(gives), takes="float")
    with pytest.raises(seewhy.BadNetwork, match=r"It holds a network, Sequential, in \.model: give that, wrap\(it\.model\)"):
        seewhy.occlusion(model, np.ones((1, 3, 8, 8)), target=0)


def test_a_callable_whose_inside_is_asked_for_names_its_network():
    scores = seewhy.wrap(Pipeline(lambda it, photos: it.model(torch.as_tensor(photos).float())), takes="float")
    for method in (seewhy.grad_cam, seewhy.gradient, seewhy.top_units):
        with pytest.raises(seewhy.NeedsGradients, match=r"lime\. It holds a network, Sequential, in \.model: give"):
            method(scores, np.ones((1, 3, 8, 8)))


def test_a_callable_that_gives_scores_is_explained():
    scores = seewhy.wrap(Pipeline(lambda it, photos: it.model(torch.as_tensor(photos).float())), takes="float")
    assert seewhy.occlusion(scores, np.random.default_rng(0).normal(size=(1, 3, 8, 8)), target=0)


class Yolo(nn.Module):
    """As ultralytics has it: its train() trains."""

    def __init__(self):
        super().__init__()
        self.model = network()

    def __call__(self, source=None, stream=False):
        return self.predict(source)

    def predict(self, source):
        raise FileNotFoundError(source)

    def train(self, trainer=None, **settings):  # type: ignore[override]
        raise AssertionError("it trains")


class Lit(nn.Module):
    """As Lightning has it: a step, and no forward."""

    def __init__(self):
        super().__init__()
        self.net, self.loss = network(), nn.CrossEntropyLoss()


@pytest.mark.parametrize(("make", "path"), [(Yolo, ".model"), (Lit, ".net")])
def test_a_module_that_is_no_network_is_refused_at_once(make, path):
    with pytest.raises(seewhy.BadParameter, match=rf"It holds one, Sequential, in \{path}: give that, wrap\(it\{path}\)"):
        seewhy.wrap(make())
