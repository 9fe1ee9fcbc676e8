"""Small Keras models, and their twins in torch with the same weights."""

from typing import Any

import keras
import numpy as np
import pytest

from seewhy.arrays import numbers

L = keras.layers
keras_saves = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")


def seeded(seed: int = 0) -> None:
    keras.utils.set_random_seed(seed)


def block(name: str = "block", side: int = 24) -> Any:
    """A nested model: convolution, BatchNorm with statistics of its own, ReLU."""
    stem = keras.Sequential(
        [keras.Input((side, side, 3)), L.Conv2D(6, 3, name="conv"), L.BatchNormalization(name="norm"), L.ReLU(name="relu")],
        name=name,
    )
    rng = np.random.default_rng(1)
    weights = [rng.uniform(0.5, 1.5, 6), rng.normal(0, 0.3, 6), rng.normal(0, 0.3, 6), rng.uniform(0.5, 1.5, 6)]
    stem.get_layer("norm").set_weights(weights)
    return stem


def residual(side: int = 24, classes: int = 5, activation: str | None = "softmax") -> Any:
    """Functional: a nested block, a residual connection, a ReLU as an activation, pooling and a linear layer."""
    seeded()
    image = keras.Input((side, side, 3), name="image")
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="down")(block(side=side)(image))
    x = L.Activation("relu", name="joined")(L.Add(name="sum")([x, L.Conv2D(8, 3, padding="same", name="branch")(x)]))
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(classes, activation=activation, name="scores")(x), name="residual")


class Subclassed(keras.Model):
    """A model that is no graph: its own code runs its layers, one of them twice."""

    def __init__(self, activation: str | None = "softmax") -> None:
        super().__init__(name="subclassed")
        self.stem, self.again = block(), L.Conv2D(6, 3, padding="same", activation="relu", name="again")
        self.pool, self.scores = L.GlobalAveragePooling2D(name="pool"), L.Dense(4, activation=activation, name="scores")

    def call(self, image: Any) -> Any:
        x = self.again(self.again(self.stem(image)))
        return self.scores(self.pool(x))


def subclassed(activation: str | None = "softmax") -> Any:
    seeded()
    model = Subclassed(activation)
    model(np.zeros((1, 24, 24, 3), np.float32))
    return model


class AddedLow(L.Dense):
    """A low-rank update beside the kernel that the class has."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.down = self.add_weight(shape=(shape[-1], 2), initializer="random_normal", name="down")
        self.up = self.add_weight(shape=(2, self.units), initializer="random_normal", name="up")

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) + 30 * keras.ops.matmul(keras.ops.matmul(inputs, self.down), self.up)


def images(n: int = 2, side: int = 24, channels: int = 3) -> np.ndarray:
    """As Keras takes them: (n, h, w, c)."""
    return np.random.default_rng(0).normal(0, 1, (n, side, side, channels)).astype(np.float32)


def weights_of(layer: Any) -> list[np.ndarray]:
    """As `get_weights`, which warns on torch with a numpy of today."""
    return [numbers(variable.value) for variable in layer.weights]
