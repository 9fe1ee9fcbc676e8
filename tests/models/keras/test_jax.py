"""Keras models on the JAX backend: what is compiled, and when."""

import pytest

keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip("of the jax backend", allow_module_level=True)

import jax  # noqa: E402
import numpy as np  # noqa: E402

import seewhy  # noqa: E402
from support.keras_models import images, residual, weights_of  # noqa: E402


def test_one_program_serves_all_questions_about_images_of_one_shape():
    model = seewhy.wrap(residual())
    for target in (0, 3):
        seewhy.grad_cam(model, images(), target=target)
        seewhy.guided_backprop(model, images(), target=target)
    programs = model.backend.programs
    assert len(programs) == 2  # of the image that shows the layers, and of two
    assert max(function._cache_size() for p in programs._values.values() for function in p.compiled.values()) == 1


def test_variables_are_arguments_and_stay_as_they_are():
    network = residual()
    model = seewhy.wrap(network)
    x = np.moveaxis(images(), -1, 1)
    before, kept = model.answer(x).scores, weights_of(network)
    network.get_layer("scores").bias.assign_add(np.full(5, 2.0))
    np.testing.assert_allclose(model.answer(x).scores, before + 2, rtol=1e-5)
    assert len(model.backend.programs) == 1
    assert all(isinstance(variable.value, jax.Array) for variable in network.variables)
    for a, b in zip(weights_of(network)[:-1], kept[:-1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.versions()["keras"].endswith("on jax")


def test_what_lies_before_an_edited_layer_is_not_run():
    model = seewhy.wrap(residual())
    x = np.moveaxis(images(1), -1, 1)
    model.backend.behind(x[0], "joined").run(np.zeros((1, 8, 11, 11), np.float32))
    (program,) = model.backend.programs._values.values()
    state = [variable.value for variable in model.keras_model.variables]
    text = (
        program.compiled["behind", "joined"].lower(state, images(1), np.zeros((1, 11, 11, 8), np.float32)).compile().as_text()
    )
    assert "convolution" not in text
