"""A Keras model as a torch module: its parts, copies, and what it refuses."""

import pickle
from copy import deepcopy

import keras
import numpy as np
import pytest
import torch

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.keras.torch_network import KerasNetwork
from seewhy.models.torch.passes.taps import hooked
from support.keras_models import L, images, keras_saves, residual, seeded, subclassed, weights_of

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)


def test_the_parts_have_the_layers_names_kinds_and_weights():
    model = residual()
    network = KerasNetwork(model)
    assert type(network.get_submodule("block/conv")).__name__ == "Conv2D"
    conv = model.get_layer("block").get_layer("conv")
    assert network.get_submodule("block/conv").kernel is conv.kernel.value
    held = [*network.parameters(), *network.buffers()]
    assert {id(p) for p in held} == {id(v.value) for v in model.variables}
    assert {name for name, _ in network.named_buffers()} == {"block/norm.moving_mean", "block/norm.moving_variance"}
    assert not any(module.training for module in network.modules())


def test_hooks_of_parts_see_and_change_what_layers_emit():
    model, x, seen = residual(activation=None), torch.tensor(images()), {}
    network = KerasNetwork(model)
    plain = network(x)
    torch.testing.assert_close(plain, model(x))
    part = network.get_submodule("down")

    def look(module, args, output):
        seen[type(module).__name__] = args[0], output
        return output * 0

    with hooked([(part, look)]):
        changed = network(x)
    entered, emitted = seen["Conv2D"]
    torch.testing.assert_close(emitted, model.get_layer("down")(entered))
    assert not torch.equal(changed, plain)
    assert torch.equal(network(x), plain)


def test_a_layer_that_is_called_twice_runs_in_its_part_twice():
    network, calls = KerasNetwork(subclassed()), []
    with hooked([(network.get_submodule("again"), lambda *_: calls.append(1))]):
        network(torch.tensor(images()))  # another run, that shows how the model ends, is not seen
        assert len(calls) == 2
        network(torch.tensor(images()))
    assert len(calls) == 4


@keras_saves
def test_a_copy_has_weights_of_its_own():
    model, x = residual(), torch.tensor(images())
    network = KerasNetwork(model)
    plain = network(x)
    twin = deepcopy(network)
    assert torch.equal(twin(x), plain)
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert not torch.equal(twin(x), plain)
    assert torch.equal(network(x), plain)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), plain)


def test_a_model_is_left_as_it_was():
    seeded()
    model = keras.Sequential([
        keras.Input((8, 8, 3)), L.Conv2D(4, 3, activity_regularizer="l2"), L.BatchNormalization(), L.Dropout(0.5), L.Flatten(),
        L.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].trainable = False
    before = [(p, p.clone(), p.requires_grad) for p in (v.value for v in model.variables)]
    network = KerasNetwork(model)
    network(torch.tensor(images(side=8)))
    assert model.losses == []
    assert all(p is v.value and torch.equal(p, old) and p.requires_grad == grad
               for (p, old, grad), v in zip(before, model.variables, strict=True))  # fmt: skip
    assert all("call" not in vars(layer) for layer in model.layers)


def test_a_model_that_got_other_layers_or_weights_is_refused():
    model, x = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(2)]), torch.tensor(images(side=8))
    network = KerasNetwork(model)
    network(x)
    model.add(L.Dense(3))
    with pytest.raises(BadNetwork, match="wrap it again"):
        network(x)


def test_weights_set_later_count():
    model, x = residual(), torch.tensor(images())
    network = KerasNetwork(model)
    plain = network(x)
    model.set_weights([w * 0.5 for w in weights_of(model)])
    assert not torch.equal(network(x), plain)


def test_another_precision_is_refused():
    network = KerasNetwork(residual())
    network.to("cpu")
    network.to(torch.float32)
    with pytest.raises(BadParameter, match="set_dtype_policy"):
        network.to(torch.float64)


def test_layers_may_be_called_like_what_every_module_has():
    names = ["model", "forward", "half", "parameters"]
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *(L.Conv2D(2, 3, padding="same", name=name) for name in names), L.Flatten()]
    )
    network = KerasNetwork(model)
    assert [type(network.get_submodule(name)).__name__ for name in names] == ["Conv2D"] * 4
    torch.testing.assert_close(network(torch.tensor(images(side=8))), model(images(side=8)))


def test_channels_come_before_space_in_what_it_gives():
    seeded()
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, L.Conv2D(5, 1, activation="softmax")(image))
    out = KerasNetwork(model)(torch.tensor(images(side=8)))
    assert out.shape == (2, 5, 8, 8)
    np.testing.assert_allclose(out.softmax(1).movedim(1, -1).detach(), model(images(side=8)).detach(), atol=1e-6)


def test_several_inputs_go_in_by_place_or_by_name():
    seeded()
    image, age = keras.Input((8, 8, 3), name="image"), keras.Input((1,), name="age")
    model = keras.Model([image, age], L.Dense(2)(L.Concatenate()([L.Flatten()(image), age])))
    network, x, years = KerasNetwork(model), torch.tensor(images(side=8)), torch.ones(2, 1)
    torch.testing.assert_close(network(x, years), model([x, years]))
    torch.testing.assert_close(network(age=years, image=x), model([x, years]))


def test_what_torch_moves_stays_the_model_s_own():
    model = residual()
    network = KerasNetwork(model)
    held = [*network.parameters(), *network.buffers()]
    before = [p.clone() for p in held]
    network._apply(lambda tensor: tensor.clone() * 2)
    assert all(a is b for a, b in zip(held, [*network.parameters(), *network.buffers()], strict=True))
    assert all(torch.equal(p, 2 * old) for p, old in zip(held, before, strict=True))
    network(torch.tensor(images()))
