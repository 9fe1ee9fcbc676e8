"""Networks by name: the weights go in strictly, and what belongs to them travels along."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import seewhy
from seewhy import load
from seewhy.errors import BadParameter, BadWeights, NoSuchName
from seewhy.models.load import SOURCES, ModelSource, is_saved_model, source_of
from seewhy.models.zoo.sources import Loaded
from seewhy.prepare.fit import Fit

timm = pytest.importorskip("timm")
models = pytest.importorskip("torchvision.models")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture(scope="module")
def state(mini) -> dict[str, torch.Tensor]:
    return safetensors.load_file(mini)


def save(kind: str, state: dict, path) -> None:
    nested = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3, "arch": "test_resnet"}
    kinds = {
        "safetensors": lambda: safetensors.save_file(state, path),
        "state": lambda: torch.save(state, path),
        "legacy": lambda: torch.save(state, path, _use_new_zipfile_serialization=False),
        "checkpoint": lambda: torch.save(nested, path),
        "lightning": lambda: torch.save(
            {"state_dict": {f"model.{k}": v for k, v in state.items()}, "pytorch-lightning_version": "2"}, path
        ),
        "compiled": lambda: torch.save({f"_orig_mod.{k}": v for k, v in state.items()}, path),
        "parallel": lambda: safetensors.save_file({f"module.{k}": v for k, v in state.items()}, path),
        "without counters": lambda: torch.save({k: v for k, v in state.items() if "num_batches" not in k}, path),
    }
    kinds[kind]()


KINDS = {
    "safetensors": ".safetensors",
    "state": ".pth",
    "legacy": ".pt",
    "checkpoint": ".tar",
    "lightning": ".ckpt",
    "compiled": ".pt",
    "parallel": ".safetensors",
    "without counters": ".pth",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_loaded_number_for_number(tmp_path, state, kind):
    path = tmp_path / f"weights{KINDS[kind]}"
    save(kind, state, path)
    model = load("timm/test_resnet", weights=path)
    loaded = model.network.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())
    assert not model.network.training
    assert model.weights.startswith(f"{path.name} sha256:")


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_halves_are_cast_up(tmp_path, state, half, suffix):
    small = {k: v.to(half) if v.is_floating_point() else v for k, v in state.items()}
    (safetensors.save_file if suffix == ".safetensors" else torch.save)(small, tmp_path / f"half{suffix}")
    loaded = load("timm/test_resnet", weights=str(tmp_path / f"half{suffix}")).network.state_dict()
    assert {v.dtype for v in loaded.values() if v.is_floating_point()} == {torch.float32}
    assert all(
        torch.equal(loaded[name], tensor.float() if tensor.is_floating_point() else tensor) for name, tensor in small.items()
    )


def test_the_tag_changes_with_the_file(tmp_path, state):
    torch.save(state, tmp_path / "a.pth")
    torch.save({**state, "fc.bias": state["fc.bias"] + 1}, tmp_path / "b.pth")
    tags = [load("timm/test_resnet", weights=tmp_path / name).weights.split(":")[1] for name in ("a.pth", "b.pth", "a.pth")]
    assert tags[0] == tags[2] != tags[1]


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_needs_code_is_refused_and_not_run(tmp_path, state, legacy):
    for name, held in (("trap.pth", {**state, "trap": Trap(tmp_path / "sprung")}), ("whole.pth", torch.nn.Conv2d(3, 4, 1))):
        torch.save(held, tmp_path / name, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(BadWeights, match=rf"{name} cannot be read as weights.*state_dict") as caught:
            load("timm/test_resnet", weights=tmp_path / name)
        assert not (tmp_path / "sprung").exists()
        assert legacy or "not run" in str(caught.value)
        assert "\x1b" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kept", [0, 5, 100, -50])
def test_a_truncated_file_is_named(tmp_path, state, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    (safetensors.save_file if suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadWeights, match=rf"cut\{suffix}"):
        load("timm/test_resnet", weights=path)


@pytest.mark.parametrize("name", ["nowhere.safetensors", "nowhere.pth", ""])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(BadWeights, match="not there"):
        load("timm/test_resnet", weights=tmp_path / name)


@pytest.mark.parametrize("held", [{}, {"epoch": 3}, [1, 2], {"state_dict": {}}, {"a": torch.ones(1), "b": 3}], ids=str)
def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path, held):
    torch.save(held, tmp_path / "no.pth")
    with pytest.raises(BadWeights, match=r"no\.pth holds no state dict"):
        load("timm/test_resnet", weights=tmp_path / "no.pth")


def test_weights_of_another_network_name_what_does_not_fit(tmp_path, state, mini):
    with pytest.raises(BadWeights) as caught:
        load("torchvision/squeezenet1_1", weights=mini)
    for said in ("SqueezeNet", "missing", "features.0.weight", "unknown", "bn1.bias"):
        assert said in str(caught.value)
    torch.save({**state, "fc.weight": state["fc.weight"][:7], "fc.bias": state["fc.bias"][:7]}, tmp_path / "seven.pth")
    with pytest.raises(BadWeights, match=r"fc\.weight \(7, \d+\) for \(1000, \d+\).*num_classes"):
        load("timm/test_resnet", weights=tmp_path / "seven.pth")
    less = {k: v for k, v in state.items() if k != "fc.bias"}
    torch.save(less, tmp_path / "less.pth")
    with pytest.raises(BadWeights, match=r"1 missing \(fc\.bias\)"):
        load("timm/test_resnet", weights=tmp_path / "less.pth")
    torch.save({**state, "fc.more": torch.ones(1)}, tmp_path / "more.pth")
    with pytest.raises(BadWeights, match=r"1 unknown \(fc\.more\)"):
        load("timm/test_resnet", weights=tmp_path / "more.pth")


@pytest.mark.parametrize(
    ("spec", "name"), [("timm/test_resnet", "test_resnet"), ("torchvision/squeezenet1_1", "squeezenet1_1")]
)
def test_num_classes_is_an_option(tmp_path, spec, name):
    network = timm.create_model(name, num_classes=3) if spec.startswith("timm") else models.get_model(name, num_classes=3)
    torch.save(network.state_dict(), tmp_path / "three.pth")
    model = load(spec, weights=tmp_path / "three.pth", options={"num_classes": 3}, labels=["a", "b", "c"])
    x = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(model.answer(x).scores, expected, rtol=1e-4, atol=1e-5)
    assert model.labels == ["a", "b", "c"]
    assert load(spec, weights=tmp_path / "three.pth", options={"num_classes": 3}).labels is None


@pytest.mark.parametrize("spec", ["timm/test_resnet", "torchvision/squeezenet1_1"])
@pytest.mark.parametrize("options", [{"colour": 3}, {"num_classes": "many"}], ids=str)
def test_an_option_that_is_not_taken_is_misuse(mini, spec, options):
    with pytest.raises(BadParameter, match=f"{spec}.*{next(iter(options))}"):
        load(spec, weights=mini, options=options)


def test_an_option_that_torch_refuses_is_misuse_too(mini):
    with pytest.raises(BadParameter, match=r"torchvision/squeezenet1_1.*num_classes"):
        load("torchvision/squeezenet1_1", weights=mini, options={"num_classes": -1})


def test_the_files_own_mean_and_std_win(tmp_path, state):
    safetensors.save_file(state, tmp_path / "w.safetensors", {"mean": "0.1 0.2 0.3", "std": "0.4 0.5 0.6"})
    fit = load("timm/test_resnet", weights=tmp_path / "w.safetensors").prepare
    assert (fit.mean, fit.std, fit.size, fit.crop) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 168, 160)


@pytest.mark.parametrize("mean", ["imagenet", "0.1 0.2", "", "nan nan nan"])
def test_metadata_that_is_no_numbers_is_bad_weights(tmp_path, state, mean):
    safetensors.save_file(state, tmp_path / "w.safetensors", {"mean": mean})
    with pytest.raises(BadWeights, match=r"w\.safetensors.*mean"):
        load("timm/test_resnet", weights=tmp_path / "w.safetensors")


def test_what_is_given_wins_over_what_travels(mini):
    model = load(
        "timm/test_resnet",
        mini,
        ["a"] * 1000,
        prepare={"size": 32, "crop": 32},
        name="mine",
        scores="probability",
        batch_size=2,
    )
    assert (model.labels[281], model.prepare, model.name) == ("a", Fit(32, 32, (0.5,) * 3, (0.5,) * 3), "mine")
    assert (model.explains, model.batch_size) == ("probability", 2)


def test_none_leaves_the_preprocessing_of_the_weights_as_it_is(noise):
    plain, given = load("demo/honest"), load("demo/honest", prepare=None)
    assert given.prepare == plain.prepare
    assert seewhy.grad_cam(given, noise((96, 96)))[0].source == seewhy.grad_cam(plain, noise((96, 96)))[0].source
    assert load("demo/honest", prepare={"crop": 80}).prepare == replace(plain.prepare, crop=80)
    with pytest.raises(BadParameter, match=r"`prepare` has no croup\. It takes: size, crop"):
        load("demo/honest", prepare={"croup": 80})


def test_a_source_says_where_the_weights_came_from(mini, noise):
    (heatmap,) = seewhy.grad_cam(load("timm/test_resnet", mini), noise((200, 160)))
    assert heatmap.source.weights.startswith("mini.safetensors sha256:")
    assert heatmap.source.model == "timm/test_resnet"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("torchvision/resnet5", "resnet50"),
        ("timm/resnett18", "resnet18"),
        ("timm/resnet18.nope", r"resnet18\."),
        ("timms/resnet18", "timm/resnet18"),
        ("torchvison/resnet18", "torchvision/resnet18"),
        ("resnet50", "torchvision/resnet50"),
        ("x/y", "torchvision/NAME"),
        ("", "torchvision/NAME"),
        ("timm/", "timm/NAME"),
        ("demo/honesty", "honest"),
        ("timm/res*", "timm.list_models"),
    ],
)
def test_an_unknown_spec_is_told_the_nearest(spec, said):
    with pytest.raises(NoSuchName, match=said):
        load(spec)


@pytest.mark.parametrize("given", [None, 3, torch.nn.Identity(), torch.nn.Identity], ids=["none", "number", "module", "class"])
def test_what_names_no_network_is_told_wrap(given):
    with pytest.raises(BadParameter, match=rf"not {type(given).__name__}\. What is a network already: seewhy\.wrap"):
        load(given)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.written)
def test_every_source_in_the_list_names_a_function(source):
    assert callable(source.function)
    with pytest.raises(NoSuchName) as caught:
        load("x/y")
    assert source.written in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "path", "name"),
    [
        ("torchvision/resnet18", "torchvision:torchvision_network", "resnet18"),
        ("timm/resnet18.a1_in1k", "timm:timm_network", "resnet18.a1_in1k"),
        ("timm/hf_hub:org/name", "hugging_face:hugging_face", "org/name"),
        ("timm/hf-hub:org/name", "hugging_face:hugging_face", "org/name"),
        ("hf/org/name", "hugging_face:hugging_face", "org/name"),
        ("demo/flat", "demo:demo_network", "flat"),
        ("demo/net.py:make", "demo:demo_network", "net.py:make"),
        ("./demo/net.py:make", "code:code_network", "./demo/net.py:make"),
        ("net.py", "code:code_network", "net.py"),
        ("package.module:net", "code:code_network", "package.module:net"),
        ("some/net.pt2", "saved:saved_network", "some/net.pt2"),
        ("http://localhost:8080/x.py:net", "service.service:service_function", "http://localhost:8080/x.py:net"),
        ("HTTPS://host/x.tflite", "service.service:service_function", "HTTPS://host/x.tflite"),
        ("some/net.tflite", "tflite:tflite_function", "some/net.tflite"),
        ("/some/net.safetensors", "saved:saved_network", "/some/net.safetensors"),
        ("~/nets/vit", "hugging_face:hugging_face", "~/nets/vit"),
        (".", "hugging_face:hugging_face", "."),
    ],
)
def test_a_spec_says_who_loads_it_and_under_which_name(spec, path, name):
    source, named = source_of(spec)
    assert (source.path, named) == (f"seewhy.models.zoo.{path}", name)


def test_a_new_source_is_one_function_and_one_line(monkeypatch):
    def mine(request):
        return Loaded(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, int(request.name))), None, None, "mine")

    monkeypatch.setattr("seewhy.models.load.mine", mine, raising=False)
    row = ModelSource("mine/NUMBER", "seewhy.models.load:mine", ("mine/",))
    monkeypatch.setattr("seewhy.models.load.SOURCES", (*SOURCES, row))
    model = load("mine/4", labels=list("abcd"))
    assert (model.answer(np.zeros((1, 3, 1, 1), np.float32)).scores.shape, model.weights) == ((1, 4), "mine")
    with pytest.raises(NoSuchName, match=r"Closest: mine/4.*or mine/NUMBER"):
        load("mines/4")


def test_a_folder_of_a_saved_model_is_known_by_what_lies_in_it(tmp_path):
    (tmp_path / "net").mkdir()
    assert source_of(str(tmp_path / "net"))[0].path.endswith(":hugging_face")
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"")
    assert source_of(str(tmp_path / "net"))[0].path.endswith(":saved_model_function")
    for spec in ("x" * 10_000, "a\0b", "~nobody-of-that-name/x"):
        assert not is_saved_model(spec)
