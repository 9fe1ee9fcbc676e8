"""Layers that run several times in a pass: a map for each call that sees the image, as of the views of a shared backbone."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

import seewhy
from seewhy import IMAGE, METHODS, PerImage, Unit
from seewhy.images.places import Place
from seewhy.methods.making.method import lookup
from support import networks
from support.ask import ANYWHERE

X, OTHER = networks.images(2, seed=1), networks.images(2, seed=5)


FEW = {"samples": 3, "steps": 4, "masks": 20, "window": 5, "stride": 3}


WITHOUT = ("cam", "excitation-backprop")  # which need a head without products


LAYERED = [
    name for name in (*METHODS, "smooth(grad-cam)", "augment(layer-cam)") if lookup(name).layered and name not in WITHOUT
]


ALL = [name for name in ANYWHERE if name != "cam"]  # whose head has one pooling


def asked(name: str, **more: Any) -> seewhy.Method:
    method = lookup(name)
    few = {key: few for key, few in FEW.items() if key in method.defaults}
    return method.using(**few, **{key: value for key, value in more.items() if key in method.defaults})


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


def same(got: Any, expected: np.ndarray) -> None:
    assert expected.any()
    np.testing.assert_allclose(values(got), expected, rtol=1e-5, atol=1e-7 * abs(expected).max())


class Views(nn.Module):
    """One body, which sees a left and a right picture; the scores multiply what it found, so each view matters to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential()
        for name, layer in networks.convs(nn.ReLU(), nn.ReLU()):
            self.body.add_module(name, layer)
        self.fc = nn.Linear(16, networks.CLASSES)

    def head(self, left: Tensor, right: Tensor) -> Tensor:
        left, right = left.mean((2, 3)), right.mean((2, 3))
        return self.fc(torch.cat([left * right, left + 2 * right], 1))

    def forward(self, left, right):
        return self.head(self.body(left), self.body(right))


class Alone(nn.Module):
    """The second derivation: the body runs once for the asked view; the other view's features stand fixed in the network."""

    def __init__(self, views: Views, fixed: Any, place: int) -> None:
        super().__init__()
        self.body, self.views, self.place = views.body, [views], place
        with torch.no_grad():
            self.found = views.body(torch.as_tensor(fixed))

    def forward(self, x):
        found, own = self.found.expand(len(x), -1, -1, -1), self.body(x)
        return self.views[0].head(*((own, found) if self.place == 0 else (found, own)))


@pytest.fixture(scope="module")
def views() -> Views:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Views()
        for parameter in network.parameters():
            parameter.data.mul_(2)
        return network.double().eval()


def placed(place: int) -> Any:
    """The inputs with the image at a place and the other picture, one for each image, at the other."""
    return (IMAGE, PerImage(OTHER)) if place == 0 else (PerImage(OTHER), IMAGE)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ALL)
def test_only_the_view_that_is_the_image_is_explained(name, place, views):
    method = asked(name)
    got = method(seewhy.wrap(views, inputs=placed(place)), X, target=1)
    assert {m.source.layer for m in got} == {f"body#{place + 1}" if method.layered else "input"}
    expected = [method(seewhy.wrap(Alone(views, OTHER[i : i + 1], place)), X[i : i + 1], target=1)[0] for i in range(2)]
    if name != "eigen-grad-cam":  # of which nothing may be left behind its ReLU
        assert values(expected).any()
    np.testing.assert_allclose(values(got), values(expected), rtol=1e-5, atol=1e-7 * abs(values(expected)).max() + 1e-12)
    if method.reads != "activations" and method.reads != "nothing":
        assert [m.source.score for m in got] == pytest.approx([m.source.score for m in expected])


def by_hand(views: Views, left: Any, right: Any, k: int = 1) -> list[np.ndarray]:
    """The signed HiResCAM of each view, by autograd alone."""
    a = [views.body(torch.as_tensor(x)).detach().requires_grad_() for x in (left, right)]
    gradients = torch.autograd.grad(views.head(*a)[:, k].sum(), a)
    return [(one * g).sum(1).detach().numpy() for one, g in zip(a, gradients, strict=True)]


def test_each_view_has_the_map_derived_by_hand(views):
    left, right = by_hand(views, X, OTHER)
    same(seewhy.hires_cam(seewhy.wrap(views, inputs=placed(0)), X, target=1, signed=True), left)
    same(seewhy.hires_cam(seewhy.wrap(views, inputs=(PerImage(X), IMAGE)), OTHER, target=1, signed=True), right)


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures in the channels of one image."""
    return x[:, :3], x[:, 3:]


def test_two_views_in_one_image_have_a_map_each(views):
    model, both = seewhy.wrap(views, inputs=split), np.concatenate([X, OTHER], 1)
    maps = seewhy.hires_cam(model, both, target=1, signed=True)
    assert [(m.place, m.source.layer) for m in maps] == [(i, f"body#{k}") for i in (0, 1) for k in (1, 2)]
    for k, expected in enumerate(by_hand(views, X, OTHER), start=1):
        same(maps.where(layer=f"body#{k}"), expected)
        same(seewhy.hires_cam(model, both, target=1, signed=True, layer=f"body#{k}"), expected)


@pytest.mark.parametrize("name", LAYERED)
@pytest.mark.parametrize("known", [False, True], ids=["new", "looked through"])
def test_every_call_is_a_layer_of_its_own(name, known, views):
    """Whatever the method reads: the maps of both calls are those of each call asked alone."""
    method, both = asked(name), np.concatenate([X, OTHER], 1)
    model = seewhy.wrap(views, inputs=split)
    if known:
        model.layers(both)
    maps = method(model, both, target=[1, 0], layer="body.conv2")
    assert [m.source.layer for m in maps if m.place == 0] == ["body.conv2#1", "body.conv2#2"] * 2
    for layer in ("body.conv2#1", "body.conv2#2"):
        alone = method(seewhy.wrap(views, inputs=split), both, target=[1, 0], layer=layer)
        np.testing.assert_allclose(values(maps.where(layer=layer)), values(alone), rtol=1e-6, atol=1e-12)
    assert not any("the last call is read" in w for m in maps for w in m.warnings)


def test_which_calls_see_the_image_is_listed(views):
    for inputs, sees in ((placed(0), (1,)), (placed(1), (2,)), ((IMAGE, IMAGE), (1, 2))):
        layers = seewhy.wrap(views, inputs=inputs).layers(X)
        assert {name: layer.sees for name, layer in layers.items() if name.startswith("body")} == dict.fromkeys(
            ("body", "body.conv1", "body.act1", "body.conv2", "body.act2"), sees
        )
        assert all(layer.calls == 2 for name, layer in layers.items() if name.startswith("body"))
        assert [name for name, layer in layers.items() if layer.default] == ["body"]


def test_a_call_that_does_not_see_the_image_is_refused_also_by_name(views):
    with pytest.raises(seewhy.NotApplicable, match=r"body#2 .* it does not see the image\. The default is body"):
        seewhy.hires_cam(seewhy.wrap(views, inputs=placed(0)), X, target=1, layer="body#2", signed=True)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", ["gradient", "grad-cam", "occlusion"])
def test_a_unit_is_of_the_call_that_sees_the_image(name, place, views):
    """The strongest activation of a channel, in the view that is explained: not in the other, which nothing moves."""
    method = asked(name)
    layer = "body.act1" if method.layered else None
    got = method(seewhy.wrap(views, inputs=placed(place)), X, target=Unit("body.conv2", 3), layer=layer)
    alone = seewhy.wrap(Alone(views, OTHER[:1], place))  # nothing behind the unit runs
    expected = method(alone, X, target=Unit("body.conv2", 3), layer=layer)
    same(got, values(expected))


class Unrolled(nn.Module):
    """One block, three times, each over what it made before: later calls see further."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)

    def forward(self, x, start):
        x = self.stem(x)
        self.block(start).sum()  # a look at something else
        for _ in range(3):
            x = x + self.block(x.relu())
        return self.fc(x.relu().mean((2, 3)))


def test_a_block_over_its_own_result_has_a_map_per_turn():
    torch.manual_seed(3)
    network = Unrolled().double().eval()
    start = np.random.default_rng(0).normal(0, 1, (1, 6, *networks.SIDES))
    model = seewhy.wrap(network, inputs=(IMAGE, start))
    assert model.layers(X)["block"].sees == (2, 3, 4)
    maps = seewhy.hires_cam(model, X, target=1, layer="block", signed=True)
    assert [m.source.layer for m in maps if m.place == 0] == ["block#2", "block#3", "block#4"]
    a = [network.stem(torch.as_tensor(X))]
    emitted = []
    for _ in range(3):
        emitted.append(network.block(a[-1].relu()))
        a.append(a[-1] + emitted[-1])
    gradients = torch.autograd.grad(network.fc(a[-1].relu().mean((2, 3)))[:, 1].sum(), emitted)
    for call, (one, g) in enumerate(zip(emitted, gradients, strict=True), start=2):
        same(maps.where(layer=f"block#{call}"), (one * g).sum(1).detach().numpy())


PHOTOS = np.random.default_rng(0).standard_normal((2, 3, 64, 64))


def default(model, x=PHOTOS):
    return next((name, layer) for name, layer in model.layers(x).items() if layer.default)


def test_a_look_is_one_pass_of_one_image_without_a_graph():
    """Forward and back with all that lies between is a matter of memory."""
    network, passes = networks.pooled().float(), []
    network.conv1.register_forward_pre_hook(lambda _module, args: passes.append((len(args[0]), torch.is_grad_enabled())))
    model = seewhy.wrap(network)
    assert [name for name, layer in model.layers(np.zeros((3, 3, 64, 96), np.float32)).items() if layer.default] == ["act2"]
    assert passes == [(1, False)]


class Mirrored(nn.Module):
    def __init__(self, turn) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.turn, self.conv, self.fc = turn, nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.conv(self.turn(x)).relu().mean((2, 3)))


TURNS = {
    "flip": (lambda x: x.flip(-1), lambda a: a.flip(-1)),
    "rot90": (lambda x: torch.rot90(x, 1, (2, 3)), lambda a: torch.rot90(a, -1, (2, 3))),
    "fliplr": (torch.fliplr, lambda a: a),  # which for images in a batch reverses the channels
    "exchanged": (lambda x: x.transpose(2, 3), lambda a: a.transpose(2, 3)),
}


@pytest.mark.parametrize("name", TURNS)
def test_behind_a_mirror_the_map_is_turned_back(name):
    turn, back = TURNS[name]
    network = Mirrored(turn).double()
    model = seewhy.wrap(network)
    with torch.no_grad():
        expected = back(network.conv(turn(torch.as_tensor(PHOTOS))))
    for _ in range(2):  # also from what is remembered
        maps = seewhy.explain(model, PHOTOS, "grad-cam", target=0, layer="conv")
        np.testing.assert_allclose(model.activations(PHOTOS, ["conv"])[0]["conv"], expected)
        assert not any(m.warnings for m in maps)
        assert maps[0].cells is not None
        assert model.cells("conv", PHOTOS) == ((16, 16), Place((4.0, 4.0), (1.5, 1.5), (4.0, 4.0)))
        assert maps[0].cells.first == pytest.approx((1.5, 1.5), abs=0.2)  # where its weights lie in its patch


class Towers(nn.Module):
    """An image of 64 patches beside a text of 64 words; the score is their likeness."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.image_norm = nn.Conv2d(3, 8, 8, 8), nn.LayerNorm(8)
        self.words, self.text_norm = nn.Embedding(10, 8), nn.LayerNorm(8)

    def forward(self, pixel_values, input_ids):
        image = self.image_norm(self.patch(pixel_values).flatten(2).transpose(1, 2)).mean(1)
        return image @ self.text_norm(self.words(input_ids)).mean(1).T


def test_the_layers_of_another_input_are_no_picture():
    ids = torch.arange(64)[None] % 10
    for texts in (ids, torch.cat([ids, ids.flip(1) // 2])):
        model = seewhy.wrap(Towers().double(), inputs={"pixel_values": IMAGE, "input_ids": seewhy.Fixed(texts)})
        assert default(model)[0] == "image_norm"
        with pytest.raises(seewhy.NotApplicable, match=r"does not see the image.*image_norm"):
            seewhy.grad_cam(model, PHOTOS, layer="text_norm")


def test_a_gate_that_was_drawn_out_does_not_move_the_cells():
    """GhostNet V2 at the size it was made for: its gates are averaged over 2x2 cells and enlarged again."""
    network = timm.create_model("ghostnetv2_100", num_classes=4).eval()
    (name, layer) = default(seewhy.wrap(network), np.zeros((1, 3, 224, 224), "f"))
    assert layer.shape[1:] == (7, 7), name
    assert layer.cells is not None
    assert (layer.cells.stride, layer.cells.first) == ((32.0, 32.0), (0.0, 0.0))


def test_a_layer_that_runs_twice_and_never_sees_the_image_is_refused():
    class Twice(Towers):
        def forward(self, pixel_values, input_ids):
            return super().forward(pixel_values, input_ids) + self.text_norm(self.words(input_ids)).mean()

    model = seewhy.wrap(
        Twice().double(), inputs={"pixel_values": IMAGE, "input_ids": seewhy.Fixed(torch.arange(64)[None] % 10)}
    )
    for method in (seewhy.grad_cam, seewhy.eigen_cam):
        with pytest.raises(seewhy.NotApplicable, match="does not see the image"):
            method(model, PHOTOS, layer="text_norm")


class Positions(nn.Module):
    """What it adds to the features of the image are positions alone, as wide as these, and it comes last."""

    def __init__(self, make):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc, self.positions = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Module()
        self.positions.register_parameter("table", nn.Parameter(torch.randn(1, 4, 10, 9)))
        self.positions.forward = lambda a: make(a, self.positions.table)

    def forward(self, x):
        a = self.conv(x).relu()
        return self.fc((a + self.positions(a)).relu().mean((2, 3)))


@pytest.mark.parametrize("make", [
    lambda a, table: table.expand(len(a), -1, -1, -1), lambda a, table: table + a.new_zeros(a.shape),
    lambda a, table: 0 * a + table,
    lambda a, table: table * torch.ones_like(a), lambda a, table: a.mul(0.0).add(table), lambda a, table: table.type_as(a),
])  # fmt: skip
def test_positions_that_see_nothing_of_the_image_are_neither_the_default_nor_read(make):
    x = np.random.default_rng(0).normal(size=(2, 3, 12, 11)).astype("f")
    model = seewhy.wrap(Positions(make).eval())
    assert {m.source.layer for m in seewhy.grad_cam(model, x, target=0)} == {"conv"}
    assert model.layers(x)["positions"].sees == ()
    for asked in (model, seewhy.wrap(Positions(make).eval())):
        with pytest.raises(seewhy.NotApplicable, match="does not see the image"):
            seewhy.eigen_cam(asked, x, layer="positions")


def test_a_layer_of_another_picture_is_not_read_for_the_image():
    class Depth(nn.Module):
        def __init__(self):
            super().__init__()
            self.image, self.depth, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x, depth):
            return self.fc((self.image(x).relu() + self.depth(depth).relu()).mean((2, 3)))

    x = np.random.default_rng(0).normal(size=(1, 3, 12, 11)).astype("f")
    for method in (seewhy.grad_cam, seewhy.eigen_cam):  # of a network that was not looked at before
        model = seewhy.wrap(Depth().eval(), inputs=(IMAGE, PerImage([torch.randn(3, 12, 11)])))
        with pytest.raises(seewhy.NotApplicable, match=r"it does not see the image\. The default is image"):
            method(model, x, layer="depth")
        assert [m.source.layer for m in method(model, x)] == ["image"]


def test_of_two_calls_the_one_that_the_score_does_not_rest_on_says_so():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            self.conv(x.flip(3))
            return self.fc(self.conv(x).relu().mean((2, 3)))

    first, second = seewhy.grad_cam(seewhy.wrap(Unused().double().eval()), X[:1], target=0)
    assert "it rests on another of its calls, conv#2" in first.source.warnings[-1]
    assert second.values.any()
