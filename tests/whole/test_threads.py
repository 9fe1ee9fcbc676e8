"""A network explained while others use it: what they see of it, and what is seen of them."""

import asyncio
import copy
import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Unit
from seewhy.diagnosis.doctor import doctor
from support import networks
from support.standins import made
from support.states import state
from support.threads import WAIT, Beside, Dropping, together

X = networks.images(2, 16, 16, seed=3).astype(np.float32)
LARGE = networks.images(1, 40, 40, seed=1).astype(np.float32)


@pytest.fixture
def network():
    return made(Dropping)


def values(maps):
    return np.stack([m.values for m in maps])


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


class Inside:
    """How many threads are inside of a network at once; while `wait` is set, each waits there until another one came."""

    def __init__(self):
        self.now, self.most, self.wait, self.came = 0, 0, 0.0, threading.Condition()

    def __enter__(self):
        with self.came:
            self.now += 1
            self.most = max(self.most, self.now)
            self.came.notify_all()
            self.came.wait_for(lambda: self.most > 1, self.wait)

    def __exit__(self, *_):
        with self.came:
            self.now -= 1


INSIDE = Inside()


class Meeting(Dropping):
    def forward(self, x):
        with INSIDE:
            return super().forward(x)


class Counting(Meeting):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class InBuffer(Meeting):
    def __init__(self):
        super().__init__()
        self.register_buffer("scratch", torch.zeros(1))

    def forward(self, x):
        self.scratch.fill_(float(x.sum()))
        return super().forward(x) + self.scratch


class InTensor(InBuffer):
    def __init__(self):
        Meeting.__init__(self)
        self.kept = {"scratch": torch.zeros(1)}

    @property
    def scratch(self):
        return self.kept["scratch"]


class InList(Meeting):
    """What a pass puts into its list, it takes out again."""

    def __init__(self):
        super().__init__()
        self.waiting = []

    def forward(self, x):
        self.waiting.append(x.mean())
        return super().forward(x) * self.waiting.pop(0)


class Queue:
    def __init__(self):
        self.waiting = []


class InObject(Meeting):
    def __init__(self):
        super().__init__()
        self.queue = Queue()

    def forward(self, x):
        self.queue.waiting.append(x.mean())
        return super().forward(x) * self.queue.waiting.pop(0)


class ByHook(Meeting):
    """A hook that a person set writes what the pass reads."""

    def __init__(self):
        super().__init__()
        seen = self.seen = []
        self.body.register_forward_hook(lambda _module, _args, out: seen.append(out.mean()))

    def forward(self, x):
        return super().forward(x) * self.seen.pop(0)


def inside(kind, wait, name="grad-cam"):
    """Of a network of that kind: its maps of some images, asked one after the other; in threads at once, thrice; itself."""
    network = made(kind)
    model = seewhy.wrap(network)
    images = [networks.images(2, 16, 16, seed=seed).astype(np.float32) for seed in (1, 2, 3)]
    asks = [lambda x=x: values(METHODS[name](model, x, target=1)) for x in images]
    alone = [ask() for ask in asks]
    INSIDE.most, INSIDE.wait = 0, wait
    try:
        return alone, [together(*asks) for _ in range(3)], network
    finally:
        INSIDE.wait = 0.0


@pytest.mark.parametrize("name", ["grad-cam", "eigen-cam", "gradient", "guided-backprop", "smooth-grad", "score-cam"])
def test_threads_are_inside_of_one_network_at_once(name):
    alone, found, _ = inside(Meeting, WAIT, name)
    assert INSIDE.most > 1
    for one in found:
        for maps, right in zip(one, alone, strict=True):
            np.testing.assert_array_equal(maps, right)


@pytest.mark.parametrize(
    ("kind", "at_once"),
    [(Counting, False), (InBuffer, False), (InTensor, False), (InList, True), (InObject, False), (ByHook, False)],
)
def test_what_a_network_writes_on_itself_is_not_seen_by_another_thread(kind, at_once):
    """They run at once where each has its own of what is written; else one after the other."""
    alone, found, network = inside(kind, WAIT if at_once else 0.02)
    assert (INSIDE.most > 1) == at_once
    for one in found:
        for maps, right in zip(one, alone, strict=True):
            np.testing.assert_array_equal(maps, right)
    if kind is InList:
        assert network.waiting == []


def test_a_network_that_counts_its_passes_counts_those_of_all_threads():
    network = made(Counting)
    model = seewhy.wrap(network)
    seewhy.grad_cam(model, X, target=1)
    first = network.calls
    seewhy.grad_cam(model, X, target=1)
    each = network.calls - first
    together(*[lambda: seewhy.grad_cam(model, X, target=1)] * 4)
    assert network.calls == first + 5 * each
