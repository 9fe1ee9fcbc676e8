"""What photos do to units and classes, against a plain loop."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName
from seewhy.inside.exciting.values import asked_of, excitation
from seewhy.targets.sums import Direction, Diversity, WholeLayer
from seewhy.targets.target import Class, Contrast, Unit
from support import networks

X = networks.images(3)


def test_units_and_classes_against_a_plain_loop() -> None:
    network: Any = networks.pooled()
    model = seewhy.wrap(network)
    what = [Unit("act1", 1), Unit("act2", 0, "sum"), Unit("act1", 2, (1, 3)), Unit("flat", 3), Class(2), Contrast(1, 0)]
    found = excitation(model, X, asked_of(model, what))
    with torch.no_grad():
        a1 = network[:2](torch.tensor(X)).numpy()
        a2 = network[:4](torch.tensor(X)).numpy()
        flat = network[:6](torch.tensor(X)).numpy()
        scores = network(torch.tensor(X)).numpy()
    assert set(found.layers) == {"act1", "act2", "flat"}
    assert found.layers["act1"] == a1.shape[2:]
    for i in range(3):
        plain = [
            max(a1[i, 1].ravel()), sum(a2[i, 0].ravel()), a1[i, 2, 1, 3], flat[i, 3], scores[i, 2], scores[i, 1] - scores[i, 0],
        ]  # fmt: skip
        np.testing.assert_allclose(found.values[:, i], plain, rtol=1e-12)
        assert a1[i, 1].ravel()[found.cells[0, i]] == a1[i, 1].max()
        assert a2[i, 0].ravel()[found.cells[1, i]] == a2[i, 0].max()  # of all of them the strongest is shown
        assert found.cells[2, i] == a1.shape[3] + 3
        assert (found.cells[3:, i] == -1).all()
        assert found.means[0, i] == pytest.approx(a1[i, 1].mean())


def test_directions_layers_and_sums_against_a_plain_loop() -> None:
    network: Any = networks.pooled()
    model, v, u = seewhy.wrap(network), np.array([1.0, -2.0, 0.5, 0.0]), np.array([0.5, 1.0, -1.0, 2.0])
    with torch.no_grad():
        a1, flat = network[:2](torch.tensor(X)).numpy(), network[:6](torch.tensor(X)).numpy()
        scores = network(torch.tensor(X)).numpy()
    v, u = np.resize(v, a1.shape[1]), np.resize(u, flat.shape[1])
    total = 2 * Direction("act1", v) - 0.5 * Class(2) + Unit("act1", 1, "sum")
    what = [
        Direction("act1", v), Direction("act1", v, cosine=2), Direction("act1", v, 1, (1, 3)), Direction("flat", u),
        WholeLayer("act1"), total, 1.0 * Unit("act1", 1),
    ]  # fmt: skip
    asked = asked_of(model, what)
    found = excitation(model, X, asked)
    for i in range(3):
        dots, held = np.zeros(a1.shape[2:]), np.zeros(a1.shape[2:])
        for y, x in np.ndindex(*a1.shape[2:]):
            cell = a1[i, :, y, x]
            dots[y, x] = sum(one * other for one, other in zip(cell, v, strict=True))
            cosine = dots[y, x] / max(np.sqrt(sum(cell**2)) * np.sqrt(sum(v**2)), 1e-300)
            held[y, x] = dots[y, x] * max(0.1, cosine) ** 2
        power = max(0.1, dots[1, 3] / (np.sqrt(sum(a1[i, :, 1, 3] ** 2)) * np.sqrt(sum(v**2))))
        plain = [
            dots.mean(), held.mean(), dots[1, 3] * power, sum(flat[i] * u), (a1[i] ** 2).mean(),
            2 * dots.mean() - 0.5 * scores[i, 2] + a1[i, 1].sum(), a1[i, 1].max(),
        ]  # fmt: skip
        np.testing.assert_allclose(found.values[:, i], plain, rtol=1e-9)
        assert dots.ravel()[found.cells[0, i]] == pytest.approx(dots.max())
        assert held.ravel()[found.cells[1, i]] == pytest.approx(held.max())
        assert found.cells[2, i] == a1.shape[3] + 3
        assert [*found.cells[[3, 5], i]] == [-1, -1]
        assert a1[i, 1].ravel()[found.cells[6, i]] == a1[i, 1].max()
    words = ["a direction of act1", "a direction of act1", "a direction of act1 in cell (1, 3)", "a direction of flat"]
    assert [each.words for each in asked] == [*words, "all of act1", str(total), "unit 1 of act1"]


def test_classes_of_a_sum_are_found_by_name() -> None:
    model = seewhy.wrap(networks.pooled(), labels=["tabby, tabby cat", "dog", "fox", "owl", "bee"])
    (asked,) = asked_of(model, Class("owl") + 2 * Unit("flat", 0))  # type: ignore[arg-type]
    assert str(asked.target) == "3 + 2*unit:flat:0"


def test_of_a_layer_that_runs_twice_the_last_run_is_read() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.end = nn.ReLU(), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.end(self.act(self.act(x) - 0.5).mean((2, 3)))

    model = seewhy.wrap(Twice().double().eval())
    found = excitation(model, X, asked_of(model, [Unit("act", 1)]))
    np.testing.assert_allclose(found.values[0], np.maximum(np.maximum(X, 0) - 0.5, 0)[:, 1].max((1, 2)))


def test_what_is_asked_for_is_said_in_words() -> None:
    model = seewhy.wrap(networks.pooled(), labels=["tabby, tabby cat", "dog", "fox", "owl", "bee"])
    asked = asked_of(model, ["tabby, tabby cat", "unit:act1:2", 3, Contrast(1, 0)])
    assert [each.words for each in asked] == ["tabby (0)", "unit 2 of act1", "owl (3)", "dog rather than tabby, tabby cat"]
    assert [each.words for each in asked_of(seewhy.wrap(networks.pooled()), [3])] == ["class 3"]


def test_what_cannot_be_ranked_by_is_advice() -> None:
    model = seewhy.wrap(networks.pooled())
    with pytest.raises(BadParameter, match=r"what a unit emits, or by a class's score; region:1 is neither\. Ask for units"):
        asked_of(model, [seewhy.Region(1)])
    with pytest.raises(BadParameter, match=r"diversity:act1, in unit:act1:2 \+ 0.5\*diversity:act1, is neither"):
        asked_of(model, Unit("act1", 2) + 0.5 * Diversity("act1"))
    with pytest.raises(BadParameter, match=r"the vector has 3 numbers; layer flat has"):
        excitation(model, X, asked_of(model, [Direction("flat", [1, 2, 3])]))
    with pytest.raises(NeedsGradients, match=r"gives scores only\. Ask for a class\."):
        asked_of(seewhy.wrap(lambda x: x.mean((2, 3)), name="mean"), Unit("act1", 0))
    for unit, words in [
        (Unit("act1", 99), "act1 has 0 to"),
        (Unit("act9", 0), "No layer 'act9'. Closest: act"),
    ]:
        with pytest.raises(NoSuchName, match=words):
            excitation(model, X, asked_of(model, unit))
    with pytest.raises(BadParameter, match=r"act1 has \d+x\d+ cells for a photo; cells count from 0"):
        excitation(model, X, asked_of(model, Unit("act1", 0, (99, 0))))
    with pytest.raises(BadParameter, match="flat has no cells"):
        excitation(model, X, asked_of(model, Unit("flat", 0, (0, 0))))
