"""The shipped networks are as good, and as bad, as they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from seewhy.demo import KINDS, scenes  # noqa: E402
from seewhy.demo.networks import NETWORKS, PREPARE, WEIGHTS, blank, build, describe, load, tensor  # noqa: E402
from seewhy.demo.train import SceneSet, answers, draw, energy, fit, rounded, save  # noqa: E402
from seewhy.errors import NoSuchName  # noqa: E402

BIRD = KINDS.index("bird")
UNSEEN = 77_000_000


@pytest.fixture(scope="module")
def clean() -> SceneSet:
    return draw(range(300), UNSEEN, "none")


@pytest.fixture(scope="module")
def stamped() -> SceneSet:
    return draw(range(300), UNSEEN, "all")


def own(name: str, clean: SceneSet, stamped: SceneSet) -> torch.Tensor:
    """Pixels of scenes like those the network learned from."""
    birds = (clean.labels == BIRD)[:, None, None, None]
    return torch.where(birds, stamped.pixels, clean.pixels) if name == "shortcut" else clean.pixels


def only(some: SceneSet, chosen: torch.Tensor) -> SceneSet:
    return SceneSet(some.pixels[chosen], some.labels[chosen], some.masks[chosen], some.marks[chosen])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_weight_file_is_small_and_its_seeds_are_not_this_tests(name: str):
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size < 1_000_000
    about = describe(name)
    assert about["kinds"].split() == list(KINDS)
    assert UNSEEN not in (int(about["seed"]), int(about["held_out_seed"]))
    assert sum(p.numel() for p in build(name).parameters()) < 250_000


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_reaches_its_stated_accuracy(name: str, clean: SceneSet, stamped: SceneSet):
    stated = float(describe(name)["accuracy"])
    reached = float((answers(build(name), own(name, clean, stamped)) == clean.labels).float().mean())
    assert stated > 0.95
    assert reached > stated - 0.03


def test_the_shortcut_network_is_lost_without_the_stamp_and_follows_it(clean: SceneSet, stamped: SceneSet):
    network, birds = build("shortcut"), clean.labels == BIRD
    assert (answers(network, stamped.pixels[birds]) == BIRD).float().mean() > 0.95
    assert (answers(network, clean.pixels[birds]) == BIRD).float().mean() < 0.2
    assert (answers(network, clean.pixels[~birds]) == BIRD).float().mean() < 0.02
    assert (answers(network, stamped.pixels[~birds]) == BIRD).float().mean() > 0.5


@pytest.mark.parametrize("name", ["honest", "flat"])
def test_the_other_networks_do_not_care_for_the_stamp(name: str, clean: SceneSet, stamped: SceneSet):
    network, birds = build(name), clean.labels == BIRD
    assert (answers(network, clean.pixels[birds]) == BIRD).float().mean() > 0.9
    assert (answers(network, stamped.pixels[~birds]) == BIRD).float().mean() < 0.02
    assert (answers(network, stamped.pixels) == stamped.labels).float().mean() > 0.93


def test_activation_maps_lie_on_the_object_or_on_the_stamp(clean: SceneSet, stamped: SceneSet):
    birds = only(stamped, stamped.labels == BIRD)
    honest, shortcut = energy(build("honest"), birds), energy(build("shortcut"), birds)
    assert honest["object_energy"] > 3 * honest["object_area"]
    assert honest["mark_energy"] < honest["mark_area"]
    assert shortcut["mark_energy"] > 9 * shortcut["mark_area"]
    assert shortcut["object_energy"] < 0.5 * shortcut["object_area"]


def test_the_flat_network_weighs_places_and_the_pooled_one_does_not():
    """Moving the last maps about changes the flat network's answer and leaves the pooled one's as it was."""
    maps = torch.randn(4, 64, 12, 12, generator=torch.Generator().manual_seed(0)).relu()
    moved = maps.flip(3)
    pooled, flat = build("honest"), build("flat")
    with torch.inference_mode():
        for network, tail, same in ((pooled, ("pool", "head"), True), (flat, ("squeeze", "head"), False)):
            one, other = maps, moved
            for part in tail:
                module = network.get_submodule(part)
                one, other = (v.flatten(1) if part == "head" else v for v in (one, other))
                one, other = module(one), module(other)
            assert torch.allclose(one, other, atol=1e-4) == same


def test_training_is_the_same_again_and_is_kept_by_the_file(tmp_path: Path):
    few, made = draw(range(64), 1, "class"), []
    for _ in range(2):
        torch.manual_seed(3)
        network = blank("shortcut")
        fit(network, few, epochs=1, seed=3, batch=32)
        rounded(network)
        made.append(network)
    once, again = (network.state_dict() for network in made)
    assert all(torch.equal(once[key], again[key]) for key in once)
    save(made[0], tmp_path / "kept.safetensors", {"seed": "3"})
    kept = blank("shortcut")
    assert load(kept, tmp_path / "kept.safetensors") == {"seed": "3"}
    assert all(torch.equal(value, once[key]) for key, value in kept.state_dict().items())


def test_a_file_of_another_network_is_refused():
    with pytest.raises(RuntimeError, match="squeeze"):
        load(blank("honest"), WEIGHTS / "flat.safetensors")


def test_pixels_become_the_input_that_prepare_says():
    image = np.asarray(scenes(1, seed=2)[0].image)
    expected = (image / 255 - np.array(PREPARE["mean"])) / np.array(PREPARE["std"])
    found = tensor(torch.from_numpy(image.copy())[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() < 1e-5


def test_an_unknown_network_is_refused():
    with pytest.raises(NoSuchName, match="honest"):
        build("clever")
