"""How a network is explained while other threads use it: by a stand-in, which no other thread runs at the same time.

Threads that explain one network run side by side, each by a stand-in of its own, once it is known that nothing which they
would share is written; else one waits for the other.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import wraps
from threading import RLock, active_count, local
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from seewhy.errors import BadNetwork
from seewhy.lru import Recent
from seewhy.models.torch.passes.backward import TRAINED, quiet
from seewhy.models.torch.passes.checkpoints import without_checkpoints
from seewhy.models.torch.passes.taps import every_module, offloaded, watched

from .draws import Drawing
from .identity import NetworkState, Structure, Watch
from .standin import CannotStandIn, StandIn

P = ParamSpec("P")
T = TypeVar("T")
LOCKS: "WeakKeyDictionary[nn.Module, RLock]" = WeakKeyDictionary()  # of modules without others inside
LOCKS_LOCK = RLock()
MOST = 16  # stand-ins that are kept for threads to come


class Past(BaseException):
    """A module of the person's own ran where its stand-in should have, or that failed.  No network's code may catch it."""


class Tries:
    """What a model knows of its network from earlier passes; its pickle is empty."""

    def __init__(self) -> None:
        self.watch = Watch()  # what the network is
        self.right: object = ()  # of which a stand-in ran as the network would
        self.past: object = ()  # of which one did not
        self.quiet: Recent[Any, bool] = Recent()  # passes that draw nothing
        self.draws = False  # the network draws random numbers
        self.writes = False  # it writes over its own weights
        self.keeps = False  # or on other things that its stand-ins would share, as a counter that counts on
        self.spares: list[StandIn] = []  # made before, which no thread runs now
        self.locks: list[RLock] = []  # of the network
        self.process = 0  # whose locks these are

    def gone_past(self, made_of: object) -> Past:
        """The error for when one of the network's own modules ran in place of its stand-in."""
        self.past = made_of
        self.spares.clear()
        return Past()

    def spare(self, state: NetworkState) -> StandIn | None:
        """A stand-in made before that can still stand in, for this thread alone; None where there is none."""
        with suppress(IndexError):  # another thread took the last one
            while self.spares:
                spare = self.spares.pop()
                if spare.made_of != self.past and spare.lasts(state):
                    return spare
        return None

    def made(self, network: nn.Module, structure: Structure) -> StandIn | None:
        """A new stand-in; None where the network's own modules have to run."""
        if structure.token == self.past:
            return None
        try:
            return StandIn(network, structure, structure.token == self.right)
        except CannotStandIn:
            return None

    def beside(self, stand_in: StandIn) -> bool:
        """May other threads run stand-ins of the network while this one runs?  Not before a whole pass of it ended well."""
        return stand_in.apart and stand_in.made_of == self.right and not (self.writes or self.keeps)

    def __reduce__(self) -> Any:
        return (type(self), ())


class Standing:
    """The network as this thread runs it, and what it is.  made_of: as of its stand-in; () where its own modules are lent."""

    def __init__(self, network: nn.Module, tries: Tries, stand_in: StandIn | None, token: object) -> None:
        self.network, self.made_of = (network, ()) if stand_in is None else (stand_in.network, stand_in.made_of)
        self.token = token
        self.tries, self.originals = tries, () if stand_in is None else stand_in.originals
        self.draws = Drawing(() if stand_in is None else stand_in.weights)

    def drawing(self, key: Any) -> AbstractContextManager[Any]:
        """A context for a pass of that key.  The network's own modules are watched, too, until a whole pass ended well."""
        if self.tries.quiet.get((self.token, key)):
            return nullcontext()
        return self._watched() if self.made_of and self.made_of == self.tries.right else self.draws

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with watched(self.originals, self._past), self.draws:
            yield

    def _past(self) -> None:
        raise self.tries.gone_past(self.made_of)

    def passed(self, key: Any, whole: bool) -> None:
        """Note that a pass ended; whole: it ran through the whole network, so only modules that stand in ran."""
        self.tries.writes |= self.draws.wrote
        self.tries.draws |= self.draws.drew
        if not self.draws.drew:
            self.tries.quiet.keep((self.token, key), True)
        if whole and self.made_of:
            if self.made_of == self.tries.past:  # and the network's code caught it
                raise Past
            self.tries.right = self.made_of


class Here(local):
    """What stands for networks in this thread, and what they are taken to be, by the id of each network."""

    def __init__(self) -> None:
        self.standing: dict[int, Standing] = {}
        self.states: dict[int, NetworkState] = {}


HERE = Here()


def state_of(network: nn.Module, tries: Tries) -> NetworkState:
    """What the network is now; inside of `undisturbed` and `unchanged`, what it was at their beginning."""
    return HERE.states.get(id(network)) or tries.watch.state(network)


@contextmanager
def unchanged(network: nn.Module, tries: Tries) -> Iterator[NetworkState]:
    """Inside, the network counts as what it is at the beginning, so that it need not be looked over again and again."""
    if id(network) in HERE.states:
        yield HERE.states[id(network)]
        return
    state = HERE.states[id(network)] = tries.watch.state(network)
    try:
        yield state
    finally:
        del HERE.states[id(network)]


def standing(network: nn.Module) -> Standing | None:
    """What stands for the network in this thread, inside of `undisturbed`."""
    return HERE.standing.get(id(network))


@contextmanager
def undisturbed(network: nn.Module, tries: Tries) -> Iterator[Standing]:
    """Eval mode inside, and what runs is run by this thread alone: what it yields, which is also `standing(network)`.

    No other thread explains meanwhile what shares a module with it, but by stand-ins of its own, where these and this one
    share nothing that is written.  Where no stand-in can be made of the network, its own modules are lent, and put into eval
    mode as long as the block lasts.
    """
    if id(network) in HERE.standing:
        with torch.inference_mode(False):
            yield HERE.standing[id(network)]
        return
    with unchanged(network, tries) as state, _stand_in(network, tries, state) as stand_in, torch.inference_mode(False), quiet():
        stands = HERE.standing[id(network)] = Standing(network, tries, stand_in, state.structure.token)
        writes, beside = (0, 0) if stand_in is None else (stand_in.writes(), stand_in.writes_beside())
        try:
            with without_checkpoints(), _lent(network) if stand_in is None else _watched(stand_in, tries):
                yield stands
        finally:
            del HERE.standing[id(network)]
            if stand_in is not None:
                tries.keeps |= stand_in.give_back() or stand_in.writes_beside() != beside
                if stand_in.lasting and len(tries.spares) < MOST:  # else the tensors that were written on it do not last, too
                    tries.spares.append(stand_in)
            tries.watch.passed(state, stand_in.written if stand_in else (), stand_in is None, tries.writes or tries.keeps)
        if stand_in is not None and stand_in.writes() != writes and active_count() > 1 and not tries.writes:
            raise BadNetwork(f"The weights of {type(network).__name__} were changed while it was explained. {TRAINED}")


@contextmanager
def _stand_in(network: nn.Module, tries: Tries, state: NetworkState) -> Iterator[StandIn | None]:
    """What stands in for the network, if anything can; as long as it may not run beside others, with their locks held."""
    with ExitStack() as turn:
        stand_in = None
        if tries.spares and tries.process == os.getpid():
            turn.enter_context(held(tries.locks))
            stand_in = tries.spare(state)
        if stand_in is None:
            turn.close()
            tries.locks, tries.process = locks_of(network), os.getpid()
            turn.enter_context(held(tries.locks))
            stand_in = tries.spare(state) or tries.made(network, state.structure)
        if stand_in is not None and tries.beside(stand_in):
            turn.close()
        yield stand_in


def again(ask: Callable[P, T]) -> Callable[P, T]:
    """For functions of a runner, or of a model that has one: run once more, with the network's own modules, where one of them
    ran past its stand-in.
    """

    @wraps(ask)
    def run(*args: P.args, **options: P.kwargs) -> T:
        runner: Any = getattr(args[0], "runner", args[0])
        call = runner.call
        outermost = standing(call.original) is None
        try:
            return ask(*args, **options)
        except Past as past:
            if not outermost:
                raise
            failed = past.__cause__ is not None
        try:
            return ask(*args, **options)
        except BadNetwork:
            if failed:  # so it was not the stand-in's fault
                call.tries.past = ()
            raise

    return run


def locks_of(network: nn.Module) -> list[RLock]:
    """The locks of the network's innermost modules, shared with every network that has one of these modules."""
    leaves = {id(module): module for module in every_module(network) if not module._modules}
    with LOCKS_LOCK:
        return [LOCKS.get(leaves[at]) or LOCKS.setdefault(leaves[at], RLock()) for at in sorted(leaves)]


@contextmanager
def held(locks: list[RLock]) -> Iterator[None]:
    """Hold the locks, taken in an order that is the same everywhere, so that no two threads wait for each other."""
    done = 0
    try:
        for lock in locks:
            lock.acquire()
            done += 1
        yield
    finally:
        for lock in reversed(locks[:done]):
            lock.release()


@contextmanager
def _watched(stand_in: StandIn, tries: Tries) -> Iterator[None]:
    """Past, where one of the network's own modules runs in this thread, or it fails; until it once ran to its end."""
    if stand_in.made_of == tries.right:
        yield
        return

    def past() -> None:
        raise tries.gone_past(stand_in.made_of)

    try:
        with watched(stand_in.originals, past):
            yield
    except BadNetwork as error:
        if stand_in.made_of == tries.right:  # it failed later
            raise
        raise tries.gone_past(stand_in.made_of) from error


@contextmanager
def _lent(network: nn.Module) -> Iterator[None]:
    """The network's own modules, in eval mode as long as the block lasts."""
    modules = list(every_module(network))
    training = [module for module in modules if module.training]
    compiled = [(m, m._compiled_call_impl) for m in modules if m.__dict__.get("_compiled_call_impl") is not None]
    wrapped = [(m, m.__dict__["forward"]) for m in modules if "_orig_mod" in m._modules and "forward" in m.__dict__]
    away = offloaded(network)
    try:
        for module in training:
            module.training = False
        for module, _ in compiled:  # module.compile(): hooks set later would not be seen
            module._compiled_call_impl = None
        for module, _ in wrapped:  # torch.compile(a part): run it as it is written
            module.__dict__["forward"] = module._modules["_orig_mod"]
        yield
    finally:
        for module in training:
            module.training = True
        for module, call in compiled:
            module._compiled_call_impl = call
        for module, forward in wrapped:
            module.__dict__["forward"] = forward
        for module in away:  # a pass that stopped early left its weights here
            if not all(p.is_meta for p in module._parameters.values() if p is not None):
                module._hf_hook.post_forward(module, None)  # type: ignore[operator, union-attr]


def _forked() -> None:
    """In a process that was forked while other threads held locks: none of these threads is there."""
    global LOCKS_LOCK
    LOCKS_LOCK = RLock()
    LOCKS.clear()


if hasattr(os, "register_at_fork"):  # not everywhere
    os.register_at_fork(after_in_child=_forked)
