"""Following where cells lie disturbs nothing, and known networks have their cells where theory puts them."""

from math import inf
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.models.torch.places.following import Following
from support.following import Net, conv, followed, lies


class Counted(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return fn(*args, **(kwargs or {}))


def test_other_modes_and_it_do_not_mind_each_other():
    x, net = torch.zeros(1, 3, 16, 16), conv(2, 2, stride=2)
    following = Following(x)
    with Counted() as outer, following, Counted() as inner:
        out = net(x)
    mark = following.of(out)
    assert mark is not None
    assert lies(mark) == ((8, 8), ((2, 2), (0.5, 0.5), (2, 2)))
    assert outer.calls == inner.calls == 1


def test_numbers_and_gradients_stay():
    net = nn.Sequential(conv(2, 3, stride=2), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(2)).eval()
    x = torch.randn(2, 3, 15, 15, generator=torch.Generator().manual_seed(0)).requires_grad_()
    plain = net(x)
    (g,) = torch.autograd.grad(plain.sum(), x)
    out, _ = followed(net, x)
    assert torch.equal(out, plain)
    assert torch.equal(torch.autograd.grad(out.sum(), x)[0], g)
    assert not x.__dict__, "nothing is left on the image"


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        return g[0] * 2


def odd_ways() -> dict[str, Net]:
    from torch.utils.checkpoint import checkpoint

    half = conv(2, 2, stride=2)
    scripted = torch.jit.trace(nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 8, 8), check_trace=False)
    return {
        "checkpointed": lambda x: checkpoint(half, x, use_reentrant=False),
        "checkpointed, re-entrant": lambda x: checkpoint(half, x.requires_grad_(), use_reentrant=True),
        "an autograd function": lambda x: Doubled.apply(half(x)),
        "in place": lambda x: half(x).relu_().add_(1).mul_(torch.ones(8)),
        "into out=": lambda x: torch.add(y := half(x), 1, out=torch.empty_like(y)),
        "a copy into a buffer": lambda x: torch.empty(1, 3, 8, 8).copy_(half(x)),
        "a list of lists": lambda x: torch.cat([torch.stack([half(x)[0]])], dim=1),
        "a scripted part": lambda x: scripted(half(x)),
        "traced by vmap": lambda x: torch.vmap(lambda one: half(one[None])[0])(x),
        "complex": lambda x: torch.view_as_real(torch.view_as_complex(half(x)[..., None].repeat(1, 1, 1, 1, 2)))[..., 0],
        "nothing in it": lambda x: (half(x)[:0].sum(), half(x))[1],
    }


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("name", ["checkpointed", "checkpointed, re-entrant", "an autograd function", "in place", "into out=",
                                  "a copy into a buffer", "a list of lists", "a scripted part", "traced by vmap", "complex",
                                  "nothing in it"])  # fmt: skip
@pytest.mark.parametrize("grad", [True, False])
def test_odd_ways_through_torch(name, grad):
    net = odd_ways()[name]
    x = torch.zeros(1, 3, 16, 16)
    if name == "into out=" and grad:
        pytest.skip("torch has no gradients there")
    with torch.set_grad_enabled(grad):
        out, following = followed(net, x)
    mark = following.of(out)
    if name == "a scripted part":
        assert mark is None, "torch does not show what runs inside"
    elif name == "traced by vmap":
        assert mark is not None
        assert mark.lost == "the inside of torch.func's transforms, which cannot be seen"
    else:
        assert mark is not None
        assert lies(mark) == ((8, 8), ((2, 2), (0.5, 0.5), (2, 2)))


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_what_torch_does_not_show_is_adopted_as_lost():
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 1)))
    x = torch.zeros(1, 3, 8, 8)
    with Following(x) as following:
        seen, unseen, other = nn.ReLU()(x), scripted(x), torch.zeros(3)
        following.adopt(seen, (x,), "ReLU")
        following.adopt({"out": (unseen,)}, (x,), "ScriptModule")
        following.adopt(other, (torch.zeros(1),), "ScriptModule")
        behind = unseen + 1
    assert following.of(seen).lost == ""
    assert following.of(unseen).lost == following.of(behind).lost == "the inside of ScriptModule, which cannot be seen"
    assert following.of(other) is None
    assert following.moment(unseen) is following.of(unseen)


def test_a_call_that_cannot_be_read_is_no_error():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return super().__torch_function__(fn, types, args, kwargs or {})

    def net(x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 0, 0), "reflect")
        assert torch.topk(padded.as_subclass(Odd).flatten(1), 4).values.shape == (1, 4)
        return torch.topk(padded.flatten(1), 4).values.reshape(1, 1, 2, 2)[..., torch.tensor([True, False])]

    out, following = followed(net, torch.zeros(1, 3, 7, 7))
    assert following.of(out).lost == "tokens are chosen by what the image shows"


def last_map(net: nn.Module, layer: str, side: int) -> tuple[Tensor, Following]:
    kept: list[Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out))
    with torch.no_grad():
        _, following = followed(net.eval(), torch.zeros(1, 3, side, side))
    handle.remove()
    return kept[-1], following


NETS: dict[
    str, tuple[str, dict[str, Any], str, int, int, float, float]
] = {  # where, options, layer, side, stride, first, field
    "mobilenetv2_100": ("timm", {"pad_type": "same"}, "bn2", 224, 32, 31, 491),
    "mobilenet_v2": ("torchvision", {}, "features", 224, 32, 0, 491),
    "resnet18": ("torchvision", {}, "layer4", 64, 32, 0, 435),
    "vgg11": ("torchvision", {}, "features", 64, 32, 15.5, 150),
    "squeezenet1_1": ("torchvision", {}, "features", 224, 16, 15, 207),
    "convnext_tiny": ("torchvision", {}, "features", 64, 32, 15.5, 1688),
    "convnext_atto": ("timm", {}, "norm_pre", 64, 32, 15.5, 1136),
    "vit_tiny_patch16_224": ("timm", {}, "norm", 224, 16, 7.5, inf),
    "deit_tiny_distilled_patch16_224": ("timm", {}, "blocks.11", 224, 16, 7.5, inf),
    "vit_b_32": ("torchvision", {"image_size": 64}, "encoder", 64, 32, 15.5, inf),
    "swin_tiny_patch4_window7_224": ("timm", {}, "norm", 224, 32, 15.5, inf),
    "swin_t": ("torchvision", {}, "norm", 224, 32, 15.5, inf),
    "tf_efficientnet_b0": ("timm", {}, "bn2", 224, 32, 31, inf),
}


@pytest.mark.parametrize("name", NETS)
def test_networks_with_known_offsets(name):
    where, options, layer, side, stride, first, field = NETS[name]
    if where == "timm":
        timm = pytest.importorskip("timm")
        net = timm.create_model(name, **options)
    else:
        net = pytest.importorskip("torchvision").models.get_model(name, weights=None, **options)
    a, following = last_map(net, layer, side)
    cells = {"squeezenet1_1": 13}.get(name, side // stride)
    mark = following.of(a)
    assert mark is not None
    assert lies(mark) == ((cells, cells), ((stride,) * 2, (first,) * 2, (field,) * 2))
