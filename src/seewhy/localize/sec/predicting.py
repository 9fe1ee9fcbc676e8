"""What a segmenter says of photos: a class for each pixel."""

from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.photo import Photo
from seewhy.images.places import Extent
from seewhy.images.resample import resized
from seewhy.localize.labels.label_map import colours
from seewhy.objects.refine.crf import kernels, mean_field
from seewhy.pictures.label_map import VOID, labelled_picture

from .cues import by_cells, crf_grid, ties

LARGEST = 2**27  # scores that are drawn out to a photo at once; of larger photos, fewer pixels are told apart
FLOOR = 1e-4  # of probabilities that the CRF is given
FINE = 48  # cells along the longer side of the grid of the CRF: more than where seeds are made, for it runs once a photo


class Segmented(NamedTuple):
    """One photo, and the class of each of its pixels."""

    name: str
    photo: Image.Image
    label_map: NDArray[np.uint8]  # (h, w) of the photo: 0 background, else a place in the model's labels; VOID not seen
    shares: dict[str, float]  # of the pixels, for each label that is there
    scores: dict[str, float]  # the mean probability of each label where it is the greatest


def segmented(model: Any, photos: Any, crf: bool = True, among: Sequence[int] = ()) -> Iterator[Segmented]:
    """The class of each pixel of photos, one after the other; of files, what cannot be read raises BadImage.

    model: a segmenter on torch that gives scores (n, k, h, w).
    crf: the probabilities of the photo and of its mirror image are averaged and refined by a dense CRF on the photo, as the
        paper does at test; else they are as the network has them.
    among: the places of the classes that can be in the photo, with 0, the background; none: all.
    Raises NotApplicable for other models.
    """
    network = getattr(model, "network", None)
    if not isinstance(network, torch.nn.Module):
        raise NotApplicable(f"{model.name} is no segmenter on torch. Train one: seewhy segment train DATA --out FOLDER.")
    device = next((each.device for each in network.parameters()), torch.device("cpu"))
    for batch in model.batches(photos):
        with torch.inference_mode():
            x = torch.as_tensor(np.asarray(batch.x), device=device)
            scores = network(x)
        if not isinstance(scores, torch.Tensor) or scores.ndim != 4 or not 1 < scores.shape[1] <= VOID:
            raise NotApplicable(
                f"{model.name} does not give scores (n, k, h, w) of 2 to {VOID} classes, so it is no segmenter. Train one: "
                "seewhy segment train DATA --out FOLDER."
            )
        probabilities = scores.float().softmax(1)
        if crf:
            with torch.inference_mode():
                probabilities = (probabilities + network(x.flip(3)).float().softmax(1).flip(3)) / 2
        for i, f in enumerate(probabilities.cpu().numpy()):
            photo = batch.photos[i]
            if not isinstance(photo, Photo):
                raise BadParameter("Give photos, whose pixels a label map can lie on, and no prepared arrays.")
            numbers = np.array(among or range(len(f)), np.uint8)
            yield _on_photo(f[numbers], numbers, photo.pixels, batch.known_box(i), batch.names[i], model.labels, crf)


def _on_photo(
    f: NDArray[np.float32], numbers: NDArray[np.uint8], photo: Any, box: Any, name: str, labels: Any, crf: bool
) -> Segmented:
    """The probabilities (k, h, w) of the classes of these numbers (k,), drawn out to the part of the photo that the network
    saw, and the greatest in each pixel.
    """
    width, height = photo.size
    whole = Extent(0, 0, width, height) if not isinstance(box, Extent) else box
    left, top, right, bottom = (round(edge) for edge in whole)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if crf:
        grid = crf_grid((bottom - top, right - left), FINE)
        seen = np.asarray(photo.crop((left, top, right, bottom)).convert("RGB"))
        costs = -np.log(by_cells(f, grid, 1).clip(FLOOR)).reshape(len(f), -1)
        f = mean_field(costs, kernels(by_cells(seen, grid), ties(max(grid)))).reshape(len(f), *grid)
    by = max(1.0, ((bottom - top) * (right - left) * len(f) / LARGEST) ** 0.5)
    drawn = resized(f.astype(np.float32), [max(1, round(side / by)) for side in (bottom - top, right - left)])
    places, sure = numbers[drawn.argmax(0)], drawn.max(0)
    rows, columns = (
        np.minimum((np.arange(n) / by).astype(int), cells - 1)
        for n, cells in zip((bottom - top, right - left), places.shape, strict=True)
    )
    label_map = np.full((height, width), VOID, np.uint8)
    label_map[top:bottom, left:right] = places[np.ix_(rows, columns)]
    names = {int(k): str(labels[k]) if labels else str(k) for k in np.unique(places)}
    shares = {name: float((label_map == k).mean()) for k, name in names.items()}
    return Segmented(name, photo, label_map, shares, {name: float(sure[places == k].mean()) for k, name in names.items()})


def write_masks(done: Segmented, labels: Any, out: Path, taken: set[str]) -> Path:
    """The label map as PNG with the palette of Pascal VOC, and a picture of it over the photo; gives the path of the first.

    taken: names that this run has given already; a further photo of one name gets a number.
    """
    stem = Path(done.name).stem or "photo"
    name = next(each for each in chain([stem], (f"{stem}_{k}" for k in count(2))) if each.casefold() not in taken)
    taken.add(name.casefold())
    mask = Image.fromarray(done.label_map)
    mask.putpalette(colours().ravel().tolist())
    names = [str(label) for label in labels or range(256)][1:]
    path, picture = out / f"{name}_mask.png", labelled_picture(done.label_map, names, done.photo)
    with replacing(path, of=f"the mask of {done.name}") as beside:
        mask.save(beside)
    with replacing(out / f"{name}_segmented.png", of=f"the picture of {done.name}") as beside:
        picture.save(beside)
    return path
