"""What a torch network's numbers depend on: its weights, byte for byte, torch's settings, its libraries."""

from copy import deepcopy
from threading import Thread
from time import perf_counter, sleep

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.conditions import bytes_of, conditions_of, host_of, libraries, weights_of
from seewhy.models.weights_digest import digest
from support import networks

CPU = torch.device("cpu")


def hashed(network):
    return digest([*weights_of(network)])


def test_the_same_numbers_under_the_same_names_have_the_same_hash_wherever_they_lie():
    network = networks.pooled()
    assert hashed(network) == hashed(deepcopy(network)) == hashed(nn.DataParallel(network).module)
    assert hashed(network) != hashed(networks.pooled().float())
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1e-3
    assert hashed(network) != hashed(networks.pooled())


def test_buffers_count_and_weights_that_cannot_be_read_have_no_hash():
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    before = hashed(network)
    network[1].running_mean += 1
    assert hashed(network) != before
    assert hashed(nn.Conv2d(3, 2, 1, device="meta")) == ""
    assert hashed(nn.LazyConv2d(2, 1)) == ""


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.int64, torch.bool])
def test_all_kinds_of_numbers_have_bytes(kind):
    tensor = torch.tensor([[0, 1, 1]]).to(kind)
    part = bytes_of("a", tensor)
    assert (part.dtype, part.shape, len(part.content)) == (str(kind)[6:], (1, 3), 3 * tensor.element_size())


def edit_in_place(network):
    with torch.no_grad():
        network.fc.weight[0, 0] += 1


def edit_behind_the_count(network):
    network.fc.weight.data[0, 0] = 5.0


def edit_by_numpy(network):
    network.fc.bias.detach().numpy()[0] = 5.0


def load_others(network):
    network.load_state_dict({name: value + 1 for name, value in network.state_dict().items()})


def train(network):
    network.train()
    loss = network(torch.ones(2, 3, 12, 16, dtype=torch.float64)).square().sum()
    loss.backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()


@pytest.mark.parametrize("edit", [edit_in_place, edit_behind_the_count, edit_by_numpy, load_others, train])
def test_every_edit_changes_the_hash_and_what_is_said_of_the_weights(edit):
    network = networks.pooled()
    model = seewhy.wrap(network, weights="net.pth")
    (first,) = seewhy.grad_cam(model, networks.images(1))
    assert first.source.weights == "net.pth"
    assert first.source.weights_sha256 == hashed(network)
    edit(network)
    sleep(0.1)  # far more than 50 looks at so few weights
    (second,) = seewhy.grad_cam(model, networks.images(1))
    assert second.source.weights_sha256 == hashed(network) != first.source.weights_sha256
    assert second.source.weights == "net.pth, changed since"


def test_a_network_in_training_mode_has_the_hash_of_its_own_weights_in_every_thread():
    network = networks.pooled().train()
    model, found = seewhy.wrap(network), []

    def ask():
        found.append(seewhy.grad_cam(model, networks.images(1))[0].source.weights_sha256)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*found} == {hashed(network)}
    assert len(found) == 4
    assert network.training


def test_asking_again_costs_microseconds():
    model = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 64, 7), nn.Flatten(), nn.Linear(10_000, 1000)))  # 40 MB
    model.weights_sha256()
    start = perf_counter()
    for _ in range(20):
        model.weights_sha256()
    assert (perf_counter() - start) / 20 < 2e-3  # reading 40 MB takes longer


def test_the_settings_of_torch_are_told():
    before = conditions_of(CPU, torch.float32)
    assert (before["backend"], before["device"], before["dtype"], before["autocast"]) == ("torch", "cpu", "float32", None)
    with torch.autocast("cpu", torch.bfloat16):
        assert conditions_of(CPU, torch.float32)["autocast"] == "bfloat16"
    torch.set_float32_matmul_precision("medium")
    try:
        assert before["float32"] == {"matmul": "ieee", "conv": "ieee"}
        assert conditions_of(CPU, torch.float32)["float32"]["matmul"] == "bf16"
    finally:
        torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True)
    try:
        assert conditions_of(CPU, torch.float32)["deterministic"] is True
    finally:
        torch.use_deterministic_algorithms(False)
    assert host_of(CPU)["threads"] == torch.get_num_threads()


def test_the_older_names_of_settings_are_not_asked_for(monkeypatch):
    """They raise RuntimeError in a program that set precisions by the newer names."""

    def fail():
        raise RuntimeError("mix of the legacy and new APIs")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", fail)
    assert seewhy.gradient(seewhy.wrap(networks.pooled()), networks.images(1))[0].source.conditions["device"] == "cpu"


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(nn.functional.dropout(x.mean((2, 3)), 0.5, training=True))


def test_the_seed_is_told_of_networks_that_draw_and_of_no_others():
    x = np.ones((1, 4, 5, 5), np.float32)
    torch.manual_seed(7)
    (noisy,) = seewhy.gradient(seewhy.wrap(Noisy()), x)
    assert noisy.source.conditions["seed"] == 7
    (quiet,) = seewhy.gradient(seewhy.wrap(networks.pooled()), networks.images(1))
    assert "seed" not in quiet.source.conditions


def test_those_libraries_are_named_that_the_network_is_made_of():
    torchvision = pytest.importorskip("torchvision")
    plain = seewhy.wrap(networks.pooled(), prepare={"mean": 0.5, "std": 0.5}).versions()
    assert {*plain} == {"seewhy", "python", "numpy", "pillow", "torch"}  # and not what else was imported
    prepared = seewhy.wrap(networks.pooled(), prepare=torchvision.transforms.ToTensor()).versions()
    assert prepared["torchvision"] == torchvision.__version__
    made = seewhy.load("torchvision/squeezenet1_1", weights="random").versions()
    assert made["torchvision"] == torchvision.__version__
    assert libraries([np.ndarray]) == {"numpy": np.__version__}
