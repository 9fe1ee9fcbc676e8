"""A softmax that no layer of Keras computes is left off, too."""

import keras
import pytest
import torch

from seewhy.models.keras.torch_ending import LastSoftmax
from seewhy.models.keras.torch_network import KerasNetwork
from support.keras_models import L, images, seeded, subclassed


def test_the_last_one_is_undone_where_it_made_the_output():
    x = torch.randn(2, 3)
    with LastSoftmax() as last:
        first, out = x.sigmoid(), torch.softmax(x, 1)
    before, left = last.before(out)
    assert before is x
    assert left.kind == "softmax"
    assert "left off" in left.note
    for other in (first, out * 1, x):
        assert last.before(other) == (other, ("", "")) or last.before(other)[0] is other
    assert LastSoftmax().before(x)[1].kind == ""


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="of the torch backend")
def test_a_function_at_the_end_of_a_model_s_own_code():
    class Functions(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.dense = L.Flatten(), L.Dense(3)

        def call(self, x):
            return keras.ops.softmax(self.dense(self.flat(x)))

    seeded()
    model, x = Functions(), torch.tensor(images(side=8))
    model(x)
    network = KerasNetwork(model)
    logits = network(x)
    assert network.left_off(logits).kind == "softmax"
    assert torch.allclose(logits.softmax(1), model(x))
    torch.testing.assert_close(logits, model.dense(model.flat(x)))
    assert network.by_function.value is True
    torch.testing.assert_close(network(x), logits)
    bare = KerasNetwork(subclassed(None))
    bare(torch.tensor(images()))
    assert bare.by_function.value is False  # nobody looks again
