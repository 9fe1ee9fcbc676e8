"""Of a question that can be put in part, that part is answered: a method or a target that is refused costs no other."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import Misuse, NeedsGradients, NotApplicable, SeewhyError
from support import networks
from support.detectors import Blobs, scene
from support.segmenters import LABELS, Segmenter, image

X = networks.images(3)


def scores(x: Any) -> Any:
    return x.mean((2, 3)) + x[:, :, 0, 0]


class Squared(nn.Module):
    """A network whose scores are no linear layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.net = networks.pooled()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x) ** 2


def convolutional() -> Any:
    return seewhy.wrap(networks.pooled())


CASES: dict[str, tuple[Any, Any, list[str], str, dict[str, Any]]] = {  # model, images, methods, the refused one, more
    "no attention, first": (convolutional, X, ["attention-rollout", "grad-cam", "gradient"], "attention-rollout", {}),
    "no attention, last": (convolutional, X, ["grad-cam", "le-grad"], "le-grad", {}),
    "scores only": (lambda: seewhy.wrap(scores, takes="float"), X, ["gradient", "occlusion"], "gradient", {}),
    "scores only, between": (
        lambda: seewhy.wrap(scores, takes="float"), X, ["occlusion", "eigen-cam", "rise"], "eigen-cam", {},
    ),
    "a parameter": (convolutional, X, ["gradient", "rise", "grad-cam"], "rise", {}),
    "no linear head": (lambda: seewhy.wrap(Squared()), X, ["cam", "grad-cam"], "cam", {}),
    "probabilities": (lambda: seewhy.wrap(networks.pooled(), scores="probability"), X, ["lrp", "grad-cam"], "lrp", {}),
    "a place that moves": (
        lambda: seewhy.wrap(Blobs()), scene(), ["augment(gradient)", "gradient"], "augment(gradient)",
        {"target": seewhy.Box(0)},
    ),
    "decisions": (
        lambda: seewhy.wrap(nn.Sequential(Segmenter(), Decides()), labels=LABELS), image(), ["grad-cam", "occlusion"],
        "grad-cam", {"target": seewhy.Region("cat")},
    ),
}  # fmt: skip


class Decides(nn.Module):
    def forward(self, out: torch.Tensor) -> torch.Tensor:
        return out.argmax(1)


def quick(name: str, bad: str) -> Any:
    params = {"rise": {"masks": 0 if bad == "rise" else 4}, "augment(gradient)": {"scales": (1,)}}.get(name, {})
    return seewhy.METHODS[name].using(**params) if name in seewhy.METHODS else seewhy.augment(seewhy.gradient).using(**params)


@pytest.mark.parametrize("case", CASES)
def test_a_method_that_refuses_costs_no_map_of_the_others(case: str) -> None:
    make, x, names, bad, more = CASES[case]
    methods, others = [quick(name, bad) for name in names], [quick(name, bad) for name in names if name != bad]
    want = seewhy.explain(make(), x, others, **more)
    with pytest.raises(Misuse) as alone:
        seewhy.explain(make(), x, [quick(bad, bad)], **more)
    with pytest.raises(Misuse) as caught:
        seewhy.explain(make(), x, methods, **more)
    assert (type(caught.value), str(caught.value)) == (type(alone.value), str(alone.value))
    skipped = seewhy.explain(make(), x, methods, on_error="skip", **more)
    for maps in (caught.value.partial, skipped, pickle.loads(pickle.dumps(caught.value)).partial):
        assert [(m.place, m.source.method, m.source.layer) for m in maps] == [
            (m.place, m.source.method, m.source.layer) for m in want
        ]
        for m, wanted in zip(maps, want, strict=True):
            np.testing.assert_array_equal(m.values, wanted.values)
            assert (m.source.score, m.source.warnings) == (pytest.approx(wanted.source.score), wanted.source.warnings)
        ((method, _, error),) = maps.refused
        assert (method, str(error)) == (bad, str(alone.value))
    assert not skipped.failed
    assert f"refused: {bad}" in repr(skipped)
    assert any("maps of all else that was asked for" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_where_all_methods_refuse_the_first_is_raised(on_error: Any) -> None:
    with pytest.raises(NotApplicable, match="no attention"):
        seewhy.explain(convolutional(), X, ["attention-rollout", "le-grad"], on_error=on_error)
    with pytest.raises(NeedsGradients, match=r"gradient reads gradients"):
        seewhy.explain(seewhy.wrap(scores, takes="float"), X, ["gradient", "grad-cam"], on_error=on_error)


def test_several_that_refuse_are_all_told() -> None:
    with pytest.raises(NotApplicable) as caught:
        seewhy.explain(convolutional(), X, ["attention-rollout", "grad-cam", "le-grad"])
    assert [part.method for part in caught.value.partial.refused] == ["attention-rollout", "le-grad"]
    assert any(note.startswith("seewhy: also refused: le-grad: ") for note in caught.value.__notes__)


TARGETS: dict[str, tuple[Any, Any, list[Any], int]] = {  # model, images, targets, the place of the refused one
    "a class beyond all": (convolutional, X, [1, 99, 0], 1),
    "a rank beyond all": (convolutional, X, [seewhy.Top(9), seewhy.Top(2)], 0),
    "a unit of no layer": (convolutional, X, [seewhy.Unit("nowhere", 0), 2], 0),
    "a channel beyond all": (convolutional, X, [seewhy.Unit("act2", 0), seewhy.Unit("act2", 10**6)], 1),
    "a region of a classifier": (convolutional, X, [seewhy.Region(1), 1], 0),
    "a class of a segmenter": (lambda: seewhy.wrap(Segmenter()), image(), [seewhy.Region(1), 1], 1),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_that_is_refused_costs_no_map_of_the_others(case: str) -> None:
    make, x, targets, bad = TARGETS[case]
    others = [target for t, target in enumerate(targets) if t != bad]
    want = seewhy.explain(make(), x, ["gradient", "occlusion"], others)
    with pytest.raises(SeewhyError) as alone:
        seewhy.explain(make(), x, ["gradient"], [targets[bad]])
    with pytest.raises(type(alone.value)) as caught:
        seewhy.explain(make(), x, ["gradient", "occlusion"], targets)
    assert str(caught.value) == str(alone.value)
    for m, wanted in zip(caught.value.partial, want, strict=True):
        assert (m.place, m.source.method, m.source.target) == (wanted.place, wanted.source.method, wanted.source.target)
        np.testing.assert_array_equal(m.values, wanted.values)


def test_a_region_that_is_not_in_an_image_costs_no_other_target_of_it() -> None:
    model, x = seewhy.wrap(Segmenter(), labels=[*LABELS]), np.concatenate([image(), image()])
    x[0, 2] = -1  # there is no dog
    targets = [seewhy.Region("cat"), seewhy.Region("dog")]
    with pytest.raises(seewhy.NotApplicable, match="predicts dog nowhere") as caught:
        seewhy.gradient(model, x, target=targets)
    assert [m.source.label for m in caught.value.partial] == ["cat"]
    skipped = seewhy.gradient(model, x, target=targets, on_error="skip")
    assert [(m.place, m.source.label) for m in skipped] == [(1, "cat"), (1, "dog")]
    ((place, _, error),) = skipped.failed
    assert (place, [m.source.label for m in error.partial]) == (0, ["cat"])  # type: ignore[attr-defined]
    assert not skipped.refused


def test_by_tiles_a_method_that_refuses_costs_no_other() -> None:
    x, model = networks.images(1, 24, 32), convolutional()
    want = seewhy.explain(model, x, ["grad-cam"], 0, tile=16)[0]
    with pytest.raises(NotApplicable) as caught:
        seewhy.explain(model, x, ["attention-rollout", "grad-cam"], 0, tile=16)
    skipped = seewhy.explain(model, x, ["attention-rollout", "grad-cam"], 0, tile=16, on_error="skip")
    for found in (caught.value.partial, skipped):
        np.testing.assert_array_equal(found[0].values, want.values)
        assert [part.method for part in found.refused] == ["attention-rollout"]


def test_what_is_refused_stays_with_the_maps() -> None:
    maps = seewhy.explain(convolutional(), X, ["attention-rollout", "grad-cam"], on_error="skip")
    for some in (maps[:1], maps.where(image=0), maps + maps[:0]):
        assert some.refused[0].method == "attention-rollout"
