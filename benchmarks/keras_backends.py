"""Grad-CAM of Keras models on each backend, as multiples of the fastest forward pass there, beside tf-keras-vis.

    python benchmarks/keras_backends.py [--networks ResNet50,VGG16] [--rounds 5]

Each backend, and tf-keras-vis, in a process of its own; what is not installed is left out, by name.  `first` is the first map
in seconds, with all that is compiled for it; `forward` is one pass without a graph, compiled by tf.function on TensorFlow and
by jax.jit on JAX, as it is on torch.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

NETWORKS = ("ResNet50", "MobileNetV2", "VGG16")
BACKENDS = ("torch", "tensorflow", "jax")
CLASS = 281


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)  # of a process of its own: a network and who
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measured(*options.row, options.rounds)))
        return
    print("| network | who | forward, ms | first, s | Grad-CAM, x forward | 8 images, x forward of 8 |")
    print("|---|---|---|---|---|---|")
    for network in options.networks.split(","):
        for who in (*BACKENDS, "tf-keras-vis"):
            print(row(network, who, options.rounds), flush=True)


def row(network: str, who: str, rounds: int) -> str:
    backend = "tensorflow" if who == "tf-keras-vis" else who
    needed = "tf_keras_vis" if who == "tf-keras-vis" else who
    if find_spec(needed) is None:
        return f"| {network} | {who} | not installed | | | |"
    command = [sys.executable, __file__, "--row", network, who, "--rounds", str(rounds)]
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return f"| {network} | {who} | fails: {done.stderr.strip().splitlines()[-1][:120]} | | | |"
    found = json.loads(done.stdout.splitlines()[-1])
    cells = f"{found['forward'] * 1000:.0f} | {found['first']:.1f} | **{found['one']:.2f}** | {found['eight']:.2f}"
    return f"| {network} | {who} | {cells} |"


def measured(network: str, who: str, rounds: int) -> dict[str, float]:
    """Seconds of a forward pass and of the first map; later maps of one image and of eight as multiples of their passes."""
    import keras  # in the process that has set its backend

    model = getattr(keras.applications, network)(weights=None)
    x = np.random.default_rng(0).normal(size=(8, 224, 224, 3)).astype(np.float32)
    passes, maps = forward(keras, model), peer(model) if who == "tf-keras-vis" else ours(model)
    start = time.perf_counter()
    maps(x[:1])
    first = time.perf_counter() - start
    one, eight = (ratio(passes, maps, x[:n], rounds) for n in (1, 8))
    return {"forward": one[0], "first": first, "one": one[1], "eight": eight[1]}


def ratio(passes: Callable[[Any], Any], maps: Callable[[Any], Any], x: Any, rounds: int) -> tuple[float, float]:
    """The median seconds of a pass, and the median time of the maps as a multiple of it; the two take turns."""
    seconds: list[list[float]] = [[], []]
    for take in range(rounds + 1):
        for run, kept in zip((passes, maps), seconds, strict=True):
            time.sleep(0.05)
            start = time.perf_counter()
            run(x)
            if take:
                kept.append(time.perf_counter() - start)
    return median(seconds[0]), median(seconds[1]) / median(seconds[0])


def forward(keras: Any, model: Any) -> Callable[[Any], Any]:
    """The fastest plain pass that the backend has."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf  # of this backend alone

        graph = tf.function(lambda x: model(x, training=False), autograph=False)
        return lambda x: graph(tf.constant(x)).numpy()
    if backend == "jax":
        import jax  # of this backend alone

        state = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
        compiled = jax.jit(lambda state, x: model.stateless_call(*state, x, training=False)[0])
        return lambda x: np.asarray(compiled(state, x))
    import torch  # of this backend alone

    def plain(x: Any) -> Any:
        with torch.inference_mode():
            return model(torch.tensor(x), training=False).numpy()

    return plain


def ours(model: Any) -> Callable[[Any], Any]:
    import seewhy  # which would be in the way of tf-keras-vis' own start

    wrapped = seewhy.wrap(model, batch_size=8)
    return lambda x: seewhy.grad_cam(wrapped, x, target=CLASS)


def peer(model: Any) -> Callable[[Any], Any]:
    from tf_keras_vis.gradcam import Gradcam  # the peer
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    made = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
    return lambda x: made(CategoricalScore([CLASS] * len(x)), x, penultimate_layer=-1)


if __name__ == "__main__":
    main()
