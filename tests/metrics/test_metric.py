"""Metrics as functions with names: called, listed, given other parameters, and told in full."""

import inspect
import pickle

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.metrics.faithfulness.asking import sensitivity_max
from seewhy.metrics.faithfulness.curves import deletion
from seewhy.metrics.faithfulness.drops import average_drop
from seewhy.metrics.metric import METRICS, metric, metric_named


def model():
    return seewhy.wrap(lambda batch: batch.reshape(len(batch), -1)[:, :3], takes="float")


IMAGES = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)


@pytest.fixture
def own():
    """A metric that says what it was given; it leaves the list again."""

    @metric(better="higher", forwards="{draws}", takes="map", share=True)
    def heights_of(subject, values, *, draws: int = 3, fill: str = "zero"):
        """The highest value, draws times: draws max a.

        Source: Nobody 2026.

        Weakness: it means nothing.

        draws: how often.
        fill: of no account.
        """
        return draws * values.max() + 10 * subject.place

    yield heights_of
    del METRICS["heights-of"]


def test_a_function_becomes_a_metric(own):
    assert own.name == "heights-of"
    assert METRICS["heights-of"] is own
    maps = [np.eye(4), 2 * np.eye(4)]
    np.testing.assert_array_equal(own(model(), IMAGES, maps), [3, 16])
    np.testing.assert_array_equal(own(model(), IMAGES, maps, draws=1), [1, 12])
    np.testing.assert_array_equal(own.using(draws=1)(model(), IMAGES, maps), [1, 12])
    assert [own.title, own.using(draws=3).title, own.using(draws=1).title] == [*["heights-of"] * 2, "heights-of(draws=1)"]


def test_it_tells_all_of_itself(own):
    assert own.formula == "The highest value, draws times: draws max a."
    assert (own.source, own.weakness) == ("Nobody 2026.", "it means nothing.")
    assert (own.better, own.cost, own.using(draws=5).cost) == ("higher", "3", "5")
    assert "draws=3: how often." in own.__doc__
    assert "Better: higher.  Forwards of one map: 3." in own.__doc__
    assert [*inspect.signature(own).parameters] == ["model", "images", "heatmaps", "target", "seed", "fast", "draws", "fill"]


def test_what_it_does_not_take_is_refused(own):
    with pytest.raises(BadParameter, match="drawn"):
        own.using(drawn=2)
    with pytest.raises(BadParameter, match="draws is a whole number"):
        own.using(draws="many")
    with pytest.raises(BadParameter, match="by name"):
        own.using(2)
    with pytest.raises(NoSuchName, match="deletion"):
        metric_named("deltion")
    with pytest.raises(NotApplicable, match="give the Heatmaps"):
        sensitivity_max(model(), IMAGES, [np.eye(4)] * 2)


def test_it_is_found_and_sent_by_its_name():
    assert metric_named("deletion") is not None
    again = pickle.loads(pickle.dumps(deletion.using(fill="blur")))
    assert (again.name, again.params) == ("deletion", {"fill": "blur"})
    assert metric_named("Average_Drop").name == average_drop.name == "average-drop"
    assert metric_named(deletion, {"steps": 4}).settings["steps"] == 4


def test_the_seed_decides_the_order_of_equal_values():
    maps = [np.zeros((4, 4))]
    x, how = IMAGES[:1], {"target": 0, "steps": 16}
    first, again, other = (deletion(model(), x, maps, seed=seed, **how)[0] for seed in (0, 0, 1))
    assert first == again != other
