"""The engine under the methods that ask for scores, seen from the function that it asks: how much, how often, how it fails."""

import random
import tracemalloc
import weakref

import numpy as np
import pytest
import torch

import seewhy
from seewhy import METHODS, Unit
from seewhy.methods.making.method import lookup
from seewhy.methods.making.probe import Made
from seewhy.progress import stoppable
from support import networks
from support.counting import keeping_apart

X = np.random.default_rng(0).random((2, 3, 16, 16))
W = np.random.default_rng(1).normal(size=(3, 5, 16, 16))
FEW = {  # of the methods that ask for scores of whole images
    "occlusion": {"window": 4, "stride": 2}, "rise": {"masks": 100}, "lime": {"segments": "grid:4", "samples": 100},
    "kernel-shap": {"segments": "grid:4", "samples": 100}, "sobol": {"segments": "grid:3", "samples": 10},
}  # fmt: skip


def linear(x):
    return np.einsum("nchw,ckhw->nk", x, W)


class Asked:
    """A function that remembers how many images each call had; `failing` of its calls end in `fail`."""

    def __init__(self, function=linear, failing=(), fail=None, most=None):
        self.function, self.failing, self.fail, self.most, self.sizes = function, failing, fail, most, []

    def __call__(self, x):
        self.sizes.append(len(x))
        if self.most is not None and len(x) > self.most:
            raise MemoryError("no more")
        scores = self.function(x)
        return self.fail(scores) if len(self.sizes) in self.failing else scores


def wrapped(function=linear, **more):
    return keeping_apart(seewhy.wrap(function, takes="float", **more))


def few(name, **more):
    return METHODS[name].using(**FEW[name], **more)


def values(maps):
    return np.stack([m.values for m in maps])


@pytest.mark.parametrize(("side", "together"), [(8, 256), (32, 256), (64, 64), (100, 16), (224, 4), (600, 1)])
def test_of_a_network_as_many_share_a_pass_as_suit_their_size(side, together):
    sizes, network = [], networks.pooled()
    network.register_forward_pre_hook(lambda _module, args: sizes.append(len(args[0])))
    seewhy.rise(seewhy.wrap(network), networks.images(1, side, side), masks=together + 2, target=0)
    alone = [1] * (together > 1)  # the first of several, to see whether they mix
    assert sizes[-2 - len(alone) :] == [together, *alone, 2] if together > 1 else [1] * 3


def test_of_a_function_32_share_a_call():
    seewhy.rise(wrapped(asked := Asked()), X[:1], masks=80)
    assert asked.sizes == [1, 32, 32, 16]


def wild(seed):
    """A clock that jumps."""
    now, draws = [0.0], random.Random(seed)
    return lambda: now.__setitem__(0, now[0] + draws.choice([1e-7, 1e-3, 5.0, 1000.0])) or now[0]


REPEATED = {
    **FEW, "score-cam": {}, "ss-cam": {"samples": 3}, "is-cam": {"samples": 3}, "ablation-cam": {}, "recipro-cam": {},
    "smooth-grad": {"samples": 5},
}  # fmt: skip


@pytest.mark.parametrize("name", REPEATED)
def test_the_same_bit_for_bit_whatever_the_clock(name, monkeypatch):
    found, x = [], networks.images(2, 32, 32).astype(np.float32)
    for seed in range(3):
        clock = wild(seed)
        for place in ("methods.making.probe", "methods.making.budget", "explaining.engine"):
            monkeypatch.setattr(f"seewhy.{place}.perf_counter", clock)
        found.append(METHODS[name].using(**REPEATED[name])(seewhy.wrap(networks.pooled().float()), x, target=[0, 2]))
    for again in found[1:]:
        for one, other in zip(found[0], again, strict=True):
            assert one.values.any()
            np.testing.assert_array_equal(one.values, other.values)
            np.testing.assert_array_equal(one.error, other.error)


@pytest.mark.parametrize("size", [1, 3, 7, 64, None])
def test_the_sums_of_rise_are_the_same_however_many_share_a_pass(size):
    exact = lambda x: np.stack([x[:, 0, 5, 5], 1 / (1 + x[:, 1, 9, 3])], 1)  # noqa: E731 - of each image by itself
    whole, own = (METHODS["rise"].using(masks=100)(wrapped(exact, batch_size=most), X, target=[0, 1]) for most in (16, size))
    assert (values(whole) == values(own)).all()
    assert all((one.error == other.error).all() for one, other in zip(whole, own, strict=True))


@pytest.mark.parametrize("name", FEW)
def test_batch_size_is_kept(name):
    few(name)(wrapped(asked := Asked(), batch_size=7), X)
    assert max(asked.sizes) == 7
    assert asked.sizes.count(7) > 0.8 * len(asked.sizes) - 5


def test_where_memory_runs_out_half_as_many_go_on():
    few("occlusion")(wrapped(asked := Asked(most=12), batch_size=32), X[:1])
    assert asked.sizes == [1, 32, 16, *[8] * 6, 1]


@pytest.mark.parametrize("name", FEW)
def test_memory_that_runs_out_changes_nothing(name):
    whole, half = (few(name)(wrapped(Asked(most=most), batch_size=32), X, target=[0, 3]) for most in (None, 5))
    np.testing.assert_allclose(values(whole), values(half), rtol=1e-6, atol=1e-7)


def test_no_memory_for_one_is_a_memory_error():
    with pytest.raises(MemoryError, match="one image"):
        seewhy.rise(wrapped(Asked(most=0)), X)


@pytest.mark.parametrize("name", FEW)
def test_how_many_share_a_pass_changes_nothing(name):
    alone = few(name)(wrapped(batch_size=1), X, target=[0, 3])
    for size in (3, 64, None):
        together = few(name)(wrapped(batch_size=size), X, target=[0, 3])
        np.testing.assert_allclose(values(alone), values(together), rtol=1e-5, atol=1e-6)
        for one, other in zip(alone, together, strict=True):
            assert one.error is not None
            np.testing.assert_allclose(one.error, other.error, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FEW)
def test_what_is_said_to_be_spent_was_spent(name):
    asked = Asked()
    maps = few(name)(wrapped(asked), X, target=[0, 1, 2])
    spent = sum(m.source.measured["forwards"] for m in maps[::3])
    assert len({m.source.measured["forwards"] for m in maps}) == 1
    assert sum(asked.sizes) == spent + len(X)


@pytest.mark.parametrize("name", FEW)
def test_a_variant_lives_for_one_pass(name):
    alive, seen = [], []

    def look(x):
        alive.append(sum(ref() is not None for ref in seen))
        seen.extend([weakref.ref(x)] * (len(x) > 1))  # not of the untouched image
        return linear(x)

    few(name)(wrapped(look, batch_size=4), X)
    assert len(alive) > 20
    assert max(alive) <= 1  # the pass before, until the next is made


def test_memory_is_that_of_a_pass():
    x = np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32)
    for size, share in ((16, 0.08), (None, 0.6)):  # at most 256 share a pass: an eighth of them, and what they are made of
        tracemalloc.start()
        seewhy.rise(wrapped(lambda x: x[:, :, 5, 5] + 1.0, batch_size=size), x, masks=2000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < share * 2000 * x.nbytes


def nan(scores):
    return np.where(np.arange(len(scores))[:, None] == 0, np.nan, scores)


def boom(_):
    raise ValueError("boom")


FAILURES = {
    "nan": (nan, "NaN or infinity for 1 of 16"),
    "classes": (lambda y: y[:, :3], r"\(16, 3\).*5"),
    "images": (lambda y: y[:9], r"\(9, 5\) for 16 images"),
    "labels": (lambda y: y.argmax(1), r"Are these labels\? Say which classes there are, labels="),
    "words": (lambda y: np.array(["cat"] * len(y)), "predict_proba"),
    "nothing": (lambda y: None, "object"),
    "raises": (boom, "ValueError: boom"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_keeps_what_was_done(kind):
    """Of the second image: the untouched one, then variants 0 to 15, then 16 to 31."""
    fail, said = FAILURES[kind]
    rise, target = METHODS["rise"].using(masks=64), [0, 3]
    with pytest.raises(seewhy.BadNetwork, match=rf"^rise, variants 16 to 31 of 64: .*{said}") as caught:
        rise(wrapped(Asked(failing=[8], fail=fail), batch_size=16), X, target=target)
    partial = caught.value.partial
    assert [(m.place, m.source.target) for m in partial] == [(0, "0"), (0, "3"), (1, "0"), (1, "3")]
    whole = rise(wrapped(batch_size=16), X, target=target)
    short = rise(wrapped(batch_size=16), X, target=target, budget=16)
    assert (values(partial)[:2] == values(whole)[:2]).all()
    assert (values(partial)[2:] == values(short)[2:]).all()
    assert not any("failed" in w for w in partial[0].warnings)
    assert any("failed after 16 of 64 forwards" in w for w in partial[2].warnings)


def test_the_cause_is_the_function_s_own_error():
    with pytest.raises(seewhy.BadNetwork) as caught:
        seewhy.rise(wrapped(Asked(failing=[4], fail=boom), batch_size=16), X, masks=64)
    chain = [caught.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    assert len(chain) > 1
    assert (type(chain[-1]), str(chain[-1])) == (ValueError, "boom")


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_at_once_has_nothing_to_keep(kind):
    fail, said = FAILURES[kind]
    with pytest.raises(seewhy.BadNetwork, match=rf"^rise, variants 0 to 15 of 64: .*{said}") as caught:
        seewhy.rise(wrapped(Asked(failing=[2], fail=fail), batch_size=16), X, masks=64)
    assert caught.value.partial is None


@pytest.mark.parametrize("call", [6, 7])
def test_a_failure_at_the_first_look_keeps_the_images_before(call):
    with pytest.raises(seewhy.BadNetwork) as caught:
        seewhy.rise(wrapped(Asked(failing=[call], fail=boom), batch_size=16), X, masks=64)
    assert [m.place for m in caught.value.partial] == [0]


def test_a_failure_keeps_the_methods_before():
    model = wrapped(Asked(failing=range(6, 99), fail=boom), batch_size=16)
    with pytest.raises(seewhy.BadNetwork) as caught:
        seewhy.explain(model, X, [few("rise").using(masks=64), few("occlusion")])
    assert [m.source.method for m in caught.value.partial] == ["rise"]


def test_a_failure_names_a_single_variant():
    with pytest.raises(seewhy.BadNetwork, match=r"^occlusion, variant 3 of 49: "):
        seewhy.occlusion(wrapped(Asked(failing=[5], fail=boom), batch_size=1), X[:1], window=4, stride=2)


def test_a_question_put_wrongly_is_no_failure_of_the_network():
    with pytest.raises(seewhy.BadParameter, match="0 to 255"):
        seewhy.occlusion(seewhy.wrap(lambda x: x.mean((1, 2))), np.uint8(X[0] * 255).transpose(1, 2, 0), fill=300)


@pytest.mark.parametrize("name", FEW)
def test_asked_to_stop_there_is_a_map_of_what_was_done(name):
    enough = {"sobol": 48, "kernel-shap": 17}.get(name, 16)  # two rows of 9 + 2 at least; the hidden image, too
    with stoppable() as stop:
        asked = Asked(failing=[1 + enough // 16 + (name == "kernel-shap")], fail=lambda y: (stop.set(), y)[1])
        drawn = {"budget": 10**6} if name == "occlusion" else {}  # else row by row
        (m,) = few(name, **drawn)(wrapped(asked, batch_size=16), X[:1], target=1)
    (expected,) = few(name)(wrapped(batch_size=16), X[:1], target=1, budget=enough)
    assert (m.values == expected.values).all()
    assert m.source.measured["forwards"] == enough
    assert any(w.startswith(f"interrupted after {enough} of ") for w in m.warnings)


def test_windows_asked_row_by_row_are_no_sample_of_all():
    """The first rows tell nothing of the error below."""
    with stoppable() as stop:
        asked = Asked(failing=[2], fail=lambda y: (stop.set(), y)[1])
        (m,) = few("occlusion")(wrapped(asked, batch_size=16), X[:1], target=1)
    assert np.isfinite(m.values).all()
    assert np.isinf(m.error).all()


@pytest.mark.parametrize("second", FEW)
def test_asked_to_stop_methods_not_yet_begun_are_left_out(second):
    with stoppable() as stop:
        asked = Asked(failing=[3], fail=lambda y: (stop.set(), y)[1])
        maps = seewhy.explain(wrapped(asked, batch_size=8), X[:1], [few("rise"), few(second)], target=1)
    (m,) = maps
    assert (m.source.method, m.source.measured["forwards"]) == ("rise", 16)
    assert any("interrupted" in w for w in m.warnings)
    assert m.source.caption.endswith(f", 16 of {m.source.measured['planned_forwards']:.0f} forwards")


def test_units_and_classes_are_asked_for_together_whatever_the_caller_does_with_gradients():
    network, x = networks.pooled(), networks.images(2)
    with torch.no_grad():
        maps = seewhy.occlusion(seewhy.wrap(network), x, target=[Unit("act2", 1), 0], window=16, stride=16, fill=0.0)
        lost = (network(torch.tensor(x)) - network(torch.tensor(0 * x)))[:, 0]
        strongest = [network[:4](torch.tensor(kind * x))[:, 1].amax((1, 2)) for kind in (1, 0)]
    expected = [strongest[0] - strongest[1], lost]
    for k, m in enumerate(maps):
        np.testing.assert_allclose(m.values, float(expected[k % 2][m.place]), rtol=1e-5)


@pytest.fixture
def own():
    """A method as a person writes it: the slope of the score between the image and half of it."""

    @seewhy.from_scores("{steps} forwards", sampled=True)
    def fade(probe, *, steps=6):
        """How the score falls as the image fades.  Source: nobody."""
        shares = np.linspace(0, 1, steps)
        make = lambda of: Made(None, (probe.image * probe.scorer.array(shares)[of.start : of.stop, None, None, None],))  # noqa: E731
        y = np.concatenate([part.y for part in probe.scored(steps, make)])
        return seewhy.Estimate((y[-1] - y[0])[:, None, None] * np.ones(probe.space), measured={"drawn": len(y)})

    yield fade
    METHODS.pop("fade")


def test_a_method_of_one_s_own_has_all_that_others_have(own):
    assert lookup("fade") == METHODS["fade"] is own
    assert {*own.defaults} == {"steps", "budget", "fast", "dtype", "tolerance"}
    assert own.cost == "6 forwards"
    x = X[:1]
    (m,) = own(wrapped(), x, target=2)
    np.testing.assert_allclose(m.values, linear(x)[0, 2], rtol=1e-6)
    assert m.source.measured == {"drawn": 6, "forwards": 6, "planned_forwards": 6}
    (m,) = own(wrapped(batch_size=2), x, target=2, budget=4)
    np.testing.assert_allclose(m.values, linear(x)[0, 2] * 3 / 5, rtol=1e-6)
    assert any("stopped by the budget of 4 forwards" in w for w in m.warnings)
    with pytest.raises(seewhy.NeedsGradients):
        own(wrapped(), x, target=Unit("act", 0))
