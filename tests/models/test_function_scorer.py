"""The scores of variants, of a function: as it gives them, in the kind of numbers of the images."""

import numpy as np
import pytest

from seewhy import NeedsGradients, wrap
from seewhy.models.function_scorer import FunctionScorer

X = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)


def test_it_scores_variants_and_blends_them_in_the_images_own_kind_of_numbers():
    model = wrap(lambda x: x.mean((2, 3)), takes="float")
    with model.scoring(X, model.answer(X)) as scorer:
        assert isinstance(scorer, FunctionScorer)
        np.testing.assert_allclose(scorer(np.concatenate([X, 2 * X])), [X.mean((0, 2, 3)), 2 * X.mean((0, 2, 3))], rtol=1e-6)
        keep = np.zeros((2, 4, 5), bool)
        keep[0, 1] = True
        fill = np.ones((3, 4, 5), np.float32)
        np.testing.assert_array_equal(scorer.blend(keep, X[0], fill), np.where(keep[:, None], X[0], fill))
        np.testing.assert_allclose(scorer.blend(0.25 * keep, X[0], fill)[0, :, 1], 0.75 + 0.25 * X[0, :, 1], rtol=1e-6)
        assert scorer.array(np.zeros(2)).dtype == np.float32
        assert scorer.boxed(X[0]) is None
        with pytest.raises(NeedsGradients, match="gives scores only"):
            scorer.tail(X[0], "late")
