"""Generators of random numbers are found wherever a callable keeps them, and nothing else is taken for one."""

import random
import sys
from functools import partial
from types import ModuleType

import numpy as np

from seewhy.prepare.generators import MOST, generators

SHARED = np.random.default_rng(0)


class Holder:
    """Keeps a generator as an attribute, and draws from it when it is called."""

    def __init__(self, generator):
        self.inside = {"steps": [("draw", generator)]}

    def __call__(self, photo):
        return photo

    def draw(self, photo):
        return photo


class Slotted:
    __slots__ = ("__weakref__", "generator")

    def __init__(self, generator):
        self.generator = generator


class OfClass:
    generator = random.Random(1)

    def __call__(self, photo):
        return photo


def by_global_name(photo):
    def inner():
        return SHARED.random()

    return inner() and photo


def test_a_generator_is_found_wherever_it_is_kept():
    own = np.random.RandomState(0)

    def closed_over(photo):
        return own.rand() and photo

    def by_default(photo, generator=own):
        return generator and photo

    def by_keyword(photo, *, generator=own):
        return generator and photo

    keepers = [Holder(own), Holder(own).draw, Slotted(own), partial(by_default), partial(abs, own), closed_over, by_default]
    for keeper in [*keepers, by_keyword, own.rand]:
        assert generators(keeper) == [own], keeper
    assert generators(by_global_name) == [SHARED]
    assert generators(OfClass()) == [OfClass.generator]
    assert generators(own) == [own]


def test_a_generator_behind_the_name_of_a_module_is_found(monkeypatch):
    helpers = ModuleType("helpers")
    helpers.generator = random.Random(2)
    monkeypatch.setitem(sys.modules, "helpers", helpers)
    made = {"helpers": helpers}
    exec("def draws(photo):\n    return helpers.generator.random() and photo", made)
    assert generators(made["draws"]) == [helpers.generator]


def test_the_code_of_libraries_is_not_followed_and_nothing_else_is_a_generator():
    assert generators(np.asarray) == []
    assert generators(lambda photo: np.random.rand() and random.random() and photo) == []
    assert generators([1, "two", None, np.zeros(3), {"a": {1, 2}}]) == []


def test_circles_and_what_never_ends_are_left():
    holder = Holder(None)
    holder.inside["itself"] = holder
    assert generators(holder) == []
    deep = [np.random.default_rng(0)]
    for _ in range(2 * MOST):
        deep = [deep]
    assert generators(deep) == []
