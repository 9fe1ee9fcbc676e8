"""What the doctor says, against what happens: each hazard on a network that has it and one that has not, each method run."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import METHODS
from seewhy.diagnosis.doctor import doctor
from seewhy.methods.making.conditions import Advice, Conditions
from seewhy.methods.making.method import advised, lookup
from support import networks, segmenters
from support.counting import entering
from support.detectors import KINDS, Blobs, scene
from support.hazards import HAS, Around, Halved, X, hazards, seen
from support.states import state

NETS = ("pooled", "flat_head", "inplace", "bn_dropout", "tokens", "nhwc", "lstm_head", "signed_features", "functional",
        "reused", "dead_channels")  # fmt: skip


def test_a_network_without_space():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # some draws leave a method nothing
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


@pytest.mark.parametrize("name", [*NETS, "Halved"])
def test_everything_comes_back_as_it_was(name):
    network = Halved() if name == "Halved" else getattr(networks, name)()
    network.train()
    before = state(network)
    seen(network)
    assert state(network) == before


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda photo: photo.transpose(np.random.randint(2)), {"random-prepare"}),
        (lambda photo: photo.rotate(20), {"unknown-part"}),
        (lambda photo: photo.rotate(np.random.randint(20, 30)), {"random-prepare", "unknown-part"}),
        (lambda photo: photo.crop((3, 4, 60, 50)), set()),
    ],
)
def test_preprocessing_by_chance_or_of_an_unknown_part(red_network, noise, change, names):
    def prepare(photo):
        return np.asarray(change(photo), np.float32).transpose(2, 0, 1) / 255

    for image in (None, noise((80, 64))):
        found = hazards(doctor(seewhy.wrap(red_network, prepare=prepare), image))
        assert {"random-prepare", "unknown-part"} & {*found} == names
        assert all(found[name].severity == "warning" for name in names)
        assert all("`prepare`" in found[name].words + found[name].advice for name in names)


def test_it_runs_forward_five_times_beside_the_look_at_the_layers():
    network = networks.pooled()
    model = seewhy.wrap(network)
    model.layers(X)
    with entering(network.conv1) as passes:
        doctor(model, X)
    assert passes == [1, 2, 1, 1, 1]  # the image; it and noise, by rules; for attention; the image by rules, and twice back


SLOW = ("rise", "lime", "kernel-shap", "sobol", "guided-ig")  # whose costs are no matter of the network
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
    method = METHODS[name]
    asked = method.using(signed=True) if "signed" in method.defaults else method
    with entering(next(network.children())) as images:
        if not verdict.works:
            with pytest.raises(seewhy.NotApplicable):
                asked(model, X)
            assert verdict.forwards is None
            return
        last = asked(model, X)[-1]  # of the calls of a layer that runs several times
    assert last.values.any(), "an empty map is no map"
    spent = last.source.measured["forwards"] if method.asks else sum(images)
    assert verdict.forwards >= spent if name == "kernel-shap" else verdict.forwards == spent


EMPTY = {"gradient": "no gradient reaches the image", "smooth-grad": "no gradient reaches the image"}


def test_under_no_grad_cams_work_and_maps_of_pixels_are_refused():
    model = seewhy.wrap(Halved())
    says = {verdict.method: verdict for verdict in doctor(model, X).methods}
    for name in ("grad-cam", "occlusion", "eigen-cam"):
        assert seewhy.METHODS[name](model, X)[0].values.any()
        assert says[name].works, name
    for name, why in EMPTY.items():
        with pytest.raises(seewhy.NeedsGradients, match=r"it is cut in body\.conv1, at conv2d under torch\.no_grad"):
            seewhy.METHODS[name](model, X)
        assert not says[name].works
        assert why in says[name].why


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


REASONS = {
    "pooled": "behind the layer come pooling and one linear layer only: grad-cam, hires-cam and cam are the same map there, "
    "and it accounts for the logit but for a bias",
    "flat_head": "one pass; where hires-cam differs, averaging the gradient has moved the map: look at both",
    "tokens": "one pass; the layer is the last whose places the tokens that are read at the end still look at",
}


@pytest.mark.parametrize("net", REASONS)
def test_the_reason_is_told_in_these_words(known, net):
    assert known[net][2].reason == REASONS[net]


@pytest.mark.parametrize(
    ("side", "method", "reason"),
    [
        (12, "rise", "it needs scores alone; occlusion's own windows are too large for an image of this size: give window="),
        (224, "occlusion", "it needs scores alone, and its numbers are drops of the score; rise and lime are others"),
    ],
)
def test_a_function_is_asked_for_scores_for_this_reason(side, method, reason):
    report = doctor(seewhy.wrap(lambda x: x.mean((2, 3)), takes="float"), np.ones((1, 3, side, side)))
    assert (report.method, report.reason) == (method, reason)


def test_a_method_added_tomorrow_can_be_advised_too():
    before = {*METHODS}
    model, x = seewhy.wrap(lambda x: x.mean((2, 3)), takes="float"), np.ones((1, 3, 12, 12))

    def where(_settings, conditions):
        return Advice(0, "it was made for it") if conditions.space == (12, 12) else None

    try:

        @advised(lambda _settings, _conditions: Advice(-1, "it cannot run"))
        @seewhy.from_scores("1 forward", needs=("inside",))
        def hindered(probe):
            """Nothing.  Source: a test."""
            return seewhy.Estimate(np.zeros(probe.space))

        @advised(where)
        @seewhy.from_scores("1 forward")
        def for_small_images(probe):
            """Nothing.  Source: a test."""
            return seewhy.Estimate(np.zeros(probe.space))

        report = doctor(model, x)
        assert (report.method, report.reason) == ("for-small-images", "it was made for it")
        assert doctor(model, np.ones((1, 3, 14, 12))).method == "rise"
        assert hindered.advice(Conditions((12, 12))) == (-1, "it cannot run")
        assert hindered.advice(Conditions((12, 12), refused={"inside": "scores only"})) is None
        assert seewhy.grad_cam.advice(Conditions((12, 12), "layer")).rank == 0
        assert lookup("libra(grad-cam)").advice(Conditions((12, 12), "layer")) is None
    finally:
        for name in {*METHODS} - before:
            del METHODS[name]


@pytest.mark.parametrize("room", ["diagnosis", "explaining"])
def test_no_method_is_known_there_by_its_name(room):
    files = (Path(seewhy.__file__).parent / room).rglob("*.py")
    strings = {node.value for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))
               if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
    assert strings
    assert not strings & {*METHODS}


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


def test_what_has_no_classes_is_no_hopeless_case():
    report = doctor(seewhy.wrap(segmenters.Segmenter()), segmenters.image())
    (hazard,) = report.hazards
    assert (hazard.name, report.hopeless) == ("no-classes", False)
    assert 'target="region:' in hazard.words
    assert report.layers[str(report.layer)].default
    boxes = doctor(seewhy.wrap(Blobs(), labels=KINDS), scene())
    assert 'target="box:red:0"' in boxes.hazards[0].words


def test_what_is_no_model_is_told_how_to_make_one():
    with pytest.raises(seewhy.BadParameter, match=r"^object is no model\. Make one: seewhy\.wrap"):
        doctor(object(), X)  # type: ignore[arg-type]
