"""Without a network, without an extra: told within seconds, with what can be done instead."""

import socket
import sys
from pickle import UnpicklingError
from time import perf_counter

import pytest

import seewhy
from seewhy import load
from seewhy.errors import BadParameter, BadWeights, MissingExtra
from seewhy.models.zoo.sources import Request, construct, fetch, need
from support.files.hostile import Trap

pytest.importorskip("timm")
pytest.importorskip("torchvision")
SPECS = ["timm/test_resnet", "timm/resnet18.a1_in1k", "torchvision/squeezenet1_1", "torchvision/resnet50",
         "hf/google/vit-base-patch16-224", "hf/facebook/dinov2-base", "timm/hf_hub:timm/resnet18.a1_in1k"]  # fmt: skip


@pytest.fixture
def offline(monkeypatch, tmp_path) -> list:
    """No network, no proxy, nothing fetched before; returns whom somebody tried to reach."""
    tried: list = []

    def refuse(address, *args, **how):
        tried.append(address)
        raise OSError("Network is unreachable")

    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("seewhy.models.zoo.timm._timm_cached", lambda config: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: refuse(address))
    return tried


@pytest.mark.parametrize("spec", SPECS)
def test_pretrained_weights_without_a_network_fail_in_seconds_naming_the_choices(offline, spec):
    start = perf_counter()
    with pytest.raises(BadWeights) as caught:
        load(spec)
    assert perf_counter() - start < 10
    for said in (spec, "Network is unreachable", "--weights FILE", "demo/honest"):
        assert said in str(caught.value)
    assert len(offline) == 1, "asked once, before anything was fetched"


@pytest.mark.parametrize("variable", ["no_proxy", "ftp_proxy"])
def test_a_proxy_for_something_else_is_no_proxy(offline, monkeypatch, variable):
    monkeypatch.setenv(variable, "localhost")
    monkeypatch.setattr("seewhy.models.zoo.timm.fetch", lambda *a: pytest.fail("a fetch retries for a minute"))
    with pytest.raises(BadWeights, match="Network is unreachable"):
        load("timm/test_resnet")
    assert len(offline) == 1


def test_a_proxy_that_is_dead_is_found_out_in_seconds(offline, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("seewhy.models.zoo.timm.fetch", lambda *a: pytest.fail("a fetch retries for a minute"))
    with pytest.raises(BadWeights, match="timm/test_resnet"):
        load("timm/test_resnet")
    assert offline == [("127.0.0.1", 9)]


@pytest.mark.parametrize("spec", SPECS)
def test_hf_hub_offline_is_obeyed(offline, monkeypatch, spec):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadWeights, match=r"HF_HUB_OFFLINE|unreachable"):
        load(spec)


def test_an_unknown_tag_of_torchvision_is_a_file_that_is_not_there():
    with pytest.raises(BadWeights, match="IMAGENET1K_V9"):
        load("torchvision/resnet50", weights="IMAGENET1K_V9")


def test_a_file_of_weights_needs_no_network(offline, mini):
    assert load("timm/test_resnet", weights=mini).weights.startswith("mini.safetensors")
    assert offline == []


def test_weights_fetched_before_need_no_network(offline, tmp_path):
    import torch
    from torchvision import models

    network = models.squeezenet1_1()
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    name = models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(network.state_dict(), tmp_path / "hub/checkpoints" / name)
    model = load("torchvision/squeezenet1_1")
    assert torch.equal(model.network.features[0].weight, network.features[0].weight)
    assert model.weights == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert offline == []


def test_weights_in_the_cache_that_need_code_are_not_read(offline, tmp_path):
    import torch
    from torchvision import models

    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    tag = models.SqueezeNet1_1_Weights.DEFAULT
    trap = {**models.squeezenet1_1().state_dict(), "trap": Trap(tmp_path / "sprung")}
    torch.save(trap, tmp_path / "hub/checkpoints" / tag.url.rpartition("/")[2])
    with pytest.raises(BadWeights, match=r"torchvision/squeezenet1_1, as they lie in the cache.* need code.*--trust"):
        load("torchvision/squeezenet1_1")
    assert not (tmp_path / "sprung").exists()


def in_the_cache(folder, network, *, processor: bool) -> None:
    """A repository as huggingface_hub keeps it."""
    import transformers

    snapshot = folder / "hf/models--org--owls/snapshots/0123abcd"
    network.save_pretrained(snapshot)
    if processor:
        transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0123abcd")


@pytest.mark.parametrize("processor", [True, False])
def test_a_repository_fetched_before_needs_no_network(offline, tmp_path, processor):
    import transformers

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    network = transformers.ViTForImageClassification(transformers.ViTConfig(**small, image_size=16, patch_size=8))
    in_the_cache(tmp_path, network, processor=processor)
    start = perf_counter()
    model = load("hf/org/owls")
    assert perf_counter() - start < 10
    assert (model.network.classifier.weight == network.classifier.weight).all()
    assert model.prepare.size == (16, 16)
    assert len(offline) == (0 if processor else 1), "without a processor it is asked for, once"
    (tmp_path / "hf/models--org--owls/snapshots/0123abcd/model.safetensors").unlink()
    assert load("hf/org/owls", "random").weights.startswith("random")
    with pytest.raises(BadWeights, match=r"hf/org/owls.*cannot be fetched.*Network is unreachable"):
        load("hf/org/owls")


def test_a_host_that_never_answers_is_given_up_in_seconds(offline, monkeypatch):
    def wait(address, timeout, *args, **how):
        assert timeout <= 5
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", wait)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: pytest.fail("a fetch retries for a minute"))
    for spec in SPECS:
        with pytest.raises(BadWeights, match="timed out"):
            load(spec)


@pytest.mark.parametrize(("spec", "missing"), [("timm/test_resnet", "timm"), ("torchvision/squeezenet1_1", "torchvision")])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, spec, missing):
    class Absent:
        def find_spec(self, name, *_):
            if name.partition(".")[0] == missing:
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    for name in (missing, f"{missing}.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MissingExtra, match=rf"{missing} is not installed.*pip install '.*\[torch\]'"):
        load(spec)


@pytest.mark.parametrize("missing", ["transformers", "huggingface_hub"])
def test_a_missing_transformers_is_named_with_its_extra(monkeypatch, tmp_path, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    spec = str(tmp_path) if missing == "transformers" else "hf/org/owls"
    with pytest.raises(MissingExtra, match=rf"{missing} is not installed.*pip install '.*\[hf\]'"):
        load(spec)


def test_missing_safetensors_is_named(monkeypatch, mini):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtra, match=r"safetensors is not installed.*pip install '.*\[torch\]'"):
        load("timm/test_resnet", weights=mini)
    with pytest.raises(MissingExtra, match=r"safetensors is not installed.*pip install '.*\[torch\]'"):
        load("demo/honest")


def test_missing_torch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"torch is not installed.*pip install '.*\[torch\]'"):
        load("demo/honest")
    with pytest.raises(seewhy.BadParameter, match=r"torch\.nn\.Module"):
        seewhy.wrap(object())


ASKED = Request("timm/mine", "mine", options={"depth": 3})


def fails(error: BaseException):
    def make():
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (TypeError("no depth"), BadParameter, r"timm/mine cannot be made with \{'depth': 3\}: no depth"),
        (OSError("gone\nand more"), BadWeights, r"timm/mine are not on this machine and cannot be fetched \(OSError: gone\)"),
        (RuntimeError("half"), BadWeights, r"cannot be fetched \(RuntimeError: half\)"),
        (UnpicklingError("a class"), BadWeights, r"timm/mine, as they lie in the cache .* need code.*--trust"),
    ],
    ids=repr,
)
def test_what_fails_while_weights_are_fetched(error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        fetch(fails(error), ASKED)
    assert caught.value.__cause__ is error
    assert "\n" not in str(caught.value)


def test_what_fails_while_a_network_is_constructed_is_an_option():
    with pytest.raises(BadParameter, match=r"timm/mine cannot be made with .*depth.*: ZeroDivisionError: by 0"):
        construct(fails(ZeroDivisionError("by 0")), ASKED)
    with pytest.raises(BadParameter, match=r": AssertionError$"):
        construct(fails(AssertionError()), ASKED)
    for own in (BadWeights("known"), MemoryError("full")):
        with pytest.raises(type(own)) as caught:
            construct(fails(own), ASKED)
        assert caught.value is own
    assert construct(lambda: 3, ASKED) == fetch(lambda: 3, ASKED) == 3


def test_only_the_absence_of_the_package_itself_is_a_missing_extra(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_installed.py").write_text("import nowhere_at_all\n")
    assert need("json").loads("3") == need("json", "json.decoder").JSONDecoder().decode("3") == 3
    with pytest.raises(MissingExtra, match=r"nowhere_at_all is not installed.*pip install '.*\[hf\]'"):
        need("nowhere_at_all", extra="hf")
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all") as caught:
        need("half_installed")  # whose own fault is not hidden
    assert not isinstance(caught.value, MissingExtra)
