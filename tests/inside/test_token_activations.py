"""token_activation(): the maps of Li et al. 2025, written again, slow and plain."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

import seewhy
from seewhy import token_activation
from seewhy.inside.token_activations import correction, rank_gaussian
from seewhy.targets.aim import ImageView
from support.ask import close
from support.vision_language import IMAGE, X, model, network

pytest.importorskip("transformers")
RNG = np.random.default_rng(0)


def filtered(a, window=3):
    """The rank Gaussian filter, cell by cell."""
    near, out = window // 2, np.zeros_like(a)
    mirrored = lambda i, count: abs(i) if i < count else 2 * (count - 1) - i  # noqa: E731
    for y, x in np.ndindex(a.shape):
        around = [
            a[mirrored(y + dy, a.shape[0]), mirrored(x + dx, a.shape[1])]
            for dy in range(-near, near + 1)
            for dx in range(-near, near + 1)
        ]
        mean = sum(around) / len(around)
        if mean == 0:
            continue
        variation = (sum((each - mean) ** 2 for each in around) / len(around)) ** 0.5 / mean
        shares = [np.exp(-((rank - len(around) // 2) ** 2) / (2 * variation**2)) for rank in range(len(around))]
        out[y, x] = sum(s * v for s, v in zip(shares, sorted(around), strict=True)) / sum(shares)
    return out


def test_the_filter():
    a = RNG.random((5, 4)) * (RNG.random((5, 4)) > 0.4)
    close(rank_gaussian(a, 3), filtered(a), 1e-12)
    close(rank_gaussian(7 * a, 3), 7 * rank_gaussian(a, 3), 1e-12)
    spot = np.zeros((5, 5))
    spot[2, 2] = 1.0
    assert rank_gaussian(spot, 3).max() < 0.1  # a single hot cell is noise
    assert rank_gaussian(np.full((3, 3), 2.5), 3) == pytest.approx(np.full((3, 3), 2.5))
    assert rank_gaussian(a, 1) is a
    assert rank_gaussian(np.ones((1, 4)), 3) == pytest.approx(np.ones((1, 4)))


def test_the_correction_is_the_least_squares_and_takes_away_what_is_shared():
    a, others, weights = RNG.random(9), RNG.random((4, 9)), RNG.random(4)
    found = correction(a, others, weights)
    shared = sum(w * other for w, other in zip(weights, others, strict=True)) / weights.sum()
    best = minimize_scalar(lambda s: ((a - s * shared) ** 2).sum(), options={"xtol": 1e-12}).x
    assert found.scale == pytest.approx(best, abs=1e-6)
    close(found.values, np.maximum(0, a - best * shared), 1e-6)
    assert not correction(others[0] * 3, others[:1], weights[:1]).values.round(12).any()  # nothing of its own
    alone = correction(a, others, np.zeros(4))
    assert (alone.scale, alone.words) == (0.0, 0)
    close(alone.values, a)


def plain(made, written, token):
    """The map of one token of the text before the filter: from one pass over all words, loop by loop."""
    ids = [*written.given, *written.ids[:-1]]
    options = {"input_ids": torch.tensor([ids]), "pixel_values": torch.as_tensor(X)}
    with torch.no_grad():
        logits = made(**options).logits[0].double().numpy()
    patches = [row for row, word in enumerate(ids) if word == IMAGE]
    score = lambda row, word: max(0.0, logits[row, word])  # noqa: E731
    c = written.ids[token]
    own = np.array([score(patch, c) for patch in patches])
    total, shared = 0.0, np.zeros(9)
    for row in range(patches[-1] + 1, len(written.given)):  # the question's words, at their own places
        if ids[row] != c:
            total += score(row, c)
            shared += score(row, c) * np.array([score(patch, ids[row]) for patch in patches])
    for j in range(token):  # the words written before, at the places that foretell them
        if written.ids[j] != c:
            row = len(written.given) - 1 + j
            total += score(row, c)
            shared += score(row, c) * np.array([score(patch, written.ids[j]) for patch in patches])
    shared = shared / total if total else shared
    s = (own * shared).sum() / (shared**2).sum() if shared.any() else 0.0
    return own.reshape(3, 3), np.maximum(0, own - s * shared).reshape(3, 3), s


@pytest.mark.parametrize("token", [0, 3])
def test_the_map_of_a_token(token):
    made = network("llava")
    m = model("llava", made)
    target = seewhy.Token(token, longest=5)
    written = m.aimed([target], X, ImageView((48, 48), None, None, None))[1][0].written
    own, corrected, s = plain(made, written, token)
    raw, bare, whole = (
        token_activation(m, X, target, **asked)[0]
        for asked in ({"corrected": False, "window": 1}, {"window": 1}, {})
    )  # fmt: skip
    close(raw.values, own, 1e-5)
    close(bare.values, corrected, 1e-5)
    close(whole.values, filtered(corrected), 1e-5)
    assert whole.source.measured["scale"] == pytest.approx(s, rel=1e-4)
    assert whole.source.written["explained"] == (token,)
    assert whole.source.params == {"corrected": True, "window": 3}
    assert whole.source.caption.startswith("token-activation of the word '")
    assert whole.cells is not None


def test_several_tokens_and_images_in_order():
    m, x = model("paligemma"), np.concatenate([X, X[:, :, ::-1]])
    maps = token_activation(m, x, ["token:0|longest=3", seewhy.Token(1, longest=3)], window=1)
    assert [(each.place, each.source.written["explained"]) for each in maps] == [(0, (0,)), (0, (1,)), (1, (0,)), (1, (1,))]
    (alone,) = token_activation(m, x[1:], "token:1|longest=3", window=1)
    close(maps[3].values, alone.values, 1e-6)


def test_what_it_cannot_be_asked():
    with pytest.raises(seewhy.NotApplicable, match="no image tokens among its words"):
        token_activation(model("blip"), X, "token:0|longest=3")
    wrong = [{"target": 1.5}, {"target": []}, {"target": "top"}]
    for asked in wrong:
        with pytest.raises(seewhy.BadParameter, match="give Token"):
            token_activation(model("llava"), X, **asked)
    for window in (2, True, 0):
        with pytest.raises(seewhy.BadParameter, match="odd number of cells"):
            token_activation(model("llava"), X, "token:0", window=window)
