"""Networks of Hugging Face: their scores, their pixels and their names, from folders made here; nothing is fetched."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import seewhy
from seewhy import load
from seewhy.cli.app import main
from seewhy.errors import BadNetwork, BadParameter, BadWeights, NoSuchName
from seewhy.prepare.batch import CallableFit
from seewhy.prepare.fit import Fit
from support.ask import close
from support.model_folders import copied, vit

X = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)


def pixels(processor, photo):
    return np.asarray(processor(images=photo, return_tensors="np")["pixel_values"])[0]


@pytest.mark.parametrize("kind", ["vit", "convnext", "mobilevit"])
def test_a_classifier_gives_its_scores_and_their_pixels(saved, noise, kind):
    folder, network, processor = saved(kind)
    model = load(str(folder))
    with torch.no_grad():
        np.testing.assert_allclose(model.answer(X).scores, network(torch.as_tensor(X)).logits.numpy(), rtol=1e-5, atol=1e-6)
    for size in ((75, 58), (58, 75), (40, 90), (20, 23), (224, 300)):  # odd margins, too
        np.testing.assert_allclose(model.prepare(noise(size)), pixels(processor, noise(size)), atol=0.04)
    assert isinstance(model.prepare, CallableFit if kind == "mobilevit" else Fit)  # which swaps red and blue
    assert model.weights.startswith("model.safetensors sha256:")
    (heatmap,) = seewhy.gradient(model, noise((75, 58)))
    assert heatmap.source.probability is not None


def test_labels_are_the_configurations_unless_they_are_numbers(saved):
    assert load(str(saved("vit")[0])).labels == ["cat", "dog", "owl"]
    assert load(str(saved("convnext")[0])).labels is None
    assert load(str(saved("vit")[0]), labels=["a", "b", "c"]).labels == ["a", "b", "c"]


@pytest.mark.parametrize(("kind", "field"), [("dinov2", "pooler_output"), ("clip vision", "image_embeds")])
def test_a_tower_gives_its_embedding_and_says_so(saved, noise, kind, field):
    folder, network, _ = saved(kind)
    model = load(str(folder))
    with torch.no_grad():
        expected = network(torch.as_tensor(X))[field]
    np.testing.assert_allclose(model.answer(X).scores, expected.numpy(), atol=1e-6)
    assert model.answer(X).probabilities is None
    assert "numbers of an embedding" in model.name
    (heatmap,) = seewhy.grad_cam(model, noise((50, 40)), target=3)
    assert heatmap.source.probability is None
    assert np.ptp(heatmap.values) >= 0
    layer = next(name for name, one in model.layers().items() if one.default)
    assert model.upto(layer).answer(X).scores.shape[1] == 16


def test_a_tower_whose_pooler_was_never_trained_gives_its_class_token(tmp_path):
    network = transformers.ViTModel(vit(), add_pooling_layer=False).eval()
    network.save_pretrained(tmp_path)
    model = load(str(tmp_path), prepare={"size": 32, "crop": 32})
    with torch.no_grad():
        expected = network(torch.as_tensor(X)).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(model.answer(X).scores, expected, atol=1e-6)


def test_weights_of_ones_own_and_none(saved, tmp_path):
    folder = saved("vit")[0]
    other = transformers.ViTForImageClassification(vit(num_labels=2)).eval()
    torch.save({"state_dict": {f"model.{name}": t for name, t in other.state_dict().items()}}, tmp_path / "w.ckpt")
    model = load(str(folder), tmp_path / "w.ckpt", options={"num_labels": 2})
    with torch.no_grad():
        close(model.answer(X).scores, other(torch.as_tensor(X)).logits.numpy(), rel=1e-5)
    drawn = [load(str(folder), "random", options=options) for options in ({}, {"seed": 0}, {"seed": 1, "num_labels": 2})]
    assert [model.untrained for model in drawn] == ["random weights"] * 3
    assert [model.weights for model in drawn] == ["random, seed 0", "random, seed 0", "random, seed 1"]
    assert np.array_equal(drawn[0].answer(X).scores, drawn[1].answer(X).scores)
    with pytest.raises(BadParameter, match=r"no num_classes.*num_labels"):
        load(str(folder), "random", options={"num_classes": 2})


def test_half_precision_is_cast_up_and_shards_are_read(saved, tmp_path):
    network = saved("vit")[1]
    half = transformers.ViTForImageClassification(network.config)
    half.load_state_dict(network.state_dict())
    half.half().save_pretrained(tmp_path, max_shard_size="4KB")
    assert len([*tmp_path.glob("model-*.safetensors")]) > 1
    model = load(str(tmp_path), prepare={"size": 32, "crop": 32})
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    with torch.no_grad():
        np.testing.assert_allclose(model.answer(X).scores, network(torch.as_tensor(X)).logits.numpy(), atol=0.02)
    next(tmp_path.glob("model-00002*")).unlink()
    with pytest.raises(BadWeights, match="holds neither model"):
        load(str(tmp_path))


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_what_a_folder_lacks_or_wants_to_run_is_said(saved, tmp_path):
    folder = saved("vit")[0]

    def spoiled(name: str, without=(), **config) -> Path:
        (tmp_path / name).mkdir()
        return copied(folder, tmp_path / name, without, **config)

    state = dict(saved("vit")[1].state_dict())
    trap = spoiled("trap", ("model.safetensors",))
    torch.save({**state, "trap": Trap(tmp_path / "sprung")}, trap / "pytorch_model.bin")
    binary = spoiled("binary", ("model.safetensors",))
    torch.save(state, binary / "pytorch_model.bin")
    headless = spoiled("headless", ("model.safetensors",))
    torch.save({name: t for name, t in state.items() if "classifier" not in name}, headless / "pytorch_model.bin")
    shallow = spoiled("shallow", num_hidden_layers=1)
    own = spoiled("own", model_type="mine", auto_map={"AutoConfig": "mine.Config"})
    new = spoiled("new", model_type="not-yet")
    masked = spoiled("masked", architectures=["ViTForMaskedImageModeling"])
    (tmp_path / "empty").mkdir()
    assert load(str(binary)).weights.startswith("pytorch_model.bin sha256:")
    for path, error, said in (
        (trap, BadWeights, r"pytorch_model\.bin needs code \(.*open\), which is not run.*safetensors.*--trust"),
        (shallow, BadWeights, r"not fit ViTFor.*16 weights of layers that .*config\.json has not \(.*Mend config\.json"),
        (headless, BadWeights, r"2 missing \(classifier\.bias, classifier\.weight\)"),
        (own, BadWeights, r"Python of its own \(mine\.Config\).*--trust"),
        (new, BadWeights, "is a 'not-yet', which transformers .* does not know"),
        (masked, BadNetwork, "ViTForMaskedImageModeling, which gives neither"),
        (tmp_path / "empty", BadWeights, r"no config\.json.*holds nothing"),
        (tmp_path / "nowhere", NoSuchName, "neither a folder"),
    ):
        with pytest.raises(error, match=said):
            load(str(path))
    assert not (tmp_path / "sprung").exists()


BROKEN = [{"architectures": [None]}, {"architectures": ["AutoModel"]}, {"id2label": ["a"]}, {"image_size": "x"},
          {"model_type": "mine", "auto_map": ["x"]}, {"model_type": ["vit"]}]  # fmt: skip


@pytest.mark.parametrize("config", BROKEN, ids=str)
def test_a_configuration_that_is_broken_is_said(saved, tmp_path, config):
    with pytest.raises(BadWeights, match=r"cannot be made: .+: .+"):
        load(str(copied(saved("vit")[0], tmp_path, **config)))


def test_weights_beside_those_of_the_network_are_said(saved, tmp_path):
    folder = copied(saved("vit")[0], tmp_path, without=("model.safetensors",))
    torch.save({**saved("vit")[1].state_dict(), "teacher.weight": torch.ones(2)}, folder / "pytorch_model.bin")
    assert load(str(folder)).weights.endswith(" (leaving teacher.weight)")
    assert "leaving" not in load(str(saved("vit")[0])).weights


def test_code_of_the_repository_runs_only_where_it_is_trusted(saved, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from transformers import ViTConfig, ViTForImageClassification\n"
        "class OwnConfig(ViTConfig):\n    model_type = 'mine'\n"
        "class OwnForImageClassification(ViTForImageClassification):\n    config_class = OwnConfig\n"
    )
    brought = {"AutoConfig": "mine.OwnConfig", "AutoModelForImageClassification": "mine.OwnForImageClassification"}
    folder = copied(saved("vit")[0], tmp_path, model_type="mine", auto_map=brought, architectures=["OwnForImageClassification"])
    with pytest.raises(BadWeights, match="trust=True"):
        load(str(folder))
    model = load(str(folder), trust=True)
    assert type(model.network).__name__ == "OwnForImageClassification"
    with torch.no_grad():
        close(model.answer(X).scores, saved("vit")[1](torch.as_tensor(X)).logits.numpy(), rel=1e-5)


def test_a_model_can_be_pickled_and_the_command_line_takes_a_folder(saved, noise, tmp_path, monkeypatch):
    folder = saved("mobilevit")[0]
    photo = noise((50, 40))
    model = load(str(folder))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).prepare(photo), model.prepare(photo))
    monkeypatch.chdir(tmp_path)
    photo.save("photo.png")
    done = CliRunner().invoke(main, ["explain", "photo.png", "--model", str(saved("vit")[0]), "-M", "gradient", "-t", "dog"])
    assert done.exit_code == 0, done.output
    listed = CliRunner().invoke(main, ["layers", f"hf/{saved('vit')[0]}"])
    assert listed.exit_code == 0, listed.output
    assert "* default" in listed.output
