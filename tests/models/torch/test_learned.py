"""What passes told of a network is bounded, right, shared by copies, and no part of a pickle."""

import pickle

import numpy as np

import seewhy
from seewhy import Unit
from seewhy.models.torch.learned import Learned, SizeFacts
from seewhy.models.torch.places.layout import Layout, Located
from support import networks

CACHES = ("surveys", "attention", "sizes", "straight", "calls")


def values(maps):
    return np.stack([m.values for m in maps])


def test_what_was_found_out_by_size_stays_bounded_and_right():
    network = networks.pooled().float()
    model = seewhy.wrap(network)
    sizes = [(h, w) for h in range(8, 20) for w in range(8, 14)]

    def ask(own, size):
        x = networks.images(1, *size).astype(np.float32)
        return seewhy.explain(own, x, ["grad-cam", "gradient"], target=[0, Unit("act1", 1)])

    first = values(ask(model, sizes[0])[:1])
    for size in sizes:
        ask(model, size)
    learned, tries = model.runner.learned, model.runner.call.tries
    kept = [learned.surveys, learned.sizes, model.derived, learned.straight, learned.calls, tries.quiet]
    assert all(len(one) <= one.most for one in kept)
    assert max(one.most for one in kept) <= 64
    np.testing.assert_array_equal(values(ask(model, sizes[0])[:1]), first)


def test_each_cache_holds_48_values_and_drops_the_one_used_longest_ago():
    learned = Learned()
    for name in CACHES:
        cache = getattr(learned, name)
        for size in range(48):
            cache.keep(size, size + 100)
        assert cache.get(0) == 100  # used once more, so it stays
        cache.keep(48, 148)
        assert len(cache) == 48
        assert cache.get(1) is None
        assert [cache.get(size) for size in (0, 2, 48)] == [100, 102, 148]


def test_no_cache_travels_in_a_pickle():
    learned = Learned()
    for name in CACHES:
        getattr(learned, name).keep("key", 1)
    arrived = pickle.loads(pickle.dumps(learned))
    assert [len(getattr(arrived, name)) for name in CACHES] == [0] * len(CACHES)
    assert len(learned.calls) == 1


def test_a_network_that_runs_otherwise_is_looked_through_anew_and_shares_the_rest():
    learned = Learned()
    learned.surveys.keep("size", "a survey")
    learned.attention.keep("size", "joined tokens")
    anew = learned.surveyed_anew()
    assert (len(anew.surveys), len(anew.attention)) == (0, 0)
    assert (len(learned.surveys), len(learned.attention)) == (1, 1)
    assert (anew.sizes, anew.straight, anew.calls) == (learned.sizes, learned.straight, learned.calls)
    anew.calls.keep("size", 3)
    assert learned.calls.get("size") == 3


def test_single_passes_and_a_survey_tell_of_layers_by_name():
    network = networks.pooled().float()
    model = seewhy.wrap(network)
    facts, x = SizeFacts(), networks.images(1).astype(np.float32)
    assert (facts.at("act2"), facts.runs("act2"), facts.each("act2")) == (None, None, ["act2"])
    at = Located((2, 4, 6, 8), Layout.first(4, (6, 8)))
    facts.located["act2"], facts.calls["act2"] = at, 3
    assert (facts.at("act2"), facts.runs("act2")) == (at, 3)
    model.layers(x)
    facts.last = model.runner.surveyed_before(x)
    assert (facts.at("act2"), facts.runs("act2")) == (at, 1), "what a pass told of a place stands"
    assert facts.at("act1").layout.space == (12, 16)
    assert facts.at("act1#2") is None
