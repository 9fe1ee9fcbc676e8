"""From a person's question to the engine: the question is checked and sorted out once, before anything runs."""

from collections.abc import Sequence
from typing import Any, Literal

from seewhy.errors import BadParameter, Misuse
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.maps.heatmaps import Heatmaps, Refused
from seewhy.models.model import INPUT, TRY, Model, require
from seewhy.prepare.batch import in_frames
from seewhy.targets.parse import Targets, as_targets
from seewhy.targets.target import PerImage, Top, Unit

from .batching import Collector
from .engine import explained
from .recipe import READINGS, Recipe

LayerNames = str | Sequence[str | None] | None  # of one layer or several; None for the default
TileSides = int | Sequence[int] | None  # of a tile, in pixels: one number, or one for each axis
OnError = Literal["raise", "skip"]
WITHOUT = "Its layers can be read: try eigen-cam, score-cam, recipro-cam, occlusion, rise or lime."


def ask(
    model: Model,
    images: Images,
    chosen: Sequence[Recipe],
    target: Targets = Top(),
    layer: LayerNames = None,
    tile: TileSides = None,
    overlap: TileSides = None,
    on_error: OnError = "raise",
) -> Heatmaps:
    """Explain images by several methods, with the arguments of `seewhy.explain`.

    Raises Misuse, before any pass runs, where the question cannot be put to this model; where a part of it can, as one of
    several methods, once that is done, with its maps as `partial`.
    """
    require(model, "scores")
    if not chosen:
        raise BadParameter("No method was given. `seewhy.METHODS` lists them by name.")
    suited, refused = readable(model, chosen)
    targets = as_targets(target, model.labels)
    if "gradients" not in model.gives and any(isinstance(each, Unit) for each in targets):
        require(model, "gradients", "A unit lies inside the network", "Explain a class.")
    layers: list[Any] = list(layer) if isinstance(layer, list | tuple) else [layer]
    for name in layers:
        if name is not None and not (isinstance(name, str) and name):
            raise BadParameter(f"layer={name!r}: a layer is asked for by its name; model.layers() lists them.")
    if not layers:
        raise BadParameter("The list of layers is empty. Give a name, a list of names, or None for the default.")
    if layers != [None] and not any(m.layered for m in chosen) and {*layers} - {INPUT}:
        all_ = "all layers' attention" if chosen[0].reads in ("gradients", "activations") else "the image's own pixels"
        raise BadParameter(
            f"layer={layer!r}: {', '.join(m.name for m in chosen)} reads {all_}, not a layer. Leave layer= "
            "out; to see what excites a layer's unit, ask for target=Unit(layer, channel)."
        )
    sorted_out = in_frames(sort_out(images, model.takes_signals), model.prepare)
    count = len(sorted_out.x) if isinstance(sorted_out, PreparedBatch) else len(sorted_out)
    for each in targets:
        if isinstance(each, PerImage) and len(each.targets) != count:
            raise BadParameter(f"PerImage has {len(each.targets)} targets for {count} images: one for each is needed.")
    for method in chosen:
        method.check_count(count)
    collector = Collector(on_error, count)
    collector.refuse(refused)
    model.fit(count)
    if tile is not None or overlap is not None:
        from .tiles.tiles import tiled  # here, to keep start-up light: few questions are asked by tiles

        return collector.delivered(tiled(model, sorted_out, suited, targets, layers, tile, overlap, collector))
    return collector.delivered(explained(model, sorted_out, suited, targets, layers, collector))


def readable(model: Model, chosen: Sequence[Recipe]) -> tuple[list[Recipe], list[Refused]]:
    """The methods that find in the model what they read, and the others; the error of the first, where these are all."""
    suited, refused = list[Recipe](), list[Refused]()
    for method in chosen:
        try:
            _require_readable(model, method)
            suited.append(method)
        except Misuse as error:
            refused.append(Refused(method.name, "", error))
    if not suited:
        raise refused[0].error
    return suited, refused


def _require_readable(model: Model, method: Recipe) -> None:
    """Raise NeedsGradients where a model gives nothing of what a method reads.

    Gradients toward layers may have a closed form in a model that gives no others, and a model in one piece tells by itself
    why it has no layers: both are asked.
    """
    needs = READINGS[method.reads].needs
    if not needs or "gradients" in model.gives:
        return
    reads = f"{method.name} reads {READINGS[method.reads].what}"
    if "image" in needs or "layers" not in model.gives:
        require(model, "gradients", reads, getattr(model, "instead", WITHOUT) if "layers" in model.gives else TRY)
