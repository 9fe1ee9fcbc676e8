"""Asking: a question that cannot be put so is Misuse before any pass runs, in words that say what to do."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.errors import BadImage, BadParameter, NeedsGradients
from seewhy.explaining.ask import ask
from seewhy.methods.making.method import lookup
from support import networks

X = networks.images(1)


def of_network(methods: Any, **question: Any) -> Any:
    network = networks.pooled()
    network.register_forward_hook(lambda *_: pytest.fail("the network ran"))
    return ask(seewhy.wrap(network), question.pop("images", X), [lookup(name) for name in methods], **question)  # type: ignore[arg-type]


def of_function(methods: Any, **question: Any) -> Any:
    def scores(_x: Any) -> Any:
        pytest.fail("the function ran")

    return ask(seewhy.wrap(scores, takes="float"), X, [lookup(name) for name in methods], **question)


@pytest.mark.parametrize(
    ("methods", "question", "said"),
    [
        ([], {}, "No method was given"),
        (["grad-cam"], {"layer": 3}, "asked for by its name"),
        (["grad-cam"], {"layer": ["act2", 3]}, "asked for by its name"),
        (["grad-cam"], {"layer": []}, "list of layers is empty"),
        (["gradient"], {"layer": "act2"}, r"gradient reads the image's own pixels, not a layer.*target=Unit"),
        (["attention-rollout"], {"layer": "act2"}, "reads all layers' attention, not a layer"),
        (["grad-cam"], {"target": seewhy.PerImage([1, 2])}, "2 targets for 1 images"),
        (["grad-cam"], {"overlap": 4}, "say how large they are"),
        (["grad-cam"], {"on_error": "ignore"}, "neither 'raise' nor 'skip'"),
    ],
)
def test_a_question_that_cannot_be_put_so_is_misuse_and_nothing_runs(methods: Any, question: Any, said: str) -> None:
    with pytest.raises(BadParameter, match=said):
        of_network(methods, **question)


def test_no_images_are_said_to_be_none() -> None:
    with pytest.raises(BadImage, match="No images were given"):
        of_network(["grad-cam"], images=[])


@pytest.mark.parametrize(
    ("name", "reads"),
    [("grad-cam", "gradients"), ("gradient", "gradients"), ("eigen-cam", "a layer's activation"),
     ("cam", "the last linear layer"), ("centre", "a layer's size"), ("score-cam", "a layer's activation")],
)  # fmt: skip
def test_a_function_is_asked_for_its_scores_alone(name: str, reads: str) -> None:
    with pytest.raises(NeedsGradients, match=f"{name} reads {reads}; .* gives scores only. Try occlusion, rise or lime"):
        of_function([name])
    with pytest.raises(NeedsGradients, match="unit lies inside the network"):
        of_function(["occlusion"], target=seewhy.Unit("act2", 1))


def test_what_is_no_model_is_told_how_to_make_one() -> None:
    with pytest.raises(BadParameter, match=r"Sequential is no model.*seewhy.wrap"):
        ask(networks.pooled(), X, [lookup("grad-cam")])  # type: ignore[arg-type]


def test_a_layer_may_be_named_beside_a_pixel_method_if_another_method_reads_it() -> None:
    model = seewhy.wrap(networks.pooled())
    maps = ask(model, X, [lookup("gradient"), lookup("grad-cam")], 0, "act1")
    assert [m.source.layer for m in maps] == ["act1", "input"]
    np.testing.assert_array_equal(maps[0].values, ask(model, X, [lookup("grad-cam")], 0, ["act1"])[0].values)
    assert [m.source.layer for m in ask(model, X, [lookup("gradient")], 0, "input")] == ["input"]
