"""What a method says of its own cost and needs, against what happens: also a method that was added a minute ago."""

import numpy as np
import pytest

import seewhy
from seewhy import METHODS
from seewhy.diagnosis.doctor import doctor
from seewhy.methods.making.conditions import Conditions, from_channels, varying
from seewhy.methods.making.method import lookup
from seewhy.methods.making.reading import from_case, from_head, pixels_from_case
from seewhy.models.rule import guided
from support import networks
from support.counting import entering, keeping_apart
from support.hazards import X

LAYER = "act2"


def counted(network):
    """The images that enter the network while the block runs."""
    return entering(next(network.children()))


@pytest.fixture(scope="module")
def network():
    return networks.pooled()


@pytest.fixture(scope="module")
def conditions(network):
    a = seewhy.wrap(network).activations(X, [LAYER])[0][LAYER]
    return Conditions(X.shape[2:], LAYER, a[0].numpy())


MADE = (
    "smooth(grad-cam)", "smooth(eigen-cam)", "smooth(integrated-gradients)", "augment(gradient)", "augment(smooth(layer-cam))",
    "sess(layer-cam)", "sess(smooth(grad-cam))",
    "product(lrp, layer-cam)", "product(grad-cam, hires-cam)", "product(eigen-cam, grad-cam)", "product(eigen-cam, random-map)",
    "product(cam, cam)", "libra(grad-cam)", "libra(smooth(gradient))",
    "product(gradient, grad-cam)",
)  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_method_made_of_others_costs_what_its_parts_cost(network, conditions, name):
    method = lookup(name)
    few = method.using(samples=3) if "samples" in method.defaults else method
    few = few.using(steps=4) if "steps" in method.defaults else few
    model = seewhy.wrap(network)
    model.layers(X)
    if "augment" in name:  # a look through the network at each size
        few(model, X, target=1)
    with counted(network) as images:
        few(model, X, target=1)
    assert few.forwards(conditions) == sum(images)


def test_a_product_may_be_spared_the_pass_of_the_untouched_image(network, conditions):
    """Smoothing asks what the network says of it, unless the other part knows."""
    method, model = lookup("product(guided-backprop, smooth(grad-cam))").using(samples=3), seewhy.wrap(network)
    model.layers(X)
    with counted(network) as images:
        method(model, X, target=1)
    assert method.forwards(conditions) == sum(images) + 1


ASKING = (
    seewhy.occlusion.using(window=5), seewhy.occlusion, seewhy.rise.using(masks=5),
    seewhy.lime.using(samples=5, segments="grid:2"), seewhy.kernel_shap.using(samples=9, segments="grid:2"),
    seewhy.sobol.using(samples=3, segments="grid:2"),
    seewhy.smooth(seewhy.occlusion).using(samples=3, window=8), seewhy.augment(seewhy.rise.using(masks=4)),
    seewhy.augment(seewhy.lime.using(samples=5, segments="grid:2")).using(flips=False),
    lookup("sess(occlusion)"), lookup("sess(rise)").using(masks=3, scales=(1, 2)),
    seewhy.product(seewhy.rise.using(masks=5, fill="mean"), seewhy.occlusion), lookup("product(occlusion, occlusion)"),
    seewhy.augment(seewhy.product(seewhy.rise.using(masks=5, fill="mean"), seewhy.occlusion)),
    lookup("smooth(product(occlusion, occlusion))").using(samples=2), lookup("smooth(augment(occlusion))").using(samples=2),
    lookup("augment(smooth(occlusion))").using(samples=2, scales=(1,)),
)  # fmt: skip


@pytest.mark.parametrize("method", ASKING, ids=lambda method: str(method)[:60])
def test_a_method_that_asks_for_scores_counts_variants_also_around_and_inside_of_others(method):
    """A function has no short cut that is prepared or checked: all that enters are the variants, and the image once."""
    entered, w = [], np.random.default_rng(0).normal(size=(3, 4))

    def function(x):
        entered.append(len(x))
        e = np.exp(x.mean((2, 3)) @ w)
        return e / e.sum(1, keepdims=True)

    method(keeping_apart(seewhy.wrap(function, takes="float")), X, target=1)
    assert sum(entered) == 1 + method.forwards(Conditions(X.shape[2:]))


SEVERAL = [("zero", 1), (["zero", "mean", 0.5], 3)]


@pytest.mark.parametrize(("baseline", "count"), SEVERAL)
def test_integrated_gradients_pay_for_each_baseline(network, conditions, baseline, count):
    method, model = seewhy.integrated_gradients.using(steps=4, baseline=baseline), seewhy.wrap(network)
    model.layers(X)
    with counted(network) as images:
        method(model, X, target=1, **({"layer": "conv1"} if "rule" in method.name else {}))
    assert method.forwards(conditions) == sum(images) == 1 + count * 5
    assert method.using(refine=True).forwards(conditions) is None


THIRDS = np.arange(192).reshape(12, 16) // 64
OTHER = (
    ("score-cam", {"top_channels": 2}), ("ss-cam", {"top_channels": 2, "samples": 3}), ("is-cam", {"samples": 2}),
    ("occlusion", {"window": 5, "stride": 2}), ("rise", {"masks": 7}), ("lime", {"samples": 5, "segments": "grid:2"}),
    ("kernel-shap", {"segments": "grid:2", "samples": 9}), ("kernel-shap", {"segments": "grid:2", "samples": 1000}),
    ("sobol", {"segments": "grid:3", "samples": 2}), ("sobol", {"segments": THIRDS, "samples": 3}),
)  # fmt: skip


@pytest.mark.parametrize(("name", "params"), OTHER)
def test_the_cost_follows_the_settings(network, conditions, name, params):
    method = METHODS[name].using(**params)
    (made,) = method(seewhy.wrap(network), X, target=1, layer=LAYER if method.layered else None)
    assert method.forwards(conditions) == made.source.measured["forwards"]


def test_what_depends_on_the_layer_is_not_known_without_its_activation():
    nowhere = Conditions((12, 16))
    for name in ("score-cam", "ss-cam", "is-cam", "ablation-cam", "recipro-cam", "smooth(score-cam)", "augment(recipro-cam)"):
        assert lookup(name).forwards(nowhere) is None, name
    assert METHODS["sobol"].using(segments="slic").forwards(nowhere) is None
    assert METHODS["rise"].forwards(nowhere) == 4000


def test_channels_that_are_the_same_everywhere_share_a_pass():
    a = np.stack([np.zeros((2, 3)), np.ones((2, 3)), np.arange(6.0).reshape(2, 3)])
    assert varying(a.reshape(3, -1)) == 2
    assert varying(a[2:].reshape(1, -1)) == 1
    count = from_channels(lambda channels, settings: settings["times"] * len(channels))
    assert count({"times": 4}, Conditions((8, 8), "layer", a)) == 12
    assert count({"times": 4}, Conditions((8, 8), "layer")) is None


def added_tomorrow():
    """A method of each family, as a person would write it."""

    @seewhy.from_gradients(averages=True)
    def mine_of_gradients(a, g):
        """sum_c g a."""
        return (g * a).sum(1)

    @seewhy.from_gradients(rule=guided)
    def mine_by_a_rule(a, g):
        """sum_c g a."""
        return (g * a).sum(1)

    @seewhy.from_pixels()
    def mine_of_pixels(x, g):
        """x g."""
        return x * g

    @seewhy.from_activations()
    def mine_of_activations(a):
        """sum_c a."""
        return a.sum(1)

    @from_head()
    def mine_of_the_head(a, w):
        """sum_c a w."""
        return (w[:, :, None, None] * a).sum(1)

    @seewhy.from_scores("{times} forwards")
    def mine_of_scores(probe, *, times: int = 7):
        """The score of the image, again and again."""
        same = lambda of: probe.scorer.array(np.ones((len(of), *probe.space)))  # noqa: E731
        y = [part.y for part in probe.scored(times, probe.hidden(same, probe.fill("zero")))]
        return seewhy.Estimate(np.concatenate(y).mean(0)[:, None, None] + np.zeros(probe.space))

    made = [mine_of_gradients, mine_by_a_rule, mine_of_pixels, mine_of_activations, mine_of_the_head, mine_of_scores]
    return [*made, seewhy.smooth(mine_of_gradients)]


def test_a_method_added_tomorrow_has_its_cost_in_the_doctor(network):
    before, model = {*METHODS}, seewhy.wrap(network)
    try:
        added = added_tomorrow()
        METHODS[added[-1].name] = added[-1]
        says = {verdict.method: verdict for verdict in doctor(model, X).methods}
        for method in added:
            with counted(network) as images:  # a rule is for the ReLUs behind a layer
                made = method(model, X, target=1, **({"layer": "conv1"} if "rule" in method.name else {}))
            spent = made[0].source.measured["forwards"] if method.asks else sum(images)
            assert says[method.name].works
            assert says[method.name].forwards == spent, method.name
        assert says["mine-of-scores"].cost == "7 forwards"
    finally:
        for name in {*METHODS} - before:
            del METHODS[name]


KNOWN = {"score-cam", "ss-cam", "is-cam", "ablation-cam", "recipro-cam"}  # by the layer's activation alone


@pytest.mark.parametrize("name", METHODS)
def test_every_method_knows_how_many_forwards_it_takes(conditions, name):
    method = METHODS[name]
    count = method.forwards(conditions)
    assert isinstance(count, int)
    assert count >= 1
    assert (method.forwards(conditions._replace(a=None)) is None) == (name in KNOWN)


def score(probe, *, samples: int = 7, masks: int | None = None, share: float = 0.5):
    """The score of the image.  Source: a test."""
    return seewhy.Estimate(probe.y[:, None, None] + np.zeros(probe.space))


def passes(case, *, steps: int = 3):
    """Nothing.  Source: a test."""
    return {}


UNKNOWN = (
    lambda: seewhy.from_scores("1 forward per window")(score),
    lambda: seewhy.from_scores("{samples} x 2 forwards")(score),
    lambda: seewhy.from_scores("{samples} forwards per image")(score),
    lambda: seewhy.from_scores("{masks} forwards")(score),  # None may mean any number
    lambda: seewhy.from_scores("{share} forwards")(score),
    lambda: seewhy.from_scores("{other} forwards")(score),
    lambda: seewhy.from_scores("{samples}")(score),
    lambda: seewhy.from_scores("")(score),
    lambda: from_case("scores")(passes),
    lambda: from_case("gradients", passes="3 forwards")(passes),
    lambda: from_case("gradients", passes="{steps} forwards")(passes),
    lambda: from_case("gradients", passes="1 forward per block")(passes),
    lambda: from_case("head", passes="the network, again and again")(passes),
    lambda: pixels_from_case("sum", passes="{steps} x (1 forward, and back)")(passes),
)


@pytest.mark.parametrize("make", UNKNOWN)
def test_a_method_that_does_not_tell_its_forwards_is_refused_where_it_is_made(make):
    before = {*METHODS}
    with pytest.raises(
        seewhy.BadParameter, match=r"how many forwards one map takes cannot be told from .* (forwards|counted)="
    ):
        make()
    assert {*METHODS} == before


TOLD = (
    (lambda: seewhy.from_scores("{samples} forwards")(score), 7),
    (lambda: seewhy.from_scores("{samples} forwards")(score).using(samples=9.0), 9),
    (lambda: seewhy.from_scores("1 forward")(score), 1),
    (lambda: seewhy.from_scores("12 forwards")(score), 12),
    (lambda: seewhy.from_scores("1 forward per row", forwards=lambda _settings, where: where.space[0])(score), 12),
    (lambda: from_case("gradients")(passes), 1),
    (lambda: from_case("gradients", passes="1 forward")(passes), 1),
    (lambda: from_case("gradients", passes="1 forward of two passes' work, and back")(passes), 1),
    (lambda: from_case("gradients", passes="3 forwards", counted=lambda _settings, _where: 3)(passes), 3),
    (lambda: pixels_from_case("sum", passes="1 forward, and the way back")(passes), 1),
    (lambda: pixels_from_case("sum", passes="{steps} forwards", counted=lambda settings, _: settings["steps"])(passes), 3),
)


@pytest.mark.parametrize(("make", "count"), TOLD)
def test_the_forwards_of_a_method_that_was_just_made(conditions, make, count):
    before = {*METHODS}
    try:
        assert make().forwards(conditions) == count
    finally:
        for name in {*METHODS} - before:
            del METHODS[name]


def test_what_a_method_needs_is_read_from_how_it_was_made():
    assert METHODS["guided-backprop"].requires == ("scores", "image", "relus")
    assert METHODS["guided-grad-cam"].requires == ("scores", "image", "relus", "inside", "layer", "layer gradient")
    assert lookup("smooth(attn-lrp)").requires == ("scores", "image", "products")
    assert lookup("libra(grad-cam)").requires == ("scores", "inside", "layer", "layer gradient", "logits", "balance")
    assert lookup("product(recipro-cam, occlusion)").requires == ("scores", "inside", "layer", "tail")


def test_why_a_method_cannot_run_is_the_first_thing_that_it_lacks(conditions):
    missing = conditions._replace(refused={"layer": "no space", "relus": "no ReLU", "head": "no head"})
    why = {name: lookup(name).hindered(missing) for name in ("grad-cam", "guided-backprop", "gradient", "cam", "lime", "rise")}
    assert why == {
        "grad-cam": "no space",
        "guided-backprop": "no ReLU",
        "gradient": "",
        "cam": "no space",
        "lime": "",
        "rise": "",
    }
    small = Conditions((1, 1))
    assert "one segment" in METHODS["sobol"].hindered(small)
    assert "one segment" in lookup("augment(sobol)").hindered(small)
    assert METHODS["sobol"].using(segments="grid:1x1").hindered(conditions)
    assert not METHODS["sobol"].hindered(conditions)


def test_superpixels_are_missed_only_where_colours_decide(conditions, monkeypatch):
    monkeypatch.setattr("seewhy.methods.making.segments.find_spec", lambda _name: None)
    assert "scikit-image" in METHODS["lime"].hindered(conditions)
    assert "scikit-image" in lookup("product(lime, occlusion)").hindered(conditions)
    assert not METHODS["lime"].using(segments="grid:4").hindered(conditions)
    assert not METHODS["lime"].hindered(Conditions((64,)))  # of a signal, intervals
    assert not METHODS["sobol"].hindered(conditions)


def test_who_averages_the_gradient_and_who_moves_the_image():
    assert {name for name, method in METHODS.items() if method.averages} == {
        "grad-cam", "grad-cam-pp", "xgrad-cam", "counterfactual", "guided-grad-cam", "shapley-cam"
    }  # fmt: skip
    assert not any(method.moves for method in METHODS.values())
    for name, averages, moves in (
        ("smooth(grad-cam)", True, False), ("augment(layer-cam)", False, True), ("smooth(augment(grad-cam))", True, True),
        ("libra(grad-cam)", True, False), ("product(gradient, augment(layer-cam))", False, True),
    ):  # fmt: skip
        assert (bool(lookup(name).averages), bool(lookup(name).moves)) == (averages, moves), name
