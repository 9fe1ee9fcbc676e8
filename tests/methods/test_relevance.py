"""AttnLRP and LibraGrad on the Transformers people use: fused attention equals eager, all that has no bias adds up, and what
no rule is known for is refused."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.models.model import INPUT
from support import ask, networks
from support.references import relevance as plain

X = np.random.default_rng(0).normal(size=(2, 3, 32, 32))


def timm(name: str, **more) -> nn.Module:
    return pytest.importorskip("timm").create_model(name, img_size=32, num_classes=5, **more)


def torchvision() -> nn.Module:
    return pytest.importorskip("torchvision").models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)


def torchvision_swin() -> nn.Module:
    swin = pytest.importorskip("torchvision").models.swin_transformer
    return swin.SwinTransformer(
        [4, 4],
        16,
        [2, 2],
        [2, 4],
        [4, 4],
        num_classes=5,
        block=swin.SwinTransformerBlockV2,
        downsample_layer=swin.PatchMergingV2,
    )


def hugging_face(how: str = "sdpa", **more) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        num_labels=5, attn_implementation=how, **more,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config)


SMALL = {"depth": 2, "embed_dim": 16, "num_heads": 2}
MADE = {
    "timm ViT": lambda: timm("vit_tiny_patch16_224", patch_size=8, **SMALL),
    "timm mean-pooled": lambda: timm("vit_tiny_patch16_224", patch_size=8, global_pool="avg", class_token=False, **SMALL),
    "timm SigLIP": lambda: timm("vit_base_patch16_siglip_224", **SMALL),
    "timm EVA-02": lambda: timm("eva02_tiny_patch14_224", patch_size=8, **SMALL),
    "timm Swin": lambda: timm("swin_tiny_patch4_window7_224", window_size=2, depths=(1, 1), num_heads=(2, 4), embed_dim=16),
    "timm BEiT": lambda: timm("beit_base_patch16_224", **SMALL),
    "timm mixer": lambda: pytest.importorskip("timm").models.mlp_mixer.MlpMixer(
        5, 32, patch_size=8, num_blocks=2, embed_dim=16
    ),
    "torchvision ViT": torchvision,
    "torchvision Swin v2": torchvision_swin,
    "Hugging Face ViT": hugging_face,
}


def ready(make, bias: bool = True, seed: int = 0) -> nn.Module:
    """Bold weights; without `bias` nothing is added anywhere."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = make().double().eval()
        for name, parameter in network.named_parameters():
            added = name.endswith("bias") or any(
                part in name for part in ("pos_emb", "position_emb", "cls_token", "class_token")
            )
            if added:
                parameter.normal_(0, 0.2).mul_(float(bias))
            elif parameter.ndim > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
            elif "gamma" in name:
                parameter.fill_(1)
        for name, buffer in network.named_buffers():
            if not bias and "pos_embed" in name and "rope" not in name:
                buffer.zero_()
        return network


def scores(network: nn.Module) -> np.ndarray:
    with torch.no_grad():
        said = network(torch.tensor(X))
    return (said if isinstance(said, Tensor) else said.logits)[:, 1].numpy()


@pytest.mark.parametrize("family", MADE)
def test_without_biases_the_balanced_gradient_holds_the_whole_score(family):
    network = ready(MADE[family], bias=False)
    found = ask.run("libra(input-x-gradient)", ask.case(network, X, [1]))[INPUT]
    ask.close(found.sum((2, 3, 4))[0], scores(network), rel=1e-9)
    plainly = ask.run("input-x-gradient", ask.case(network, X, [1], gradients=False, pixels=True))[INPUT]
    ask.far(plainly.sum((2, 3, 4))[0], scores(network))


@pytest.mark.parametrize("family", MADE)
def test_relevance_runs_and_starts_from_the_score(family):
    """A batch equals its singles, and the forward pass under the rules is the network's own."""
    network = ready(MADE[family])
    case = ask.case(network, X, [1])
    found = seewhy.attn_lrp.outcome(case)
    ask.close(case.answered[0].scores[:, 1], scores(network), rel=1e-6)
    alone = [seewhy.attn_lrp.outcome(ask.case(network, X[i : i + 1], [1])).cores[INPUT][:, 0] for i in range(2)]
    ask.close(found.cores[INPUT], np.stack(alone, 1), rel=1e-6)


def eager(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if getattr(module, "fused_attn", False):
            module.fused_attn = False
    return network


@pytest.mark.parametrize("name", ["attn-lrp", "libra(input-x-gradient)"])
@pytest.mark.parametrize("family", ["timm ViT", "timm EVA-02", "Hugging Face ViT"])
def test_fused_equals_eager(family, name):
    fused = ready(MADE[family])
    slow = ready(lambda: hugging_face("eager")) if "Hugging" in family else eager(ready(MADE[family]))
    ask.close(*(ask.run(name, ask.case(one, X, [1]))[INPUT] for one in (fused, slow)), rel=1e-7)


class Odd(nn.Module):
    def __init__(self, then) -> None:
        super().__init__()
        self.conv, self.other, self.fc, self.then = plain.conv(3, 6), plain.conv(6, 6), nn.Linear(6, 5), then
        self.lstm = nn.LSTM(6, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        a = self.then(self, F.relu(self.conv(x)))
        return self.fc(a.mean((2, 3)) if a.ndim == 4 else a.mean(1))


REFUSED = {
    "LSTM": lambda net, a: net.lstm(a.flatten(2).mT)[0],
    "exp": lambda net, a: a.exp(),
    "weights made of the image": lambda net, a: F.conv2d(a, net.other.weight * a.mean((0, 2, 3)).view(1, 6, 1, 1)),
}


@pytest.mark.parametrize("name", ["attn-lrp", "lrp"])
def test_the_largest_is_max_pooling_however_it_is_written(name):
    """Hiera pools its queries by `amax`."""
    ways = (lambda net, a: F.max_pool2d(a, (1, 2)), lambda net, a: a.unflatten(3, (-1, 2)).amax(4))
    x = networks.images(1, 6, 8)
    pooled, largest = ([*ask.run(name, ask.case(plain.built(lambda how=how: [Odd(how)]), x, [1])).values()] for how in ways)
    ask.close(largest[0], pooled[0], 1e-9)


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_rule_is_known_for_is_refused(what):
    network = plain.built(lambda: [Odd(REFUSED[what])])
    with pytest.raises(seewhy.NotApplicable):
        seewhy.attn_lrp(seewhy.wrap(network), networks.images(1, 6, 8), target=1)


def test_lrp_says_who_knows_attention():
    with pytest.raises(seewhy.NotApplicable, match="attn-lrp knows attention"):
        seewhy.lrp(seewhy.wrap(ready(MADE["timm ViT"])), X, target=1)


@pytest.mark.parametrize("name", ["attn-lrp", "libra(gradient)"])
def test_probabilities_are_no_sum_to_share_out(name):
    network = nn.Sequential(ready(MADE["timm ViT"]), nn.Softmax(1))
    with pytest.raises(seewhy.NotApplicable, match=r"[Ww]rap the part"):
        ask.run(name, ask.case(network, X, [1]))
    with pytest.raises(seewhy.NotApplicable, match="explains probability"):
        ask.run(name, ask.case(network[0], X, [1], scores="probability"))


def test_on_a_convolutional_network_it_is_lrp():
    network, x = plain.built(plain.TOYS["residual"]), networks.images(2, 6, 8)
    for rule in ("epsilon", "gamma"):
        expected = ask.run("lrp", ask.case(network, x, [1]), rule=rule)[INPUT]
        ask.close(ask.run("attn-lrp", ask.case(network, x, [1]), rule=rule)[INPUT], expected)


def test_an_unknown_rule():
    with pytest.raises(seewhy.BadParameter, match="epsilon-gamma"):
        seewhy.attn_lrp(seewhy.wrap(networks.pooled()), networks.images(1), rule="z-plus")


def test_a_shuffle_of_channels_hands_relevance_on():
    torch.manual_seed(0)
    parts = [
        nn.Conv2d(3, 6, 3, bias=False),
        nn.ReLU(),
        nn.ChannelShuffle(3),
        nn.Conv2d(6, 6, 3, groups=3, bias=False),
        nn.ReLU(),
    ]
    shuffled = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4, bias=False)).double()
    by_hand = nn.Sequential(*parts[:2], ByHand(), *shuffled[3:]).double()
    x = networks.images(2)
    found, expected = (seewhy.lrp(seewhy.wrap(net), x, target=1) for net in (shuffled, by_hand))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.channels, other.channels, rtol=1e-9, atol=1e-12)
        assert one.channels.sum() == pytest.approx(one.source.score, rel=1e-4)


class ByHand(nn.Module):
    """A shuffle of 6 channels in 3 groups."""

    def forward(self, x):
        return x.unflatten(1, (3, 2)).transpose(1, 2).flatten(1, 2)
