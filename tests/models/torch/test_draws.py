"""What a network draws by itself comes from a generator of its own, seeded as torch is, and the global stream stays."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.models.torch.draws import ATEN, Drawing, EagerMode
from support import networks
from support.threads import together

X = networks.images(2, 16, 16, seed=3).astype(np.float32)
A = torch.linspace(-2, 3, 600, dtype=torch.float64).reshape(20, 30)


def values(maps):
    return np.stack([m.values for m in maps])


def seeded() -> torch.Generator:
    """What draws as the blocks do."""
    return torch.Generator().manual_seed(torch.initial_seed())


class Draws(nn.Module):
    """Draws in eval mode, in several ways."""

    def __init__(self, draw):
        super().__init__()
        self.conv, self.fc, self.draw = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), draw

    def forward(self, x):
        return self.fc(self.draw(self.conv(x).relu()).mean((2, 3)))


DRAWS = {
    "dropout": lambda a: F.dropout(a, 0.5, training=True),
    "dropout2d": lambda a: F.dropout2d(a, 0.5, training=True),
    "alpha_dropout": lambda a: F.alpha_dropout(a, 0.5, training=True),
    "rrelu": lambda a: F.rrelu(a - 1, training=True),
    "rand_like": lambda a: a * torch.rand_like(a),
    "randn": lambda a: a + torch.randn(a.shape),
    "randn_like": lambda a: a + torch.randn_like(a),
    "randint": lambda a: a * torch.randint(1, 9, a.shape),
    "randint_like": lambda a: a * torch.randint_like(a, 1, 9),
    "randperm": lambda a: a[:, torch.randperm(6)],
    "bernoulli": lambda a: a * torch.bernoulli(torch.full_like(a, 0.5)),
    "normal_": lambda a: a + torch.empty_like(a).normal_(),
    "multinomial": lambda a: a[:, torch.multinomial(torch.ones(6), 6, replacement=True)],
    "attention": lambda a: F.scaled_dot_product_attention(a, a, a, dropout_p=0.5),
    "gumbel": lambda a: a * F.gumbel_softmax(a, dim=1),
}


@pytest.mark.parametrize("how", DRAWS)
def test_what_a_network_draws_in_eval_mode_is_its_own(how):
    """The same map twice, whatever is drawn in between; the global stream as if nobody looked; other draws for another seed."""
    torch.manual_seed(3)
    network = Draws(DRAWS[how]).eval()
    model, before = seewhy.wrap(network), torch.get_rng_state()
    first = seewhy.grad_cam(model, X, target=1, layer="conv")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    for again in (seewhy.grad_cam(one, X, target=1, layer="conv") for one in (model, seewhy.wrap(network))):
        np.testing.assert_array_equal(values(first), values(again))
        assert [m.source.score for m in first] == [m.source.score for m in again]
    torch.manual_seed(4)
    assert seewhy.grad_cam(model, X, target=1, layer="conv")[0].source.score != first[0].source.score


def test_a_network_that_draws_is_asked_in_threads_and_the_global_stream_stays():
    network = Draws(DRAWS["dropout"]).eval()
    model = seewhy.wrap(network)
    torch.manual_seed(0)
    ask = lambda: values(seewhy.rise(model, X, target=1, masks=20))  # noqa: E731
    alone, before = ask(), torch.get_rng_state()
    assert all((one == alone).all() for one in together(*[ask] * 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_that_name_no_generator():
    def draw():
        return torch.randn(3, generator=None) + torch.bernoulli(torch.ones(3) / 2, generator=None)

    with Drawing() as first:
        one = draw()
    before = torch.get_rng_state()
    with Drawing():
        assert torch.equal(draw(), one)
    assert first.drew
    assert torch.equal(torch.get_rng_state(), before)


WITH_A_GENERATOR = {  # a call, and the same with a generator
    "rand": (lambda: torch.rand(7), lambda g: torch.rand(7, generator=g)),
    "randn": (lambda: torch.randn(3, 2), lambda g: torch.randn(3, 2, generator=g)),
    "randperm": (lambda: torch.randperm(9), lambda g: torch.randperm(9, generator=g)),
    "randint": (lambda: torch.randint(2, 90, (8,)), lambda g: torch.randint(2, 90, (8,), generator=g)),
    "uniform_": (lambda: torch.empty(5).uniform_(1, 2), lambda g: torch.empty(5).uniform_(1, 2, generator=g)),
    "rand_like": (lambda: torch.rand_like(A), lambda g: torch.empty_like(A).uniform_(generator=g)),
    "randn_like": (lambda: torch.randn_like(A), lambda g: torch.empty_like(A).normal_(generator=g)),
    "randint_like": (lambda: torch.randint_like(A, 2, 90), lambda g: torch.empty_like(A).random_(2, 90, generator=g)),
    "to": (lambda: torch.randint_like(A, 90), lambda g: torch.empty_like(A).random_(0, 90, generator=g)),
}


@pytest.mark.parametrize("name", WITH_A_GENERATOR)
def test_the_numbers_are_those_of_a_generator_of_the_same_seed(name):
    draw, by = WITH_A_GENERATOR[name]
    generator = seeded()
    expected = by(generator), by(generator)
    before = torch.get_rng_state()
    with Drawing() as mode:
        drawn = draw(), draw()
    assert all(torch.equal(one, other) for one, other in zip(drawn, expected, strict=True))
    assert not torch.equal(*drawn), "the second draw of a block goes on where the first ended"
    assert mode.drew
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_the_network_names_is_the_one_that_draws():
    theirs, same = torch.Generator().manual_seed(11), torch.Generator().manual_seed(11)
    with Drawing() as mode:
        drawn = torch.rand(4, generator=theirs)
    assert torch.equal(drawn, torch.rand(4, generator=same))
    assert not mode.drew


def test_dropout_lets_half_through_doubled():
    expected = A * torch.empty_like(A, dtype=torch.bool).bernoulli_(0.75, generator=seeded()) / 0.75
    for drop in (lambda: ATEN.native_dropout(A, 0.25, True)[0], lambda: F.dropout(A, 0.25, training=True)):
        with Drawing() as mode:
            dropped = drop()
        assert mode.drew
        passed = dropped != 0
        assert torch.allclose(dropped[passed], A[passed] / 0.75, rtol=1e-12)
        assert 0.65 < passed.double().mean() < 0.85
    with Drawing():
        assert torch.equal(ATEN.native_dropout(A, 0.25, True)[0], expected)
        assert torch.equal(ATEN.native_dropout(A, 0.25, False)[0], A), "outside of training it lets all through"
        assert not ATEN.native_dropout(A, 1.0, True)[0].any()


def test_what_draws_nothing_is_not_said_to_draw():
    with Drawing() as mode:
        F.dropout(A, 0.5, training=False)
        F.scaled_dot_product_attention(A[None], A[None], A[None])
        assert not mode.drew
        F.dropout(A, 0.5, training=True)
    assert mode.drew


def test_who_writes_over_a_weight_is_told_from_who_reads_it():
    weight = torch.ones(3)
    with Drawing([weight]) as mode:
        (weight * 2).add_(1)
        assert not mode.wrote
        weight.mul_(2)
    assert mode.wrote
    assert weight.tolist() == [2, 2, 2]


class Counted(EagerMode):
    """Counts the calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, fn, types, args=(), kwargs=None):
        self.calls += 1
        return fn(*args, **(kwargs or {}))


def test_torchs_compiler_does_not_compile_a_mode_where_it_is_there():
    body = torch.compile(lambda x: x * 2 + 1, backend="eager")
    with Counted() as counted:
        assert torch.equal(body(A), A * 2 + 1)
    assert counted.calls >= 2
    assert Counted.__torch_dispatch__._torchdynamo_disable  # how the compiler knows what to leave alone
    assert not hasattr(EagerMode.__torch_dispatch__, "_torchdynamo_disable")
