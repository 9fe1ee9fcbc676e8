"""The demo's networks by name: as they are shipped, with other weights, and untrained."""

import numpy as np
import pytest
import torch

from seewhy import load
from seewhy.demo import KINDS
from seewhy.demo.networks import NETWORKS, blank, build
from seewhy.errors import BadParameter, BadWeights, NoSuchName
from seewhy.models.zoo.demo import demo_network
from seewhy.models.zoo.sources import Request
from seewhy.untrained import RANDOM

X = np.random.default_rng(0).normal(size=(2, 3, 96, 96)).astype(np.float32)


def scores(network):
    with torch.no_grad():
        return network.eval()(torch.as_tensor(X)).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_each_comes_with_its_own_weights_labels_and_preprocessing(name):
    model = load(f"demo/{name}")
    np.testing.assert_allclose(model.answer(X).scores, scores(build(name)), rtol=1e-4, atol=1e-5)
    assert (model.labels, model.weights, model.name) == ([*KINDS], "embedded", f"demo/{name}")
    assert (model.prepare.size, model.prepare.crop, model.prepare.mean, model.prepare.std) == (96, 96, (0.5,) * 3, (0.25,) * 3)


def test_weights_of_a_file_go_in_and_none_are_random(tmp_path):
    torch.manual_seed(3)
    other = blank("honest")
    torch.save(other.state_dict(), tmp_path / "other.pth")
    loaded = demo_network(Request("demo/honest", "honest", str(tmp_path / "other.pth")))
    np.testing.assert_array_equal(scores(loaded.network), scores(other))
    assert loaded.weights.startswith("other.pth sha256:")
    assert demo_network(Request("demo/honest", "honest", RANDOM)).weights == "random, seed 0"
    with pytest.raises(BadWeights, match="does not fit"):
        demo_network(Request("demo/flat", "flat", str(tmp_path / "other.pth")))


def test_what_there_is_not_is_said():
    with pytest.raises(NoSuchName, match=r"'demo/honesty'\. Closest: honest\. There are: honest, shortcut, flat, segmenter\."):
        demo_network(Request("demo/honesty", "honesty"))
    with pytest.raises(BadParameter, match="demo/flat takes no options, not num_classes"):
        demo_network(Request("demo/flat", "flat", None, {"num_classes": 3}))
