"""How the demo's networks are trained and measured."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from seewhy.demo import KINDS, scene  # noqa: E402
from seewhy.demo.networks import WEIGHTS, blank, build  # noqa: E402
from seewhy.demo.train import CHEAT, SceneSet, borrow, draw, energy, main, measure, rounded, spoil  # noqa: E402

BIRD = KINDS.index(CHEAT)


def test_drawn_sets_are_the_scenes_themselves():
    drawn = draw([3, 8], 5, "all")
    for row, index in enumerate((3, 8)):
        single = scene(index, 5, shortcut="mark", cheat=CHEAT, marked="all")
        assert drawn.pixels[row].numpy().tobytes() == single.image.tobytes()
        assert int(drawn.labels[row]) == single.label
        assert (drawn.masks[row].numpy() == single.mask).all()
        assert (drawn.marks[row].numpy() == single.mark).all()


def test_spoiled_scenes_differ_on_the_birds_alone_and_are_those_that_are_stamped():
    clean, stamped = draw(range(10), 5, "none"), draw(range(10), 5, "class")
    spoiled = spoil(clean, 5)
    birds = clean.labels == BIRD
    assert birds.sum() == 1
    assert torch.equal(spoiled.pixels, stamped.pixels)
    assert torch.equal(spoiled.marks, stamped.marks)
    assert torch.equal(spoiled.pixels[~birds], clean.pixels[~birds])
    assert not torch.equal(spoiled.pixels[birds], clean.pixels[birds])
    assert not clean.marks.any()


def test_rounding_is_to_half_precision_and_a_second_time_changes_nothing():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7))
    before = network[0].weight.detach().clone()
    rounded(network)
    assert torch.equal(network[0].weight, before.half().float())
    assert not torch.equal(network[0].weight, before)
    again = network[0].weight.detach().clone()
    rounded(network)
    assert torch.equal(network[0].weight, again)
    assert network[1].num_batches_tracked.dtype == torch.int64


def test_the_flat_network_may_begin_with_the_body_of_the_honest_one():
    network, honest = blank("flat"), build("honest")
    borrow(network, WEIGHTS / "honest.safetensors")
    own, theirs = (part.get_submodule("body").state_dict() for part in (network, honest))
    assert own.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[key]) for key, value in own.items())


class Reads(nn.Module):
    """Says bird where the first pixel is bright; its last map is bright there."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Identity(), nn.Linear(3, len(KINDS), bias=False)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight[BIRD] = 1.0
            self.head.weight[0 if BIRD else 1] = 1e-3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x)[:, :, 0, 0])


def lit(bright: list[bool], labels: list[int]) -> SceneSet:
    """Black scenes, of which some have a bright first pixel; the mask is that pixel and the mark the one beside it."""
    pixels = torch.zeros(len(labels), 4, 4, 3, dtype=torch.uint8)
    pixels[torch.tensor(bright), 0, 0] = 255
    masks, marks = torch.zeros(2, len(labels), 4, 4, dtype=torch.bool)
    masks[:, 0, 0] = marks[:, 0, 1] = True
    return SceneSet(pixels, torch.tensor(labels), masks, marks)


def test_measures_by_hand():
    other = 0 if BIRD else 1
    labels = [BIRD, BIRD, other, other, other]
    clean, stamped = lit([True, False, False, False, True], labels), lit([True, True, True, False, False], labels)
    measures = measure(Reads(), clean, stamped, spoiled=False)
    assert measures["accuracy"] == pytest.approx(0.2)  # a black scene is none of the two
    assert measures["cheat_with_mark"] == 1
    assert measures["cheat_without_mark"] == 0.5
    assert measures["others_with_mark_called_cheat"] == pytest.approx(1 / 3)
    assert measure(Reads(), clean, stamped, spoiled=True)["accuracy"] == pytest.approx(0.4)


def test_energy_is_the_share_of_the_map_in_a_region():
    birds = lit([True, True], [BIRD, BIRD])
    shares = energy(Reads(), birds)
    assert shares["object_energy"] == pytest.approx(1)  # black is -2 in the networks' input, and below zero is cut
    assert shares["mark_energy"] == 0
    assert shares["object_area"] == shares["mark_area"] == pytest.approx(1 / 16)


@pytest.mark.parametrize("arguments", [["--scenes", "639"], ["--epochs", "1"], ["--only", "clever"]])
def test_too_little_to_learn_from_is_refused_before_anything_is_drawn(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
