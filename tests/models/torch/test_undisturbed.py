"""While a network is explained, this thread alone runs it, in eval mode; afterwards all of it is as it was."""

import multiprocessing
import pickle
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS
from seewhy.models.settings import Settings
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.undisturbed import Past, Tries, again, held, locks_of, standing, undisturbed
from support import networks
from support.standins import Plain, made
from support.states import state
from support.threads import WAIT, Beside, Dropping, together

X = networks.images(2, 16, 16, seed=3).astype(np.float32)


class Lent(Plain):
    """It leads to its own modules by a function, where no stand-in can follow."""

    def __init__(self):
        super().__init__()
        self.call = lambda x: self.norm(self.conv(x))

    def middle(self, x):
        return F.dropout(self.call(x).relu(), 0.5, self.training)


@pytest.fixture
def network():
    return made(Dropping)


def values(maps):
    return np.stack([m.values for m in maps])


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


def test_a_network_that_writes_over_its_own_weights_is_no_training():
    class Clamping(Dropping):
        def forward(self, x):
            with torch.no_grad():
                self.fc.weight.clamp_(-1, 1)
            return super().forward(x)

    model = seewhy.wrap(made(Clamping))
    with Beside(lambda: None):
        assert seewhy.eigen_cam(model, X, target=1)[0].values.any()


def ran(network, x=X):
    """What stands for the network gives, as explanations run it."""
    stands = standing(network)
    with torch.no_grad():
        return stands.network(torch.from_numpy(x))


@pytest.mark.parametrize("kind", [Plain, Lent])
def test_inside_it_runs_in_eval_mode_and_outside_it_is_as_it_was(kind):
    network = made(kind).train()
    network.drop.eval()
    with torch.no_grad():
        expected = made(kind).eval()(torch.from_numpy(X))
    before = state(network)
    with undisturbed(network, Tries()):
        stands = standing(network)
        assert (stands.network is network) == (kind is Lent)
        assert not any(module.training for module in stands.network.modules())
        assert torch.equal(ran(network), expected)
    assert standing(network) is None
    assert state(network) == before
    assert [name for name, module in network.named_modules() if not module.training] == ["drop"]


@pytest.mark.parametrize("kind", [Plain, Lent])
def test_it_is_as_it_was_after_an_error_too(kind):
    network = made(kind).train()
    before = state(network)

    def fail():
        with undisturbed(network, Tries()):
            ran(network)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert standing(network) is None
    assert state(network) == before
    with undisturbed(network, Tries()):  # no lock is left behind
        pass
    assert together(lambda: unlocked(network)) == [True]


def unlocked(network) -> bool:
    """Could this thread explain it now?"""
    locks = locks_of(network)
    free = [lock.acquire(blocking=False) for lock in locks]
    for lock, got in zip(locks, free, strict=True):
        if got:
            lock.release()
    return all(free)


def test_no_other_thread_explains_meanwhile_what_shares_a_module(network):
    around, other = nn.Sequential(network.body, nn.Flatten()), made(Dropping)
    with undisturbed(network, Tries()):
        assert together(lambda: unlocked(network), lambda: unlocked(around), lambda: unlocked(other)) == [False, False, True]
        assert unlocked(network), "this thread may ask again, inside"
    assert together(lambda: unlocked(network), lambda: unlocked(around)) == [True, True]


def test_locks_are_those_of_the_innermost_modules_in_one_order(network):
    turned = nn.ModuleList(reversed(list(network.children())))
    assert locks_of(network) == locks_of(turned)
    assert len(locks_of(network)) == 7  # five of the body, dropout and the linear layer
    assert locks_of(network.fc)[0] in locks_of(network)


def test_locks_are_let_go_where_one_cannot_be_had():
    class Broken:
        def acquire(self):
            raise KeyboardInterrupt

    lock = threading.RLock()
    with pytest.raises(KeyboardInterrupt), held([lock, Broken()]):
        raise AssertionError("it never begins")
    assert together(lambda: lock.acquire(blocking=False)) == [True]


def test_inside_of_itself_the_same_stands_and_inference_mode_is_off(network):
    with torch.inference_mode(), undisturbed(network, Tries()):
        first = standing(network)
        assert not torch.is_inference_mode_enabled()
        with torch.inference_mode(), undisturbed(network, Tries()):
            assert standing(network) is first
            assert not torch.is_inference_mode_enabled()
        assert standing(network) is first


def test_a_stand_in_is_kept_for_the_next_time_and_made_anew_where_the_network_changed(network):
    tries, seen = Tries(), []
    for eps in (1e-5, 1e-5, 0.5):
        network.body[1].eps = eps
        with undisturbed(network, tries):
            seen.append(standing(network).network)
            assert standing(network).network.body[1].eps == eps
    assert seen[0] is seen[1]
    assert seen[1] is not seen[2]


def test_what_was_found_out_stays_here_when_tries_travel():
    tries = Tries()
    tries.right, tries.writes = (1,), True
    tries.quiet.keep("key", True)
    arrived = pickle.loads(pickle.dumps(tries))
    assert (arrived.right, arrived.past, arrived.writes, len(arrived.quiet)) == ((), (), False, 0)


def test_a_pass_that_draws_nothing_is_not_watched_for_draws_again():
    network, tries = made(Plain), Tries()
    with undisturbed(network, tries):
        stands = standing(network)
        with stands.drawing("quiet"):
            pass
        stands.passed("quiet", whole=True)
        with stands.drawing("loud"):
            torch.rand(1)
        stands.passed("loud", whole=True)
        assert tries.quiet.get((stands.made_of, "quiet"))
        assert tries.quiet.get((stands.made_of, "loud")) is None
        assert tries.right == stands.made_of


def test_where_a_module_of_its_own_ran_the_question_is_asked_once_more_of_the_network_itself():
    network = made(Plain)
    runner, asked = Runner(network, Settings()), []

    @again
    def ask(runner):
        with runner.ready(X) as x, torch.no_grad():
            asked.append(standing(network).network)
            return network(x) if len(asked) == 1 else runner.network(x)  # first past the stand-in

    answer = ask(runner)
    assert [stands is network for stands in asked] == [False, True]
    with torch.no_grad():
        assert torch.equal(answer, network.eval()(torch.from_numpy(X)))
    with pytest.raises(Past), runner.ready(X):  # by one that is asked inside, it goes on to the outermost
        again(lambda runner: (_ for _ in ()).throw(Past()))(runner)
