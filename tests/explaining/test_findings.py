"""Findings: targets are grouped by the model that answers them, and each method gives its outcome or ends the list."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadNetwork, NoService, NotApplicable
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.findings import aims, clean, findings, here, target_groups
from seewhy.explaining.recipe import Recipe
from seewhy.methods.making.method import lookup
from seewhy.progress import stoppable
from seewhy.targets.target import Class, PerImage, Top, Unit
from support import networks
from support.detectors import Blobs, scene


def recipe(name: str, run: Any, **more: Any) -> Recipe:
    return Recipe(name, run, rectified=False, **more)


def ones(_case: Any) -> dict[str, Any]:
    return {"late": np.ones((1, 1, 2, 2))}


def fails(_case: Any) -> dict[str, Any]:
    raise BadNetwork("it fell over")


def refuses(_case: Any) -> dict[str, Any]:
    raise NotApplicable("not of this")


def gone(_case: Any) -> dict[str, Any]:
    raise NoService("it went away")


CASE: Any = SimpleNamespace(settle=lambda: None, targets=[0], shared=frozenset())


def test_a_method_that_fails_costs_no_other_and_the_last_that_is_made_tells():
    for order in ("abcd", "acbd", "cabd", "abdc"):
        done, refused = findings([recipe(name, fails if name == "c" else ones) for name in order], CASE)
        assert [(each.method.name, str(each.outcome.failure)) for each in done] == [
            ("a", "None"), ("b", "None"), ("d", "it fell over"),
        ]  # fmt: skip
        assert not refused
    with pytest.raises(BadNetwork, match="it fell over"):
        findings([recipe("c", fails), recipe("d", fails)], CASE)
    done, _ = findings([recipe("a", ones), recipe("b", gone), recipe("c", lambda _: pytest.fail("asked"))], CASE)
    assert [(each.method.name, str(each.outcome.failure)) for each in done] == [("a", "it went away")]


def test_a_method_that_refuses_costs_no_other():
    done, refused = findings([recipe("a", refuses), recipe("b", ones), recipe("c", refuses), recipe("d", ones)], CASE)
    assert [(each.method.name, each.outcome.failure) for each in done] == [("b", None), ("d", None)]
    assert [(each.method, str(each.error)) for each in refused] == [("a", "not of this"), ("c", "not of this")]
    with pytest.raises(NotApplicable, match="not of this"):
        findings([recipe("a", refuses), recipe("c", refuses)], CASE)


def test_evidence_that_is_refused_to_another_method_is_asked_for_anew():
    model: Any = seewhy.wrap(networks.pooled())

    class Once:
        """The model, whose second derivatives are refused."""

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def trace(self, x: Any, targets: Any, layers: Any, rule: Any = None, twice: bool = False, few: Any = None) -> Any:
            if twice:
                raise NotApplicable("no second derivative")
            return model.trace(x, targets, layers, rule, twice, few)

    x, methods = networks.images(1), [lookup(name) for name in ("grad-cam", "shapley-cam", "hires-cam")]
    shared = {part for method in methods for part in method.shares}
    done, refused = findings(methods, Case(Once(), x, [Class(2)], shared=shared))  # type: ignore[arg-type]
    assert [each.method.name for each in done] == ["grad-cam", "hires-cam"]
    assert [(each.method, str(each.error)) for each in refused] == [("shapley-cam", "no second derivative")]
    for each in done:
        want = seewhy.explain(model, x, [each.method.name], 2)[0]
        np.testing.assert_allclose(each.values[want.source.layer][0, 0], want.values, rtol=1e-6)


def test_the_list_ends_behind_an_estimate_that_failed_early():
    early = Outcome(ones(None), failure=BadNetwork("half of it"))
    done, _ = findings([recipe("a", lambda _case: early), recipe("b", ones)], CASE)
    assert [each.method.name for each in done] == ["a"]


def test_a_person_may_stop_between_two_methods():
    with stoppable() as stop:
        stop.set()
        assert [each.method.name for each in findings([recipe("a", ones), recipe("b", ones)], CASE).made] == ["a"]


def test_nan_and_infinity_are_zero_in_the_values_and_stay_in_the_core():
    core = np.array([[[[np.nan, np.inf], [-np.inf, 2.0]]]])
    ((done,), _) = findings([recipe("a", lambda _case: {"late": core})], CASE)
    assert not done.finite
    assert done.outcome.cores["late"] is core
    np.testing.assert_array_equal(done.values["late"], [[[[0, 0], [0, 2]]]])
    np.testing.assert_array_equal(clean(core), done.values["late"])
    assert findings([recipe("a", ones)], CASE).made[0].finite


def groups(network: Any, x: Any, targets: Any, methods: Any = ("grad-cam",)) -> list[Any]:
    model: Any = seewhy.wrap(network)
    (batch,) = model.batches(x)
    return [*target_groups(model, batch, 0, targets, [None], [lookup(name) for name in methods], [])]


def test_classes_share_a_case_and_each_layers_units_have_one_of_their_own():
    targets = [Class(0), Unit("act2", 1), Top(), Unit("act2", 3), Unit("act1", 0)]
    made = groups(networks.pooled(), networks.images(1), targets, ["grad-cam", "hires-cam"])
    assert [each.at for each in made] == [{0: 0, 2: 1}, {1: 0, 3: 1}, {4: 0}]
    assert [each.case.model.explains for each in made] == ["logits", "activation", "activation"]
    assert all([f.method.name for f in each.findings] == ["grad-cam", "hires-cam"] for each in made)
    assert all(not each.pinned for each in made)


def test_an_aim_is_pinned_on_the_image_and_counts_as_a_class():
    (made,) = groups(Blobs(), scene(), [seewhy.Box(0, 0), seewhy.Box(1, 0)], ["gradient"])
    assert [(type(target), target.index) for target in made.case.targets] == [(Class, 0), (Class, 1)]
    assert len(made.pinned) == 2
    assert made.at == {0: 0, 1: 1}


def test_a_target_of_each_image_is_that_of_its_images():
    rows = PerImage([Class(2), Class(0), Class(1)])
    assert here(rows, 1, 1) == rows.of(1)
    scores = np.zeros((2, 3))
    np.testing.assert_array_equal(here(rows, 1, 2)(scores), [[1, 0, 0], [0, 1, 0]])
    top = Top()
    assert here(top, 1, 2) is top


def test_what_looks_at_the_whole_output_is_an_aim_also_as_part_of_others():
    assert aims(seewhy.Box(0, 0))
    assert aims(PerImage([Class(0), seewhy.Box(0, 0)]))
    assert not aims(PerImage([Class(0), Class(1)]))
    assert not aims(Class(0))


@pytest.mark.parametrize("count", [5, 16, 17, 40])
@pytest.mark.parametrize("gone", [(0,), (3,), (1, 4), ()])
def test_of_many_targets_those_that_are_not_in_the_image_cost_no_other(count, gone):
    """A map of so many classes, each highest in one column of its own but for those that are nowhere."""

    def columns(x):
        scores = np.eye(count)[None, :, None, :].repeat(len(x), 0)
        scores[:, list(gone)] = -1
        return scores + x.mean((1, 2, 3)).reshape(-1, 1, 1, 1)

    model = seewhy.wrap(columns, takes="float")
    regions = [seewhy.Region(k) for k in range(count)]
    found = seewhy.explain(model, np.zeros((1, 3, 4, count)), seewhy.occlusion.using(window=4), regions, on_error="skip")
    assert len(found) == (0 if gone else count)
    for failed in found.failed:
        assert [m.source.index for m in failed.error.partial] == [k for k in range(count) if k not in gone]
    assert len(found.failed) == bool(gone)


def test_what_refuses_all_of_many_targets_is_asked_three_times():
    asked = []

    def run(case, **_params):
        asked.append(len(case.targets))
        raise NotApplicable("not of this")

    refusing, targets = replace(seewhy.eigen_cam, run=run), [Class(k % 5) for k in range(40)]
    with pytest.raises(NotApplicable, match="not of this"):
        groups(networks.pooled(), networks.images(1), targets, [refusing])
    assert asked == [40, 20, 20]


def test_a_method_that_moves_the_image_is_not_asked_about_a_place():
    with pytest.raises(
        NotApplicable, match=r"^augment\(gradient\) mirrors and resizes the image, and .* stays at its place\. "
    ):
        groups(Blobs(), scene(), [seewhy.Box(0, (4, 4, 8, 8))], ["augment(gradient)"])
    turned = replace(seewhy.gradient, name="turned", moves="turns the image")
    with pytest.raises(NotApplicable, match=r"^turned turns the image, and "):
        groups(Blobs(), scene(), [seewhy.Box(0, (4, 4, 8, 8))], [turned])


def test_the_library_that_finds_superpixels_is_named_where_it_was_needed():
    skimage = pytest.importorskip("skimage.segmentation") and pytest.importorskip("skimage")
    x = np.random.default_rng(0).normal(size=(1, 3, 12, 16)).astype(np.float32)
    methods = [seewhy.lime.using(samples=9, segments=each) for each in ("slic:4", "grid:2")]
    cells = seewhy.explain(seewhy.wrap(networks.pooled().float()), x, [*methods, "grad-cam"])
    found = {each.source.params.get("segments"): each.source.versions.get("scikit-image") for each in cells}
    assert found == {"slic:4": skimage.__version__, "grid:2": None, None: None}


@pytest.mark.parametrize("target", [77, "unit:c:77"])
def test_a_target_that_does_not_exist_is_told_so_also_behind_a_method_that_suits_no_network_here(target):
    layers = (
        ("c", torch.nn.Conv2d(3, 6, 3)),
        ("r", torch.nn.ReLU()),
        ("p", torch.nn.AdaptiveAvgPool2d(1)),
        ("f", torch.nn.Flatten()),
    )
    network = networks.made(lambda: networks.stack(*layers, ("fc", torch.nn.Linear(6, 4))), 0)
    model, x = seewhy.wrap(network), networks.images(1, 8, 8)
    found = seewhy.explain(model, x, ["attention-rollout", "grad-cam"], target=[1, target], on_error="skip")
    assert [m.source.target for m in found] == ["1"]
    (why,) = [str(each.error) for each in found.refused if not each.method]
    assert "77" in why
    assert "attention" not in why
