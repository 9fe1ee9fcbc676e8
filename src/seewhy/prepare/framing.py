"""A part of a photo as it would be if the whole were resized first: the same pixels, without the whole."""

from math import ceil, floor

from PIL import Image

from seewhy.errors import BadImage

WIDE = 2**25  # pixels of a whole resized photo, beyond which only its part is made
REACH = {0: 1.0, 1: 3.0, 2: 1.0, 3: 2.0, 4: 0.5, 5: 1.0}  # of a resampling, in pixels on either side
PixelBox = tuple[int, int, int, int]


def framed(photo: Image.Image, whole: tuple[int, int], part: PixelBox | None, resampling: int) -> Image.Image:
    """The photo resized to `whole` (w, h), then cropped to `part` (left, top, right, bottom), black beyond the photo.

    Raises BadImage, which does not name the photo, where no part is asked and the whole would be larger than WIDE and than a
    photo may be.
    """
    if part is not None and whole[0] * whole[1] > WIDE and whole != photo.size:
        return _part_alone(photo, whole, part, resampling)
    limit = Image.MAX_IMAGE_PIXELS
    if limit and whole[0] * whole[1] > max(limit, WIDE) and whole != photo.size:
        cure = "Cut a part out of it that is less narrow, or prepare with a crop, or with size=(height, width)."
        raise BadImage(f"is {photo.width}x{photo.height}, and would be resized to {whole[0]}x{whole[1]}. {cure}")
    resized = photo if whole == photo.size else photo.resize(whole, resampling)
    if part is None:
        return resized
    frame = Image.new(photo.mode, (part[2] - part[0], part[3] - part[1]))  # Pillow's crop warns of, and refuses, more pixels
    frame.paste(resized, (-part[0], -part[1]))  # than a photo may have, where somebody lowered that
    return frame


def _part_alone(photo: Image.Image, whole: tuple[int, int], part: PixelBox, resampling: int) -> Image.Image:
    frame = Image.new(photo.mode, (part[2] - part[0], part[3] - part[1]))
    left, top, right, bottom = max(part[0], 0), max(part[1], 0), min(part[2], whole[0]), min(part[3], whole[1])
    if left >= right or top >= bottom:
        return frame
    across, down = (_source(*edges, side, length, resampling) for edges, side, length in (
        ((left, right), whole[0], photo.width), ((top, bottom), whole[1], photo.height)))  # fmt: skip
    near = photo.crop((across[0], down[0], across[1], down[1]))  # small numbers: Pillow takes the box in single precision
    box = (across[2], down[2], across[3], down[3])
    frame.paste(near.resize((right - left, bottom - top), resampling, box), (left - part[0], top - part[1]))
    return frame


def _source(start: int, stop: int, side: int, length: int, resampling: int) -> tuple[int, int, float, float]:
    """Of one axis: the pixels of the photo that what lies between start and stop is made of, and its edges among them."""
    scale = length / side
    low, high = start * scale, stop * scale
    reach = REACH[resampling] * max(scale, 1) + 1
    first, last = max(0, floor(low - reach)), min(length, ceil(high + reach))
    return first, last, low - first, min(high - first, last - first)
