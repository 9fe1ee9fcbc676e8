"""Rules by which a gradient goes back through ReLUs otherwise, and what relevance takes."""

from math import inf, nan

import numpy as np
import pytest
import torch

from seewhy.errors import BadParameter
from seewhy.models.rule import Relevance, deconv, guided

ACTIVE, G = [True, True, False, False], [2.0, -3.0, 4.0, -5.0]


@pytest.mark.parametrize("array", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_gradients_that_pass(array):
    active, g = array(ACTIVE), array(G)
    assert guided(active, g).tolist() == [2, 0, 0, 0]
    assert deconv(active, g).tolist() == [2, 0, 4, 0]
    assert g.tolist() == G, "what came from above stays as it was"


@pytest.mark.parametrize("numbers", [{"epsilon": -1}, {"epsilon": inf}, {"epsilon": nan}, {"gamma": -0.5}, {"gamma": nan}])
def test_numbers_that_mean_nothing_are_refused(numbers):
    with pytest.raises(BadParameter, match="numbers from 0 on"):
        Relevance(**numbers)
    assert Relevance(epsilon=0, gamma=0).epsilon == 0
