"""The trainer: which cells are seeds, and that a training is the same however often it was stopped."""

import json
import signal

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file
from torch.nn import functional

from seewhy.errors import BadNetwork, BadParameter, NotWritten
from seewhy.localize.sec.photos import labelled_files
from seewhy.localize.sec.trainer import Trainer, Training, lesson, losses_grid, seeds_of
from seewhy.models.load import segmenter_over
from seewhy.objects.refine.crf import kernels
from seewhy.progress import stoppable

SHORT = Training(epochs=3, batch=3, held_out=0.25)


@pytest.fixture
def photos(small_photos):
    return small_photos


@pytest.fixture
def trainer(honest, scenes_folder, photos):
    names = labelled_files(scenes_folder, honest.labels).names

    def made(run, training=SHORT):
        return Trainer(*segmenter_over(honest, ["background", *names], training.seed), photos, training, run)

    return made


def weights(run):
    return load_file(run / "weights.safetensors")


def test_seeds_by_hand():
    labels = np.array([[[0, 2, 255, 1]]], np.uint8)
    assert seeds_of(labels, 3)[0, :, 0].astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]


def test_the_grid_of_the_losses():
    assert losses_grid((24, 24)) == (24, 24)
    assert losses_grid((41, 41)) == (41, 41)
    assert losses_grid((56, 56)) == (28, 28)
    assert losses_grid((55, 42)) == (28, 21)


def test_pairs_that_are_kept_are_those_that_are_computed(photos, monkeypatch):
    kept = lesson(photos, SHORT)
    expected = np.stack([kernels(kept.colours[place], kept.ties) for place in (3, 1)])
    np.testing.assert_allclose(kept.pairs([3, 1]), expected, rtol=2e-3, atol=1e-7)
    monkeypatch.setattr("seewhy.localize.sec.trainer.KERNELS", 0)
    again = lesson(photos, SHORT)
    assert again.kept is None
    np.testing.assert_array_equal(again.pairs([3, 1]), expected)


def test_a_mirrored_photo_has_the_mirrored_losses(trainer, tmp_path):
    """The seeds and the CRF stay as the photo is: what the network says of its mirror image is mirrored back.

    The network is one that looks at each cell alone; strided convolutions see a mirror image a little otherwise.
    """
    made = trainer(tmp_path)
    mixed = torch.randn(made.lesson.seeds.shape[1], 3, 1, 1, generator=torch.Generator().manual_seed(0))
    made.network.cells = lambda x: functional.conv2d(functional.avg_pool2d(x, 4), mixed)
    first = [float(loss) for loss in made._losses([0, 3], False)]
    second = [float(loss) for loss in made._losses([0, 3], True)]
    assert second == pytest.approx(first, rel=1e-5)
    made.lesson.x.copy_(made.lesson.x.flip(2))  # other photos than the seeds are of
    assert [float(loss) for loss in made._losses([0, 3], True)] != pytest.approx(first, rel=1e-2)


def test_the_losses_fall_and_what_is_kept_is_the_best(trainer, tmp_path):
    made = trainer(tmp_path, Training(epochs=4, batch=3, held_out=0.25, rate=4e-3))
    told = []
    done = made.train(lambda place, epoch: told.append((place, epoch)))
    assert [place for place, _ in told] == [0, 1, 2, 3]
    assert done.epochs == tuple(epoch for _, epoch in told)
    assert done.epochs[-1].seed < done.epochs[0].seed
    best = [epoch.held_out for epoch in done.epochs if epoch.best]
    assert best == sorted(best, reverse=True)
    assert min(epoch.held_out for epoch in done.epochs) == best[-1]
    settings = json.loads((tmp_path / "segmenter.json").read_text())
    assert settings["made"]["photos"] == {"learned": 8, "held_out": 2}
    assert settings["made"]["ended"] == done.ended == "all passes made"


def test_a_training_is_the_same_bit_for_bit_when_it_was_stopped(trainer, tmp_path):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    for run in (straight, stopped):
        run.mkdir()
    whole = trainer(straight).train()

    class Killed(Exception):
        pass

    def kill(place, epoch):
        raise Killed

    with pytest.raises(Killed):
        trainer(stopped).train(kill)  # after the first pass was kept
    resumed = trainer(stopped).train()
    assert resumed == whole
    first, second = weights(straight), weights(stopped)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert trainer(stopped).train() == whole  # nothing is left to do


def test_ctrl_c_leaves_the_last_pass(trainer, tmp_path):
    with stoppable():
        done = trainer(tmp_path).train(lambda place, epoch: signal.raise_signal(signal.SIGINT))
    assert len(done.epochs) == 1
    assert done.ended == "stopped after 1 passes; the same command goes on from there"
    assert (tmp_path / "checkpoint.pt").is_file()
    assert len(trainer(tmp_path).train().epochs) == 3


def test_another_training_does_not_go_on_there(trainer, tmp_path):
    trainer(tmp_path, Training(epochs=1, batch=3)).train()
    with pytest.raises(NotWritten, match="holds a training with other settings"):
        trainer(tmp_path, Training(epochs=1, batch=3, rate=1e-3)).train()


def test_it_ends_early_where_nothing_is_gained(trainer, tmp_path, monkeypatch):
    made = trainer(tmp_path, Training(epochs=9, batch=3, patience=2))
    losses = iter([3.0, 2.0, 2.5, 2.25, 0.0])
    usual = made._end

    def end(sums, done):
        value = next(losses)
        return usual(sums, done)._replace(held_out=value, best=value < min((e.held_out for e in done), default=9))

    monkeypatch.setattr(made, "_end", end)
    done = made.train()
    assert [epoch.held_out for epoch in done.epochs] == [3.0, 2.0, 2.5, 2.25]
    assert done.ended == "the loss held out did not fall for 2 passes"


def test_losses_that_are_no_numbers_end_it_with_advice(trainer, tmp_path):
    made = trainer(tmp_path)
    with torch.no_grad():
        made.network.head.bias.fill_(float("nan"))
    with pytest.raises(BadNetwork, match=r"no numbers any more\. Train in smaller steps, as with --rate 0\.001"):
        made.train()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, "epochs=0: give 1 or more"),
        ({"foreground": 1.0}, "foreground=1.0: give a share"),
        ({"foreground": 0.2, "background": 0.3}, "cells would be seeds of both"),
        ({"rate": float("nan")}, "rate=nan: give a number above 0"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(BadParameter, match=said):
        Training(**settings)


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 6])
def test_few_steps_have_a_rate_that_rises_and_falls(trainer, tmp_path, epochs):
    made = trainer(tmp_path, Training(epochs=epochs, batch=24))
    assert made.steps == 1
    rates = []
    for _ in range(epochs):
        rates.append(made.optimiser.param_groups[1]["lr"])
        made.optimiser.step()
        made.schedule.step()
    assert max(rates) == pytest.approx(4e-3 if epochs > 1 else 4e-3 / 25)


def test_too_few_photos(trainer, photos, honest, tmp_path):
    one = photos._replace(
        files=photos.files[:1], **{name: getattr(photos, name)[:1] for name in ("pixels", "present", "seeds")}
    )
    network, settings = segmenter_over(honest, ["background", "bird"])
    with pytest.raises(BadParameter, match="1 photos are too few to learn from"):
        Trainer(network, settings, one, SHORT, tmp_path)
