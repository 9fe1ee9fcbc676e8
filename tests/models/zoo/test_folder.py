"""A model's folder that a stranger made: nothing outside of it is read for it, fetched for it, or run for it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seewhy import load
from seewhy.errors import BadNetwork, BadWeights
from seewhy.models.zoo import hugging_face as zoo_hf
from seewhy.models.zoo.folder import cleaned, copied, file_in, read_settings
from support.ask import close
from support.files.hostile import FILES
from support.model_folders import changed, in_timms_layout

transformers = pytest.importorskip("transformers")
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
X = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
PAGES = "config.json", "preprocessor_config.json", "tokenizer_config.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A small classifier of images, as transformers saves it."""
    folder = tmp_path_factory.mktemp("whole")
    names = {0: "cat", 1: "dog", 2: "owl"}
    config = transformers.ViTConfig(
        **SMALL, image_size=32, patch_size=8, id2label=names, label2id={"cat": 0, "dog": 1, "owl": 2}
    )
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def secret(tmp_path) -> Path:
    (tmp_path / "secret.json").write_text('{"0": {"isthing": 1, "name": "the secret"}}')
    return tmp_path / "secret.json"


def scores(folder: Path):
    return load(str(folder)).answer(X).scores


@pytest.mark.parametrize("layout", ["transformers", "timm"])
def test_no_file_of_weights_in_a_folder_runs(folder, tmp_path, layout):
    if layout == "timm":
        folder = in_timms_layout(tmp_path / "timm")
    else:
        (folder / "model.safetensors").unlink()
    for kind, make in FILES.items():
        content = make(tmp_path / "sprung")
        (tmp_path / "sprung").unlink(missing_ok=True)  # a script that is saved may run, too
        (folder / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(BadWeights, match=r"pytorch_model\.bin.*(state dict|--trust)"):
            load(str(folder))
        assert not (tmp_path / "sprung").exists(), kind


@pytest.mark.parametrize("names", ["/any/file", "secret.json", "../secret.json", "imagenet"])
@pytest.mark.parametrize("where", ["config", "pretrained_cfg"])
def test_labels_of_a_folder_are_never_a_files_lines(tmp_path, mini, secret, monkeypatch, names, where):
    monkeypatch.chdir(tmp_path)
    named = {"label_names": str(secret) if names == "/any/file" else names}
    folder = in_timms_layout(tmp_path / "timm", **(named if where == "config" else {"pretrained_cfg": named}))
    shutil.copy(mini, folder / "model.safetensors")
    for trust in (False, True):
        with pytest.raises(BadWeights, match=r"label_names in its config\.json has to be a list of names"):
            load(str(folder), trust=trust)


@pytest.mark.parametrize("shard", ["../other.bin", "sub/other.bin", "/tmp/other.bin", "..\\other.bin", "a\0b"])
def test_shards_lie_in_the_folder(folder, shard):
    torch.save({}, folder.parent / "other.bin")
    (folder / "model.safetensors").unlink()
    changed(folder / "pytorch_model.bin.index.json", weight_map={"a": shard})
    with pytest.raises(BadWeights, match="which is no file of its own, so it is not opened"):
        load(str(folder))


@pytest.mark.parametrize(
    "found", [{"weight_map": ["a"]}, {"weight_map": {}}, {"weight_map": {"a": ".."}}, {"weight_map": {"a": ""}}, {}], ids=str
)
def test_a_list_of_shards_that_is_broken_is_no_weights(folder, found):
    (folder / "model.safetensors").unlink()
    changed(folder / "model.safetensors.index.json", **found)
    with pytest.raises(BadWeights, match="holds neither"):
        load(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json", "vocab.txt"])
def test_links_out_of_the_folder_are_not_followed(folder, tmp_path, name):
    if (folder / name).exists():
        (folder / name).rename(tmp_path / name)
    else:
        (tmp_path / name).write_text("the secret\n")
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(BadWeights, match=rf"{name} is a link out of its folder, to .*Put the file there.*--trust"):
        load(str(folder))
    assert load(str(folder), trust=True).labels == ["cat", "dog", "owl"]


def test_links_within_and_those_of_huggingfaces_cache_are_followed(whole, tmp_path):
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "0123"
    shutil.copytree(whole, blobs)
    snapshot.mkdir(parents=True)
    for one in blobs.iterdir():
        (snapshot / one.name).symlink_to(Path("../../blobs") / one.name)
    (tmp_path / "named").symlink_to(snapshot)
    for place in (snapshot, tmp_path / "named"):
        close(scores(place), scores(whole), rel=1e-5)
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("../../../secret.json")
    shutil.copy(whole / "config.json", tmp_path / "secret.json")
    with pytest.raises(BadWeights, match="link out of its folder"):
        load(str(snapshot))


def test_what_a_folder_says_of_itself_beside_its_network_is_left(folder, whole, monkeypatch, tmp_path):
    """Files, kernels and weights elsewhere, code, adapters: none of it is looked at; the scores are those of the weights."""
    expected = scores(whole)
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.ones(1)}, "other.bin")
    changed(
        folder / "config.json",
        attn_implementation="kernels-community/evil", _attn_implementation="kernels-community/evil",
        _attn_implementation_internal="evil/kernel", experts_implementation="evil/experts",
        auto_map={"AutoConfig": "evil--x.Y"}, transformers_weights="../other.bin", name_or_path="/nowhere",
        _name_or_path="evil/x", use_kernels=True,
        fusion_config={"evil": True}, custom_pipelines={"a": {"impl": "evil.X"}},
    )  # fmt: skip
    changed(folder / "adapter_config.json", base_model_name_or_path="evil/base", peft_type="LORA")
    changed(folder / "generation_config.json", auto_map={"x": "y"})
    (folder / "adapter_model.bin").write_bytes(FILES["a pickle"](tmp_path / "sprung"))
    taken, made = [], transformers.ViTForImageClassification.from_pretrained
    monkeypatch.setattr(
        transformers.ViTForImageClassification,
        "from_pretrained",
        lambda path, **how: (taken.append((path, how["config"])), made(path, **how))[1],
    )
    model = load(str(folder))
    close(model.answer(X).scores, expected, rel=1e-5)
    assert model.weights.endswith("(leaving the adapter beside them: merge it into the weights to explain it)")
    ((path, config),) = taken
    assert path is None
    assert config._attn_implementation in (None, "eager", "sdpa")
    assert not {"transformers_weights", "auto_map", "fusion_config", "custom_pipelines"} & {*vars(config)}
    assert not (tmp_path / "sprung").exists()


BAD = {  # config.json, and what is said
    "a backbone elsewhere": ({"backbone": "evil/backbone"}, r"names a network elsewhere \(backbone: evil/backbone\).*--trust"),
    "a backbone in a folder": ({"backbone_config": {"backbone": "local-dir:/x"}}, r"elsewhere \(backbone: local-dir:/x\)"),
    "an architecture elsewhere": ({"vision_config": {"architecture": "hf-hub:evil/x"}}, r"elsewhere \(architecture"),
    "a million layers": ({"num_hidden_layers": 10**6}, r"num_hidden_layers is 1000000 in its settings, more than 2000"),
    "a milliard names": ({"num_labels": 10**9}, r"num_labels is 1000000000 in its settings, more than 1000000"),
    "a wide image": ({"image_size": [32, 10**7]}, r"image_size is \[32, 10000000\] in its settings"),
    "quantised": ({"quantization_config": {"quant_method": "fp8"}}, r"is quantised \(.*fp8.*--trust"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_network_elsewhere_is_not_fetched(folder, kind):
    more, said = BAD[kind]
    with pytest.raises(BadWeights, match=said):
        load(str(changed(folder / "config.json", **more)))


def test_settings_are_cleaned_of_places_in_every_depth_and_of_nothing_else():
    honest = {
        "drop_path": 0.1, "drop_path_rate": [0.0, 0.1], "kernel_size": 3, "backbone": "resnet50", "hidden_act": "gelu",
        "id2label": {"0": "/m/01g317", "1": "../x"}, "label2id": {"auto_map": 0, "any_path": 1}, "vision_config": {"dir": 3},
    }  # fmt: skip
    assert cleaned(honest, "x") == honest
    places = {
        "checkpoint_path": "/x", "vocab_file": "/x", "cache_dir": "/x", "url": "file:///x", "file": "x",
        "class_info_file": "/x", "repo_path": "/x", "special_tokens_map_file": "/x", "paths": ["/x"], "pretrained": True,
        "fast_tokenizer_files": ["../x"], "VOCAB_FILE": "/x", "state_dict": {}, "hf_hub_id": "evil/x", "auto_map": {},
        "attn_implementation": "x/y",
        "pretrained_cfg_overlay": {"x": 1}, "model_path": {"a": ["x"]},
    }  # fmt: skip
    for depth in (places, {"vision_config": places}, [{"model_args": {**places}}]):
        assert "x" not in json.dumps(cleaned(depth, "y")).replace("max", "")
        assert json.dumps(cleaned({**honest, "a": depth}, "y")).count("resnet50") == 1


def test_a_timm_network_inside_another_opens_no_checkpoint(tmp_path):
    pytest.importorskip("timm")
    (tmp_path / "evil.pth").write_bytes(FILES["a pickle"](tmp_path / "sprung"))
    args = {"checkpoint_path": str(tmp_path / "evil.pth"), "pretrained": True}
    own = cleaned({"model_type": "timm_wrapper", "architecture": "test_resnet", "model_args": args}, "x")
    assert own == {"model_type": "timm_wrapper", "architecture": "test_resnet", "model_args": {}}


def test_a_processor_is_given_no_file_outside(folder, secret):
    """OneFormer's reads the names of classes from wherever its settings say."""
    changed(folder / "preprocessor_config.json", image_processor_type="OneFormerImageProcessor", repo_path=str(secret.parent),
            class_info_file=secret.name, num_text=2)  # fmt: skip
    with copied(folder, {"model_type": "vit"}) as clean:
        held = (clean / "preprocessor_config.json").read_text()
        assert (clean / "config.json").read_text() == '{"model_type": "vit"}'
    assert "secret" not in held
    assert str(secret.parent) not in held
    assert not clean.exists()


@pytest.mark.filterwarnings("ignore:.*WordPiece:DeprecationWarning")  # of transformers 5.12, which gives it the file's name
def test_a_tokenizer_is_given_no_file_outside(folder, secret, tmp_path):
    """The vocabulary of tokenizer_config.json would go before that of the folder."""
    (tmp_path / "outside.txt").write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nsecret\n")
    (folder / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nhonest\n")
    changed(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", vocab_file=str(tmp_path / "outside.txt"))
    changed(folder / "config.json", model_type="bert")
    assert read_settings(folder / "tokenizer_config.json")["vocab_file"] == str(tmp_path / "outside.txt")
    with copied(folder, {"model_type": "bert"}) as clean:
        own = zoo_hf._tokenizer(transformers, clean, zoo_hf.Request(str(folder), str(folder)))
        assert "honest" in own.get_vocab()
        assert "secret" not in own.get_vocab()
        assert not {one.name for one in clean.iterdir()} & {"model.safetensors", "adapter_config.json"}
    assert own.tokenize("honest") == ["honest"]


@pytest.mark.parametrize(
    "size", [{"size": {"height": 10**6, "width": 8}}, {"crop_size": 10**6}, {"size": {"shortest_edge": 1e6}}]
)
def test_a_processor_that_would_fill_the_memory_is_refused(folder, size):
    with pytest.raises(BadWeights, match=r"preprocessor_config\.json: \w+ is 1000000(\.0)? in its settings, more than 20000"):
        load(str(changed(folder / "preprocessor_config.json", **size)))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "content", ["[" * 200_000, '{"a":' * 200_000, "[]", "3", '"x"', "{", "\xff", "9" * 5000], ids=lambda c: c[:6]
)
def test_settings_that_are_no_object_are_said_and_never_a_recursion(folder, page, content):
    (folder / page).write_text(content, "latin-1")
    with pytest.raises((BadWeights, BadNetwork), match=rf"{page} (cannot be read|holds no JSON object)"):
        load(str(folder))


def test_settings_of_a_hundred_megabytes_are_not_read(folder):
    with (folder / "preprocessor_config.json").open("ab") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(BadWeights, match=r"preprocessor_config\.json cannot be read: it has more than 100 MB"):
        load(str(folder))


def test_a_processor_that_is_python_of_its_own_is_not_run(folder, tmp_path):
    own = {"image_processor_type": "MineProcessor", "auto_map": {"AutoImageProcessor": "mine.MineProcessor"}}
    changed(folder / "preprocessor_config.json", **own)
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    said = r"image processor in .*folder\..* preprocessor_config\.json brings Python of its own, which is not run.*--trust"
    with pytest.raises(BadWeights, match=said):
        load(str(folder))
    assert not (tmp_path / "sprung").exists()


def test_settings_are_read_once(folder, whole, monkeypatch):
    """They may be exchanged behind the check."""
    make = zoo_hf._config

    def exchanged(*asked):
        (folder / "config.json").write_text('{"model_type": "vit", "auto_map": {"AutoConfig": "mine.Config"}, "num_labels": 9}')
        return make(*asked)

    monkeypatch.setattr(zoo_hf, "_config", exchanged)
    close(scores(folder), scores(whole), rel=1e-5)


def test_weights_of_a_folder_are_copies_of_what_was_read(folder, whole):
    model = load(str(folder))
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(b"\0" * 4000)
    close(model.answer(X).scores, scores(whole), rel=1e-5)


def test_a_file_of_the_folder_is_found(folder):
    assert file_in(folder, "config.json") == folder / "config.json"
    assert file_in(folder, "nowhere.json") is None
    (folder / "dir.json").mkdir()
    assert file_in(folder, "dir.json") is None


def test_photos_are_prepared_as_before(folder):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    theirs = transformers.ViTImageProcessor.from_pretrained(folder)(images=photo, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(load(str(folder)).prepare(photo), theirs, atol=0.04)
