"""What holds for a whole process: for how long, and that a forked process finds it as it should be."""

import multiprocessing
import threading

import torch

from seewhy.models.torch.passes.process import Alone, WhileAny
from seewhy.models.torch.passes.taps import WITHOUT_CUDNN
from support.threads import WAIT, together


def switch():
    """A state, and what keeps it on while any thread is inside."""
    state = {"on": False, "begun": 0}

    def begin():
        state.update(on=True, begun=state["begun"] + 1)
        return lambda: state.update(on=False)

    return state, WhileAny(begin)


def test_a_state_lasts_from_the_first_thread_in_to_the_last_one_out():
    state, on = switch()
    first, second, third = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def early():
        with on:
            first.set()
            assert second.wait(WAIT)
        seen.append(state["on"])
        third.set()

    def late():
        assert first.wait(WAIT)
        with on:
            second.set()
            assert third.wait(WAIT)
            seen.append(state["on"])

    together(early, late)
    assert seen == [True, True]
    assert state == {"on": False, "begun": 1}
    with on, on:
        assert state == {"on": True, "begun": 2}
    assert not state["on"]


def test_cudnn_is_off_as_long_as_it_has_to_be_and_then_as_it_was():
    before = torch.backends.cudnn.enabled
    with WITHOUT_CUDNN:
        with WITHOUT_CUDNN:
            assert not torch.backends.cudnn.enabled
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled == before


def test_one_thread_at_a_time_is_inside():
    alone, inside, most = Alone(), [], []

    def enter():
        for _ in range(200):
            with alone:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    together(*[enter] * 4)
    assert {*most} == {1}


def test_a_process_that_is_forked_meanwhile_finds_nobody_inside():
    alone, (state, on) = Alone(), switch()
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with alone, on:
            entered.set()
            assert leave.wait(WAIT)

    thread = threading.Thread(target=stay)
    thread.start()
    assert entered.wait(WAIT)
    here, there = multiprocessing.Pipe()

    def child():
        found = state["on"]
        with alone, on:
            there.send((found, state["on"]))

    with on:  # the thread that forks stays inside
        process = multiprocessing.get_context("fork").Process(target=lambda: there.send(state["on"]))
        process.start()
        assert here.recv() if here.poll(WAIT) else None
        process.join(WAIT)
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    found = here.recv() if here.poll(WAIT) else None
    process.kill()
    leave.set()
    thread.join(WAIT)
    assert found == (False, True)
