"""What TCAV reads of the network: activations of examples, and gradients of photos' scores toward the same layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable, NotFinite
from seewhy.explaining.blank import zero_because
from seewhy.explaining.case import Case
from seewhy.images.digest import image_sha256
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, photo_set
from seewhy.maps.heatmaps import Failed
from seewhy.models.model import Differentiable
from seewhy.photo_sets.listing import NONE
from seewhy.progress import shown, stop_asked

CHUNK = 2**22  # numbers that are multiplied at once in double precision


@dataclass
class Examples:
    """The examples of a concept, or random ones: each once, in an order that does not hang on that of the files.

    sha256: of what the network saw of each; at: layer -> (n, d), what it emits for each, its places averaged, or in a row.
    shapes: layer -> the (d,) or, in a row, (c, *space) of what it emits.
    repeated: examples that were there before; failed: files that could not be read.
    """

    sha256: list[str]
    at: dict[str, NDArray[Any]] = field(repr=False)
    shapes: dict[str, tuple[int, ...]]
    repeated: int
    failed: list[Failed]


@dataclass
class PhotoSlopes:
    """The gradients of photos' scores toward layers, as far as they are asked for.

    products: layer -> (photos, m): inner products with all examples there; sizes: layer -> (photos,) lengths.
    sure: how many photos have a class whose probability is beyond 0.99.
    """

    products: dict[str, NDArray[np.float64]]
    sizes: dict[str, NDArray[np.float64]]
    names: list[str]
    sure: int
    failed: list[Failed]


def vectors_of(a: NDArray[Any], flatten: bool, gradient: bool = False) -> NDArray[Any]:
    """Activations (n, c, *space) as vectors: (n, c * places), or their mean over places (n, c); of gradients the sum.

    The slope along a direction that is the same at all places is the sum of the slopes at each.
    """
    if flatten or a.ndim == 2:
        return a.reshape(len(a), -1)
    places = a.reshape(*a.shape[:2], -1)
    return places.sum(2, dtype=np.float64) if gradient else places.mean(2, dtype=np.float64)


def named_layers(model: Differentiable, x: Array, layers: Sequence[str | None]) -> list[str]:
    """The layers by their names, with the default layer's in place of None; of several calls of one the last."""
    names = list[str]()
    for layer in layers:
        default = model.default(x) if layer is None else None
        if layer is None and default is None:
            raise BadParameter(f"{model.name} has no layer that still has space to look at; name one: layers=...")
        names.append(default[0] if default else str(layer))
    read, _ = model.with_flat_layers().activations(x[:1], list(dict.fromkeys(names)))
    calls = {name: [key for key in read if key == name or key.startswith(f"{name}#")][-1] for name in names}
    return list(dict.fromkeys(calls.values()))


def batches(model: Differentiable, images: Any, what: str, whole: bool = False) -> Iterator[PhotoBatch | BrokenPhoto]:
    """The images of a set, with a bar."""
    given = photo_set(model, images, truth=NONE)
    size = lambda each: 1 if isinstance(each, BrokenPhoto) else len(each.numbers)  # noqa: E731
    yield from shown(given.batches(model, whole), given.count or 0, what, size=size)


def examples_of(
    model: Differentiable, images: Any, layers: Sequence[str | None], flatten: bool, what: str
) -> tuple[Examples, list[str]]:
    """The examples that a person gives, and the names of the layers.

    Raises KeyboardInterrupt where a person asks for the end, BadParameter where they emit vectors of several lengths.
    """
    rows, failed, names = list[tuple[str, dict[str, NDArray[Any]]]](), list[Failed](), list[str]()
    shapes = dict[str, tuple[int, ...]]()
    for each in batches(model, images, f"reading {what}"):
        if stop_asked():
            raise KeyboardInterrupt
        if isinstance(each, BrokenPhoto):
            failed.append(Failed(each.number, each.name, each.error))
            continue
        x = each.batch.x
        reader = model.beside(each.numbers[0], len(x))
        names = names or named_layers(reader, x, layers)
        read, _ = reader.with_flat_layers().activations(x, names)
        at = {name: vectors_of(numbers(read[name]), flatten) for name in names}
        shapes |= {name: tuple(read[name].shape[1:] if flatten else at[name].shape[1:]) for name in names}
        good = _finite(each, [*at.items()], failed)
        rows += [(image_sha256(x[i]), {name: at[name][i] for name in names}) for i in good]
    if failed and not rows:
        raise NotApplicable(f"tcav: none of the {what} can be used. The first: {failed[0].error}")
    once = dict(sorted(rows, key=lambda row: row[0]))
    for name in names:
        lengths = sorted({len(at[name]) for at in once.values()})
        if len(lengths) > 1:
            raise BadParameter(
                f"The examples of {what} give vectors of several lengths at {name} ({lengths[0]} to {lengths[-1]} numbers), as "
                "images of several sizes do. Leave flatten out, or give images of one size."
            )
    at = {name: np.stack([each[name] for each in once.values()]) for name in names}
    return Examples([*once], at, shapes, len(rows) - len(once), failed), names


def _traced(
    model: Differentiable, each: PhotoBatch | BrokenPhoto, target: Any, layers: Sequence[str]
) -> Iterator[tuple[PhotoBatch, Case] | BrokenPhoto]:
    """The pass over a batch; where scores are no numbers, over each photo by itself, of which some are broken."""
    if isinstance(each, BrokenPhoto):
        yield each
        return
    x = each.batch.x
    case = Case(model.beside(each.numbers[0], len(x)).with_flat_layers(), x, [target], layers)
    try:
        _ = case.trace
    except NotFinite as error:
        if len(x) == 1:
            yield BrokenPhoto(each.numbers[0], each.batch.names[0], error)
            return
        for single in each.singles():
            yield from _traced(model, single, target, layers)
    else:
        yield each, case


def _finite(each: PhotoBatch, at: Sequence[tuple[str, NDArray[Any]]], failed: list[Failed]) -> list[int]:
    """Which images of a batch have finite numbers at all layers; the others go to `failed`."""
    good = list[int]()
    for i, name in enumerate(each.batch.names):
        odd = next((layer for layer, values in at if not np.isfinite(values[i]).all()), None)
        if odd is None:
            good.append(i)
        else:
            failed.append(Failed(*BrokenPhoto.odd(each.numbers[i], name, odd)))
    return good


def slopes_of(
    model: Differentiable, photos: Any, target: Any, layers: Sequence[str], flatten: bool, examples: dict[str, NDArray[Any]]
) -> PhotoSlopes:
    """The gradients of the target's score for all photos, against all examples (m, d) of each layer.

    It ends early, with what is done, where a person asks for that.
    Raises NotApplicable where no photo's score rests on a layer, KeyboardInterrupt where none was done.
    """
    products: dict[str, list[NDArray[np.float64]]] = {layer: [] for layer in layers}
    sizes: dict[str, list[NDArray[np.float64]]] = {layer: [] for layer in layers}
    why, names, failed, sure = dict[str, str](), list[str](), list[Failed](), 0
    read = (found for each in batches(model, photos, "photos", whole=True) for found in _traced(model, each, target, layers))
    for found in read:
        if stop_asked():
            break
        if isinstance(found, BrokenPhoto):
            failed.append(Failed(found.number, found.name, found.error))
            continue
        each, case = found
        gradients = {layer: numbers(case.trace.evidence[layer].g[0]) for layer in layers}
        emitted = [(layer, numbers(case.trace.evidence[layer].a)) for layer in layers]
        good = _finite(each, [*gradients.items(), *emitted], failed)
        if not good:
            continue
        for layer in layers:
            g = gradients[layer][good]
            if not g.any() and layer not in why:
                why[layer] = zero_because(case, layer, 0, good[0])
            rows = vectors_of(g, flatten, gradient=True)
            if rows.shape[1] != examples[layer].shape[1]:
                raise BadParameter(
                    f"{layer} has {rows.shape[1]} numbers for a photo and {examples[layer].shape[1]} for an example, as images "
                    "of several sizes do. Leave flatten out, or give images of one size."
                )
            products[layer].append(inner(rows, examples[layer]))
            sizes[layer].append(np.sqrt((rows.astype(np.float64) ** 2).sum(1)))
        chances = case.trace.answer.probabilities
        sure += 0 if chances is None else int((chances[good].max(1) > 0.99).sum())
        names += [each.batch.names[i] for i in good]
    if not names:
        if stop_asked():
            raise KeyboardInterrupt
        if failed:
            raise NotApplicable(f"tcav: none of the {len(failed)} photos can be used. The first: {failed[0].error}")
        raise BadParameter("There are no photos to ask about. Give photos of the class that is explained.")
    for layer in layers:
        if not np.concatenate(sizes[layer]).any():
            raise NotApplicable(f"tcav: no score changes with {layer}: {why.get(layer, 'its gradient is zero everywhere')}.")
    joined = {layer: np.concatenate(products[layer]) for layer in layers}
    return PhotoSlopes(joined, {layer: np.concatenate(sizes[layer]) for layer in layers}, names, sure, failed)


def inner(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Inner products of the rows of a (n, d) and of b (m, d), summed in double precision: (n, m)."""
    step = max(1, CHUNK // max(len(a), len(b)))
    total = np.zeros((len(a), len(b)))
    for first in range(0, a.shape[1], step):
        part = slice(first, first + step)
        total += a[:, part].astype(np.float64) @ b[:, part].astype(np.float64).T
    return total
