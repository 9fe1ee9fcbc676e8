"""A model as a graph: of a copy of its network, of classes of images alone."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import NotApplicable
from seewhy.exporting.forms import form_of
from seewhy.models.torch.exporting.graph import single_precision
from support import networks

X = networks.images(2).astype(np.float32)


def test_the_copy_is_of_single_precision_and_nobody_else_s():
    model = seewhy.wrap(networks.pooled().train().half())
    copy = single_precision(model.runner)
    assert {parameter.dtype for parameter in copy.network.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float16}
    assert not {id(p) for p in copy.network.parameters()} & {id(p) for p in model.network.parameters()}
    assert not copy.network.training
    assert model.network.training


class TwoInputs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = networks.pooled()

    def forward(self, x, shift):
        return self.body(x + shift)


def test_what_is_no_graph_of_images_alone_is_refused():
    units = seewhy.wrap(networks.pooled()).upto("act2")
    rows = seewhy.wrap(TwoInputs(), inputs=(seewhy.IMAGE, seewhy.PerImage([np.zeros((3, 1, 1)), np.ones((3, 1, 1))])))
    for model in (units, rows):
        with pytest.raises(NotApplicable, match=r"cannot be put into a graph of images. Export a model of classes."):
            model.for_graph().graph(X, "act1", form_of(seewhy.recipro_cam), seewhy.Top())


def test_other_inputs_that_are_the_same_for_all_images_become_part_of_it():
    model = seewhy.wrap(TwoInputs(), inputs=(seewhy.IMAGE, seewhy.Fixed(np.full((3, 1, 1), 0.5))))
    found = model.for_graph().graph(X, "body.act2", form_of(seewhy.grad_cam), seewhy.Top())
    scores, _ = found.program.module()(torch.tensor(X))
    torch.testing.assert_close(scores.double(), networks.pooled()(torch.tensor(X).double() + 0.5), atol=1e-5, rtol=1e-5)
