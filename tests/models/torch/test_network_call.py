"""A network is called on its device, in its precision, with what it takes beside the images; and a failure is told."""

import copy
import threading

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import IMAGE, PerImage
from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.settings import Settings
from seewhy.models.torch.identity import Watch
from seewhy.models.torch.inputs import Inputs
from seewhy.models.torch.network_call import NetworkCall, entrance
from seewhy.models.torch.passes.units import Reached
from seewhy.models.torch.undisturbed import standing
from support import networks

X = networks.images(2, *networks.SIDES, seed=11)


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


@pytest.fixture
def network():
    return networks.pooled().double()


@pytest.fixture
def call(network):
    return NetworkCall(network, Settings())


@pytest.fixture
def expected(network):
    return values(seewhy.grad_cam(seewhy.wrap(network), X, target=1))


def test_a_network_made_in_inference_mode(expected):
    with torch.inference_mode():
        network = networks.pooled()
    with pytest.raises(seewhy.BadNetwork, match="deepcopy"):
        seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    np.testing.assert_allclose(values(seewhy.grad_cam(seewhy.wrap(copy.deepcopy(network)), X, target=1)), expected)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("of", [np.float32, np.float64, np.uint8, torch.float32])
def test_images_go_in_as_the_networks_own_kind_of_tensor(kind, of):
    rounded = np.abs(X * 8).round()
    x = torch.tensor(rounded, dtype=of) if isinstance(of, torch.dtype) else rounded.astype(of)
    with NetworkCall(networks.pooled().to(kind), Settings()).ready(x, "mine") as tensor:
        assert tensor.dtype == kind
        assert torch.equal(tensor, torch.tensor(rounded, dtype=kind))


@pytest.mark.parametrize("of", [np.array, lambda x: np.asfortranarray(x[::-1, ..., ::-1]), torch.tensor])
def test_images_are_never_written_to(of, call):
    x = of(X)
    before = np.asarray(x).copy()
    with call.ready(x, "mine") as tensor:
        np.testing.assert_array_equal(tensor, before)
        assert tensor.is_contiguous()
        tensor.zero_()
    np.testing.assert_array_equal(x, before)


def test_inside_the_networks_place_is_taken_in_eval_mode(network, call):
    network.train()
    assert call.network is network
    with call.ready(X, "mine"):
        assert call.network is standing(network).network
        assert not call.network.training
    assert call.network is network
    assert network.training


def test_of_a_wrapped_network_the_inner_one_is_called(network):
    assert NetworkCall(nn.DataParallel(network), Settings()).network is network


def test_it_is_moved_to_the_precision_that_was_asked_for(network):
    with NetworkCall(network, Settings(dtype="bfloat16")).ready(X, "mine") as tensor:
        assert tensor.dtype == torch.bfloat16
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}


def test_where_it_cannot_be_moved_is_told(network):
    with pytest.raises(BadParameter, match=r"device='nowhere', dtype=None: the network cannot be moved there \("):
        NetworkCall(network, Settings(device="nowhere"))


def test_a_network_without_weights_is_refused():
    call = NetworkCall(nn.Conv2d(3, 4, 3, device="meta"), Settings())
    with pytest.raises(BadNetwork, match="mine lies on the meta device"), call.ready(X, "mine"):
        raise AssertionError("it never begins")


def test_memory_that_runs_out_is_a_memory_error_and_other_failures_stay(call):
    for error, kind in ((RuntimeError("CUDA out of memory"), MemoryError), (RuntimeError("shapes differ"), RuntimeError)):
        with pytest.raises(kind, match=str(error)), call.ready(X, "mine"):
            raise error
        assert standing(call.original) is None


def test_images_enter_where_accelerate_runs_the_network():
    network = nn.Sequential(nn.Linear(2, 2, device="meta"))
    parameter = next(network.parameters())
    assert entrance(network, parameter) == torch.device("cpu")
    network[0]._hf_hook = type("Hook", (), {"execution_device": "cuda:1"})()
    assert entrance(network, parameter) == torch.device("cuda:1")
    assert entrance(nn.Linear(2, 2), torch.empty(0)) == torch.device("cpu")


def test_it_is_called_with_what_stands_beside_the_images():
    class Scaled(nn.Module):
        def forward(self, x, by, plus=0.0):
            return x.mean((2, 3)) * by + plus

    plus = np.array([[10.0, 20.0, 30.0]])
    call = NetworkCall(Scaled(), Settings(inputs={"x": IMAGE, "by": PerImage([[2.0], [3.0]]), "plus": plus}))
    x = torch.tensor(X)
    expected = X.mean((2, 3)) * [[2], [3]] + plus
    np.testing.assert_allclose(call(*call.inputs(x)), expected, rtol=1e-12)
    second = call.with_inputs(call.inputs.of(1, 1))
    np.testing.assert_allclose(second(*second.inputs(x[1:])), expected[1:], rtol=1e-12)
    np.testing.assert_allclose(call(*call.inputs(x)), expected, rtol=1e-12)  # as it was


def test_another_network_is_called_the_same_way_and_nothing_is_known_of_it(call):
    call.tries.writes = True
    other = networks.pooled(seed=1)
    second = call.of_network(other)
    assert (second.original, second.inputs) == (other, call.inputs)
    assert not second.tries.writes
    assert call.original is not other
    assert call.with_inputs(Inputs("image")).tries is call.tries


@pytest.mark.parametrize("wrapping", [nn.DataParallel, lambda network: torch.compile(network, backend="eager")])
def test_another_network_in_the_same_wrapping_is_the_one_that_is_called(wrapping, network):
    whole, other = wrapping(network), networks.pooled(seed=1)
    model = seewhy.wrap(whole)
    seewhy.grad_cam(model, X, target=1)
    setattr(whole, "module" if isinstance(whole, nn.DataParallel) else "_orig_mod", other)
    np.testing.assert_array_equal(
        values(seewhy.grad_cam(model, X, target=1)), values(seewhy.grad_cam(seewhy.wrap(other), X, target=1))
    )


def drawn(call, key, stop=False):
    with call.ready(X, "mine"), call.passing(key):
        number = torch.rand(1)
        if stop:
            raise Reached
    return number


def test_a_pass_draws_the_same_each_time_and_nothing_of_the_global_stream(call):
    before = torch.get_rng_state()
    assert torch.equal(drawn(call, "key"), drawn(call, "key"))
    with call.passing("outside"):  # where nothing stands in for the network
        torch.rand(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pass_that_stops_early_tells_what_it_drew_and_not_that_the_stand_in_is_right(call):
    with pytest.raises(Reached):
        drawn(call, "key", stop=True)
    assert call.tries.right == ()
    with pytest.raises(Reached), call.ready(X, "mine"), call.passing("quiet"):
        raise Reached
    assert len(call.tries.quiet) == 1


def test_a_way_back_that_another_thread_spoils_is_refused_with_advice(call):
    """Also where no method asked for it, as at the first look."""

    def ready():
        with call.ready(X, "mine") as x:
            weights = torch.ones_like(x)
            score = (x.requires_grad_() * weights).sum()
            weights.add_(1)  # as an optimizer does
            torch.autograd.grad(score, x)

    with call.ready(X, "mine") as x, call.passing("key"):  # what stands in for the network is right
        call((x,), {})
    together = threading.Event()
    other = threading.Thread(target=together.wait)
    other.start()
    try:
        with pytest.raises(BadNetwork, match=r"way back through mine failed: .*trained in another thread"):
            ready()
    finally:
        together.set()
        other.join()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        ready()


def test_a_network_is_looked_over_once_for_each_batch(network, monkeypatch):
    model, looked = seewhy.wrap(network), []
    state = Watch.state
    monkeypatch.setattr(Watch, "state", lambda watch, network: (looked.append(network), state(watch, network))[1])
    for _ in range(2):
        looked.clear()
        seewhy.explain(model, X, ["grad-cam", "smooth-grad", "eigen-cam"], target=[0, 1])
        assert [each is network for each in looked].count(True) == 1
    with model.unchanged():
        before = model.runner.call.identity
        network.conv2.stride = (1, 1)
        assert model.runner.call.identity is before
    assert model.runner.call.identity is not before


def test_a_copy_is_known_as_what_it_was_copied_from(call):
    copied = call.of_network(copy.deepcopy(call.original))
    assert copied.identity is call.identity
    call.original.conv2.stride = (1, 1)
    assert copied.identity is not call.identity


class Slices(nn.Module):
    """The slices of a volume (n, 1, d, h, w) are what a network of pictures takes as channels."""

    def __init__(self):
        super().__init__()
        self.conv, self.passes = nn.Conv2d(4, 6, 3), []

    def forward(self, x):
        self.passes.append(tuple(x.shape))
        return self.conv(x.squeeze(1)).mean((2, 3))


class Frames(Slices):
    """The frames (n, t, c, h, w) are pictures of their own; it insists on their channels."""

    def forward(self, x):
        self.passes.append(tuple(x.shape))
        if x.shape[2] != 4:
            raise ValueError("no picture")
        return self.conv(x.flatten(0, 1)).mean((2, 3)).unflatten(0, x.shape[:2]).mean(1)


def looked_at(call, x, given=True):
    with call.ready(x, "it") as ready:
        call.find_channels(ready, given)


def test_what_is_prepared_is_turned_only_where_the_network_takes_it_so():
    volumes, clips = NetworkCall(Slices(), Settings()), NetworkCall(Frames(), Settings())
    for call, x, channels in ((volumes, torch.rand(1, 1, 4, 8, 8), 1), (clips, torch.rand(1, 4, 3, 8, 8), 2)):
        looked_at(call, x, given=False)
        assert call.channels(x) == channels
        assert torch.equal(call.arranged(x), x.movedim(1, channels))


def test_an_image_in_the_networks_own_order_tells_nothing_where_another_is_expected():
    """As where a person asks what the layers are before any image was explained."""
    call, x = NetworkCall(Frames(), Settings()), torch.rand(1, 3, 4, 8, 8)
    looked_at(call, x, given=False)
    looked_at(call, x)
    assert call.channels(x) == 2


def test_which_dimension_holds_the_channels_is_found_once_and_anew_after_an_edit():
    call, x = NetworkCall(nn.Sequential(Frames()), Settings()), torch.rand(1, 3, 4, 8, 8)
    frames = call.original[0]
    for _ in range(3):
        looked_at(call, x)
    assert call.channels(x) == 2
    assert frames.passes == [(1, 3, 4, 8, 8)]
    call.original[0] = nn.Conv3d(3, 4, 2)
    looked_at(call, x)
    assert call.channels(x) == 1


@pytest.mark.parametrize("said", [1, 2, -1])
def test_what_is_said_of_the_channels_holds(said):
    call, x = NetworkCall(Frames(), Settings(channels=said)), torch.rand(1, 3, 4, 8, 8)
    looked_at(call, x)
    assert call.channels(x) == said % 5
    assert call.original.passes == []


def test_pictures_are_not_looked_at():
    call, x = NetworkCall(Frames(), Settings()), torch.rand(1, 3, 8, 8)
    looked_at(call, x)
    assert call.channels(x) == 1
    assert call.original.passes == []
