"""Who can be copied, and what is said of who cannot."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.working_copy import Copyable, copyable


def test_a_network_of_torch_can_be_copied():
    model = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(32, 2)))
    assert copyable(model, "a test") is model
    assert isinstance(model, Copyable)


def test_of_a_function_it_is_said_what_needs_no_copy():
    model = seewhy.wrap(lambda images: np.zeros((len(images), 3)), name="a service")
    with pytest.raises(seewhy.NotApplicable, match=r"a check changes a copy.*a service is none.*class_sensitivity"):
        copyable(model, "a check")


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:FutureWarning")
def test_torchscript_has_no_modules_to_draw():
    script = torch.jit.trace(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), torch.zeros(1, 3, 4, 4))
    with pytest.raises(seewhy.NotApplicable, match="plain modules"):
        copyable(seewhy.wrap(script), "a check")


def test_what_is_no_model_is_refused_as_everywhere():
    with pytest.raises(seewhy.BadParameter, match="is no model"):
        copyable("resnet", "a check")
