"""Where the cells of a layer truly lie: at the middle of the pixels that change them.

python -m support.planted.measured [first seed] [last seed]      how the layers of networks drawn by chance do
"""

import sys
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import seewhy
from seewhy.errors import Misuse

from .chance import layers_of, network_of
from .judge import PLACES, REFUSED, RIGHT, SAID, WRONG, Verdict

Floats = NDArray[np.float64]
UNTOLD = "cannot be told"  # each cell's view is cut off at the border of the image
NEAR = 0.6  # in cells: how far from the measured middle a cell may be drawn
COLOUR = np.array([1e-3, 3e-4, 1e-4])  # by which a pixel is changed: not the way from dark to bright, which norms take back
FAINT = 0.15  # of the largest change of a cell: what a pixel counts beyond that is counted


def judged_all(model: Any, layers: list[str], space: tuple[int, int]) -> dict[str, Verdict]:
    """Are the cells of each layer where they look?"""
    try:
        seen = changes(model, layers, space)
    except Misuse as error:
        if len(layers) == 1:
            return {layers[0]: Verdict(REFUSED, f"{type(error).__name__}: {error}")}
        return {layer: verdict for one in layers for layer, verdict in judged_all(model, [one], space).items()}
    return {layer: judged(model, layer, space, *seen[layer]) for layer in layers}


def judged(model: Any, layer: str, space: tuple[int, int], change: Floats, notes: tuple[str, ...]) -> Verdict:
    """Are the cells of a layer where they look, by what `changes` says of it?"""
    grid = change.shape[:2]
    placed = model.cells(layer, np.zeros((1, 3, *space)))
    first, stride = (placed[1].first, placed[1].stride) if placed else evenly(grid, space)
    within = [a for a in range(2) if not placed or not space[a] <= placed[1].field[a] < np.inf]  # else all views are cut off
    lines = [(a, line) for a in within for line in told_along(change, a)]
    if not lines:
        return Verdict(UNTOLD, "")
    far = max(farthest(line, first[a], stride[a], grid[a]) for a, line in lines)
    words = f"{'x'.join(map(str, grid))} {'followed' if placed else 'even'}: {far:.2f} cells off at most"
    if far <= NEAR:
        return Verdict(RIGHT, words)
    said = [note for note in notes if PLACES.search(note)]
    return Verdict(SAID if said and not placed else WRONG, f"{words} {said}")


def changes(model: Any, layers: list[str], space: tuple[int, int]) -> dict[str, tuple[Floats, tuple[str, ...]]]:
    """How much each cell of a layer changes with each pixel (*grid, *pixels); and what is said of the layer."""
    base = np.random.default_rng(0).uniform(0.5, 1, (3, *space))
    x = np.repeat(base[None], 1 + space[0] * space[1], 0)
    for i, pixel in enumerate(np.ndindex(*space)):
        x[1 + i, :, *pixel] += COLOUR
    emitted, notes = model.activations(x, layers)
    found = {}
    for layer in layers:
        a = np.asarray(emitted[layer])
        change = np.sqrt(((a[1:] - a[:1]) ** 2).sum(1))
        found[layer] = change.reshape(*space, *a.shape[2:]).transpose(2, 3, 0, 1), notes.get(layer, ())
    return found


def evenly(grid: tuple[int, ...], space: tuple[int, int]) -> tuple[list[float], list[float]]:
    strides = [pixels / cells for pixels, cells in zip(space, grid, strict=True)]
    return [(stride - 1) / 2 for stride in strides], strides


def told_along(change: Floats, axis: int) -> list[dict[float, list[int]]]:
    """The cells whose middle along an axis of space can be measured: for each line of them the middles in pixels, and whose.

    They are those that see as much as any other, and nothing at the border: what they look at is not cut off there.
    """
    pixels = (change - FAINT * change.max((2, 3), keepdims=True)).clip(min=0).sum(3 - axis)  # (*grid, pixels)
    pixels = pixels.swapaxes(0, axis)  # (along the axis, across it, pixels)
    seen = (pixels > 0).sum(2)
    read = pixels.any((0, 1)).nonzero()[0]  # the outermost of these are the border of what the network sees at all
    whole = (seen == seen.max()) & (pixels[:, :, read[:1]] == 0).all(2) & (pixels[:, :, read[-1:]] == 0).all(2) & (seen > 0)
    lines: dict[int, dict[float, list[int]]] = {}
    for cell, line in np.argwhere(whole):
        middle = float(pixels[cell, line] @ np.arange(pixels.shape[2]) / pixels[cell, line].sum())
        lines.setdefault(line, {}).setdefault(round(middle, 1), []).append(int(cell))
    return [*lines.values()]


def farthest(line: dict[float, list[int]], first: float, stride: float, count: int) -> float:
    """How far from its middle a cell of a line of so many is drawn at most, in cells.

    Behind an enlargement cells side by side look at the very same pixels.  They are told together, as they share out the way to
    the next ones, and this way is what counts as a cell.
    """
    steps = np.diff(sorted(line))
    way = float(np.median(steps)) if len(steps) else abs(stride) * max(len(cells) for cells in line.values())
    if not len(steps) and 2 * way > count * abs(stride):  # all that look at one place are no line of places
        way = 0.0
    groups = [(m, [float(np.mean(cells))] if (len(cells) - 1) * abs(stride) < way else cells) for m, cells in line.items()]
    off = [abs(first + cell * stride - middle) for middle, cells in groups for cell in cells]
    return max(off) / max(abs(stride), way, 1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(first: int, last: int) -> None:
    counts: Counter[str] = Counter()
    begin = perf_counter()
    for seed in range(first, last):
        network, space = network_of(seed)
        model, layers = seewhy.wrap(network), layers_of(network)
        for name in layers:
            try:
                (verdict,) = judged_all(model, [name], space).values()
            except Exception as error:  # noqa: BLE001 - the list goes on
                verdict = Verdict("FAILED", f"{type(error).__name__}: {error}")
            counts[verdict.kind] += 1
            if verdict.kind not in (RIGHT, UNTOLD):
                say(f"{verdict.kind:8}{seed:5} {name:14} {space} {verdict.words[:150]} | {' '.join(layers)}")
    say(f"\n{dict(counts)} in {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(*(words if len(words) == 2 else (0, 60)))
