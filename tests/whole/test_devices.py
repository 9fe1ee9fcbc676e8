"""Where a network lies: on a device that is not there, on none, spread by accelerate, on a GPU."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import IMAGE, METHODS, PerImage, Unit
from seewhy.methods.making.method import lookup
from support import networks
from support.ask import close, home

X = networks.images(2, *networks.SIDES, seed=11)
FEW = {"samples": 3, "steps": 4, "masks": 20, "window": 5, "stride": 3}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is at hand")


def asked(name: str) -> seewhy.Method:
    method = lookup(name)
    return method.using(**{key: few for key, few in FEW.items() if key in method.defaults})


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


def explained(name: str, network: nn.Module, **more: Any) -> np.ndarray:
    method = asked(name)
    return values(method(seewhy.wrap(network), X, target=[1, 2], layer="act2" if method.layered else None, **more))


@pytest.mark.parametrize("device", ["cuda:99", "mps", "gpu", torch.device("xpu")], ids=str)
def test_a_device_that_is_not_there(device):
    """Says so, and the network stays where it was."""
    if str(device) == "mps" and torch.backends.mps.is_available():
        pytest.skip("MPS is there")
    network = networks.pooled()
    with pytest.raises(seewhy.BadParameter, match=r"device=.*cannot be moved there \("):
        seewhy.wrap(network, device=device)
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    close(explained("grad-cam", network), explained("grad-cam", networks.pooled()), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.int8, "half of it"], ids=str)
def test_a_precision_that_is_none(dtype):
    with pytest.raises(seewhy.BadParameter, match=r"dtype=.*cannot be moved there"):
        seewhy.wrap(networks.pooled(), dtype=dtype)


def test_a_network_is_moved_as_asked():
    network = networks.pooled()
    assert next(seewhy.wrap(networks.pooled(), dtype="bfloat16").network.parameters()).dtype == torch.bfloat16
    model = seewhy.wrap(network, device="cpu", dtype=torch.float32)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    np.testing.assert_allclose(values(seewhy.grad_cam(model, X, target=1)), explained("grad-cam", networks.pooled())[::2],
                               rtol=1e-3, atol=1e-6)  # fmt: skip


@pytest.mark.parametrize("name", ["grad-cam", "occlusion"])
@pytest.mark.parametrize(
    "build", [lambda: networks.pooled().to("meta"), lambda: seewhy.wrap(networks.pooled(), device="meta").network]
)
def test_a_network_without_weights_says_so(build, name):
    with pytest.raises(seewhy.BadNetwork, match=r"meta device.*no weights"):
        asked(name)(seewhy.wrap(build()), X, target=1)


def offloaded(accelerate: Any, network: nn.Module) -> nn.Module:
    return accelerate.cpu_offload(network, execution_device=torch.device("cpu"))


def on_disk(accelerate: Any, network: nn.Module, folder: str) -> nn.Module:
    return accelerate.disk_offload(network, folder, execution_device=torch.device("cpu"))


def spread(accelerate: Any, network: nn.Module, folder: str) -> nn.Module:
    """Some of it here, some on disk."""
    parts = {name: "disk" if name in ("conv2", "fc", "block1") else "cpu" for name, _ in network.named_children()}
    parts |= {name: "cpu" for name, _ in network.named_parameters(recurse=False)}
    return accelerate.dispatch_model(network, parts, main_device="cpu", offload_dir=folder, force_hooks=True)


WAYS: dict[str, Callable[..., nn.Module]] = {
    "hooked": lambda a, network, _: a.dispatch_model(network, {"": "cpu"}, force_hooks=True),
    "offloaded": lambda a, network, _: offloaded(a, network),
    "on disk": on_disk,
    "spread": spread,
}


@pytest.fixture(scope="module")
def accelerate() -> Any:
    return pytest.importorskip("accelerate")


def lies(network: nn.Module) -> list[Any]:
    """All that a person could find changed: where each weight is, of which kind, and its hooks."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    hooks = [(type(m.__dict__.get("_hf_hook")), len(m._forward_hooks), m.training) for m in network.modules()]
    return [[(name, type(t), t.device, t.dtype, t.requires_grad) for name, t in tensors], hooks]


@pytest.mark.filterwarnings("ignore:The following device_map keys")
@pytest.mark.parametrize(
    ("build", "way"),
    [*((networks.pooled, way) for way in WAYS), (networks.bn_dropout, "offloaded"), (networks.lstm_head, "spread"),
     (networks.tokens, "spread"), (networks.tokens, "offloaded")],
)  # fmt: skip
def test_a_network_spread_by_accelerate_gives_the_same(build, way, accelerate, tmp_path):
    """Methods of each kind, in one go, so that none leaves anything behind that the next stumbles on."""
    plain = build()
    network = WAYS[way](accelerate, copy.deepcopy(plain), str(tmp_path))
    before = lies(network)
    for name in ("eigen-cam", "grad-cam", "occlusion", "gradient", "ablation-cam", "smooth-grad", "score-cam", "random-map"):
        method = asked(name)
        layer = next(n for n in ("act2", "block1", "act1") if n in dict(plain.named_modules())) if method.layered else None
        got, expected = (values(method(seewhy.wrap(one), X, target=1, layer=layer)) for one in (network, plain))
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7 * abs(expected).max(), err_msg=name)
        assert lies(network) == before, name


@pytest.mark.parametrize("name", [*METHODS])
def test_every_method_on_weights_that_come_and_go(name, accelerate):
    """A network of which each layer's weights are only there while it runs."""
    own = getattr(networks, home(name))
    network = offloaded(accelerate, own())
    before = lies(network)
    assert all(parameter.is_meta for parameter in network.parameters())
    expected = explained(name, own())
    np.testing.assert_allclose(explained(name, network), expected, rtol=1e-5, atol=1e-7 * abs(expected).max())
    assert lies(network) == before
    with torch.no_grad():
        x = torch.as_tensor(X)
        torch.testing.assert_close(network(x), own()(x))


@pytest.mark.parametrize("params", [{"fast": True}, {"dtype": "bfloat16"}, {"incremental": False}], ids=str)
def test_copies_of_such_a_network(params, accelerate):
    network = offloaded(accelerate, networks.pooled())
    before, method = lies(network), asked("occlusion").using(**params)
    got, expected = (values(method(seewhy.wrap(one), X, target=1)) for one in (network, networks.pooled()))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * abs(expected).max())
    assert lies(network) == before


class Direct(nn.Module):
    """Weights of its own beside those of its layers: they are brought in for the whole pass."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.body = nn.Parameter(torch.full((1, 3, 1, 1), 2.0).double()), networks.pooled()

    def forward(self, x):
        return self.body(x * self.scale)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: seewhy.eigen_cam(model, X, layer="body.act1"),
        lambda model: seewhy.grad_cam(model, X, target=Unit("body.act2", 3), layer="body.act1"),
        lambda model: seewhy.random_map(model, X, layer="body.act1"),
    ],
)
def test_a_pass_that_stops_early_leaves_the_weights_where_they_were(ask, accelerate):
    network = offloaded(accelerate, Direct())
    before = lies(network)
    expected = values(ask(seewhy.wrap(Direct())))
    np.testing.assert_allclose(values(ask(seewhy.wrap(network))), expected, rtol=1e-6)
    assert lies(network) == before


def test_side_inputs_of_such_a_network(accelerate):
    rows = np.array([0.1, -0.2]).reshape(2, 1, 1, 1)
    network = offloaded(accelerate, networks.Shifted())
    for name in ("grad-cam", "occlusion", "ablation-cam"):
        method = asked(name)
        layer = "body.act2" if method.layered else None
        got, expected = (
            values(method(seewhy.wrap(one, inputs=(IMAGE, PerImage(rows))), X, target=1, layer=layer))
            for one in (network, networks.Shifted())
        )
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


@pytest.fixture
def exact() -> Iterator[None]:
    """No TF32, which is right to three digits."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@gpu
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", [*METHODS])
def test_every_method_on_a_gpu(name):
    own = getattr(networks, home(name))
    network, expected = own().cuda(), explained(name, own())
    np.testing.assert_allclose(explained(name, network), expected, rtol=1e-4, atol=1e-6 * abs(expected).max())
    assert {parameter.device.type for parameter in network.parameters()} == {"cuda"}


@gpu
@pytest.mark.parametrize("name", ["grad-cam", "gradient", "ablation-cam", "occlusion"])
def test_the_maths_stays_on_the_gpu(name):
    """What runs through the network, and what it leaves, lies there all the time; images there need no way home."""
    network, seen = networks.pooled().cuda(), set()
    network.act2.register_forward_hook(lambda _m, _i, out: seen.add(str(out.device.type)))
    x = torch.as_tensor(X).cuda()
    method = asked(name)
    maps = values(method(seewhy.wrap(network), x, target=1, layer="act2" if method.layered else None))
    assert seen == {"cuda"}
    np.testing.assert_allclose(maps, explained(name, networks.pooled())[::2], rtol=1e-4, atol=1e-6 * abs(maps).max())
    model = seewhy.wrap(network)
    trace = model.trace(X, [seewhy.Class(1)], ["act2", "input"])
    assert {found.g.device.type for found in trace.evidence.values()} == {"cuda"}


@gpu
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", ["hires-cam", "gradient", "occlusion"])
def test_a_recurrent_head_on_a_gpu_in_eval_mode(name):
    """Whose backward pass cuDNN refuses; the flag is as it was afterwards."""
    method, on = asked(name), torch.backends.cudnn.enabled
    layer = "act1" if method.layered else None
    got, expected = (
        values(method(seewhy.wrap(network), X, target=[1, 3], layer=layer))
        for network in (networks.lstm_head().cuda(), networks.lstm_head())
    )
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6 * abs(expected).max())
    assert torch.backends.cudnn.enabled == on


@gpu
@pytest.mark.parametrize("name", ["grad-cam", "occlusion", "integrated-gradients"])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_autocast_on_a_gpu(kind, name):
    network, method, x = networks.pooled().float().cuda(), asked(name), X.astype(np.float32)
    layer = "act2" if method.layered else None
    with torch.autocast("cuda", kind):
        got = values(method(seewhy.wrap(network), x, target=1, layer=layer))
    expected = values(method(seewhy.wrap(networks.pooled().float()), x, target=1, layer=layer))
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.97


@gpu
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("name", ["grad-cam", "cam", "occlusion", "gradient", "ablation-cam"])
def test_a_network_spread_over_gpu_and_cpu(name, accelerate):
    parts = {name: "cpu" if name in ("conv2", "fc") else 0 for name, _ in networks.pooled().named_children()}
    network = accelerate.dispatch_model(networks.pooled(), parts, main_device=0)
    before, expected = lies(network), explained(name, networks.pooled())
    np.testing.assert_allclose(explained(name, network), expected, rtol=1e-4, atol=1e-6 * abs(expected).max())
    assert lies(network) == before


@gpu
def test_side_inputs_go_where_the_network_is():
    rows = np.array([0.1, -0.2]).reshape(2, 1, 1, 1)
    got, expected = (
        values(seewhy.grad_cam(seewhy.wrap(network, inputs=(IMAGE, PerImage(rows))), X, target=1))
        for network in (networks.Shifted().cuda(), networks.Shifted())
    )
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
