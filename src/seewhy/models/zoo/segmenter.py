"""Segmenters over a classifier's body, which seewhy trains on image labels: the network, and the folder that it is kept in.

A folder holds `segmenter.json`, which names the classifier, the layers whose maps are read, the labels and the preprocessing,
and `weights.safetensors`.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from torch import Tensor, fx, nn
from torch.nn import functional

from seewhy.errors import BadNetwork, BadParameter, BadWeights, NotApplicable
from seewhy.prepare.facts import facts_of
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing_torch, seeded
from .folder import cleaned, file_in, read_settings
from .sources import Loaded, Request, need
from .weights import fill

SETTINGS, WEIGHTS = "segmenter.json", "weights.safetensors"
FORM = 1  # of the folder
MAKERS = ("demo", "torchvision", "timm")  # whose networks are made without code of strangers
FINEST = 2  # pixels of the image along a cell of the finest maps that are read
WIDTH = 48  # channels that the maps are brought to


class ReadLayer(NamedTuple):
    """A layer whose maps a segmenter reads, and how many channels they have."""

    name: str
    channels: int


class Segmenter(nn.Module):
    """Images (n, 3, h, w) to scores (n, classes, h, w): the maps of several layers of a body, brought to one grid and one
    number of channels, summed, mixed by a 3x3 convolution, scored in each cell, and drawn out to the image.
    """

    def __init__(self, body: nn.Module, layers: Sequence[ReadLayer], classes: int, width: int = WIDTH) -> None:
        super().__init__()
        self.body = body
        self.laterals = nn.ModuleList([nn.Conv2d(layer.channels, width, 1) for layer in layers])
        self.mix = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.head = nn.Conv2d(width, classes, 1)

    def cells(self, x: Tensor) -> Tensor:
        """The scores on the grid of the finest maps: (n, classes, rows, columns)."""
        maps = self.body(x)  # the finest first
        grid = maps[0].shape[2:]
        lateral = [layer(each) for layer, each in zip(self.laterals, maps, strict=True)]
        return self.head(self.mix(sum(functional.interpolate(each, size=grid, mode="bilinear") for each in lateral)))

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(self.cells(x), size=x.shape[2:], mode="bilinear")


class _Reading(fx.Tracer):
    """Follows a network, and takes the layers that are read as one step each."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name in self.names or super().is_leaf_module(m, module_qualified_name)


def body_of(network: nn.Module, names: Sequence[str]) -> nn.Module:
    """The part of a classifier up to the maps of some layers: images to a tuple of these maps, in the order of the names.

    Raises BadNetwork where torch.fx cannot follow the network, or it does not run these layers.
    """
    try:
        graph = _Reading(names).trace(network)
    except Exception as error:  # whatever a stranger's `forward` does with what only stands for a tensor
        raise BadNetwork(
            f"{type(network).__name__} cannot be made a segmenter: torch.fx does not follow its forward ({_first_line(error)})."
        ) from error
    steps = {node.target: node for node in graph.nodes if node.op == "call_module"}
    if missing := [name for name in names if name not in steps]:
        raise BadNetwork(f"{type(network).__name__} cannot be made a segmenter: it does not run {', '.join(missing)}.")
    end = next(node for node in graph.nodes if node.op == "output")
    end.args = (tuple(steps[name] for name in names),)
    body = fx.GraphModule(network, graph, type(network).__name__)
    body.graph.eliminate_dead_code()
    body.recompile()
    body.delete_all_unused_submodules()
    return body


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def read_layers(layers: Mapping[str, Any], side: int) -> list[ReadLayer]:
    """The layers whose maps a segmenter reads: the classifier's last maps, and the last of each finer grid whose cells are
    FINEST pixels or more; the finest first.

    layers: as `Differentiable.layers`; side: of the image, in pixels.  Raises NotApplicable where there are no such maps.
    """
    last = next((name for name, layer in layers.items() if layer.default), "")
    if not last or layers[last].tokens or len(layers[last].shape) != 3 or min(layers[last].shape[1:]) < 2:
        raise NotApplicable("A segmenter needs a classifier whose last layer gives maps (c, h, w), as of a convolutional one.")
    coarse = math.prod(layers[last].shape[1:])
    grids: dict[tuple[int, ...], list[str]] = {}
    for name, layer in layers.items():
        maps = len(layer.shape) == 3 and not layer.tokens and layer.connected and layer.calls == 1
        if maps and coarse < math.prod(layer.shape[1:]) and max(layer.shape[1:]) * FINEST <= side + FINEST - 1:
            grids.setdefault(layer.shape[1:], []).append(name)
    chosen: list[str] = []
    for _, names in sorted(grids.items(), key=lambda item: -math.prod(item[0])):
        chosen += _outermost([name for name in names if not _holds(name, chosen)])
    if _holds(last, chosen):  # the last maps are those of a container of finer ones
        same = [n for n, layer in layers.items() if layer.shape == layers[last].shape and n.startswith(f"{last}.")]
        chosen += _outermost([name for name in same if not _holds(name, chosen)])
    else:
        chosen.append(last)
    return [ReadLayer(name, layers[name].shape[0]) for name in chosen]


def _holds(name: str, others: Sequence[str]) -> bool:
    """Does the layer hold one of the others?"""
    return any(other.startswith(f"{name}.") for other in others)


def _outermost(names: Sequence[str]) -> list[str]:
    """The last of those that lie in the fewest others, alone; none of none."""
    least = min((name.count(".") for name in names), default=0)
    return [name for name in names if name.count(".") == least][-1:]


def segmenter_over(model: Any, labels: Sequence[str], seed: int = 0) -> tuple[Segmenter, dict[str, Any]]:
    """A segmenter over a copy of a classifier's body, with its weights, and the settings of the folder that it is kept in.

    model: what `load` gives for a classifier of MAKERS; labels: of the segmenter's classes, the background first; seed: of the
    head's weights.  Raises BadParameter for other models, NotApplicable where the classifier has no maps, BadNetwork where its
    forward cannot be followed.
    """
    network, recipe = getattr(model, "network", None), model.origin.recipe
    family, fit = str(recipe.get("spec", "")).partition("/")[0], facts_of(model.prepare)
    if not isinstance(network, nn.Module) or family not in MAKERS or fit.get("kind") != "Fit":
        raise BadParameter(
            f"{model.name} cannot be made a segmenter that is found again by its name: train on one that load gives for "
            f"{', '.join(f'{name}/NAME' for name in MAKERS)}, whose preprocessing is known by its numbers."
        )
    layers = read_layers(model.layers(), max(next(iter(model.batches([_blank(fit)]))).x.shape[2:]))
    settings = {
        "form": FORM,
        "classifier": {key: recipe[key] for key in ("spec", "options") if key in recipe},
        "layers": [[layer.name, layer.channels] for layer in layers],
        "labels": [*labels],
        "prepare": {key: value for key, value in fit.items() if key != "kind"} | {"crop": None},  # it sees whole photos
    }
    return blank_segmenter(network, layers, len(labels), seed), settings


def _blank(fit: Mapping[str, Any]) -> Image.Image:
    """A photo as large as the classifier is meant to see."""
    side = fit["size"] or 224
    return Image.new("RGB", (side, side) if isinstance(side, int) else (side[1], side[0]), "grey")


def blank_segmenter(network: nn.Module, layers: Sequence[ReadLayer], classes: int, seed: int = 0) -> Segmenter:
    """A segmenter over a copy of a classifier's body; its head is drawn from the seed."""
    body = body_of(deepcopy(network), [layer.name for layer in layers])
    with drawing_torch(seed):
        return Segmenter(body, layers, classes)


def segmenter_folder(request: Request) -> Loaded:
    """The segmenter in a folder, with its weights, those of a file, or untrained."""
    draws = seeded(request)
    if draws.request.options:
        raise BadParameter(f"{request.spec} is a segmenter, which takes no options, not {', '.join(draws.request.options)}.")
    folder = Path(request.spec).expanduser()
    settings = cleaned(read_settings(folder / SETTINGS), str(folder / SETTINGS))
    try:
        if settings["form"] != FORM:
            raise BadWeights(f"{folder} holds a segmenter of form {settings['form']}, and this seewhy reads form {FORM}.")
        classifier, labels = settings["classifier"], [str(label) for label in settings["labels"]]
        layers = [ReadLayer(str(name), int(channels)) for name, channels in settings["layers"]]
        prepare = dict(settings["prepare"])
        network = _classifier(classifier, folder / SETTINGS)
    except (KeyError, TypeError, ValueError) as error:
        raise BadWeights(
            f"{folder / SETTINGS} is not as `seewhy segment train` writes it: {type(error).__name__} {error}."
        ) from None
    made = blank_segmenter(network, layers, len(labels), draws.seed)
    if request.weights == RANDOM:
        return Loaded(made, prepare, labels, drawn_text(draws.seed))
    draws.unused()
    weights = request.weights or file_in(folder, WEIGHTS, request.trust)
    if weights is None:
        raise BadWeights(f"{folder} holds no {WEIGHTS}. Train it to its end: seewhy segment train ... --out {folder}")
    return Loaded(made, prepare, labels, fill(made, weights, request.trust)[0])


def _classifier(recipe: Mapping[str, Any], where: Path) -> nn.Module:
    """The classifier that a recipe names, untrained, for its weights lie in the folder.  Raises BadWeights for other sources
    than MAKERS, which may bring code of their own.
    """
    spec = str(recipe["spec"])
    family, _, name = spec.partition("/")
    if family not in MAKERS or not name:
        raise BadWeights(f"{where} stands on the classifier {spec[:200]!r}, and not on one of {', '.join(MAKERS)}.")
    options = {str(key): value for key, value in dict(recipe.get("options", {})).items()}
    module = need("torch" if family == "demo" else family, f"seewhy.models.zoo.{family}")
    return getattr(module, f"{family}_network")(Request(spec, name, RANDOM, options)).network
