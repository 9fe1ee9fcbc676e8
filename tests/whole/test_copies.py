"""Copies and pickles of all that is public; a name added tomorrow is asked for an example."""

import copy
import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import errors
from seewhy.dataset.auditing.suspects import Suspicion
from seewhy.dataset.info import RunInfo
from seewhy.exporting.checking import Checked
from seewhy.inside.embeddings.embedding import EmbeddingFacts
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, PhotoRecord
from seewhy.maps import heatmaps
from seewhy.maps.source import ModelFacts
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.targets.written import Writing
from support.ask import close
from support.failing import bare_error, fail, partial
from support.planted_patches import of_scenes

WAYS = {
    **{f"pickle {p}": (lambda value, p=p: pickle.loads(pickle.dumps(value, p))) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
ABSTRACT = {"Aim"}  # of which nobody has one


@cache
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (130, 150, 3), np.uint8))


@cache
def model() -> Any:
    return seewhy.load("demo/honest")


@cache
def maps() -> Any:
    methods = ["grad-cam", "gradient", seewhy.lime.using(segments="grid:3", samples=9)]
    return seewhy.explain(model(), photo(), methods, target=[0, seewhy.Top(2)])


def found_box() -> seewhy.FoundBox:
    return seewhy.FoundBox(((0, 2), (1, 3)), 0.5, 3, 0.25, "cat", 3, 0.5)


@cache
def moved() -> seewhy.Drift:
    return seewhy.drift(model(), seewhy.load("demo/shortcut"), [photo()])


def stored() -> seewhy.DatasetRun:
    info = RunInfo("net", None, "", ("cat",), ({"name": "grad-cam", "params": {}},), ("top",), "photos", 3, "0", 64)
    return seewhy.DatasetRun(Path("runs/x"), info)


def embedding() -> seewhy.Embedding:
    known = [PhotoRecord(place, f"{place}.png", (0,), 0, 1.0, 0.5, 0.5, {"border": 0.25}) for place in range(3)]
    facts = EmbeddingFacts(ModelFacts("net", None, {"torch": "2"}), "body", labels=("cat",))
    return seewhy.Embedding(np.eye(3, 4, dtype=np.float32), EmbeddedPhotos.of(known, ["cat"]), facts, (), ("a remark",))


def audited() -> seewhy.Audit:
    evidence = EvidenceReport("net", "grad-cam", "top 1", 10, (), (), {"cat": 10}, {})
    found = Suspicion("cat", "file", "width in pixels", "all are wide", 0.01)
    return seewhy.Audit("net", "grad-cam", "truth", 10, 10, 10, evidence, (), (), (found,))


@cache
def exported() -> seewhy.Exported:
    found = Checked(3, 1e-6, 8.0, 1e-7, 0.4)
    return seewhy.Exported(
        Path("file.onnx"), "ONNX", 20, 1000, "net", "cam", "body", "the top class", (3, 96, 96), 10, (12, 12), "", found, True
    )


@cache
def autoencoder() -> seewhy.Autoencoder:
    way = np.eye(64, dtype=np.float32)
    return seewhy.Autoencoder(way, np.zeros(64, np.float32), way, np.zeros(64, np.float32), "topk", False, 3, None, "file")


@cache
def held_against_random() -> seewhy.Tcav:
    x = np.random.default_rng(0).normal(size=(30, 3, 32, 32)).astype(np.float32)
    return seewhy.tcav(model(), {"bright": x[:6] + 1}, x[:2], 0, random=x[6:], runs=2, random_concepts=39)


@cache
def probe() -> seewhy.Probe:
    kept = []

    def kept_probe(probe: seewhy.Probe) -> seewhy.Estimate:
        """None.  Source: a test."""
        kept.append(probe)
        return seewhy.Estimate(np.zeros((len(probe.y), *probe.space)))

    name = "kept-probe"
    try:
        seewhy.from_scores("1 forward")(kept_probe)(model(), photo())
    finally:
        seewhy.METHODS.pop(name)
    return kept[0]


EXAMPLES = {
    "Affinity": lambda: [seewhy.boundary_affinity(np.eye(4) / 2)],
    "Audit": lambda: [audited()],
    "AnyOf": lambda: [seewhy.AnyOf("cat"), seewhy.AnyOf([3, "dog"])],
    "Autoencoder": lambda: [autoencoder()],
    "Box": lambda: [seewhy.Box("cat", 1), seewhy.Box(3, (0, 1, 2.5, 3))],
    "Check": lambda: [seewhy.Check("deletion", "red", "No faster than chance.", 0.4, settings={"seed": 3})],
    "Class": lambda: [seewhy.Class(3), seewhy.Class("cat")],
    "Clip": lambda: [seewhy.read_clip([photo(), photo()])],
    "ClipFit": lambda: [seewhy.ClipFit(model().prepare, 4)],
    "ConceptScore": lambda: [*held_against_random().scores],
    "ConceptVector": lambda: [*held_against_random().vectors.values()],
    "Concepts": lambda: [of_scenes()],
    "Contrast": lambda: [seewhy.Contrast(1, [2, 3], strength=0.5), seewhy.Contrast("a")],
    "ContrastAnswer": lambda: [seewhy.contrast(model(), photo(), 0, 1)],
    "Exported": lambda: [exported()],
    "Detection": lambda: [seewhy.Detection("cat", 0, 0.5, (0, 1, 2, 3))],
    "Disagreement": lambda: [seewhy.disagreement(maps()[0], replace(maps()[0], values=maps()[0].values.T.copy()))],
    "DatasetRun": lambda: [stored()],
    "Dream": lambda: [seewhy.dream(model(), photo(), "body", octaves=1, steps=1)],
    "Drift": lambda: [moved()],
    "Embedding": lambda: [embedding()],
    "Estimate": lambda: [seewhy.Estimate(np.ones((1, 2, 2)), np.ones((1, 2, 2)), None, {"a": 1.0}, ("note",))],
    "EvidenceRecord": lambda: [maps()[0].record(), maps()[0].record([seewhy.Check("a", "grey", "No class.")])],
    "EvidenceShare": lambda: [seewhy.EvidenceShare(0.5, 0.25, True, 1.0)],
    "Extent": lambda: [seewhy.Extent(0, 1, 2.5, 3)],
    "Fixed": lambda: [seewhy.Fixed(np.ones(3))],
    "FoundBox": lambda: [found_box()],
    "FoundBoxes": lambda: [heatmap.boxes() for heatmap in maps()],
    "Heatmap": lambda: [*maps()],
    "Heatmaps": lambda: [maps(), maps()[:0]],
    "Inverted": lambda: [seewhy.invert(model(), photo(), "body", steps=1)],
    "ImageBoxes": lambda: [*maps().boxes()],
    "LayerActivations": lambda: [*seewhy.activations(model(), photo(), ["body.0", "head"])],
    "LayerFilters": lambda: [seewhy.filters(model(), "body.3.0", samples=1, count=2), seewhy.filters(model(), count=2)],
    "Method": lambda: [seewhy.grad_cam.using(signed=True), seewhy.smooth(seewhy.hires_cam).using(samples=3, seed=1),
                       seewhy.occlusion.using(fill=np.ones(3))],
    "MethodComparison": lambda: [seewhy.compare(model(), [photo()], ["grad-cam"])],
    "Direction": lambda: [seewhy.Direction("body", [1.0, 0.0], 2, (1, 2))],
    "Diversity": lambda: [seewhy.Diversity("body")],
    "Maximized": lambda: [seewhy.maximize(model(), 0, steps=1, size=8)],
    "Transformations": lambda: [seewhy.Transformations(crop=(0.2, 0.4))],
    "WholeLayer": lambda: [seewhy.WholeLayer("body")],
    "Neighbours": lambda: [embedding().neighbours(0)],
    "PerImage": lambda: [seewhy.PerImage([1, "cat", seewhy.Top(2)])],
    "Photo": lambda: [seewhy.read(photo())],
    "PhotoDrift": lambda: [*moved()],
    "PhotoFeatures": lambda: seewhy.features(model(), photo(), autoencoder(), count=2),
    "Point": lambda: [seewhy.Point(1, 2.5, "cat")],
    "Probe": lambda: [probe()],
    "Projection": lambda: [embedding().project("pca")],
    "Ranked": lambda: seewhy.top_units(model(), photo(), count=2)[0],
    "Region": lambda: [seewhy.Region("cat"), seewhy.Region(0, np.eye(3) > 0)],
    "Regions": lambda: [maps()[2].regions],
    "Remade": lambda: [maps()[0].source.again(image=photo()), maps()[1].source.again(model(), photo())],
    "RunDifference": lambda: [seewhy.RunDifference("a", "b", None, (), None, (), None, None, None, ("x.png",))],
    "Seeds": lambda: [seewhy.seeds(maps().where(method="grad-cam"))],
    "Similar": lambda: [seewhy.Similar("dog.jpg"), seewhy.Similar(photo()), seewhy.Similar([1.0, 2.0])],
    "Source": lambda: [maps()[0].source, maps()[2].source],
    "SuppressedBox": lambda: [seewhy.SuppressedBox(found_box(), found_box(), 1.0)],
    "Tcav": lambda: [held_against_random()],
    "Text": lambda: [seewhy.Text("a dog", ["a cat"], "a photo of {}")],
    "Token": lambda: [seewhy.Token("dog"), seewhy.Token(3, seed=0, longest=8)],
    "Top": lambda: [seewhy.Top(3)],
    "TopPhotos": lambda: [seewhy.top_photos(model(), seewhy.Unit("body", 1), [photo()])],
    "Trust": lambda: [seewhy.trust(model(), photo(), checks=["head"])],
    "Unit": lambda: [seewhy.Unit("body.3", 4, (1, 2))],
    "Volume": lambda: [seewhy.Volume(np.arange(24.0).reshape(2, 3, 4), np.diag([1, 2, 3, 1]))],
    "VolumeFit": lambda: [seewhy.VolumeFit()],
    "WrittenText": lambda: [seewhy.WrittenText("a", ("a",), np.ones(1), (5,), 2, (False,), (1, 2), Writing())],
}  # fmt: skip


def alike(one: Any, other: Any) -> None:
    """Are they the same in all that they hold?"""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    elif isinstance(one, Image.Image):
        assert (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())
    elif isinstance(one, dict):
        assert [*one] == [*other]
        alike([*one.values()], [*other.values()])
    elif isinstance(one, BaseException):
        alike(one.args, other.args)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            alike(a, b)
    elif isinstance(one, seewhy.Method):
        assert one == other
        assert one.run is other.run or one.name.startswith("smooth")
    elif is_dataclass(one) and not isinstance(one, type):
        for field in fields(one):
            alike(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def public() -> list[str]:
    return [name for name in seewhy.api.PUBLIC if name not in ABSTRACT and not isinstance(getattr(seewhy, name), ModuleType)]


def examples(name: str) -> list[Any]:
    """Of a class its instances; else the thing itself."""
    thing = getattr(seewhy, name)
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return [error(thing)]
    return EXAMPLES[name]() if inspect.isclass(thing) else [thing]


def error(kind: type[errors.SeewhyError]) -> errors.SeewhyError:
    made = bare_error(kind)
    made.partial = maps()
    made.add_note("in the third photo")
    made.__cause__ = OSError(28, "No space left", "out.png")
    return made


@pytest.mark.parametrize("name", public())
def test_every_public_thing_is_copied_and_sent(name):
    for thing, way in product(examples(name), WAYS.values()):
        if isinstance(thing, seewhy.Probe):
            with pytest.raises(TypeError, match=r"kept-probe.*cannot be copied or sent. Send the method"):
                way(thing)
            continue
        other = way(thing)
        alike(thing, other)
        if isinstance(thing, BaseException):
            assert str(other) == str(thing) != ""
            assert other.__notes__ == ["in the third photo"]
            assert (type(other.__cause__), str(other.__cause__)) == (OSError, str(thing.__cause__))
            alike(thing.partial, other.partial)


KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.SeewhyError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_sent_with_its_words(kind):
    for way in WAYS.values():
        alike(error(kind).args, way(error(kind)).args)


class Unsendable(Exception):  # as many libraries have them: it pickles, and does not come back
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def test_a_cause_that_cannot_be_sent_is_left_behind():
    made = errors.BadImage("a.png cannot be read: it is broken.")
    made.__cause__ = Unsendable(1, 2)
    other = pickle.loads(pickle.dumps(made))
    assert str(other) == str(made)
    assert other.__cause__ is None


def test_a_model_copied_or_sent_makes_the_same_map():
    for way in ("copy", "deepcopy", "pickle 5"):
        other = WAYS[way](model())
        close(seewhy.grad_cam(other, photo())[0].values, seewhy.grad_cam(model(), photo())[0].values, rel=1e-5)


def test_an_error_in_a_worker_reaches_who_asked():
    """By both of Python's pools; the partial result comes along, whole."""
    names = {"NoSuchName": "layr4", "MissingExtra": "pip install"}
    with get_context("spawn").Pool(1) as pool, ProcessPoolExecutor(1, get_context("spawn")) as executor:
        waits = {
            **{(name, "pool"): pool.apply_async(fail, (name,)).get for name in names},
            **{(name, "executor"): executor.submit(fail, name).result for name in names},
        }
        for (name, _), wait in waits.items():
            with pytest.raises(getattr(errors, name), match=names[name]) as caught:
                wait(300)
            assert len(caught.value.partial) == 6
            alike(caught.value.partial, partial())


def test_words_of_strangers_in_an_error_are_one_safe_line_and_cut():
    said = str(errors.NoSuchName("class", "\x1b]0;x\x07" + "a" * 10**6, ["b\n\u202eb"], "All: model.labels."))
    assert said.startswith(r"No class '\x1b]0;x\x07aaa")
    assert said.endswith(r"Closest: b \u202eb. All: model.labels.")
    assert len(said) < 500
    said = str(errors.BadImage("\x1b[2Ja.png cannot be read: " + "z" * 5000 + "\r\nGive another."))
    assert said.startswith(r"\x1b[2Ja.png cannot be read: zzz")
    assert said.endswith("zzz Give another.")
    assert len(said) <= 2000
    assert "of 19932 bits" in str(errors.NoSuchName("class", 10**6000, [], "There are 10."))


def test_errors_are_what_they_were_to_those_who_catch_pythons_own():
    for kind, own in ((errors.BadImage, ValueError), (errors.NotWritten, OSError), (errors.MissingExtra, ImportError),
                      (errors.NoSuchName, LookupError), (errors.BadParameter, TypeError)):  # fmt: skip
        assert issubclass(kind, own)


def test_what_a_notebook_shows_of_a_thing_is_a_safe_line():
    net = seewhy.wrap(lambda x: x, name="\x1b[2J\nnet", takes="float")
    assert repr(net).startswith(r"<\x1b[2J net: ")
    left_out = seewhy.Heatmaps((), (heatmaps.Failed(0, "a\n\u202e.png", errors.BadImage("no")),))
    assert repr(left_out).endswith(r"1 left out: a \u202e.png)")
