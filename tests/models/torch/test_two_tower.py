"""CLIP and its kin of transformers and open_clip: small random networks, tokenizers made here, and nothing fetched."""

import pickle

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

import seewhy
from seewhy import load
from seewhy.cli.app import main
from seewhy.errors import BadParameter, NotApplicable
from seewhy.targets.embedding import Similar, Text
from support.ask import close, values

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
WORDS = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "dog", "cat", "car"]
WRITTEN = {
    **SMALL,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
TEXTS = ["a dog", "a photo of a cat", "car"]
X = np.random.default_rng(0).normal(size=(2, 3, 32, 32))


def tokenizer(*inputs):
    """Words, between a beginning and an end."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>", model_max_length=8,
        model_input_names=[*(inputs or ("input_ids", "attention_mask"))],
    )  # fmt: skip


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = make().eval()
        for p in network.parameters():  # the inits of some are too small for any text to matter
            if p.ndim > 1:
                p.data.normal_(std=0.3)
        for name, p in network.named_parameters():
            if name == "logit_bias":  # which begins at zero
                p.data.fill_(-0.7)
        return network


def clip():
    t = transformers
    return seeded(lambda: t.CLIPModel(t.CLIPConfig(text_config=WRITTEN, vision_config=VISION, projection_dim=8)))


def siglip():
    t = transformers
    return seeded(lambda: t.SiglipModel(t.SiglipConfig(text_config={**WRITTEN, "projection_size": 16}, vision_config=VISION)))


def align():
    t = transformers
    vision = {"image_size": 64, "width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 24, "num_hidden_layers": 4,
              "in_channels": [8, 8], "out_channels": [8, 24], "strides": [2, 2], "num_block_repeats": [1, 1],
              "expand_ratios": [1, 2], "kernel_sizes": [3, 3], "depthwise_padding": [], "num_channels": 3}  # fmt: skip
    written = {**WRITTEN, "type_vocab_size": 1}
    return seeded(lambda: t.AlignModel(t.AlignConfig(text_config=written, vision_config=vision, projection_dim=8)))


def theirs(network, x, texts=TEXTS):
    """The logits (n, k) that the whole network gives, as its own documentation calls it."""
    filled = {"padding": "max_length", "max_length": 8} if "Siglip" in type(network).__name__ else {"padding": True}
    own = tokenizer("input_ids") if "Siglip" in type(network).__name__ else tokenizer()
    return network(pixel_values=torch.as_tensor(x), **own(texts, return_tensors="pt", **filled)).logits_per_image


FAMILIES = {"clip": (clip, ()), "siglip": (siglip, ("input_ids",)), "align": (align, ())}


@pytest.fixture(params=[*FAMILIES])
def pair(request):
    """A network in float64, and the model of it."""
    make, inputs = FAMILIES[request.param]
    network = make().double()
    return network, seewhy.wrap(network, tokenizer=tokenizer(*inputs))


def test_logits_and_gradients_are_the_networks_own(pair):
    network, model = pair
    others = TEXTS[1:]
    alone, against = seewhy.input_x_gradient(model, X[:1], target=[Text(TEXTS[0]), Text(TEXTS[0], others)])
    x = torch.tensor(X[:1], requires_grad=True)
    logits = theirs(network, x)[0]
    contrast = logits[0] - logits[1:].mean()
    assert alone.source.score == pytest.approx(logits[0].item(), rel=1e-9)
    assert against.source.score == pytest.approx(contrast.item(), rel=1e-9)
    for heatmap, score in ((alone, logits[0]), (against, contrast)):
        (g,) = torch.autograd.grad(score, x, retain_graph=True)
        close(heatmap.values, (g * x).sum(1)[0].detach().numpy(), 1e-5)
    sigmoid = hasattr(network, "logit_bias")
    expected = logits.sigmoid()[0] if sigmoid else logits.softmax(0)[0]
    assert against.source.probability == pytest.approx(expected.item(), rel=1e-9)
    assert alone.source.probability == (pytest.approx(expected.item(), rel=1e-9) if sigmoid else None)


def test_the_sentence_around_the_texts_is_read(pair):
    network, model = pair
    (heatmap,) = seewhy.gradient(model, X[:1], target=Text("dog", ["cat", "car"], "a photo of a {}"))
    with torch.no_grad():
        logits = theirs(network, X[:1], [f"a photo of a {one}" for one in ("dog", "cat", "car")])[0]
    assert heatmap.source.score == pytest.approx((logits[0] - logits[1:].mean()).item(), rel=1e-9)
    assert heatmap.source.target == "text:a photo of a dog|a photo of a cat|a photo of a car"


def test_texts_too_long_are_refused_and_the_longest_fits(pair):
    _, model = pair
    seewhy.gradient(model, X[:1], target=Text("a dog a dog a dog"))
    with pytest.raises(BadParameter, match="makes 9 tokens, and the text tower reads 8 at most"):
        seewhy.gradient(model, X[:1], target=Text("a dog", ["a dog a dog a dog a"]))


def test_what_hides_parts_asks_for_the_same_number(pair):
    network, model = pair
    method = seewhy.occlusion.using(window=16, stride=16, fill="zero")
    (heatmap,) = method(model, X[:1], target=Text(*TEXTS[:2]))
    hidden = np.concatenate([X[:1]] * 5)
    for i, (y, x) in enumerate([(0, 0), (0, 16), (16, 0), (16, 16)]):
        hidden[i, :, y : y + 16, x : x + 16] = 0
    with torch.no_grad():
        logits = theirs(network, hidden).numpy()
    score = logits[:, 0] - logits[:, 1]
    close(heatmap.values[::16, ::16].ravel(), score[4] - score[:4], 1e-5)


@pytest.mark.parametrize(("make", "layer"), [(clip, "encoder.layers.1.layer_norm1"), (siglip, "post_layernorm")])
def test_a_tower_of_tokens_is_read_behind_its_blocks_and_not_where_patches_begin(make, layer):
    model = seewhy.wrap(make().double(), tokenizer=tokenizer())
    maps = seewhy.explain(model, X[:1], ["grad-cam", "layer-cam", "hires-cam"], target=[Text("a dog"), Text("a cat")])
    assert {m.source.layer for m in maps} == {f"vision_model.{layer}"}
    assert all(m.values.shape == (4, 4) for m in maps)
    assert values(maps).any()
    (like,) = seewhy.grad_cam(model, X[:1], target=Similar(X[1]))
    assert like.source.layer == maps[0].source.layer


def test_a_processor_serves_as_its_tokenizer():
    network = clip()
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor = transformers.CLIPProcessor(transformers.CLIPImageProcessor(**size), tokenizer())
    maps = [
        seewhy.gradient(seewhy.wrap(network, tokenizer=one), X[:1], target=Text("a dog"))[0] for one in (processor, tokenizer())
    ]
    np.testing.assert_array_equal(maps[0].values, maps[1].values)


def test_the_towers_run_in_eval_mode_and_leave_no_gradient():
    network = clip().train()
    model = seewhy.wrap(network, tokenizer=tokenizer())
    first, again = (seewhy.gradient(model, X[:1], target=Text("a dog"))[0].values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert network.training
    assert network.text_model.training
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A CLIP with its processor and, in another folder, without words."""
    whole, mute = (tmp_path_factory.mktemp("clip") / name for name in ("whole", "mute"))
    network = clip()
    for folder in (whole, mute):
        network.save_pretrained(folder)
        transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
            folder
        )
    tokenizer().save_pretrained(whole)
    return network, whole, mute


def test_a_folder_brings_both_towers_and_the_tokenizer(saved, noise):
    network, whole, _ = saved
    model = load(str(whole))
    maps = seewhy.gradient(model, X.astype(np.float32), target=seewhy.PerImage([Text(TEXTS[0]), Text(TEXTS[1], TEXTS[2])]))
    with torch.no_grad():
        logits = theirs(network, X.astype(np.float32)).numpy()
    np.testing.assert_allclose([m.source.score for m in maps], [logits[0, 0], logits[1, 1] - logits[1, 2]], rtol=1e-4)
    (photo,) = seewhy.grad_cam(model, noise((75, 58)), target="text:a dog|a cat")
    assert photo.source.weights.startswith("model.safetensors sha256:")
    assert (photo.source.model, photo.source.label) == (str(whole), "a dog vs a cat")
    again = pickle.loads(pickle.dumps(model))
    close(seewhy.grad_cam(again, noise((75, 58)), target="text:a dog|a cat")[0].values, photo.values, rel=1e-5)


def test_a_folder_without_words_still_knows_what_is_alike(saved, noise):
    model = load(str(saved[2]))
    (same,) = seewhy.occlusion.using(window=16)(model, noise((40, 40)), target=Similar(noise((40, 40))))
    assert same.source.score == pytest.approx(1, abs=1e-5)
    with pytest.raises(NotApplicable, match="without its tokenizer"):
        seewhy.gradient(model, noise((40, 40)), target=Text("a dog"))
    told = load(str(saved[2]), tokenizer=tokenizer())
    assert seewhy.gradient(told, noise((40, 40)), target=Text("a dog"))[0].source.label == "a dog"


def test_the_command_line_takes_a_text_and_a_photo_to_be_like(saved, noise, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise((50, 40)).save("one.png")
    noise((40, 50), 1).save("other.png")
    asked = ["-t", "text:a dog|a cat", "-t", "similar:other.png"]
    done = CliRunner().invoke(main, ["explain", "one.png", "--model", str(saved[1]), "-M", "gradient", "--no-sheet", *asked])
    assert done.exit_code == 0, done.output
    assert "a dog vs a cat" in done.output
    assert len([*tmp_path.glob("seewhy-out/*.png")]) == 2
    refused = CliRunner().invoke(main, ["explain", "one.png", "--model", str(saved[1])])
    assert refused.exit_code == 2
    assert 'Ask for a text, Text("a dog"' in refused.output
    listed = CliRunner().invoke(main, ["layers", str(saved[1])])
    assert "vision_model.encoder.layers.1" in listed.output
    assert "text_model" not in listed.output


class Cut:
    """A tokenizer as open_clip's: texts -> (k, 8), what is longer is cut off."""

    def __call__(self, texts):
        rows = [[1, *[WORDS.index(word) for word in text.split()][:6], len(WORDS)] for text in texts]
        return torch.tensor([row + [0] * (8 - len(row)) for row in rows])


def opened(layers, size):
    model = pytest.importorskip("open_clip.model")
    written = model.CLIPTextCfg(context_length=8, vocab_size=len(WORDS) + 1, width=16, heads=2, layers=2)
    seen = model.CLIPVisionCfg(layers=layers, width=16, head_width=8, patch_size=8, image_size=size)
    return seeded(lambda: model.CLIP(8, seen, written)).double()


@pytest.mark.parametrize(("layers", "size"), [(2, 32), ((1, 1, 1, 1), 64)], ids=["vit", "resnet"])
def test_open_clip_gives_its_own_logits_and_gradients(layers, size):
    network = opened(layers, size)
    x = torch.tensor(np.random.default_rng(0).normal(size=(1, 3, size, size)), requires_grad=True)
    model = seewhy.wrap(network, tokenizer=Cut())
    maps = seewhy.input_x_gradient(model, x.detach().numpy(), target=[Text(TEXTS[0]), Text(TEXTS[0], TEXTS[1])])
    logits = network.get_logits(x, Cut()(TEXTS))[0][0]
    for heatmap, score in zip(maps, (logits[0], logits[0] - logits[1]), strict=True):
        (g,) = torch.autograd.grad(score, x, retain_graph=True)
        close(heatmap.values, (g * x).sum(1)[0].detach().numpy(), 1e-5)
        assert heatmap.source.score == pytest.approx(score.item(), rel=1e-9)
    (cam,) = seewhy.grad_cam(model, x.detach().numpy(), target=Text("a dog"))
    assert "conv1" not in cam.source.layer
    assert cam.values.any()


def test_a_text_that_open_clip_cuts_off_is_said():
    model = seewhy.wrap(opened(2, 32), tokenizer=Cut())
    maps = seewhy.gradient(model, X[:1], target=[Text("a dog a dog a dog"), Text("a dog", ["a dog a dog a dog a cat"])])
    assert ["cut off" in " ".join(m.source.warnings) for m in maps] == [False, True]


def test_a_network_that_finds_nothing_of_one_tower_is_told_from_a_tower():
    vision = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**VISION, projection_dim=8)).eval()
    model = seewhy.wrap(vision)
    with torch.no_grad():
        e = nn.functional.normalize(vision(torch.as_tensor(X.astype(np.float32))).image_embeds, dim=1)
    (heatmap,) = seewhy.gradient(model, X[:1].astype(np.float32), target=Similar(X[1].astype(np.float32)))
    assert heatmap.source.score == pytest.approx(float(e[0] @ e[1]), abs=1e-5)
    with pytest.raises(NotApplicable, match="no text tower"):
        seewhy.gradient(model, X[:1].astype(np.float32), target=Text("a dog"))
    assert values(seewhy.gradient(model, X[:1].astype(np.float32))).any()  # its top number, as before
