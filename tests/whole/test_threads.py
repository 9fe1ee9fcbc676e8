"""A network explained while others use it: what they see of it, and what is seen of them."""

import asyncio
import copy
import gc
import multiprocessing
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Unit
from seewhy.diagnosis.doctor import doctor
from support import networks
from support.states import state

X = networks.images(2, 16, 16, seed=3).astype(np.float32)
LARGE = networks.images(1, 40, 40, seed=1).astype(np.float32)
WAIT = 60  # seconds, after which threads wait for each other


class Dropping(nn.Module):
    """Convolutions, BatchNorm and dropout."""

    def __init__(self):
        super().__init__()
        first, second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3)
        self.body = nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8))
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.drop(self.body(x).relu().mean((2, 3))))


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Dropping()


def values(maps):
    return np.stack([m.values for m in maps])


def together(*works):
    """Run at once, each in a thread; what they return, in order."""
    start = threading.Barrier(len(works))
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(WAIT) for done in [pool.submit(lambda w=w: (start.wait(WAIT), w())[1]) for w in works]]


class Beside:
    """Explains again and again in another thread, as long as the block runs."""

    def __init__(self, ask):
        self.ask, self.stop, self.count, self.refused = ask, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            try:
                self.ask()
                self.count += 1
            except seewhy.BadNetwork as error:
                self.refused.append(str(error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(WAIT)
        assert not self.thread.is_alive()


def test_two_models_that_share_modules_in_threads_of_their_own(network):
    """Of a network in train mode: the maps of one thread, and no buffer changed."""
    network.train()
    parts = [network, nn.Sequential(network, nn.Identity()), nn.Sequential(network.body, nn.Flatten())]
    both = [seewhy.wrap(part) for part in parts]
    names = ("grad-cam", "score-cam", "guided-backprop")
    ask = lambda model: [values(METHODS[name](model, X, target=1)) for name in names]  # noqa: E731
    alone = [ask(model) for model in both]
    before = state(network)
    for _ in range(3):
        found = together(*(lambda m=model: ask(m) for model in both + both))
        for one, other in zip(alone + alone, found, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
    assert state(network) == before


def trained(network, steps=25, rate=0.05):
    """The losses of a training run, whose dropout draws from the global generator; modes and statistics as usual."""
    torch.manual_seed(1)
    x, y = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(2)), torch.arange(8) % 5
    optimizer, losses = torch.optim.SGD(network.parameters(), rate), []
    for step in range(steps):
        network.train(step % 5 != 4)  # in between, what a validation does
        loss = F.cross_entropy(network(x), y)
        if step % 5 != 4:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    return losses, [t.clone() for t in network.state_dict().values()], torch.get_rng_state()


@pytest.mark.parametrize("name", ["grad-cam", "eigen-cam", "score-cam", "gradient", "guided-backprop", "occlusion"])
def test_a_network_is_trained_meanwhile_as_if_nobody_looked(name, network):
    """Bit for bit the same losses, weights, statistics and draws; what the looking thread cannot answer, it refuses."""
    losses, weights, draws = trained(copy.deepcopy(network))
    model = seewhy.wrap(network)
    few = {"window": 8, "stride": 8} if name == "occlusion" else {}
    METHODS[name].using(**few)(model, X, target=1)
    with Beside(lambda: METHODS[name].using(**few)(model, X, target=1)) as beside:
        found = trained(network)
        while beside.count + len(beside.refused) < 3:
            pass
    assert found[0] == losses
    assert all(torch.equal(a, b) for a, b in zip(found[1], weights, strict=True))
    assert torch.equal(found[2], draws)
    assert all("copy.deepcopy" in said for said in beside.refused)


def test_maps_of_a_network_that_runs_in_train_mode_meanwhile(network):
    """Forward passes alone, which write statistics: the maps are those of some moment of it, and of no dropout."""
    with torch.no_grad():
        for norm in (network.body[1], network.body[4]):
            norm.momentum = 0.0  # so that the statistics are written, and stay
    model = seewhy.wrap(network)
    expected = [values(METHODS[name](model, X, target=1)) for name in ("grad-cam", "gradient", "eigen-cam")]
    stop, ran = threading.Event(), []

    def passes():
        x = torch.randn(4, 3, 16, 16)
        while not stop.is_set():
            ran.append(bool((network.train()(x) == network(x)).all()))

    thread = threading.Thread(target=passes)
    thread.start()
    try:
        for _ in range(15):
            for name, right in zip(("grad-cam", "gradient", "eigen-cam"), expected, strict=True):
                np.testing.assert_array_equal(values(METHODS[name](model, X, target=1)), right)
    finally:
        stop.set()
        thread.join(WAIT)
    assert ran
    assert not any(ran), "dropout was off"


def test_what_other_threads_draw_is_never_drawn_again(network):
    """As without seewhy: all different, and together the stream of the seed."""
    model = seewhy.wrap(network.train())
    torch.manual_seed(5)
    expected = {float(v) for v in torch.rand(800, dtype=torch.float64)}
    torch.manual_seed(5)
    with Beside(lambda: seewhy.grad_cam(model, X, target=1)):
        drawn = together(*[lambda: [float(torch.rand(1, dtype=torch.float64)) for _ in range(100)]] * 8)
    flat = [v for one in drawn for v in one]
    assert len({*flat}) == 800
    assert {*flat} == expected


class Drawing(nn.Module):
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
    network = Drawing(DRAWS[how]).eval()
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
    network = Drawing(DRAWS["dropout"]).eval()
    model = seewhy.wrap(network)
    torch.manual_seed(0)
    ask = lambda: values(seewhy.rise(model, X, target=1, masks=20))  # noqa: E731
    alone, before = ask(), torch.get_rng_state()
    assert all((one == alone).all() for one in together(*[ask] * 4))
    assert torch.equal(torch.get_rng_state(), before)


ASKED = {
    "tiles": lambda model: seewhy.grad_cam(model, LARGE, target=1, tile=16, overlap=8),
    "units": lambda model: seewhy.grad_cam(model, X, target=Unit("body.3", 2)),
    "fast": lambda model: seewhy.occlusion(model, X, target=1, window=8, stride=8, fast=True),
    "sizes": lambda model: [*(seewhy.grad_cam(model, X[:, :, :s, :s], target=1)[0] for s in range(9, 17))],
    "tail": lambda model: seewhy.ablation_cam(model, X, target=1),
    "smooth": lambda model: seewhy.smooth_grad(model, X, target=1, samples=4),
    "lrp": lambda model: seewhy.lrp(model, X, target=1),
    "doctor": lambda model: (doctor(model, X[:1]), seewhy.grad_cam(model, X, target=1))[1],
}


def test_all_kinds_of_questions_at_once(network):
    model = seewhy.wrap(network.train())
    alone = {name: values(ask(model)) if name != "sizes" else ask(model) for name, ask in ASKED.items()}
    before = state(network)
    for found in (together(*(lambda a=ask: a(model) for ask in ASKED.values())) for _ in range(2)):
        for (name, right), maps in zip(alone.items(), found, strict=True):
            if name == "sizes":
                assert all((a.values == b.values).all() for a, b in zip(right, maps, strict=True))
            else:
                np.testing.assert_array_equal(values(maps), right, err_msg=name)
    assert state(network) == before


def test_attention_in_threads():
    model = seewhy.wrap(networks.tokens())
    x = networks.images(2, *networks.SIDES)
    ask = lambda: values(METHODS["attention-rollout"](model, x, target=1))  # noqa: E731
    alone = ask()
    assert all((one == alone).all() for one in together(*[ask] * 4))


def test_in_asyncio(network):
    model = seewhy.wrap(network)
    right = values(seewhy.grad_cam(model, X, target=1))

    async def main():
        return await asyncio.gather(*(asyncio.to_thread(seewhy.grad_cam, model, X, target=1) for _ in range(6)))

    assert all((values(maps) == right).all() for maps in asyncio.run(main()))


def _asked(model, pipe):
    pipe.send(values(seewhy.grad_cam(model, X, target=1)))


def test_a_process_forked_while_a_thread_explains_is_not_locked(network):
    torch.set_num_threads(1)
    model, entered, leave = seewhy.wrap(network), threading.Event(), threading.Event()
    right = values(seewhy.grad_cam(model, X, target=1))
    handle = network.body.register_forward_hook(lambda *_: (entered.set(), leave.wait(WAIT))[0] if WAITING.here() else None)
    with WAITING:
        thread = threading.Thread(target=lambda: WAITING.run(lambda: seewhy.grad_cam(model, X, target=1)))
        thread.start()
        assert entered.wait(WAIT)
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=_asked, args=(model, there))
        process.start()
        found = here.recv() if here.poll(WAIT) else None
        process.kill()
        leave.set()
        thread.join(WAIT)
    handle.remove()
    np.testing.assert_array_equal(found, right)


class Waiting(threading.local):
    inside = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inside = False

    def here(self):
        return self.inside

    def run(self, work):
        self.inside = True
        work()


WAITING = Waiting()


def test_models_are_let_go(network):
    alive = []
    for _ in range(5):
        own = copy.deepcopy(network)
        model = seewhy.wrap(own)
        seewhy.explain(model, X, ["grad-cam", "occlusion", "gradient"], target=[1, 2])
        seewhy.grad_cam(model, X, target=Unit("body.3", 1))
        alive += [weakref.ref(own), weakref.ref(model), weakref.ref(own.fc)]
        del own, model
    gc.collect()
    assert not any(ref() is not None for ref in alive)


def test_what_was_found_out_by_size_stays_bounded_and_right():
    network = networks.pooled().float()
    model = seewhy.wrap(network)
    sizes = [(h, w) for h in range(8, 20) for w in range(8, 14)]

    def ask(own, size):
        x = networks.images(1, *size).astype(np.float32)
        return seewhy.explain(own, x, ["grad-cam", "gradient"], target=[0, Unit("act1", 1)])

    first = values(ask(model, sizes[0])[:1])
    for size in sizes:
        ask(model, size)
    learned, tries = model.runner.learned, model.runner.call.tries
    kept = [learned.surveys, learned.sizes, model.derived, learned.straight, learned.calls, tries.quiet]
    assert all(len(one) <= one.most for one in kept)
    assert max(one.most for one in kept) <= 64
    np.testing.assert_array_equal(values(ask(model, sizes[0])[:1]), first)


def test_a_network_that_writes_over_its_own_weights_is_no_training():
    class Clamping(Dropping):
        def forward(self, x):
            with torch.no_grad():
                self.fc.weight.clamp_(-1, 1)
            return super().forward(x)

    model = seewhy.wrap(Clamping())
    with Beside(lambda: None):
        assert seewhy.eigen_cam(model, X, target=1)[0].values.any()
