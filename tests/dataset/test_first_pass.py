"""A network that takes no photos is found out by noise of the shape that photos are prepared to."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.dataset.first_pass import check_takes_photos
from seewhy.errors import BadNetwork, NotApplicable

PREPARE = {"size": 8, "crop": 8}


def pooled(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: pooled(nn.Conv3d(3, 4, 3)), id="volumes"),
        pytest.param(lambda: pooled(nn.Conv1d(3, 4, 3)), id="signals"),
        pytest.param(lambda: pooled(nn.Conv2d(12, 4, 3)), id="twelve channels"),
        pytest.param(lambda: nn.Sequential(nn.EmbeddingBag(10, 4), nn.Linear(4, 3)).eval(), id="words"),
    ],
)
def test_networks_of_something_else_are_refused_with_advice(network):
    wrapped = seewhy.wrap(network(), prepare=PREPARE, name="other")
    with pytest.raises(BadNetwork, match=r"other failed on .* no photo was read\. .*`seewhy explain` .*prepare=.*inputs="):
        check_takes_photos(wrapped)


def test_networks_without_scores_of_whole_photos_are_refused():
    wrapped = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 4, 1)).eval(), prepare=PREPARE, name="segmenter")
    with pytest.raises(NotApplicable, match="segmenter answers with boxes, or with a map of each class"):
        check_takes_photos(wrapped)


def test_a_network_of_photos_is_asked_once_and_stays_as_it_was():
    seen = []

    class Noted(nn.Conv2d):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return super().forward(x)

    network = pooled(Noted(3, 4, 3), nn.BatchNorm2d(4))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_takes_photos(seewhy.wrap(network, prepare=PREPARE, name="photos"))
    assert seen == [(1, 3, 8, 8)]
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    "prepare", [{"size": None, "crop": None}, {"size": 8, "crop": None}, lambda photo: np.zeros((3, 8, 8), np.float32)]
)
def test_nothing_is_asked_where_noise_may_differ_from_photos(prepare):
    def never(x):
        raise AssertionError("it was asked")

    check_takes_photos(seewhy.wrap(never, prepare=prepare, takes="float", name="own sizes"))


def test_numbers_that_noise_alone_spoils_refuse_nothing():
    check_takes_photos(
        seewhy.wrap(lambda x: np.full((len(x), 2), np.nan), prepare=PREPARE, takes="uint8", labels=["a", "b"], name="nan")
    )
