"""What a segmenter says of photos: a class for each pixel."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.photo import Photo
from seewhy.images.places import Extent
from seewhy.pictures.label_map import VOID, labelled_picture, voc_palette

LARGEST = 2**27  # scores that are drawn out to a photo at once; of larger photos, fewer pixels are told apart


class Segmented(NamedTuple):
    """One photo, and the class of each of its pixels."""

    name: str
    photo: Image.Image
    label_map: NDArray[np.uint8]  # (h, w) of the photo: 0 background, else a place in the model's labels; VOID not seen
    shares: dict[str, float]  # of the pixels, for each label that is there
    scores: dict[str, float]  # the mean probability of each label where it is the greatest


def segmented(model: Any, photos: Any) -> Iterator[Segmented]:
    """The class of each pixel of photos, one after the other; of files, what cannot be read raises BadImage.

    model: a segmenter on torch that gives scores (n, k, h, w).  Raises NotApplicable for other models.
    """
    network = getattr(model, "network", None)
    if not isinstance(network, torch.nn.Module):
        raise NotApplicable(f"{model.name} is no segmenter on torch. Train one: seewhy segment train DATA --out FOLDER.")
    device = next((each.device for each in network.parameters()), torch.device("cpu"))
    for batch in model.batches(photos):
        with torch.inference_mode():
            scores = network(torch.as_tensor(np.asarray(batch.x), device=device))
        if not isinstance(scores, torch.Tensor) or scores.ndim != 4:
            raise NotApplicable(f"{model.name} gives no scores (n, k, h, w) of each pixel, so it is no segmenter.")
        for i, each in enumerate(scores.cpu()):
            photo = batch.photos[i]
            if not isinstance(photo, Photo):
                raise BadParameter("Give photos, whose pixels a label map can lie on, and no prepared arrays.")
            yield _on_photo(each, photo, batch.known_box(i), batch.names[i], model.labels)


def _on_photo(scores: torch.Tensor, photo: Photo, box: Any, name: str, labels: Any) -> Segmented:
    """The scores (k, h, w) drawn out to the part of the photo that the network saw, and the greatest in each pixel."""
    width, height = photo.pixels.size
    whole = Extent(0, 0, width, height) if not isinstance(box, Extent) else box
    left, top, right, bottom = (round(edge) for edge in whole)
    size = max(1, bottom - top), max(1, right - left)
    by = max(1.0, (size[0] * size[1] * len(scores) / LARGEST) ** 0.5)
    drawn = tuple(max(1, round(side / by)) for side in size)
    f = functional.interpolate(scores[None], size=drawn, mode="bilinear")[0].softmax(0)
    sure, place = f.max(0)
    found = functional.interpolate(place[None, None].float(), size=size, mode="nearest")[0, 0].numpy().astype(np.uint8)
    label_map = np.full((height, width), VOID, np.uint8)
    seen = (slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width)))
    label_map[seen] = found[seen[0].start - top : seen[0].stop - top, seen[1].start - left : seen[1].stop - left]
    here = [k for k in range(len(f)) if (label_map == k).any()]
    names = {k: str(labels[k]) if labels else str(k) for k in here}
    shares = {names[k]: float((label_map == k).mean()) for k in here}
    means = {names[k]: float(sure[place == k].mean()) for k in here if bool((place == k).any())}
    return Segmented(name, photo.pixels, label_map, shares, means)


def write_masks(done: Segmented, labels: Any, out: Path, taken: set[str]) -> Path:
    """The label map as PNG with the palette of Pascal VOC, and a picture of it over the photo; gives the path of the first.

    taken: names that this run has given already; a further photo of one name gets a number.
    """
    stem = Path(done.name).stem or "photo"
    name = next(each for each in (stem, *(f"{stem}_{k}" for k in count(2))) if each.casefold() not in taken)
    taken.add(name.casefold())
    mask = Image.fromarray(done.label_map)
    mask.putpalette(voc_palette().ravel().tolist())
    names = [str(label) for label in labels or range(256)][1:]
    path, picture = out / f"{name}_mask.png", labelled_picture(done.label_map, names, done.photo)
    with replacing(path, of=f"the mask of {done.name}") as beside:
        mask.save(beside)
    with replacing(out / f"{name}_segmented.png", of=f"the picture of {done.name}") as beside:
        picture.save(beside)
    return path
