"""Signals, pictures and volumes through the same methods: each map derived a second time in one, two and three dimensions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import NotApplicable
from support import ask
from support.dimensions import CONVOLVED, NETS, PLAIN, SPACES, TARGETS, bold, evidence, half, led_back, of
from support.references import cams as references
from support.references import pixels as pixel_references

LAYERS = [(name, layer) for name, net in NETS.items() for layer in net.layers]


@pytest.mark.parametrize(("name", "layer"), LAYERS, ids=[f"{name}-{layer}" for name, layer in LAYERS])
def test_cams_of_every_layer(name, layer):
    """Their formulas do not ask how the places are arranged: those of a line of places must come out on the grid."""
    net = NETS[name]
    grid, asked = net.layers[layer], {**references.FROM_GRADIENTS, **references.FROM_ACTIVATIONS}
    of_each = {(t, i): evidence(net, layer, net.images[i], TARGETS[t]) for t, i in np.ndindex(len(TARGETS), 2)}
    cases = [ask.case(net.network, net.images, TARGETS, [layer], gradients=gradients) for gradients in (False, True)]
    for method, formula in asked.items():
        (found,) = ask.run(method, cases["gradients" in seewhy.METHODS[method].shares]).values()
        assert found.shape[-len(grid) :] == grid, method
        for (t, i), (a, g) in of_each.items():
            lines = [a[..., None], g[..., None]] if method in references.FROM_GRADIENTS else [a[..., None]]
            scale = max(abs(a).max() * abs(g).max(), 1e-6)
            np.testing.assert_allclose(
                found[t, i], formula(*lines).reshape(grid), rtol=1e-8, atol=1e-10 * scale, err_msg=method
            )


@pytest.mark.parametrize("d", SPACES)
def test_cam_where_there_is_a_head_for_it(d):
    net = NETS[f"pooled {d}-D"]
    (found,) = ask.maps(net.network, "cam", net.images, TARGETS, ["5"]).values()
    w = net.network[-1].weight.detach().numpy()
    for t, i in np.ndindex(2, 2):
        ask.close(
            found[t, i], np.tensordot(w[TARGETS[t]], references.evidence(net.network, "5", net.images[i], w[0, :5])[0], 1)
        )
    with pytest.raises(NotApplicable, match="hires-cam"):
        seewhy.cam(seewhy.wrap(NETS[f"flat {d}-D"].network), NETS[f"flat {d}-D"].images)


@pytest.mark.parametrize("name", NETS)
def test_the_default_layer_and_where_its_cells_lie(name):
    """The last that has places; a cell's centre is that of the pixels that it was made of."""
    net = NETS[name]
    (found, _) = seewhy.grad_cam(seewhy.wrap(net.network), net.images, target=0, signed=True)
    assert (found.source.layer, found.values.shape) == (net.last, net.layers[net.last])
    strides = [size / cells for size, cells in zip(net.space, net.layers[net.last], strict=True)]
    if name not in ("recurrent",) and not name.startswith("averaged"):
        assert found.cells is not None
        assert [*found.cells.stride] == pytest.approx(strides)


@pytest.mark.parametrize(("method", "rule"), [("gradient", "plain"), ("guided-backprop", "guided"), ("deconvnet", "deconv")])
@pytest.mark.parametrize("name", CONVOLVED)
def test_gradients_and_their_rules(name, method, rule):
    net = NETS[name]
    found = ask.maps(net.network, method, net.images, TARGETS, ["input"])["input"]
    for t, i in np.ndindex(2, 2):
        ask.close(found[t, i], led_back(net, net.images[i], TARGETS[t], rule))
    if rule != "plain":
        ask.far(found, ask.maps(net.network, "gradient", net.images, TARGETS, ["input"])["input"])


@pytest.mark.parametrize("d", SPACES)
def test_the_switches_of_max_pooling(d):
    """All that comes back to a window goes to its largest pixel, whatever the rule."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(2 * int(np.prod(half(SPACES[d]))), 5).double()
    network = nn.Sequential(nn.ReLU(), of(d, "MaxPool")(2), nn.Flatten(), head)
    x = np.random.default_rng(d).normal(1, 1, (1, 2, *SPACES[d]))
    found = ask.maps(network, "deconvnet", x, [1], ["input"])["input"][0, 0]
    expected = np.zeros_like(x[0])
    weights = head.weight.detach().numpy()[1].reshape(2, *half(SPACES[d]))
    for c, *cell in np.ndindex(*weights.shape):
        window = (c, *(slice(2 * i, 2 * i + 2) for i in cell))
        after = np.maximum(x[0][window], 0)
        place = np.unravel_index(after.argmax(), after.shape)
        expected[window][place] = max(weights[(c, *cell)], 0)
    ask.close(found, expected)


@pytest.mark.parametrize("name", [*PLAIN, "recurrent", "tokens 1-D", "tokens 3-D"])
def test_what_is_made_of_gradients(name):
    net = NETS[name]
    steps = list(net.network) if isinstance(net.network, nn.Sequential) else None
    plain = net if steps else net._replace(network=nn.Sequential(net.network))
    image, own = net.images[1], lambda x: led_back(plain, x, 3)
    found = {m: ask.maps(net.network, m, net.images, [3], ["input"], **few)["input"][0, 1] for m, few in PIXELS.items()}
    copies = pixel_references.noisy(image, 3)
    gradients = [own(copy) for copy in copies]
    mean = sum(gradients) / 3
    ask.close(found["input-x-gradient"], image * own(image))
    ask.close(found["smooth-grad"], mean)
    ask.close(found["smooth-grad-squared"], sum(g**2 for g in gradients) / 3)
    ask.close(found["var-grad"], sum((g - mean) ** 2 for g in gradients) / 3)
    whole = sum(w * own(alpha * image) for alpha, w in pixel_references.NODES["gauss-legendre"](3))
    ask.close(found["integrated-gradients"], image * whole)
    mirrored = seewhy.methods.making.method.lookup("augment(gradient)").using(flips=True, scales=(1,))
    both = ask.run(mirrored, ask.case(net.network, net.images, [3], ["input"], gradients=False, pixels=True))["input"][0, 1]
    ask.close(both, (own(image) + np.flip(own(np.flip(image, -1).copy()), -1)) / 2)


PIXELS: dict[str, dict[str, Any]] = {
    "input-x-gradient": {}, "smooth-grad": {"samples": 3}, "smooth-grad-squared": {"samples": 3}, "var-grad": {"samples": 3},
    "integrated-gradients": {"steps": 3},
}  # fmt: skip


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet", "guided-grad-cam"])
@pytest.mark.parametrize("name", ["tokens 1-D", "tokens 3-D"])
def test_what_a_transformer_is_refused_and_what_to_ask_for(name, method):
    net = NETS[name]
    with pytest.raises(NotApplicable, match="ask for gradient"):
        seewhy.METHODS[method](seewhy.wrap(net.network), net.images, target=0)


@pytest.mark.parametrize("d", SPACES)
def test_units_of_any_grid(d):
    net = NETS[f"pooled {d}-D"]
    for where, read in {"max": torch.max, "sum": torch.sum}.items():
        (m,) = seewhy.gradient(seewhy.wrap(net.network), net.images[:1], target=seewhy.Unit("3", 2, at=where), reduce="sum")
        x = torch.tensor(net.images[:1], requires_grad=True)
        (g,) = torch.autograd.grad(read(net.network[:4](x)[0, 2]), x)
        ask.close(m.values, g[0].sum(0).numpy(), 1e-6)


@pytest.mark.parametrize("d", SPACES)
def test_a_single_channel_is_no_place(d):
    """(n, 1, *space): the image itself, whose only channel comes first."""
    network = bold(
        lambda: nn.Sequential(of(d, "Conv")(1, 4, 3), nn.ReLU(), nn.Flatten(2), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    )
    x = np.random.default_rng(d).normal(size=(2, 1, *SPACES[d]))
    leaf = torch.tensor(x, requires_grad=True)
    (g,) = torch.autograd.grad(network(leaf)[:, 2].sum(), leaf)
    ask.close(ask.values(seewhy.gradient(seewhy.wrap(network), x, target=2, reduce="sum")), g[:, 0].numpy(), 1e-6)
