"""What the doctor says, against what happens: each hazard on a network that has it and one that has not, each method run."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import networks
import seewhy
from seewhy import METHODS
from seewhy.diagnosis import Report, doctor
from test_promises import state

X = networks.images(1)
NETS = ("pooled", "flat_head", "inplace", "bn_dropout", "tokens", "nhwc", "lstm_head", "signed_features", "functional",
        "reused", "dead_channels")  # fmt: skip


def seen(network: nn.Module, x=X, **settings) -> Report:
    return doctor(seewhy.wrap(network, **settings), x)


def hazards(report: Report) -> dict:
    return {hazard.name: hazard for hazard in report.hazards}


class Around(nn.Module):
    """`pooled`, and something done before or behind it."""

    def __init__(self, before=None, behind=None) -> None:
        super().__init__()
        self.inner = networks.pooled()
        self.before, self.behind = before, behind

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.before is None else self.before(x)
        x = self.inner(x)
        return x if self.behind is None else self.behind(x)


class Halved(nn.Module):
    """A backbone under no_grad, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = networks.pooled()[:4], networks.pooled()[4:]

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            a = self.body(x)
        return self.head(a)


def changed(change) -> nn.Module:
    network = networks.pooled()
    with torch.no_grad():
        change(network)
    return network


def trained(network: nn.Module, name: str) -> nn.Module:
    network.get_submodule(name).train()
    return network


HAS = {  # hazard: a network that has it, its severity, what is said, where
    "in-place": (networks.inplace, "note", "2 layers", ("conv1 by act1", "conv2 by act2")),
    "functional-relu": (networks.functional, "note", "2 of 2 ReLUs", ()),
    "no-relu": (networks.signed_features, "note", "2 SiLU", ()),
    "normalised": (lambda: Around(behind=lambda s: s.softmax(1)), "warning", "softmax", ()),
    "train-mode": (lambda: networks.bn_dropout().train(), "warning", "2 BatchNorm and 1 dropout", ("bn1", "bn2", "drop1")),
    "frozen": (lambda: networks.pooled().requires_grad_(False), "note", "6 of 6", ()),
    "cut": (Halved, "warning", "no gradient reaches the image", ()),
    "nan-weights": (lambda: changed(lambda n: n.conv2.bias[0].fill_(np.nan)), "error", "NaN", ("conv2.bias",)),
    "nan": (lambda: changed(lambda n: n.conv2.weight.fill_(1e308)), "error", "first at conv2", ("conv2",)),
    "non-deterministic": (lambda: Around(lambda x: F.dropout(x, 0.5, True)), "warning", "two passes", ()),
    "mixed-batch": (lambda: Around(lambda x: x - x.mean(0)), "warning", "others in the batch", ()),
    "one-at-a-time": (lambda: Around(behind=lambda s: s.reshape(1, 5)), "note", "one image", ()),
    "half-precision": (lambda: networks.pooled().bfloat16(), "note", "bfloat16", ()),
    "zero-head": (lambda: changed(lambda n: n.fc.weight.zero_()), "warning", "all zero", ()),
    "repeated": (networks.reused, "note", "1 layer runs several", ("act (3 times)",)),
    "compiled": (lambda: Around(behind=torch.compile(nn.Identity(), backend="eager")), "note", "compiled", ()),
}  # fmt: skip


@pytest.mark.parametrize(("name", "network", "severity", "words", "where"), [(name, *rest) for name, rest in HAS.items()])
def test_each_hazard_is_seen_where_it_is(name, network, severity, words, where):
    found = hazards(seen(network()))[name]
    assert found.severity == severity
    assert words in found.words
    assert found.where == where


def test_a_network_that_is_split_over_devices():
    accelerate = pytest.importorskip("accelerate")
    network = networks.pooled()
    accelerate.cpu_offload(network)
    report = seen(network)
    assert {name: hazard.severity for name, hazard in hazards(report).items()} == {"split": "note"}
    assert "offloaded" in hazards(report)["split"].words
    assert [verdict.works for verdict in report.methods] == [v.works for v in seen(networks.pooled()).methods]


def test_a_network_without_space():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 16, 8), nn.ReLU(), nn.Linear(8, 5)).double().eval()
    report = seen(network)
    assert {*hazards(report)} == {"no-space"}
    assert (report.layer, report.method) == (None, "rise")
    model, few = seewhy.wrap(network), ("rise", "lime", "kernel-shap", "sobol")
    for verdict in (verdict for verdict in report.methods if verdict.method not in few):
        if verdict.works:
            assert METHODS[verdict.method](model, X)[0].values.any()
        else:
            with pytest.raises(seewhy.SeewhyError):
                METHODS[verdict.method](model, X)


def test_no_hazard_is_seen_where_there_is_none():
    assert seen(networks.pooled()).hazards == ()
    assert {*hazards(seen(networks.bn_dropout()))} == set()
    assert {*hazards(seen(networks.tokens()))} == {"no-relu"}


def test_hazards_of_the_wrapping():
    found = hazards(seen(networks.pooled(), labels=["a", "b"], weights="random", inputs=(seewhy.IMAGE,)))
    assert {name: found[name].severity for name in found} == {
        "labels": "warning", "random-weights": "warning", "side-inputs": "note"
    }  # fmt: skip
    assert "2 labels for 5 scores" in found["labels"].words
    assert hazards(seen(networks.pooled(), labels=list("abcde"))) == {}


@pytest.mark.parametrize(("x", "severity"), [(X * 0 + np.linspace(0, 255, 16), "warning"), (abs(X) / 5, "note"), (X, None)])
def test_the_scale_of_the_input(x, severity):
    found = hazards(seen(networks.pooled(), x)).get("input-scale")
    assert (found and found.severity) == severity


def test_what_train_mode_changes_is_measured():
    """Against the network itself, run in train mode."""
    network = networks.bn_dropout()
    for name in ("bn1", "bn2"):
        network.get_submodule(name).train()
    words = hazards(seen(network))["train-mode"].words
    other = seewhy.wrap(networks.bn_dropout()).answer(X).scores
    with torch.no_grad():
        own = network(torch.tensor(X)).numpy()  # BatchNorm by this image
    assert f"up to {abs(own - other).max():.2g}" in words
    assert f"in eval mode class {other.argmax()}" in words


@pytest.mark.parametrize("name", [*NETS, "Halved"])
def test_everything_comes_back_as_it_was(name):
    network = Halved() if name == "Halved" else getattr(networks, name)()
    network.train()
    before = state(network)
    seen(network)
    assert state(network) == before


def test_it_runs_forward_twice_beside_the_look_at_the_layers():
    network, passes = networks.pooled(), []
    model = seewhy.wrap(network)
    model.layers(X)
    handle = network.conv1.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    doctor(model, X)
    handle.remove()
    assert passes == [1, 2]


SLOW = ("rise", "lime", "kernel-shap", "sobol")  # whose costs are no matter of the network
RUNS = [(net, method) for net in NETS for method in METHODS if net == "pooled" or method not in SLOW]


@pytest.fixture(scope="module")
def known():
    """{network: (the network, its model, what the doctor said)}, each looked at once."""
    found = {}
    for name in NETS:
        network = getattr(networks, name)()
        model = seewhy.wrap(network)
        found[name] = network, model, doctor(model, X)
    return found


@pytest.mark.parametrize(("net", "name"), RUNS)
def test_what_will_work_works_at_the_cost_that_was_said(known, net, name):
    network, model, report = known[net]
    (verdict,) = (verdict for verdict in report.methods if verdict.method == name)
    method, images = METHODS[name], []
    asked = method.using(signed=True) if "signed" in method.defaults else method
    handle = next(network.children()).register_forward_pre_hook(lambda _module, args: images.append(len(args[0])))
    try:
        if not verdict.works:
            with pytest.raises(seewhy.NotApplicable):
                asked(model, X)
            assert verdict.forwards is None
            return
        last = asked(model, X)[-1]  # of the calls of a layer that runs several times
    finally:
        handle.remove()
    assert last.values.any(), "an empty map is no map"
    spent = last.source.measured["forwards"] if method.asks else sum(images)
    assert verdict.forwards >= spent if name == "kernel-shap" else verdict.forwards == spent


EMPTY = {"gradient": "no gradient reaches the image", "smooth-grad": "no gradient reaches the image"}


def test_under_no_grad_cams_work_and_maps_of_pixels_are_empty():
    model = seewhy.wrap(Halved())
    says = {verdict.method: verdict for verdict in doctor(model, X).methods}
    for name in ("grad-cam", "gradient", "smooth-grad", "occlusion", "eigen-cam"):
        assert seewhy.METHODS[name](model, X)[0].values.any() == says[name].works, name
        assert EMPTY.get(name, "") in says[name].why


def test_a_function_gives_scores_only():
    def function(x):
        return np.stack([x.mean((1, 2, 3)), x[:, 0, :6].mean((1, 2))], 1)

    model = seewhy.wrap(function, takes="float")
    report = doctor(model, X)
    assert (report.layers, report.layer, report.method) == ({}, None, "rise")
    for verdict in report.methods:
        assert verdict.works == (METHODS[verdict.method].reads == "scores"), verdict
    assert "gives scores only" in next(v.why for v in report.methods if v.method == "grad-cam")
    (occluded,) = seewhy.occlusion(model, X)
    assert next(v.forwards for v in report.methods if v.method == "occlusion") == occluded.source.measured["forwards"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_network_in_one_piece_is_explained_at_the_image():
    model = seewhy.wrap(torch.jit.trace(networks.pooled(), torch.tensor(X)))
    report = doctor(model, X)
    assert "sealed" in hazards(report)
    for verdict in report.methods:
        if verdict.method in ("lime", "rise", "kernel-shap", "sobol"):
            assert verdict.works
        elif verdict.works:
            assert METHODS[verdict.method](model, X)[0].values.any()
        else:
            with pytest.raises(seewhy.SeewhyError):
                METHODS[verdict.method](model, X)
    assert report.method == "rise"


def test_an_exported_program_has_no_modes_to_stand_in():
    """Exported in eval mode, its parts still say that they are in training."""
    model = seewhy.wrap(torch.export.export(networks.bn_dropout(), (torch.tensor(X),)))
    assert any(part.training for part in model.network.modules())
    assert "train-mode" not in hazards(doctor(model, X))
    assert "sealed" in hazards(doctor(model, X))


class Auxiliary(nn.Module):
    """In train mode it gives more scores, or refuses; or it lets nobody copy it."""

    def __init__(self, error: Exception | None = None, copied: Exception | None = None) -> None:
        super().__init__()
        self.inner, self.error, self.copied = networks.pooled(), error, copied

    def forward(self, x: Tensor) -> Tensor:
        scores = self.inner(x)
        if self.training and self.error:
            raise self.error
        return torch.cat([scores, scores[:, :3]], 1) if self.training else scores

    def __deepcopy__(self, memo: dict) -> nn.Module:
        if self.copied:
            raise self.copied
        return type(self)(self.error)


OTHERWISE = [
    ((None, None), "it gives 8 scores, in eval mode 5"),
    ((ValueError("no target"), None), "ValueError: no target"),
    ((None, AssertionError()), "cannot take this one image (AssertionError)"),
    ((None, NotImplementedError("no copies")), "cannot take this one image (no copies)"),
]


@pytest.mark.parametrize(("errors", "said"), OTHERWISE)
def test_what_train_mode_gives_may_be_something_else(errors, said):
    report = seen(Auxiliary(*errors).train())
    assert said in hazards(report)["train-mode"].words
    assert report.method == "grad-cam"


def test_where_nothing_can_be_explained_it_says_so():
    report = seen(HAS["nan"][0]())
    assert report.hopeless
    assert report.method is None
    assert report.command == ""
    assert not any(verdict.works for verdict in report.methods)
    failing = seen(Around(behind=lambda s: s[:, :, None].expand(-1, -1, 3)))
    assert failing.hopeless
    assert "scores (n, k)" in hazards(failing)["fails"].words
    with pytest.raises(seewhy.BadParameter, match="without `prepare`"):
        doctor(seewhy.wrap(networks.pooled()))


ADVISED = {
    "pooled": ("act2", "grad-cam", "pooling"), "flat_head": ("act2", "grad-cam", "hires-cam"),
    "tokens": ("block2.norm1", "grad-cam", "tokens"), "lstm_head": ("act1", "grad-cam", "hires-cam"),
}  # fmt: skip


@pytest.mark.parametrize(("net", "layer", "method", "reason"), [(net, *rest) for net, rest in ADVISED.items()])
def test_what_is_recommended_can_be_run_as_it_stands(known, net, layer, method, reason, tmp_path, monkeypatch):
    _, model, report = known[net]
    assert (report.layer, report.method) == (layer, method)
    assert reason in report.reason
    assert report.layers[layer].why == report.why
    monkeypatch.chdir(tmp_path)
    (heatmap,) = eval(report.command.partition("[0]")[0], {"seewhy": seewhy, "model": model, "image": X})
    assert (heatmap.source.method, heatmap.source.layer) == (method, layer)


@pytest.mark.parametrize("name", ["pooled", "tokens", "reused"])
def test_as_json_it_says_the_same(known, name):
    report = known[name][2]
    facts = json.loads(report.as_json())
    assert [*facts["layers"]] == [*report.layers]
    assert facts["layer"] == report.layer
    assert facts["hopeless"] is False
    assert [hazard["name"] for hazard in facts["hazards"]] == [hazard.name for hazard in report.hazards]
    assert {m["method"]: m["forwards"] for m in facts["methods"]} == {v.method: v.forwards for v in report.methods}
    assert facts["predicted"]["probability"] == report.predicted.probability
    layer = report.layers[str(report.layer)]
    assert layer.cells is not None
    finite = [None if side == float("inf") else side for side in layer.cells.field]
    assert facts["layers"][report.layer]["cells"]["field"] == finite


def test_relevance_is_judged_from_where_it_begins():
    """What has no rule lies before the layer: lrp meets it on the way to the image, excitation backprop does not."""
    network = Around(lambda x: torch.einsum("nchw,cd->ndhw", x, torch.eye(3, dtype=x.dtype)))
    says = {verdict.method: verdict for verdict in seen(network).methods}
    assert says["excitation-backprop"].works
    assert "1 einsum" in says["lrp"].why
    assert seewhy.excitation_backprop(seewhy.wrap(network), X)[0].values.any()
    with pytest.raises(seewhy.NotApplicable, match="1 einsum"):
        seewhy.lrp(seewhy.wrap(network), X)


@pytest.mark.parametrize(("side", "advised"), [(28, "rise"), (224, "occlusion")])
def test_occlusion_is_advised_where_its_windows_are_small_beside_the_image(side, advised):
    """28 pixels would be hidden by one window of 32, whose map is the same everywhere."""
    photos = np.random.default_rng(0).integers(0, 255, (2, side, side, 3), dtype=np.uint8)
    model = seewhy.wrap(lambda x: x.mean((1, 2)) / 255)
    assert seewhy.doctor(model, photos[0]).method == advised
    assert (
        len(np.unique(seewhy.METHODS[advised](model, photos[0], **({"masks": 50} if advised == "rise" else {}))[0].values)) > 1
    )
