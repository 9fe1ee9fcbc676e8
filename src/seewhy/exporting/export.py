"""`seewhy.export`: a model and a method as one file that gives scores and maps, without seewhy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.atomic import replacing
from seewhy.demo.scenes import scenes
from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from seewhy.images.inputs import Images
from seewhy.maps.heatmaps import Heatmaps
from seewhy.methods.making.method import Method, lookup
from seewhy.models.graph import Exportable
from seewhy.models.model import INPUT, require
from seewhy.prepare.callable_fit import CallableFit
from seewhy.prepare.fit import Fit
from seewhy.printable import quoted
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.parse import as_targets
from seewhy.targets.target import PerImage, Target, Top, Unit, weighted

from .checking import Checked, checked
from .facts import facts_of
from .forms import form_of

KINDS = {".onnx": "ONNX", ".pt2": "a program of torch.export"}
DRAWN = 3  # images, where none is given


@dataclass(frozen=True)
class Exported:
    """A file that was written and checked."""

    path: Path
    kind: str  # "ONNX", or "a program of torch.export"
    opset: int | None  # of ONNX
    size: int  # in bytes
    model: str
    method: str
    layer: str
    target: str
    images: tuple[int, ...]  # (c, *space): what it takes of each image
    classes: int
    grid: tuple[int, ...]  # of its maps
    single: str  # why it takes one image at a time; "" where it takes any number
    checked: Checked
    drawn: bool  # the images that it was checked with were drawn, as none were given
    notes: tuple[str, ...] = ()  # what the library said of their maps: that one is empty, or suspect

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, as JSON can say it."""
        return {**vars(self), "path": str(self.path), "checked": self.checked._asdict()}

    def __str__(self) -> str:
        n, found = "1" if self.single else "n", self.checked
        kind = f"{self.kind} opset {self.opset}" if self.opset else self.kind
        several = f"{found.images} {'drawn ' if self.drawn else ''}image{'s' * (found.images != 1)}"
        together = ", alone and together" if found.images > 1 and not self.single else ""
        return "\n".join([
            f"{self.path}: {kind}, {self.size / 1e6:.1f} MB",
            f"images {_shape(n, self.images)} -> scores {_shape(n, (self.classes,))}, maps {_shape(n, self.grid)}: "
            f"{self.method} for {self.target} at {self.layer}",
            f"checked on {several}{together}: scores differ from the library's by {found.scores:.1g} (the largest is "
            f"{found.largest_score:.3g}), maps by {found.maps:.1g} ({found.largest_map:.3g})",
            *([f"one image at a time: its batch cannot vary ({self.single})"] if self.single else []),
            *(f"note: {note}" for note in self.notes),
        ])  # fmt: skip


@known_names()
def export(
    model: Any, path: str | Path, method: str | Method = "recipro-cam", layer: str | None = None,
    target: int | str | Target = Top(), images: Images | None = None,
) -> Exported:  # fmt: skip
    """Write a model and a method as one file, which gives scores and maps of prepared images without seewhy.

    path: .onnx, which every ONNX runtime runs, or .pt2, a program of torch.export.
    method: "recipro-cam" wherever a network can be cut behind a layer; "cam", "grad-cam" and other methods of one gradient,
        in closed form, where pooling and one linear layer are all that lies behind the layer; "eigen-cam" at any layer.
    layer: by default the one that the method explains.
    target: Top(), the class each image is taken for, found out inside of the graph; or a class, label or contrast for all.
    images: photos, or the prepared batch, with which the file is checked; by default drawn ones.  Their prepared size is what
        the file takes.

    The file takes `images`, float32 (n, c, *space), prepared as the model's photos are, and gives `scores` (n, k) and `maps`
    (n, *grid), the values of the library's own heatmaps.  Its metadata tell how photos are prepared, where the cells lie, the
    labels, and what made it (docs/export.md).  It is run before it takes its name, and kept only where scores and maps are
    those of the library up to rounding.
    Raises NotApplicable, with the reason, where method or network have no form as a graph, BadNetwork where the file gives
    something else, MissingExtra where what writes it is not installed, NotWritten where it cannot be written.
    """
    path, chosen = Path(path), lookup(method)
    if path.suffix.lower() not in KINDS:
        raise BadParameter(f"{path.name}: a graph is written as .onnx or .pt2; the ending says which.")
    form = form_of(chosen)
    require(model, "gradients", f"{chosen.name} as a graph reads the inside of a network", "There is no map to export.")
    if not isinstance(model, Exportable):
        raise NeedsGradients(f"{model.name} cannot be written as a graph; networks of torch can. Load it as one.")
    if layer is not None and (not isinstance(layer, str) or layer == INPUT):
        raise BadParameter(f"layer={quoted(layer)}: a graph explains one layer inside the network, by its name.")
    explained = _target(target, model)
    x = _batch(model, images)
    with replacing(path, of=f"{model.name} with {chosen.name}") as beside:
        ready = model.for_graph()
        maps = _library(chosen, ready, x, explained, layer)
        scores = np.asarray(numbers(ready.answer(x).scores))
        row = explained if isinstance(explained, Top) else _weights(explained, scores)
        shown = maps[0]
        at = _layer(maps, len(x), layer)
        graph = ready.graph(x, at, form, row)
        fixed = not isinstance(explained, Top)
        facts = facts_of(model, chosen, shown, x.shape[1:], fixed, bool(graph.single))
        told = graph.write(beside, facts)
        values = np.stack([heatmap.values for heatmap in maps])
        found = checked(graph.opened(beside), x, scores, values, not fixed, bool(graph.single))
        size = beside.stat().st_size
    what = shown.source.target if isinstance(explained, Top) else shown.source.label or shown.source.target
    what = "the top class" if what == "top 1" else what
    return Exported(
        path, KINDS[path.suffix.lower()], told.get("opset"), size, model.name, chosen.name, at, what, x.shape[1:],
        scores.shape[1], shown.values.shape, graph.single, found, images is None,
        tuple(dict.fromkeys([*found.notes, *(note for heatmap in maps for note in heatmap.warnings)])),
    )  # fmt: skip


def _library(method: Method, model: Exportable, x: NDArray[Any], target: Target, layer: str | None) -> Heatmaps:
    """The library's own maps, which those of the file are to be."""
    try:
        return method(model, x, target, layer)
    except NotApplicable as error:
        if method.reads != "head":
            raise
        raise NotApplicable(f"{error} recipro-cam, as a graph, needs no such head, either.") from error


def _target(target: Any, model: Any) -> Target:
    """The one target, of classes of the whole image."""
    (explained, *others) = as_targets(target, model.labels)
    if others:
        raise BadParameter("A graph explains one target; export a file for each.")
    if isinstance(explained, Aim | Unit | PerImage | Group):
        raise NotApplicable(f"{explained} is no single class of the whole image, which is what a graph explains. Name a class.")
    return explained


def _batch(model: Exportable, images: Images | None) -> NDArray[Any]:
    """The images as the network takes them, all of one size: (n, c, *space)."""
    if images is None:
        images = _drawn(model)
    parts = [numbers(batch.x) for batch in model.batches(images)]
    if len({part.shape[1:] for part in parts}) != 1:
        sizes = " and ".join(sorted({"x".join(map(str, part.shape[1:])) for part in parts})) or "none"
        raise BadParameter(f"A graph takes images of one size; these are prepared to {sizes}. Give photos of one size.")
    return np.concatenate(parts).astype(np.float32)


def _drawn(model: Exportable) -> list[Image.Image]:
    """Drawn scenes, for a model that prepares photos."""
    if not isinstance(model.prepare, Fit | CallableFit):
        how = "was wrapped without `prepare`" if model.prepare is None else "takes no plain photos"
        raise BadParameter(f"{model.name} {how}: give images=, such as the network takes; the graph takes their size.")
    return [scene.image for scene in scenes(DRAWN, seed=15, size=256)]


def _layer(maps: Heatmaps, count: int, layer: str | None) -> str:
    """The layer that was read; BadParameter where there are several."""
    names = [*dict.fromkeys(heatmap.source.layer for heatmap in maps)]
    if len(maps) != count or len(names) != 1:
        raise BadParameter(
            f"{layer or 'The default layer'} runs several times, and a graph reads one: {', '.join(names)}. Name one."
        )
    return names[0]


def _weights(target: Target, scores: NDArray[Any]) -> NDArray[Any]:
    """The weights (k,) of the explained score; NotApplicable where they depend on the scores."""
    rows = weighted([target], np.concatenate([scores, -scores]))[0]
    if not (rows == rows[0]).all():
        raise NotApplicable(
            f"{target} chooses classes by the scores of each image; in a graph only the top class does. Name it."
        )
    return rows[0]


def _shape(n: str, sides: tuple[int, ...]) -> str:
    return f"({', '.join([n, *map(str, sides)])})"
