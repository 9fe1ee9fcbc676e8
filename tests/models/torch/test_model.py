"""Every state a torch network, or its caller, may be in: the right map or a clear error."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import seewhy
from seewhy.errors import NotFinite
from support import networks
from support.ask import close

X = networks.images(2, *networks.SIDES, seed=11)


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


@pytest.fixture
def network():
    return networks.pooled().double()


@pytest.fixture
def expected(network):
    return values(seewhy.grad_cam(seewhy.wrap(network), X, target=1))


def test_a_frozen_network(network, expected):
    network.requires_grad_(False)
    np.testing.assert_array_equal(values(seewhy.grad_cam(seewhy.wrap(network), X, target=1)), expected)
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_caller_inside(mode, network, expected):
    with mode():
        x = torch.as_tensor(X) * 1  # in inference mode: an inference tensor
        got = seewhy.explain(seewhy.wrap(network), x, ["grad-cam", "eigen-cam", "cam"], target=1)
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    close(values(got.where(method="grad-cam")), expected, rel=1e-5)


def test_a_network_in_train_mode_is_explained_in_eval():
    network = networks.bn_dropout().double()
    right = values(seewhy.grad_cam(seewhy.wrap(network.eval()), X, target=1))
    modules = list(network.train().modules())
    modules[2].eval()
    modes = [m.training for m in modules]
    np.testing.assert_array_equal(values(seewhy.grad_cam(seewhy.wrap(network), X, target=1)), right)
    assert [m.training for m in modules] == modes


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision(half, expected):
    network = networks.pooled().to(half)
    (m, _) = seewhy.grad_cam(seewhy.wrap(network), X.astype(np.float32), target=1)
    assert m.values.dtype == np.float32
    assert np.corrcoef(m.values.ravel(), expected[0].ravel())[0, 1] > 0.99


def test_autocast(expected):
    model = seewhy.wrap(networks.pooled().float())
    for name in ("grad-cam", "cam", "eigen-cam", "hires-cam"):
        plain = values(seewhy.METHODS[name](model, X.astype(np.float32), target=1))
        with torch.autocast("cpu", torch.bfloat16):
            cast = values(seewhy.METHODS[name](model, X.astype(np.float32), target=1))
        assert np.corrcoef(plain.ravel(), cast.ravel())[0, 1] > 0.99, name
        assert cast.dtype == np.float32


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # torch 2.10, of what it imports to compile
def test_compiled_and_parallel_networks_are_read_through(network, expected):
    for wrapped in (torch.compile(network, backend="eager"), nn.DataParallel(network), nn.DataParallel(torch.compile(network))):
        model = seewhy.wrap(wrapped)
        assert not any(name.startswith(("_orig_mod", "module")) for name in model.layers(X))
        np.testing.assert_array_equal(values(seewhy.grad_cam(model, X, target=1)), expected)


def test_which_call_of_a_reused_module_is_read():
    network = networks.reused().double()
    model = seewhy.wrap(network)
    name, calls = next((name, layer.calls) for name, layer in model.layers(X).items() if layer.calls > 1)
    calls_of = [f"{name}#{call + 1}" for call in range(calls)]
    by_call = [seewhy.grad_cam(model, X, target=1, layer=one) for one in calls_of]
    for known in (model, seewhy.wrap(network)):  # whether it was looked through before, or not
        for method in ("grad-cam", "eigen-cam", "guided-grad-cam", "recipro-cam", "random-map"):
            every = seewhy.explain(known, X, method, target=1, layer=name)
            layers = [m.source.layer for m in every if m.place == 0]
            assert layers == calls_of, method
    every = seewhy.grad_cam(seewhy.wrap(network), X, target=1, layer=name)
    for one, maps in zip(calls_of, by_call, strict=True):
        np.testing.assert_array_equal(values(every.where(layer=one)), values(maps))
        assert all(warning.startswith("hires-cam has") for warning in maps[0].warnings)
    shapes = {m[0].values.shape for m in by_call}
    assert len(shapes) > 1 or not np.allclose(values(by_call[0]), values(by_call[-1]))
    with pytest.raises(seewhy.NoSuchName, match=f"runs {calls} times"):
        seewhy.grad_cam(model, X, layer=f"{name}#{calls + 1}")
    with pytest.raises(seewhy.BadParameter, match="which call"):
        seewhy.grad_cam(model, X, layer=f"{name}#x")
    two = [f"{name}#1", f"{name}#{calls}"]
    stopped = seewhy.eigen_cam(model, X, layer=two)
    together = seewhy.explain(model, X, ["grad-cam", "eigen-cam"], layer=two).where(method="eigen-cam")
    for a, b in zip(stopped, together, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-6)


def test_cam_reads_the_last_call_of_a_reused_module_and_says_so():
    for m in seewhy.explain(seewhy.wrap(networks.reused()), X, ["cam", "grad-cam"], layer="act").where(method="cam"):
        assert any("the last call is read" in w for w in m.warnings), m.source


def test_a_backbone_under_no_grad_is_read_all_the_same():
    """A frozen backbone inside `with torch.no_grad()`, as transfer learning has it."""

    class Frozen(nn.Module):
        def __init__(self, network, guard):
            super().__init__()
            self.body, self.head, self.guard = network[:-3], network[-3:], guard

        def forward(self, x):
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.guard):
                x = self.body(x)
            return self.head(x)

    network = networks.pooled().double()
    assert isinstance(network, nn.Sequential)
    free, guarded = (seewhy.grad_cam(seewhy.wrap(Frozen(network, guard)), X, target=1, layer="body") for guard in (0, 1))
    np.testing.assert_array_equal(values(free), values(guarded))
    assert values(free).any()


def test_layers_that_cannot_be_asked():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.spare, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(self.conv(x).mean((2, 3)))

    model = seewhy.wrap(Partly())
    x = X.astype(np.float32)
    with pytest.raises(seewhy.NoSuchName, match=r"No layer 'convv'\. Closest: conv"):
        seewhy.grad_cam(model, x, layer="convv")
    with pytest.raises(seewhy.NoSuchName, match="does not run"):
        seewhy.grad_cam(model, x, layer="spare")
    with pytest.raises(seewhy.NotApplicable, match="no space"):
        seewhy.grad_cam(model, x, layer="fc")


def test_nothing_but_torch_modules_and_functions_can_be_wrapped():
    for thing in ("resnet50", None, nn.Linear):
        with pytest.raises(seewhy.BadParameter, match="Module or a function"):
            seewhy.wrap(thing)
    with pytest.raises(seewhy.BadParameter, match=r"seewhy\.load\('resnet50'\)"):
        seewhy.wrap("resnet50")
    with pytest.raises(seewhy.BadParameter, match=r"^small is a seewhy model already"):
        seewhy.wrap(seewhy.wrap(networks.pooled(), name="small"))
    with pytest.raises(seewhy.BadParameter, match="wrap"):
        seewhy.grad_cam(networks.pooled(), X)


def test_tokens_and_channels_last_are_turned():
    """The maps of a transformer and of an NHWC network are those of the same numbers, read by hand."""
    network = networks.tokens().double()
    model = seewhy.wrap(network)
    name = next(name for name, layer in model.layers(X).items() if layer.default)
    seen = {}
    handle = dict(network.named_modules())[name].register_forward_hook(
        lambda m, i, o: seen.update(out=o) or o.retain_grad() if o.requires_grad else None
    )
    x = torch.as_tensor(X)
    network.eval()(x)[:, 1].sum().backward()
    handle.remove()
    a, g = seen["out"].detach().numpy(), seen["out"].grad.numpy()
    rows, columns = (side // 4 for side in networks.SIDES)
    by_hand = np.einsum("ntc,ntc->nt", a, g)[:, 1:].reshape(2, rows, columns)  # behind the class token
    network.zero_grad()
    got = seewhy.hires_cam(model, X, target=1, layer=name, signed=True)
    np.testing.assert_allclose(values(got), by_hand, rtol=1e-5, atol=1e-9)


def test_the_last_blocks_patch_tokens_do_not_reach_the_score():
    model = seewhy.wrap(networks.tokens().double())
    layers = model.layers(X)
    cut = [name for name, layer in layers.items() if len(layer.shape) == 3 and not layer.connected]
    assert cut, "the toy should have tokens behind its last attention"
    m = seewhy.grad_cam(model, X, layer=cut[-1])[0]
    default = next(name for name, layer in layers.items() if layer.default)
    assert not m.values.any()
    said = (
        f"zero gradient: this score does not rest on {cut[-1]}: no other values in its cells change it. It rests on {default},"
    )
    assert any(w.startswith(said) for w in m.warnings)  # it does on the class token, which is no cell
    assert seewhy.grad_cam(model, X, signed=True)[0].values.any()


def test_memory_that_runs_out_halves_the_batch(network, expected, monkeypatch):
    model = seewhy.wrap(network)
    sizes, plain = [], network.forward

    def hungry(x):
        sizes.append(len(x))
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(x)

    monkeypatch.setattr(network, "forward", hungry)
    layer = seewhy.grad_cam(model, X[:1])[0].source.layer
    close(values(seewhy.grad_cam(model, X, target=1, layer=layer)), expected, rel=1e-5)
    assert sizes[-3:] == [2, 1, 1]
    monkeypatch.setattr(network, "forward", lambda x: (_ for _ in ()).throw(torch.OutOfMemoryError("no")))
    with pytest.raises(MemoryError, match="one image"):
        seewhy.grad_cam(model, X, target=1, layer=layer)


def test_nan_is_named_at_the_layer_where_it_arose(network):
    convs = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        dict(network.named_modules())[convs[-1]].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(NotFinite, match=f"first arise at layer {re.escape(convs[-1])}, so"):
        seewhy.grad_cam(seewhy.wrap(network), X)


def test_a_map_of_one_cell_and_an_empty_one_say_so(network):
    model = seewhy.wrap(nn.Sequential(*network[:-3], nn.AdaptiveAvgPool2d(1), *network[-3:]))
    pool = next(name for name, m in model.network.named_modules() if isinstance(m, nn.AdaptiveAvgPool2d))
    assert any("1x1" in w for w in seewhy.grad_cam(model, X, layer=pool)[0].warnings)

    class Against(nn.Module):
        def forward(self, x):
            return -F.relu(x).mean((2, 3))

    against = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), Against()))
    x = np.abs(X).astype(np.float32) + 1
    with torch.no_grad():
        against.network[0].weight.fill_(1)
    m = seewhy.grad_cam(against, x, target=0, layer="1")[0]
    assert not m.values.any()
    assert any("nothing is left after ReLU" in w for w in m.warnings)
    assert seewhy.grad_cam(against, x, target=0, layer="1", signed=True)[0].values.min() < 0
    assert seewhy.counterfactual(against, x, target=0, layer="1")[0].values.any()


def test_the_input_is_a_layer_too(network):
    m = seewhy.hires_cam(seewhy.wrap(network), X, target=1, layer="input", signed=True)[0]
    x = torch.as_tensor(X).requires_grad_()
    (g,) = torch.autograd.grad(network.eval()(x)[:, 1].sum(), x)
    np.testing.assert_allclose(m.values, (x * g).sum(1)[0].detach().numpy(), rtol=1e-5, atol=1e-9)


def test_a_head_still_filled_with_zeros_hides_no_layer():
    """As torchvision's untrained transformers have it: the default is the one it will be once trained."""
    network = networks.tokens()
    default = next(name for name, layer in seewhy.wrap(network).layers(X).items() if layer.default)
    with torch.no_grad():
        network.fc.weight.zero_()
    layers = seewhy.wrap(network).layers(X)
    assert layers[default].default
    assert any("zero gradient" in w for w in seewhy.grad_cam(seewhy.wrap(network), X)[0].warnings)
