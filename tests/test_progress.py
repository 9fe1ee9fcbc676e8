"""The bar of long work, and how a person stops it."""

import signal
import sys
from threading import Thread

import pytest

from seewhy import progress


def as_terminal(monkeypatch):
    """stderr as a terminal, with a clock that goes a second on at each look."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    seconds = iter(range(1000))
    monkeypatch.setattr(progress, "monotonic", lambda: next(seconds))


def test_without_a_terminal_nothing_is_drawn(capsys):
    assert list(progress.shown(range(3), 3, "work", wait=False)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_bar_comes_at_once_or_after_a_while(capsys, monkeypatch):
    as_terminal(monkeypatch)
    assert list(progress.shown("ab", 2, "work", wait=False)) == ["a", "b"]
    assert "work" in capsys.readouterr().err
    assert list(progress.shown("a", 1, "short work")) == ["a"]
    assert capsys.readouterr().err == ""
    assert list(progress.shown("abc", 3, "long work")) == ["a", "b", "c"]
    assert "100%" in capsys.readouterr().err


def test_work_inside_of_what_has_a_bar_has_none(capsys, monkeypatch):
    as_terminal(monkeypatch)
    for _ in progress.shown("ab", 2, "outer", wait=False):
        assert list(progress.shown("xyz", 3, "inner", wait=False)) == ["x", "y", "z"]
    assert "inner" not in capsys.readouterr().err
    assert list(progress.shown("x", 1, "next", wait=False)) == ["x"]
    assert "next" in capsys.readouterr().err


def test_things_may_count_for_several(capsys, monkeypatch):
    as_terminal(monkeypatch)
    list(progress.shown([3, 1], 4, "work", wait=False, size=lambda thing: thing))
    said = capsys.readouterr().err
    assert " 75%" in said
    assert "100%" in said


def test_the_first_interrupt_asks_and_the_second_ends():
    said, usual = [], signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert not progress.stop_asked()
        with progress.stoppable(lambda: said.append("ending")) as event:
            signal.raise_signal(signal.SIGINT)
            assert event.is_set()
            assert progress.stop_asked()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert said[0] == "ending"
        assert not progress.stop_asked()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, usual)


def test_other_threads_leave_signals_alone():
    before, inside = signal.getsignal(signal.SIGINT), []

    def work():
        with progress.stoppable():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_a_note_is_a_line_where_a_bar_would_be_seen(capsys, monkeypatch):
    progress.noted("a worker died")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress.noted("a worker\x1b[31m died")
    assert capsys.readouterr().err.startswith("\r\x1b[2Ka worker")
