"""What every metric promises, of every kind of model: the same numbers, batch by batch, twice, and nothing touched."""

import numpy as np
import pytest

import seewhy
from seewhy.metrics import METRICS, measure
from support import adapters

LESS = {  # so many draws as a test needs
    "faithfulness-correlation": {"draws": 12}, "infidelity": {"draws": 8}, "sensitivity-max": {"draws": 2},
    "sensitivity-n": {"draws": 6, "shares": (0.2, 0.5)}, "region-perturbation": {"segments": "grid:3"},
    "irof": {"segments": "grid:3"}, "selectivity": {"segments": "grid:3"}, "faithfulness-estimate": {"segments": "grid:3"},
    "deletion": {"steps": 6}, "insertion": {"steps": 6}, "pixel-flipping": {"steps": 6}, "monotonicity": {"steps": 6},
    "road": {"shares": (0.5,)}, "road-morf": {"shares": (0.5,)}, "road-lerf": {"shares": (0.5,)},
}  # fmt: skip
CHOSEN = [metric.using(**LESS.get(name, {})) for name, metric in METRICS.items()]


def measured(adapted, n=2, metrics=CHOSEN):
    x = adapted.given(adapters.images(n))
    return x, measure(adapted.model, x, seewhy.occlusion(adapted.model, x, target=1, window=3, stride=3), metrics, controls=())


@pytest.fixture(scope="module")
def in_torch():
    return measured(adapters.in_torch())[1]


@pytest.mark.parametrize("adapter", ["in_numpy", "as_function", "in_onnx"])
def test_every_model_gives_the_numbers_of_torch(adapter, in_torch):
    found = measured(getattr(adapters, adapter)())[1]
    assert found.reads == in_torch.reads == ("probability",) * 2
    assert found.forwards == in_torch.forwards
    for title, values in in_torch.values.items():
        np.testing.assert_allclose(found.values[title], values, rtol=2e-3, atol=1e-4, err_msg=title)


def test_all_are_defined_where_there_is_something_to_measure(in_torch):
    assert [title for title, values in in_torch.values.items() if not np.isfinite(values).all()] == []
    assert in_torch["deletion"][0] != in_torch["deletion"][1]


def test_a_batch_equals_its_singles_and_the_model_and_the_images_stay(in_torch):
    adapted = adapters.in_torch()
    before = adapted.state()
    x, again = measured(adapted)
    kept = x.copy()
    maps = seewhy.occlusion(adapted.model, x, target=1, window=3, stride=3)
    for title, values in in_torch.values.items():
        np.testing.assert_array_equal(again.values[title], values, err_msg=title)
    for i in range(2):
        one = seewhy.occlusion(adapted.model, x[i : i + 1], target=1, window=3, stride=3)
        alone = measure(adapted.model, x[i : i + 1], one, CHOSEN, controls=())
        for title, values in alone.values.items():
            assert values[0] == pytest.approx(in_torch.values[title][i], rel=1e-5), title
    assert len(maps) == 2
    np.testing.assert_array_equal(x, kept)
    assert adapted.state() == before


def test_the_network_is_given_back_where_a_metric_fails():
    adapted = adapters.in_torch()
    before, x = adapted.state(), adapters.images(2)
    adapted.model.runner.network.train()
    maps = seewhy.gradient(adapted.model, x)
    with pytest.raises(seewhy.BadParameter, match="the fill"):
        measure(adapted.model, x, maps, METRICS["deletion"].using(fill="purple"))
    assert adapted.model.runner.network.training
    assert adapted.state() == before


def test_every_metric_says_what_there_is_to_know_of_it():
    for name, metric in METRICS.items():
        assert metric.formula and metric.source and metric.weakness and metric.cost, name  # noqa: PT018
        assert metric.better in ("lower", "higher", "neither")
        assert all(parameter.meaning for parameter in metric.parameters.values()), name
        assert getattr(seewhy.metrics, name.replace("-", "_")) is metric


def test_units_regions_and_groups_are_measured_by_their_scores():
    adapted = adapters.in_torch()
    x = adapters.images(1)
    for target in (seewhy.Unit("conv2", 1), seewhy.AnyOf([0, 2]), seewhy.Contrast(0, [1])):
        maps = seewhy.occlusion(adapted.model, x, target=target, window=3, stride=3)
        found = measure(adapted.model, x, maps, [METRICS["deletion"].using(steps=6), "completeness"])
        assert found.reads[0].startswith("score")
        assert np.isfinite(found["deletion"]).all()
        (first, _) = found.scores()["occlusion"]
        assert not first.percent
        assert found["completeness"] >= 0
