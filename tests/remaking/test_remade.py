"""Every map is made again from its Source: the same bit for bit, to rounding, or different, and where."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import METHODS, Source
from seewhy.errors import BadImage, BadParameter, BadWeights
from seewhy.maps.record import record_of
from seewhy.remaking.remade import ROUNDING, model_of
from support import networks
from support.ask import asked, home

MADE = ("smooth(grad-cam)", "augment(smooth(layer-cam))", "product(guided-backprop, smooth(grad-cam))", "libra(grad-cam)")
X = networks.images(1, *networks.SIDES, seed=1)


def stored(heatmap) -> Source:
    """The Source as a file gives it back."""
    return Source.from_json(heatmap.source.to_json())


@pytest.mark.parametrize("name", [*METHODS, *MADE])
def test_the_map_of_every_method_is_made_again_bit_for_bit(name):
    model = seewhy.wrap(getattr(networks, home(name))().double(), labels=list("abcde"))
    for found in asked(name)(model, X, target=1):
        remade = stored(found).again(model=model, image=X)
        assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())
        assert np.array_equal(remade.heatmap.values, found.values)
        assert remade.heatmap.source == found.source
        assert (remade.largest, remade.where) == (0, None)


def test_maps_that_were_made_together_are_the_same_at_least_to_rounding():
    """In one pass with other images, targets, layers and methods."""
    model = seewhy.wrap(networks.pooled().double())
    x = networks.images(3, *networks.SIDES, seed=1)
    target = [seewhy.Top(), 2, seewhy.Contrast(1, [0, 2]), seewhy.Unit("conv1", 3)]
    for found in seewhy.explain(model, x, ["grad-cam", "eigen-cam", asked("rise"), "gradient"], target, ["conv1", None]):
        remade = stored(found).again(model, x[found.place : found.place + 1])
        assert (remade.same in ("bit for bit", "to rounding"), remade.faults) == (True, ())
        assert remade.largest < 1e-5


def test_the_model_and_the_photo_come_from_the_source(honest, photo):
    for found in seewhy.explain(honest, str(photo), ["grad-cam", "gradient"], target=[seewhy.Top(2), "key"]):
        remade = stored(found).again()
        assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())
        assert remade.heatmap.source == found.source
        assert str(remade).endswith(": the same, bit for bit.")


QUESTIONS = {
    "signed": lambda m, p: seewhy.grad_cam(m, p, signed=True),
    "layers": lambda m, p: seewhy.layer_cam(m, p, layer=["body.2", "body"]),
    "fused": lambda m, p: seewhy.fuse(seewhy.layer_cam(m, p, layer=["body.2", "body"]), "max"),
    "tiles": lambda m, p: seewhy.grad_cam(m, p, tile=100, overlap=30),
    "a contrast": lambda m, p: seewhy.hires_cam(m, p, target=seewhy.Contrast("key", ["cup"], strength=0.7)),
    "look-alikes": lambda m, p: seewhy.hires_cam(m, p, target=seewhy.Contrast(1, look_alikes=2)),
    "a group": lambda m, p: seewhy.hires_cam(m, p, target="any:cup"),
    "a unit": lambda m, p: seewhy.gradient(m, p, target="unit:body.0:1:2,3"),
    "no class": lambda m, p: seewhy.eigen_cam(m, p, target=3),
    "a seed": lambda m, p: seewhy.lime(m, p, samples=60, segments="grid:4", seed=5),
    "a budget": lambda m, p: seewhy.rise(m, p, masks=400, budget=64),
    "an array as it is": lambda m, p: seewhy.occlusion(m, p, window=(40, 30), stride=30),
    "a mean": lambda m, p: seewhy.smooth(seewhy.occlusion)(m, p, samples=2, window=48, stride=48, seed=3),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_question_is_in_the_source(question, honest, photo):
    for found in QUESTIONS[question](honest, photo):
        remade = stored(found).again()
        assert (remade.same, remade.faults, remade.differences) == ("bit for bit", (), ())
        assert remade.heatmap.source == found.source


def test_the_class_is_explained_that_it_came_to_then(honest, photo):
    """Also by a model that takes the photo for something else now."""
    (found,) = seewhy.grad_cam(honest, photo, target=seewhy.Top(2))
    remade = found.source.again(model=seewhy.load("demo/flat"))
    assert remade.same == "different"
    assert (remade.heatmap.source.index, remade.heatmap.source.target) == (found.source.index, "top 2")
    assert any(fault.startswith("values differ by up to ") for fault in remade.faults)
    assert any(fault.startswith("the weights are not those that the file names (SHA-256 ") for fault in remade.faults)
    assert "model: 'demo/honest' as saved, 'demo/flat' made again" in remade.differences
    x, y = remade.where
    assert 0 <= x < 150
    assert 0 <= y < 130
    assert re.search(r": different \([a-z, ]*map\)\. values differ", str(remade))


@pytest.mark.parametrize("name", ["grad-cam", "gradient"])
def test_edited_weights_are_different_however_near_the_values(name, photo):
    """The last layer a millionth larger: other weights, though the values agree to rounding; a tenth larger: another map."""
    model = seewhy.load("demo/honest")
    (found,) = seewhy.explain(model, photo, [name])
    source = stored(found)
    with torch.no_grad():
        model.network.head.weight.mul_(1 + 1e-6)
    slightly = source.again(model=model)
    assert slightly.same == "different"
    assert 0 < slightly.largest < 1e-5 < ROUNDING
    (fault,) = slightly.faults
    assert fault.startswith("the weights are not those that the file names (SHA-256 ")
    with torch.no_grad():
        model.network.head.weight.mul_(1.1)
    much = source.again(model=model)
    assert much.same == "different"
    assert 0.03 < much.largest < 0.11


def test_another_photo_is_said(honest, photo, tmp_path):
    (found,) = seewhy.grad_cam(honest, photo)
    Image.open(photo).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "other.png")
    remade = found.source.again(image=tmp_path / "other.png")
    assert remade.same == "different"
    assert any(fault.startswith("the image's pixels are not those that the file names (SHA-256 ") for fault in remade.faults)


@pytest.mark.parametrize("name", ["weights_sha256", "image_sha256"])
def test_a_false_hash_is_different_where_every_value_agrees(honest, photo, name):
    (found,) = seewhy.grad_cam(honest, photo)
    remade = replace(found.source, **{name: "0" * 64}).again()
    assert (remade.same, remade.largest) == ("different", 0)
    assert len(remade.faults) == 1
    remade = replace(found.source, **{name: ""}).again()
    assert (remade.same, remade.faults) == ("bit for bit", ())
    assert remade.differences == (f"the file does not say which {'weights' if name[0] == 'w' else 'pixels'}",)


def test_another_network_whose_map_agrees_is_different(photo):
    """The class explained is weighed as it was, and another class otherwise: no value of its map differs."""
    model = seewhy.load("demo/honest")
    (found,) = seewhy.grad_cam(model, photo, target=2)
    with torch.no_grad():
        model.network.head.weight[5] *= 1 + 1e-6
    remade = stored(found).again(model=model)
    assert (remade.same, remade.largest) == ("different", 0)
    assert [fault[:47] for fault in remade.faults] == ["the weights are not those that the file names ("]


def test_another_preprocessing_is_said(photo):
    (found,) = seewhy.grad_cam(seewhy.load("demo/honest"), photo)
    remade = stored(found).again(model=seewhy.load("demo/honest", prepare={"mean": 0.25}))
    assert remade.same == "different"
    assert any(fault.startswith("the preprocessing is not the one that the file names: mean ") for fault in remade.faults)


def test_the_model_is_loaded_with_changes_of_its_recipe(photo):
    model = seewhy.load("demo/honest", weights="random", options={"seed": 3}, prepare={"mean": 0.25})
    (found,) = seewhy.grad_cam(model, photo)
    changed = model_of(stored(found), changes={"options": {"seed": 4}, "prepare": {"std": 0.125}})
    assert changed.weights == "random, seed 4"
    prepare = stored(seewhy.grad_cam(changed, photo)[0]).prepare
    assert {*np.ravel(prepare["mean"])} == {0.25}
    assert {*np.ravel(prepare["std"])} == {0.125}


def test_weights_that_moved_are_asked_for(photo, tmp_path):
    torch.save(seewhy.load("demo/honest").network.state_dict(), tmp_path / "v1.pth")
    (found,) = seewhy.grad_cam(seewhy.load("demo/honest", tmp_path / "v1.pth"), photo)
    (tmp_path / "v1.pth").rename(tmp_path / "v2.pth")
    with pytest.raises(
        BadWeights, match=r"v1.pth are not there.*give model=, what seewhy.load\(\.\.\., weights=FILE\)"
    ) as raised:
        stored(found).again()
    assert raised.value.typed.endswith("Where it lies elsewhere now, give --weights FILE.")
    assert model_of(stored(found), changes={"weights": tmp_path / "v2.pth"}).weights.startswith("v2.pth")


@pytest.mark.parametrize(
    ("other", "said"),
    [({"probability": 0.9999}, "probability: 0.9999 as saved"), ({"score": 1.0}, "score: 1 as saved"),
     ({"label": "cat"}, "label: 'cat' as saved"), ({"warnings": ()}, None), ({"weights": "mine.pth"}, "weights: 'mine.pth'"),
     ({"caveat": "none is known"}, "caveat: 'none is known'"), ({"model": "resnet152"}, "model: 'resnet152'")],
)  # fmt: skip
def test_a_source_that_was_edited_is_different(honest, photo, other, said):
    (found,) = seewhy.grad_cam(honest, photo)
    remade = replace(found.source, **other).again()
    if said is None:
        assert remade.same == "bit for bit"
        return
    assert remade.same == "different"
    assert any(fault.startswith(said) for fault in remade.faults)


def test_what_only_a_person_can_give_is_asked_for(honest, photo):
    plain = stored(seewhy.grad_cam(honest, photo)[0])
    with pytest.raises(BadParameter, match=r"was wrapped by hand.*give model="):
        replace(plain, recipe={}).again()
    with pytest.raises(BadParameter, match=r"ran code that came with its weights.*trust=True"):
        replace(plain, conditions={**plain.conditions, "trusted": True}).again()
    assert replace(plain, conditions={**plain.conditions, "trusted": True}).again(trust=True).same == "bit for bit"
    with pytest.raises(BadImage, match=r"gone.png is no file here.*image="):
        replace(plain, image="gone.png").again()
    with pytest.raises(BadParameter, match="made by an earlier seewhy"):
        replace(plain, values={}).again()
    with pytest.raises(BadParameter, match="record of its values is damaged"):
        replace(plain, values={"sha256": "0"}).again()
    with pytest.raises(BadParameter, match="which seewhy drift makes"):
        replace(plain, method="drift of grad-cam").again()


def test_an_array_among_the_parameters_is_given_again(honest, photo):
    fill = np.random.default_rng(0).normal(size=(1, 3, 96, 96))
    (found,) = seewhy.occlusion(honest, photo, fill=fill, window=48, stride=48)
    with pytest.raises(BadParameter, match="fill is known by its SHA-256 alone: give fill="):
        stored(found).again()
    assert stored(found).again(fill=fill).same == "bit for bit"
    assert any(fault.startswith("params fill: ") for fault in stored(found).again(fill=fill + 1).faults)


def test_a_target_of_ones_own_is_given_again(honest, photo):
    def both(scores):
        return np.where(np.arange(scores.shape[1]) < 2, 0.5, 0) * np.ones(scores.shape)

    (found,) = seewhy.grad_cam(honest, photo, target=both)
    with pytest.raises(BadParameter, match=r"cannot be made again.*target= or a parameter"):
        stored(found).again()
    assert stored(found).again(target=both).same == "bit for bit"


def test_a_budget_of_time_is_what_was_done_in_it(honest, photo):
    (found,) = seewhy.rise(honest, photo, masks=100_000, budget="0.05 s")
    remade = stored(found).again()
    assert remade.faults == ()
    assert remade.same in ("bit for bit", "to rounding")
    assert remade.heatmap.source.measured["forwards"] == found.source.measured["forwards"]


def test_attention_is_made_again():
    model = seewhy.wrap(networks.tokens())
    for found in seewhy.attention(model, X, query=1):
        assert stored(found).again(model, X).same == "bit for bit"


def test_random_weights_are_drawn_again(photo):
    model = seewhy.load("demo/honest", weights="random", options={"seed": 3})
    (found,) = seewhy.grad_cam(model, photo)
    assert stored(found).again().same == "bit for bit"
    assert model_of(stored(found)).weights == "random, seed 3"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"spec": "pathlib:Path.touch", "options": {"self": "ran"}}, "runs Python, 'pathlib:Path.touch'"),
        ({"spec": "ran.py:net"}, "runs Python, 'ran.py:net'"),
        ({"spec": "net.keras", "options": {"custom": "ran:attribute"}}, "runs Python, 'ran:attribute'"),
        ({"spec": "http://192.0.2.1/steal"}, "sends the image to 'http://192.0.2.1/steal'"),
    ],
    ids=["module", "file", "keras", "service"],
)
def test_what_a_stranger_may_have_named_is_neither_run_nor_sent_anything(recipe, said, made_source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "ran.py").write_text(f"open({str(ran)!r}, 'w')")
    source = Source.from_json(made_source(recipe=recipe, values=record_of(np.ones((2, 2), np.float32))).to_json())
    with pytest.raises(BadParameter, match=f"Making this map again {said}, as the map itself names it.") as raised:
        source.again(image="cat.png")
    assert raised.value.typed.endswith("If you trust who made it: --trust, or give --model SPEC.")
    assert not ran.exists()


def test_trust_in_the_code_that_a_map_names_is_none_in_its_weights(made_source, monkeypatch):
    asked = []
    monkeypatch.setattr("seewhy.remaking.remade.load", lambda spec, trust, **more: asked.append(trust))
    recipe = {"spec": "nets.py:net", "weights": "v1.pth"}
    model_of(made_source(recipe=recipe), trust=True)
    model_of(made_source(recipe=recipe), trust=True, changes={"weights": "v2.pth"})
    model_of(made_source(recipe=recipe, conditions={"trusted": True}), trust=True)
    model_of(made_source(recipe={"spec": "demo/honest"}, conditions={"trusted": False}))
    assert asked == [False, True, True, False]


@pytest.mark.parametrize("recipe", [
    {"weights": "a.pth"}, {"spec": ["a"]}, {"spec": "demo/honest", "trust": True}, {"spec": "timm/a", "weights": 5},
    {"spec": "timm/a", "options": "a"},
])  # fmt: skip
def test_a_recipe_that_seewhy_did_not_write_is_said(made_source, recipe):
    with pytest.raises(BadParameter, match="has no recipe as seewhy writes it, by which it could be loaded: give model="):
        model_of(Source.from_json(made_source(recipe=recipe).to_json()), trust=True)
