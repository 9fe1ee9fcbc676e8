"""What every torch model does: scores, answers, variants; and copies of it under other settings that leave it alone."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy import IMAGE, PerImage, Region
from seewhy.images.places import Extent
from seewhy.models.settings import Settings
from seewhy.models.torch.base import TorchScores
from seewhy.models.torch.network_call import NetworkCall
from seewhy.targets.aim import ImageView
from support import networks

X = networks.images(3, *networks.SIDES, seed=11)


@pytest.fixture
def network():
    return networks.pooled()


@pytest.fixture
def model(network):
    return TorchScores(network, Settings())


def logits(network, x=X):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


def test_an_answer_is_what_the_network_gives(network, model):
    answer = model.answer(X)
    np.testing.assert_array_equal(answer.scores, logits(network))
    np.testing.assert_allclose(answer.probabilities, torch.tensor(logits(network)).softmax(1), rtol=1e-12)
    np.testing.assert_array_equal(model.whole(X), logits(network))


def test_a_sigmoid_at_the_end_is_found_for_the_answer(network):
    model = TorchScores(nn.Sequential(network, nn.Sigmoid()), Settings(scores="log-probability", task="multi-label"))
    expected = torch.tensor(logits(network)).sigmoid()
    answer = model.answer(X)
    assert answer.normalised
    np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-12)
    np.testing.assert_allclose(answer.scores, expected.log(), rtol=1e-9)


def test_an_attribute_that_is_set_is_of_this_model_alone(network, model):
    other = copy.copy(model)
    other.explains, other.labels, other.name, other.weights = "probability", list("abcde"), "other", "w.pt"
    assert (other.explains, other.labels, other.name, other.weights) == ("probability", list("abcde"), "other", "w.pt")
    assert (model.explains, model.labels, model.name, model.weights) == ("logits", None, "Sequential", None)
    np.testing.assert_allclose(other.answer(X).scores, torch.tensor(logits(network)).softmax(1), rtol=1e-12)
    np.testing.assert_array_equal(model.answer(X).scores, logits(network))
    assert other.derived is not model.derived
    assert (repr(other), repr(model)) == (
        "<other: probability of 5 classes>",
        "<Sequential: logits of unnamed classes>",
    )


def test_how_many_images_go_at_once(network):
    passes = []
    network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    small, usual, large = (8, 8), (224, 224), (600, 600)
    model = TorchScores(network, Settings())
    assert [model.at_once(space) for space in (small, usual, large)] == [32, 4, 1]
    assert [model.at_once(space, whole=True) for space in (small, usual, large)] == [8, 4, 1]
    assert [len(part.x) for part in model.batches(X)] == [3]
    said = TorchScores(network, Settings(batch_size=2))
    assert {said.at_once(space, whole) for space in (small, usual, large) for whole in (False, True)} == {2}
    assert [len(part.x) for part in said.batches(X)] == [2, 1]
    assert not passes


def test_on_another_device_than_a_cpu_more_images_go_at_once(network, monkeypatch):
    monkeypatch.setattr(NetworkCall, "device", torch.device("cuda"))
    model = TorchScores(network, Settings())
    assert [model.at_once((side, side)) for side in (224, 512, 4000)] == [32, 16, 1]
    assert model.at_once((224, 224), whole=True) == 8


def test_each_image_is_answered_with_its_own_row_beside_it():
    class Plus(nn.Module):
        def forward(self, x, row):
            return x.mean((2, 3)) + row

    rows = np.array([[1.0], [10.0], [100.0]])
    model = TorchScores(Plus(), Settings(inputs=(IMAGE, PerImage(rows))))
    model.fit(3)
    with pytest.raises(seewhy.BadParameter, match="PerImage of 3 rows"):
        model.fit(2)
    np.testing.assert_allclose(model.beside(1, 2).answer(X[1:]).scores, X[1:].mean((2, 3)) + rows[1:], rtol=1e-6)
    np.testing.assert_allclose(model.answer(X).scores, X.mean((2, 3)) + rows, rtol=1e-6)


def test_without_rows_the_same_model_meets_every_image(model):
    assert model.beside(1, 2) is model


def test_a_grey_is_what_the_network_sees_of_it(network):
    model = TorchScores(network, Settings(prepare={"size": 8, "crop": None, "mean": (0.5, 0.4, 0.0), "std": (0.5, 0.2, 1.0)}))
    np.testing.assert_allclose(model.colour(51), (0.2 - np.array([0.5, 0.4, 0.0])) / [0.5, 0.2, 1.0], rtol=1e-5)
    (batch,) = model.batches([Image.new("RGB", (8, 8), (51, 51, 51))])
    np.testing.assert_allclose(batch.x[0, :, 4, 4], model.colour(51), rtol=1e-5)
    assert TorchScores(network, Settings()).colour(51) is None


def test_versions_are_those_of_what_has_a_part(model):
    versions = model.versions()
    assert (versions["torch"], versions["numpy"]) == (torch.__version__, np.__version__)
    assert versions["seewhy"] == seewhy.__version__


def test_signals_are_taken_where_nothing_else_is_convolved(network):
    assert TorchScores(nn.Sequential(nn.Conv1d(2, 3, 3)), Settings()).signals
    assert not TorchScores(network, Settings()).signals
    assert TorchScores(nn.Sequential(nn.Linear(2, 3)), Settings()).signals


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", ["logits", "probability"])
def test_variants_have_the_scores_of_the_network(fast, kind):
    network = networks.bn_dropout().train()
    model = TorchScores(network, Settings(scores=kind))
    expected = torch.tensor(logits(copy.deepcopy(network).eval()))
    expected = expected.softmax(1) if kind == "probability" else expected
    with model.scoring(X[:1], model.answer(X[:1]), fast=fast) as scorer:
        np.testing.assert_allclose(scorer(scorer.array(X)), expected, rtol=1e-9)
        assert scorer.differs == fast
    assert all(module.training for module in network.modules())


def test_variants_in_half_precision_are_near(network, model):
    with model.scoring(X[:1], model.answer(X[:1]), dtype="bfloat16") as scorer:
        scores = scorer(scorer.array(X))
    assert scorer.differs
    np.testing.assert_allclose(scores, logits(network), atol=0.05 * np.abs(logits(network)).max())
    assert not np.array_equal(scores, logits(network))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float64}


def test_an_aim_is_read_of_the_whole_output():
    dense = networks.pooled()[:4]
    model = TorchScores(dense, Settings(labels=list("abcdefgh")))
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:5] = True
    view = ImageView(networks.SIDES, None, Extent(0, 0, 16, 12), model.labels)
    aimed, pinned = model.aimed([Region(2, mask), Region(5, mask)], X[:1], view)
    outputs = logits(dense)
    np.testing.assert_allclose(aimed.answer(X).scores, outputs[:, [2, 5]][:, :, mask].mean(2), rtol=1e-9)
    assert [aim.label for aim in pinned] == ["c", "f"]
    assert (aimed.labels, model.labels) == (None, list("abcdefgh"))
    assert model.runner.aims == ()


def test_two_towers_alone_have_no_classes():
    assert TorchScores(networks.pooled(), Settings()).no_classes == ""
    assert TorchScores(networks.pooled(), Settings()).towers is None
