"""Preprocessing that draws by chance, or follows what is on the photo: a map lies where this very call looked, or says so."""

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import seewhy
from seewhy import cam
from seewhy.prepare.batch import batches, blank, grey, preparer
from seewhy.prepare.callable_fit import DRAWS, UNSTEADY, CallableFit
from support.planting import SIZE, doubted, lies_there, planted
from support.threads import together

T = pytest.importorskip("torchvision.transforms")
V2 = pytest.importorskip("torchvision.transforms.v2")


def array(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo, np.float32).transpose(2, 0, 1) / 255


def then(*steps: Any) -> Callable[..., Any]:
    return T.Compose([*steps, T.ToTensor()])


class OwnGenerator:
    """Turns a photo upside down, by a generator of its own."""

    def __init__(self, generator, chance=0.5):
        self.generator, self.chance = generator, chance

    def __call__(self, photo):
        return array(ImageOps.flip(photo) if self.generator.random() < self.chance else photo)


class EveryThird:
    """Turns every third photo upside down."""

    def __init__(self):
        self.calls = 0

    def __call__(self, photo):
        self.calls += 1
        return array(photo if self.calls % 3 else ImageOps.flip(photo))


def numpys_crop(photo):
    left, top = np.random.randint(0, 20, 2)
    return array(photo.crop((left, top, left + 100, top + 60)))


def pythons_pad(photo):
    return array(ImageOps.expand(photo, (random.randint(0, 30), random.randint(0, 30), random.randint(0, 30), 0)))


def rarely_mirrored(photo):
    return array(ImageOps.mirror(photo) if np.random.rand() < 0.1 else photo)


def freshly_flipped(photo):
    return array(ImageOps.flip(photo) if np.random.default_rng().random() < 0.5 else photo)


class Albumentation:
    """As albumentations: called with an array by keyword, it gives a dict; a function hands PIL photos to it."""

    def __init__(self):
        self.py_random, self.random_generator = random.Random(0), np.random.default_rng(0)

    def __call__(self, image):
        image = image[:, ::-1] if self.py_random.random() < 0.5 else image
        return {"image": np.rot90(image, self.random_generator.integers(4))}


def albumentations() -> Callable[..., Any]:
    transform = Albumentation()
    return lambda photo: np.ascontiguousarray(transform(image=np.asarray(photo))["image"].transpose(2, 0, 1), np.float32) / 255


RIGHT = {  # every map lies where the square is, wherever that is in what the network saw
    "RandomVerticalFlip": lambda: then(T.RandomVerticalFlip()),
    "RandomHorizontalFlip": lambda: then(T.RandomHorizontalFlip()),
    "v2": lambda: V2.Compose([V2.ToImage(), V2.RandomVerticalFlip(), V2.ToDtype(torch.float32, scale=True)]),
    "flips of both kinds": lambda: then(T.RandomHorizontalFlip(), T.RandomVerticalFlip()),
    "a flip in ten": lambda: rarely_mirrored,
    "by a numpy generator of its own": lambda: OwnGenerator(np.random.default_rng(0)),
    "by a random.Random of its own": lambda: OwnGenerator(random.Random(0), 0.1),
    "a random pad": lambda: pythons_pad,
    "albumentations": albumentations,
    "quarters": lambda: lambda p: array(p.rotate(90 * random.randrange(4), expand=True)),
    "moved": lambda: then(T.RandomAffine(0, (0.05, 0.05))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_each_map_lies_where_the_square_is(red_network, name):
    model, count = seewhy.wrap(red_network, prepare=RIGHT[name]()), 40 if name == "RandomVerticalFlip" else 16
    photos, places = zip(*map(planted, range(count)), strict=True)
    maps = cam(model, list(photos), target=0, layer="cells")
    assert [lies_there(*each) for each in zip(maps, places, strict=True)] == [True] * count
    assert not any(map(doubted, maps))
    assert all(DRAWS in m.warnings for m in maps)


def test_colours_by_chance_move_nothing(noise):
    fit = preparer(then(T.ColorJitter(0.4, 0.4, 0.4, 0.1)))
    for seed in range(8):
        ready = fit.ready(noise(SIZE, seed))
        assert ready.box == pytest.approx((0, 0, *SIZE), abs=4)
        assert ready.notes == (DRAWS,)


CROPS = {
    "RandomResizedCrop": lambda: then(T.RandomResizedCrop(64)),
    "RandomCrop": lambda: then(T.RandomCrop(64, padding=8)),
    "numpy": lambda: numpys_crop,
    "erased": lambda: T.Compose([T.ToTensor(), T.RandomErasing(1.0)]),
}


@pytest.mark.parametrize("name", CROPS)
def test_a_map_of_a_crop_lies_where_the_square_is_if_that_is_in_it(red_network, name):
    """Where it was cut off, the map is empty; it lies nowhere else."""
    model = seewhy.wrap(red_network, prepare=CROPS[name]())
    photos, places = zip(*map(planted, range(20)), strict=True)
    maps = cam(model, list(photos), target=0, layer="cells")
    there = [lies_there(*each) for each in zip(maps, places, strict=True)]
    known = [not doubted(m) for m in maps]
    seen = [m.values.max() > 0.3 for m in maps]  # most of the square
    assert sum(np.logical_and(there, known)) >= 5
    assert all(right for right, sure, red in zip(there, known, seen, strict=True) if sure and red)
    assert all(DRAWS in m.warnings for m in maps)


WARNED = {
    "turned": lambda: then(T.RandomRotation((15, 40))),
    "in perspective": lambda: then(T.RandomPerspective(0.5, 1.0)),
    "elastic": lambda: then(T.ElasticTransform(150.0)),
    "by no generator that can be found": lambda: freshly_flipped,
    "from the system": lambda: OwnGenerator(random.SystemRandom()),
    "by counting": EveryThird,
    "tiled": lambda: lambda p: np.tile(array(p), (1, 2, 2)),
    "a fisheye": lambda: lambda p: array(p)[..., (np.linspace(-1, 1, 120) ** 3 * 59 + 60).astype(int)],
}


@pytest.mark.parametrize("name", WARNED)
def test_each_map_is_warned_of_or_right(red_network, name):
    model, count = seewhy.wrap(red_network, prepare=WARNED[name]()), 8 if name == "elastic" else 20  # which takes its time
    photos, places = zip(*map(planted, range(count)), strict=True)
    maps = cam(model, list(photos), target=0, layer="cells")
    assert all(doubted(m) or lies_there(m, place) for m, place in zip(maps, places, strict=True))
    assert sum(map(doubted, maps)) >= 5


def trimmed(photo: Image.Image) -> np.ndarray:
    """Without its black border, as slides and scans are prepared."""
    bright = np.asarray(photo.convert("L")) > 16
    rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
    return array(photo.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)))


def test_what_follows_the_photo_itself_is_warned_of(red_network):
    model = seewhy.wrap(red_network, prepare=trimmed)
    for seed in range(8):
        photo, (x, y) = planted(seed)
        black = Image.new("RGB", (200, 150))
        black.paste(photo, (60, 10))
        (whole,) = cam(model, photo, target=0, layer="cells")
        assert lies_there(whole, (x, y))
        (framed,) = cam(model, black, target=0, layer="cells")
        assert doubted(framed)


def contrasted(photo: Image.Image) -> np.ndarray:
    """Stretched to all grey levels after a crop: a ramp looks as if all of it were there."""
    return array(ImageOps.autocontrast(photo.crop((40, 20, 120, 80))))


def test_what_stretches_grey_levels_behind_a_crop_is_no_whole_photo(red_network):
    (heatmap,) = cam(seewhy.wrap(red_network, prepare=contrasted), planted(3)[0], target=0, layer="cells")
    assert heatmap.box == pytest.approx((40, 20, 120, 80), abs=1)


COLOURS = {
    "standardised": lambda: lambda p: ((array(p) - array(p).mean()) / array(p).std()).astype(np.float32),
    "from 0 to 1": lambda: lambda p: (array(p) - array(p).min()) / np.ptp(array(p)),
    "grey levels evened out": lambda: then(ImageOps.equalize),
    "blue, green, red": lambda: lambda p: array(p)[::-1].copy(),
    "one colour": lambda: lambda p: array(p)[1:2],
}


@pytest.mark.parametrize("name", COLOURS)
def test_changed_colours_are_no_reason_to_doubt(name, noise):
    fit = preparer(COLOURS[name]())
    for seed in range(6):
        ready = fit.ready(noise(SIZE, seed))
        assert ready.notes == ()
        assert ready.box == pytest.approx((0, 0, *SIZE), abs=2)


def test_preprocessing_that_is_changed_afterwards_is_looked_at_again(noise):
    steps = T.Compose([T.ToTensor()])
    fit = preparer(steps)
    assert fit.ready(noise(SIZE)).box == pytest.approx((0, 0, *SIZE), abs=0.5)
    steps.transforms.insert(0, ImageOps.flip)
    assert fit.ready(noise(SIZE)).box == pytest.approx((0, 80, 120, 0), abs=0.5)
    steps.transforms[0] = T.CenterCrop(60)
    assert fit.ready(noise(SIZE)).box == pytest.approx((30, 10, 90, 70), abs=0.5)


def states() -> list[Any]:
    return [random.getstate(), np.random.get_state()[1].tolist(), np.random.get_state()[2], torch.get_rng_state().tolist()]


def all_three(photo):
    photo = T.RandomVerticalFlip()(ImageOps.mirror(photo) if random.random() < 0.5 else photo)
    return array(photo.crop((np.random.randint(10), 0, 100, 80)).resize((100, 80)))


def seeded() -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)


def test_each_photo_is_drawn_for_once_as_without_seewhy(noise):
    photos = [noise(SIZE, seed) for seed in range(5)]
    seeded()
    expected = [all_three(photo) for photo in photos]
    after = states()
    seeded()
    (batch,) = batches(photos, CallableFit(all_three), lambda _: 8, "mine")
    np.testing.assert_array_equal(batch.x, expected)
    assert states() == after


def test_nothing_is_drawn_for_what_is_looked_at_beside_photos(red_network, noise):
    model = seewhy.wrap(red_network, prepare=all_three)
    before = states()
    model.layers()
    model.colour(128)
    preparer(all_three).box(SIZE)
    blank(preparer(all_three), SIZE, 3)
    grey(preparer(all_three), 3)
    assert states() == before
    steady = preparer(then(T.Resize(40)))
    for seed in range(2):
        steady.ready(noise(SIZE, seed))
    assert states() == before


def test_a_list_of_photos_equals_its_single_photos(red_network, noise):
    photos = [planted(seed)[0] for seed in range(6)]
    model = seewhy.wrap(red_network, prepare=all_three)
    seeded()
    together_ = cam(model, photos, target=0)
    seeded()
    alone = [cam(model, photo, target=0)[0] for photo in photos]
    for one, other in zip(together_, alone, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)
        assert (one.box, one.warnings) == (other.box, other.warnings)


def test_threads_do_not_take_each_others_draws(red_network):
    model = seewhy.wrap(red_network, prepare=all_three)
    photos, places = zip(*map(planted, range(6)), strict=True)
    for maps in together(*[lambda: cam(model, list(photos), target=0, layer="cells")] * 4):
        assert not any(map(doubted, maps))
        seen = [(m, place) for m, place in zip(maps, places, strict=True) if m.values.max() > 0.3]
        assert len(seen) >= 3
        assert all(lies_there(*each) for each in seen)


@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_what_other_threads_draw_from_torch_is_never_drawn_again(noise, chance):
    fit, stop, drawn = preparer(then(T.RandomVerticalFlip(chance))), threading.Event(), []

    def draw():
        while not stop.is_set():
            drawn.append(torch.rand(1, dtype=torch.float64).item())

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        boxes = [fit.ready(noise(SIZE, seed)).box for seed in range(10)]
    finally:
        stop.set()
        thread.join()
    assert None not in boxes
    assert len({*drawn}) == len(drawn) > 10


def test_how_often_a_photo_is_prepared(noise):
    """One that draws: itself, again, four ramps, a pattern; else once for each size five times more, then once."""
    calls = []

    def steady(photo):
        calls.append(photo.size)
        return array(photo)

    fit = preparer(steady)
    for seed in range(3):
        fit.ready(noise(SIZE, seed))
    fit.ready(noise((60, 80)))
    assert calls == [SIZE] * 6 + [SIZE] * 2 + [(60, 80)] * 6
    calls.clear()
    drawing = preparer(lambda photo: steady(T.RandomVerticalFlip()(photo)))
    for seed in range(3):
        drawing.ready(noise(SIZE, seed))
    assert calls == [SIZE] * 21


def test_what_cannot_be_repeated_says_so(noise):
    hidden = random.SystemRandom()

    def both(photo):
        return array(photo) + np.float32(hidden.random() + random.random())

    ready = preparer(both).ready(noise(SIZE))
    assert (ready.box, ready.notes) == (None, (UNSTEADY,))
