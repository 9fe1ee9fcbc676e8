"""The one score that is asked about: of a class, a unit, or a group."""

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadParameter
from seewhy.inside.concepts.tcav_explained import explained
from support.concept_networks import images, model

X = images(2, 0)


def test_a_class_a_unit_and_a_group_are_scores_of_a_model():
    whole, target, words = explained(model(), "beside", "tcav")
    assert (whole, target.index, words) == (model(), 2, "beside")
    unit, target, words = explained(model(), seewhy.Unit("mix", 5), "tcav")
    assert (target, words) == (seewhy.Class(5), "unit:mix:5")
    np.testing.assert_allclose(unit.answer(X).scores[:, 5], model().activations(X, ["mix"])[0]["mix"][:, 5].amax((1, 2)))
    group, target, _ = explained(model(), seewhy.AnyOf([0, 2]), "tcav")
    assert target == seewhy.Class(0)
    assert group.answer(X).scores.shape[0] == 2


def test_what_is_no_single_score_is_refused():
    with pytest.raises(BadParameter, match="features tells of one target"):
        explained(model(), seewhy.PerImage([0, 1]), "features")
    with pytest.raises(BadParameter, match="reads the whole output"):
        explained(model(), seewhy.Region(0), "tcav")
