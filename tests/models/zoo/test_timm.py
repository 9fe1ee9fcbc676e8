"""Settings of folders that are laid out for timm: what makes no network, or no preparation, is said at once."""

import json
import shutil

import numpy as np
import pytest
import torch

from seewhy import grad_cam, load
from seewhy.errors import BadParameter, BadWeights, NoSuchName
from seewhy.prepare.fit import Fit
from support.ask import close
from support.model_folders import in_timms_layout

timm = pytest.importorskip("timm")
SAID = {
    "a photo of a milliard": ({"pretrained_cfg": {"input_size": [3, 10**9, 10**9]}}, "input_size is .* more than 20000"),
    "an image of a milliard": ({"model_args": {"img_size": 10**9}}, "img_size is 1000000000 .* more than 20000"),
    "ten million layers": ({"model_args": {"layers": [10**7, 2, 2, 2]}}, "layers is .* more than 2000"),
    "a size that is text": ({"pretrained_cfg": {"input_size": "abc"}}, "cannot be made|prepare a photo"),
    "a size of one number": ({"pretrained_cfg": {"input_size": [3]}}, "cannot be made|prepare a photo"),
    "a part that is no number": ({"pretrained_cfg": {"crop_pct": float("nan")}}, "prepare a photo"),
    "a layer that is none": ({"model_args": {"act_layer": "os.system"}}, r"cannot be made with .*KeyError: 'os\.system'"),
    "a long word": ({"model_args": {"global_pool": "x" * 10**5}}, "cannot be made with .*cut"),
}


@pytest.mark.parametrize("kind", SAID)
def test_settings_that_make_no_network_are_said_at_once(tmp_path, kind):
    more, said = SAID[kind]
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet10t", "num_classes": 3, **more}))
    network = timm.create_model("resnet10t", num_classes=3)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises((BadWeights, BadParameter), match=said) as caught:
        load(str(tmp_path))
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_mambaout"])
def test_timms_preprocessing_and_labels_travel(tmp_path, noise, name):
    network = timm.create_model(name)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    model = load(f"timm/{name}", weights=tmp_path / "w.pth")
    theirs = timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    for size in ((500, 375), (123, 321)):
        np.testing.assert_allclose(model.prepare(noise(size)), theirs(noise(size)).numpy(), atol=1e-6)
    assert isinstance(model.prepare, Fit)
    assert model.labels[281] == "tabby"


def test_a_folder_of_timms_layout_is_made_by_timm(tmp_path, mini, noise):
    timm = pytest.importorskip("timm")
    facts = {"input_size": [3, 160, 160], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "crop_pct": 0.95,
             "interpolation": "bicubic", "num_classes": 1000}  # fmt: skip
    config = {"architecture": "test_resnet", "num_classes": 1000, "pretrained_cfg": facts}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(mini.read_bytes())
    model, plain = load(str(tmp_path)), load("timm/test_resnet", mini)
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    close(model.answer(x).scores, plain.answer(x).scores, rel=1e-5)
    assert (model.prepare.mean, model.prepare.crop, model.labels[281]) == ((0.1, 0.2, 0.3), 160, "tabby")
    assert timm.is_model("test_resnet")


TIMM = {  # config.json: what is said
    "no weights": ({"architecture": "test_resnet"}, "holds neither model"),
    "elsewhere": ({"architecture": "hf-hub:evil/x"}, "No architecture 'hf-hub:evil/x'"),
    "no name": ({"architecture": None}, "No architecture 'None'"),
    "no object": ({"architecture": "test_resnet", "model_args": [1]}, "have to be objects"),
}


@pytest.mark.parametrize("kind", [*TIMM])
def test_a_folder_of_timms_layout_that_is_broken_is_said(tmp_path, mini, kind):
    pytest.importorskip("timm")
    config, said = TIMM[kind]
    (tmp_path / "config.json").write_text(json.dumps(config))
    if kind != "no weights":
        (tmp_path / "model.safetensors").write_bytes(mini.read_bytes())
    with pytest.raises((BadWeights, NoSuchName), match=said):
        load(str(tmp_path))


def test_a_folder_of_timms_layout_opens_no_other_weights(tmp_path, mini):
    pytest.importorskip("timm")
    other = {"pretrained": True, "checkpoint_path": str(tmp_path / "other.pth"), "pretrained_cfg": {"hf_hub_id": "evil/x"}}
    config = {"architecture": "test_resnet", "model_args": other, "pretrained_cfg": {"file": "other.pth"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(mini.read_bytes())
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    close(load(str(tmp_path)).answer(x).scores, load("timm/test_resnet", mini).answer(x).scores, rel=1e-5)


def test_labels_in_the_settings_are_the_labels(tmp_path, mini):
    folder = in_timms_layout(tmp_path / "timm", label_names=[f"class {i}" for i in range(1000)])
    shutil.copy(mini, folder / "model.safetensors")
    assert load(str(folder)).labels[281] == "class 281"


def test_a_folder_of_timms_layout_makes_no_milliard_classes(tmp_path):
    folder = in_timms_layout(tmp_path / "timm", num_classes=10**9)
    with pytest.raises(BadWeights, match="num_classes is 1000000000 in its settings"):
        load(str(folder), "random")


def test_a_last_layer_that_pretrained_weights_do_not_fit_is_said_to_be_random(monkeypatch, mini, noise):
    """timm draws it anew where there are other classes, without a word."""
    monkeypatch.setattr("seewhy.models.zoo.timm._timm_cached", lambda _config: {"file": str(mini)})
    models = [load("timm/test_resnet", options={"num_classes": 3, **more}) for more in ({}, {}, {"seed": 4})]
    assert [m.weights for m in models] == [f"test_resnet.r160_in1k, with random fc, seed {seed}" for seed in (0, 0, 4)]
    assert models[0].untrained == "random weights in fc"
    scores = [model.answer(np.ones((1, 3, 64, 64), np.float32)).scores for model in models]
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])
    (found,) = grad_cam(models[0], noise((80, 80)))
    assert found.warnings[0].startswith("random weights in fc, which nobody trained")
    assert load("timm/test_resnet").untrained == load("timm/test_resnet", options={"in_chans": 1}).untrained == ""
    with pytest.raises(BadParameter, match="seed=4"):
        load("timm/test_resnet", options={"seed": 4})
