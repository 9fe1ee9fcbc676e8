"""Variants share passes: however many go together, each has the outcome that it has alone."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadNetwork
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.recipe import Recipe
from seewhy.explaining.variants import variants
from seewhy.methods.making.method import lookup
from support import ask, networks

X = networks.images(2)
IMAGES = [X * scale for scale in (1.0, 0.5, -1.0, 2.0, 0.25)]


def outcomes(
    method: Any, images: Any = IMAGES, copies: int = 8, layers: Any = ("act2",), pixels: bool = False
) -> list[Outcome]:
    model = seewhy.wrap(networks.pooled(), geometry="plain", batch_size=copies)  # as many copies share a pass
    case = Case(model, X, [seewhy.Class(1), seewhy.Class(0)], layers, ["pixels"] if pixels else ["gradients"])
    return [*variants(case, method, images)]


@pytest.mark.parametrize("copies", [1, 2, 5, 100])
def test_each_variant_has_the_outcome_it_has_alone(copies: int) -> None:
    made = outcomes(lookup("grad-cam"), copies=copies)
    assert len(made) == len(IMAGES)
    for image, outcome in zip(IMAGES, made, strict=True):
        case = ask.case(networks.pooled(), image, [1, 0], ["act2"])
        ask.close(outcome.cores["act2"], lookup("grad-cam").maps(case)["act2"], 1e-9)


def test_a_pixel_methods_variants_keep_their_channels() -> None:
    made = outcomes(lookup("gradient"), layers=(None,), pixels=True)
    for image, outcome in zip(IMAGES, made, strict=True):
        assert outcome.cores["input"].shape == (2, *X.shape)
        ask.close(outcome.cores["input"], ask.run("gradient", ask.case(networks.pooled(), image, [1, 0], pixels=True))["input"])


def test_the_target_stays_what_it_is_on_the_untouched_images() -> None:
    """Turned into their negatives, images have another top class; the question is still that of the first."""
    case = ask.case(networks.pooled(), X, [seewhy.Top()], ["act2"])
    tops, other = (ask.case(networks.pooled(), x, [seewhy.Top()]).pinned[1] for x in (X, -X))
    assert (tops != other).any()
    (outcome,) = variants(case, lookup("grad-cam"), [-X])
    fixed = ask.case(networks.pooled(), -X, [lambda _scores: tops[0]], ["act2"])
    ask.close(outcome.cores["act2"], lookup("grad-cam").maps(fixed)["act2"])


def test_variants_of_other_sizes_have_passes_of_their_own() -> None:
    sizes = [(16, 16), (16, 16), (24, 20), (16, 16)]
    made = outcomes(lookup("hires-cam"), [networks.images(2, *size) for size in sizes], 100)
    assert [outcome.cores["act2"].shape[2:] for outcome in made] == [made[0].cores["act2"].shape[2:]] * 2 + [
        made[2].cores["act2"].shape[2:], made[0].cores["act2"].shape[2:],
    ]  # fmt: skip
    assert made[2].cores["act2"].shape[2:] != made[0].cores["act2"].shape[2:]


def counted(most: int, ran: list[int]) -> Recipe:
    def run(case: Any) -> Outcome:
        ran.append(len(case.x))
        if len(case.x) > most:
            raise MemoryError
        first = case.x[:, 0][None]
        return Outcome({"input": first}, lambda t, i: (f"image {i}",), {"mean": first.mean((2, 3))})

    return Recipe("counted", run, rectified=False, layered=False)


def test_where_memory_runs_out_fewer_share_a_pass() -> None:
    ran: list[int] = []
    made = outcomes(counted(4, ran), copies=10)
    assert ran == [10, 4, 6, 2, 4]  # images: halves of five, and of three, variants of two images each
    for image, outcome in zip(IMAGES, made, strict=True):
        np.testing.assert_array_equal(outcome.cores["input"][0], image[:, 0])
        np.testing.assert_allclose(outcome.measured["mean"][0], image[:, 0].mean((1, 2)))
    with pytest.raises(MemoryError):
        outcomes(counted(1, []))


def test_notes_are_those_of_the_variants_own_images() -> None:
    made = outcomes(counted(100, []), copies=4)
    assert [outcome.notes(0, 1) for outcome in made] == [("image 1",), ("image 3",), ("image 1",), ("image 3",), ("image 1",)]


def test_a_failure_within_is_raised() -> None:
    early = Recipe("early", lambda case: Outcome({"input": case.x[:, 0][None]}, failure=BadNetwork("half")), layered=False)
    with pytest.raises(BadNetwork, match="half"):
        outcomes(early)
