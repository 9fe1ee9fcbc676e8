"""ROAD on a linear model: from the formulas, one image after the other; which order of a map's places is which."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.imputation import imputed
from seewhy.metrics.faithfulness.removal import NOISE
from seewhy.metrics.faithfulness.road import road, road_lerf, road_morf
from seewhy.metrics.subject import subjects
from support.measuring import linear_model

RNG = np.random.default_rng(0)
WEIGHTS, X = RNG.standard_normal((2, 6, 6)), RNG.random((1, 1, 6, 6)).astype(np.float32)
SHARES = (0.25, 0.5)


def expected(values, seed=0):
    """The mean probability over both shares, the highest values imputed."""
    found = []
    for share in SHARES:
        cut = np.sort(values.reshape(-1))[::-1][: round(share * 36)].min()
        drawn = np.random.default_rng([seed, *b"imputation"])
        image = imputed(X[0], values >= cut, NOISE * X.std(), drawn)[0]
        scores = [float((image * w).sum()) for w in WEIGHTS]
        found.append(np.exp(scores[0]) / np.exp(scores).sum())
    return np.mean(found)


def test_from_the_formulas():
    values = RNG.standard_normal((6, 6))
    model = linear_model(WEIGHTS, scores="logits")
    how = {"target": 0, "shares": SHARES}
    most, least = road_morf(model, X, [values], **how)[0], road_lerf(model, X, [values], **how)[0]
    assert most == pytest.approx(expected(values), rel=1e-5)
    assert least == pytest.approx(expected(-values), rel=1e-5)
    assert road(model, X, [values], **how)[0] == pytest.approx(least - most, rel=1e-9)


def test_a_perfect_map_an_inverted_one_and_one_without_order():
    """The score counts a bright block of nine on black: imputed from around it, it is gone."""
    block = np.zeros((6, 6))
    block[:3, :3] = 1
    model, x = linear_model(block), block[None, None].astype(np.float32)
    perfect, inverted = (road(model, x, [each], target=0, shares=(0.25,))[0] for each in (block, -block))
    assert perfect == pytest.approx(9, abs=0.2)  # the noise of nine pixels
    assert inverted == pytest.approx(-9, abs=0.2)
    flat = [road(model, x, [np.zeros((6, 6))], target=0, seed=seed)[0] for seed in range(30)]
    assert np.mean(flat) == pytest.approx(0, abs=3 * np.std(flat) / np.sqrt(30))


def test_both_orders_are_asked_for_once():
    calls = []
    for subject, _ in subjects(linear_model(WEIGHTS, calls=calls), X, [WEIGHTS[0]], target=0):
        calls.clear()
        for each in (road, road_morf, road_lerf):
            each.of(subject, WEIGHTS[0])
        assert sum(calls) == 10


def test_shares_lie_between_none_and_all():
    for shares in ((0.0,), (1.0,), ()):
        with pytest.raises(BadParameter, match="between 0 and 1"):
            road(linear_model(WEIGHTS), X, [WEIGHTS[0]], target=0, shares=shares)
