"""How far predictions and maps move from one model to another."""

from pathlib import Path
from typing import Any

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, NeedsGradients, NotApplicable, NotHere
from seewhy.explaining.ask import ask
from seewhy.explaining.batching import Collector
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.images.photo import Photo
from seewhy.images.volume import Volume
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed
from seewhy.methods.making.method import Method
from seewhy.models.model import require
from seewhy.prepare.batch import in_frames, opened
from seewhy.targets.parse import short_text
from seewhy.targets.target import Top

from .classes import ClassMatch, match_classes
from .common_grid import map_drift
from .questions import AUTO, both_can, chosen, one_target, said_of, same_question, same_top, top_overlap
from .records import Drift, PhotoDrift, worst_first


@known_names()
def drift(
    model_a: Any, model_b: Any, images: Images, method: str | Method = AUTO, target: Any = Top(), layer: Any = None,
    on_error: str = "raise",
) -> Drift:  # fmt: skip
    """How far predictions and maps of these images move from model A to model B: torch against ONNX, float32 against int8, v1
    against v2.

    model_a, model_b: what `seewhy.wrap` or `seewhy.load` gave.  Each prepares photos by itself; maps are compared on the photo,
        where both saw it.
    images: as for `seewhy.explain`.
    method: a name or Method, the same for both; "auto" is the first of grad-cam, recipro-cam, occlusion that both can do.
    target: as for `seewhy.explain`, one: by default the class that A takes each image for.  The same class is explained on
        both, also where B takes the image for another; classes are matched by label, where both models have labels, else by
        number.
    layer: a name for both, or a pair of names (of A, of B); by default each model's own.
    on_error: "raise" ends at the first image that cannot be compared, "skip" leaves such images out (`Drift.failed`).
    Each model runs once for its prediction and then for its map; images go one by one.
    Raises NotApplicable where a model cannot do the method, with those that both can; BadParameter where classes cannot be
    matched; else as `seewhy.explain`.
    """
    comparison = Comparison(model_a, model_b, method, target, layer)
    given = in_frames(sort_out(images, model_a.takes_signals), model_a.prepare)
    count = len(given.x) if isinstance(given, PreparedBatch) else len(given)
    collector = Collector(on_error, count)
    for model in (model_a, model_b):
        model.fit(count)
    photos = []
    for place in range(count):
        one = PreparedBatch(given.x[place : place + 1], place) if isinstance(given, PreparedBatch) else given[place]
        try:
            photos.append(comparison.of(one, place))
        except Exception as error:  # noqa: BLE001 - the collector raises it, or keeps it for who reads `failed`
            collector.fail(error, place, image_name(one, place))
    return comparison.drift(photos, tuple(collector.failed))


def _doubts(a: Heatmap, b: Heatmap) -> list[str]:
    """Why a map is empty or suspect; what is said of both alike, once."""
    both = [doubt for doubt in a.warnings if doubt in b.warnings]
    alone = [f"{letter}: {doubt}" for letter, m in (("A", a), ("B", b)) for doubt in m.warnings if doubt not in both]
    return [*both, *alone]


def image_name(image: Any, place: int) -> str:
    """The path of an image, or the name that it has, or its place among those given."""
    if isinstance(image, str | Path):
        return str(image)
    return str(image.name) if isinstance(image, Photo | Volume) else f"image {place}"


class Comparison:
    """Two models that are compared, photo by photo: what holds for all photos is found at the first and kept.

    Arguments are those of `drift`.
    """

    def __init__(self, model_a: Any, model_b: Any, method: str | Method = AUTO, target: Any = Top(), layer: Any = None) -> None:
        for model in (model_a, model_b):
            require(model, "scores")
        layers = tuple(layer) if isinstance(layer, list | tuple) else (layer, layer)
        if len(layers) != 2:
            raise BadParameter(f"layer={layer!r}: give one name for both models, or two: that of A and that of B.")
        one_target(target, model_a)
        self.models, self.layers, self.target = (model_a, model_b), layers, target
        self.asked = method
        self.method: Method | None = None
        self.method_why = ""
        self.classes: ClassMatch | None = None

    def of(self, image: Any, place: int = 0) -> PhotoDrift:
        """What came of one image, a photo or a PreparedBatch of one; place: of it among all.  Raises as `drift`."""
        image = self._read(image, place)
        if self.method is None:
            self.method, self.method_why = chosen(self.asked, self.models, image)
        method = self.method
        model_a, model_b = (model.beside(place, 1) for model in self.models)
        batch = next(iter(model_a.batches(image)))
        said_a, said_b = said_of(model_a, batch.x), said_of(model_b, next(iter(model_b.batches(image))).x)
        if self.classes is None and said_a is not None and said_b is not None:
            names, labels = (model_a.name, model_b.name), (model_a.labels, model_b.labels)
            self.classes = match_classes(names, labels, (len(said_a.scores), len(said_b.scores)))
        of_a, of_b = same_question(self.target, place, self.models, said_a, self.classes, batch.names[0])
        asked = (model_a, of_a, self.layers[0]), (model_b, of_b, self.layers[1])
        a, b = (self._map(method, *of_model, image) for of_model in asked)
        top, overlap = None, None
        if self.classes is not None and said_a is not None and said_b is not None:
            top, overlap = same_top(said_a, said_b, self.classes), top_overlap(said_a, said_b, self.classes)
        predicted_a, predicted_b = (said.predicted if said else None for said in (said_a, said_b))
        moved = map_drift(a, b)
        moved = moved._replace(notes=(*moved.notes, *_doubts(a, b)))
        return PhotoDrift(batch.names[0], place, a, b, predicted_a, predicted_b, top, overlap, **moved._asdict())

    def drift(self, photos: list[PhotoDrift], failed: tuple[Failed, ...] = ()) -> Drift:
        """The photos together, worst first."""
        a, b = self.models
        notes = [self.classes.note] if self.classes and self.classes.note else []
        if a.explains != b.explains:
            notes.append(
                f"A explains {a.explains}, B {b.explains}: their maps answer different questions, and scores have no change; "
                'wrap both with scores="probability" (--scores probability)'
            )
        name, (target,) = self.method.name if self.method else str(self.asked), one_target(self.target, a)
        return Drift(
            worst_first(photos), a.name, b.name, name, self.method_why, short_text(str(target), a.labels), failed, tuple(notes)
        )

    def _read(self, image: Any, place: int) -> Any:
        """What is opened once, for both models."""
        model = self.models[0]
        if isinstance(image, PreparedBatch):
            return image
        opened_image = next(opened([image], model.prepare, model.name, place))
        return opened_image if hasattr(opened_image.pixels, "convert") else opened_image.pixels

    def _map(self, method: Method, model: Any, target: Any, layer: str | None, image: Any) -> Heatmap:
        try:
            maps = ask(model, image, [method], target, layer)
        except NotHere:
            raise
        except (NeedsGradients, NotApplicable) as error:
            raise both_can(method.name, self.models, image, error) from error
        if len(maps) != 1:
            raise NotApplicable(f"{model.name} gives {len(maps)} maps of {maps[0].source.image}; one is compared with one.")
        return maps[0]
