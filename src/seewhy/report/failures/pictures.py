"""The pictures of a report, as rules of style: each photo once as a thumbnail, each map as a tile of a few hundred bytes,
however often the page shows them.
"""

import hashlib
import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seewhy.dataset.photo_rows import TRUE, MapRow, PhotoRow
from seewhy.errors import SeewhyError
from seewhy.images.photo import read
from seewhy.images.places import Extent
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.thumbnails import Thumbnail, within
from seewhy.pictures.tiles import tile

SIDE, QUALITY = 224, 62  # pixels of a thumbnail's longer side, and the quality of its WebP, where there is room
LOWER = ((SIDE, 45), (192, 40), (160, 32), (128, 25), (96, 15), (64, 5))  # where there is less
KINDS = ("t", "u", "d")  # what it saw for its answer, for the right one, and the contrast
GONE, CHANGED = "the photo is not there any more", "the photo was changed since the run"


@dataclass(frozen=True)
class PhotoView:
    """What the page can show of a photo.

    ratio: width by height; fault: why the photo itself cannot be shown, or is not to be trusted, in words; kinds: which of the
    maps there are, of any method; rules: of style.
    """

    ratio: float
    fault: str
    kinds: tuple[str, ...]
    rules: str


def views(photos: Sequence[PhotoRow], methods: Sequence[str], room: int) -> dict[int, PhotoView]:
    """The views of some photos, by their items, whose rules take about `room` characters at most."""
    maps = {photo.item: _map_rules(photo, methods) for photo in photos}
    left = room - sum(len(rules) for rules, _ in maps.values())
    most = max(600, left // max(1, len(photos)))
    found = dict[int, PhotoView]()
    for photo in photos:
        rule, ratio, fault = _photo_rule(photo, most)
        rules, kinds = maps[photo.item]
        found[photo.item] = PhotoView(ratio, fault, kinds, rule + rules)
    return found


def _photo_rule(photo: PhotoRow, most: int) -> tuple[str, float, str]:
    """The rule of a photo's thumbnail, how wide it is for its height, and what is wrong with it."""
    ratio = 1.0 if photo.size is None else photo.size[0] / photo.size[1]
    try:
        content = read_bytes(photo.path)
        pixels = read(content, photo.path).pixels
    except SeewhyError:
        return "", ratio, GONE
    changed = photo.sha256 is not None and hashlib.sha256(content).hexdigest() != photo.sha256
    fault = CHANGED if changed else ""
    return f".p{photo.item}{{background-image:url({_address(thumbnail(pixels, most))})}}\n", pixels.width / pixels.height, fault


def thumbnail(pixels: Image.Image, most: int) -> Thumbnail:
    """A WebP of as many characters in a page as are allowed, or of the least that there is."""
    small = pixels.convert("RGB")
    content, size = b"", small.size
    for side, quality in ((SIDE, QUALITY), *LOWER):
        size = within(small.size, side) if max(small.size) > side else small.size
        file = io.BytesIO()
        small.resize(size, Image.Resampling.BOX, reducing_gap=3.0).save(file, "webp", quality=quality, method=4)
        content = file.getvalue()
        if len(content) * 4 / 3 <= most:
            break
    return Thumbnail(content, "webp", size)


def _map_rules(photo: PhotoRow, methods: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The rules of a photo's maps, and of which kinds there are any.

    The two maps have one scale, to the largest value of both; their difference has the last colour at half of that.
    """
    rules, kinds = list[str](), dict[str, None]()
    for number, method in enumerate(methods):
        top = photo.map(method=method)
        true = None if photo.right else photo.map(TRUE, method)
        drawn = [one for one in (top, true) if one is not None and isinstance(one.box, Extent)]
        scale = max((float(one.positive.max(initial=0)) for one in drawn), default=0.0)
        for kind, one in (("t", top), ("u", true)):
            if one in drawn and one is not None:
                rules.append(_rule(photo, kind, number, tile(upright(one.positive, one.box), one.cells, scale)))
                kinds[kind] = None
        if top in drawn and true in drawn and top is not None and true is not None and top.values.shape == true.values.shape:
            apart = upright(top.positive - true.positive, top.box)
            rules.append(_rule(photo, "d", number, tile(apart, top.cells, scale / 2, signed=True)))
            kinds["d"] = None
        if drawn and not number:
            rules.append(_place(photo, drawn[0]))
    return "".join(rules), tuple(kinds)


def upright(values: np.ndarray, box: object) -> np.ndarray:
    """The values as they lie on the photo, where the network saw it mirrored."""
    if isinstance(box, Extent):
        values = values[::-1] if box.top > box.bottom else values
        values = values[:, ::-1] if box.left > box.right else values
    return np.ascontiguousarray(values, np.float32)


def _rule(photo: PhotoRow, kind: str, number: int, picture: Thumbnail) -> str:
    return f".{kind}{photo.item}-{number}{{background-image:url({_address(picture)})}}\n"


def _place(photo: PhotoRow, shown: MapRow) -> str:
    """Where the maps of a photo lie on it, where that is not all of it."""
    if photo.size is None or not isinstance(shown.box, Extent):
        return ""
    (w, h), box = photo.size, shown.box
    (left, right), (top, bottom) = sorted((box.left / w, box.right / w)), sorted((box.top / h, box.bottom / h))
    if max(abs(left), abs(top), abs(1 - right), abs(1 - bottom)) < 0.002:
        return ""
    edges = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return f".b{photo.item}{{{';'.join(f'{name}:{100 * value:.1f}%' for name, value in edges.items())}}}\n"


def _address(picture: Thumbnail) -> str:
    return f"data:image/{picture.kind};base64,{b64encode(picture.content).decode('ascii')}"
