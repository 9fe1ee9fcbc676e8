"""Preprocessing that is a stranger's callable: which part of the photo it shows is found out, and whether it draws."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from seewhy.arrays import numbers
from seewhy.errors import BadParameter
from seewhy.images.places import Extent, Turned
from seewhy.lru import Recent

from .agreement import agreement
from .chance import Chance, NotRepeated, following
from .fit import Ready
from .fringes import by_fringes
from .ramps import PhotoSize, Send, measured

DRAWS = "`prepare` draws random numbers: this is the map of one draw; give the preprocessing that was used for validation"
UNSTEADY = "`prepare` changes from call to call in a way that cannot be repeated"
ALIKE, PATTERN_ALIKE = 0.95, 0.8  # agreement of a photo, and of a pattern, from which on they are recognised
CHANGE_ALIKE, SAME_ALIKE = 0.7, 0.85  # likewise of how a photo changes with a pattern, and of what does not change
SHARE = 0.3  # of a pattern that is laid over a photo
BLOCKS = np.random.default_rng(1).integers(0, 2, (8, 8), dtype=np.uint8) * np.uint8(255)


class Shown(NamedTuple):
    """What is known of photos of one size."""

    box: Extent | Turned | None  # the part that is shown of each; of no use where `draws`
    draws: bool


@dataclass(frozen=True)
class CallableFit:
    """Any callable from a PIL photo to an array (c, h, w).

    Which part of the photo it shows is measured by sending ramps through: once for each size, and for each photo where random
    numbers are drawn, which are then drawn again for the ramps.  Each photo is held against the part that was measured.
    """

    prepare: Callable[[Image.Image], Any]
    known: Recent[PhotoSize, Shown] = field(default_factory=Recent, compare=False, repr=False)

    def __call__(self, photo: Image.Image) -> NDArray[Any]:
        x = numbers(self.prepare(photo))
        x = x[0] if x.ndim == 4 and len(x) == 1 else x
        last = x.ndim == 3 and x.shape[-1] in (1, 3) and x.shape[0] not in (1, 3)
        if x.ndim != 3 or x.dtype.kind != "f" or not x.size or last:
            raise BadParameter(f"`prepare` gave {x.dtype} {x.shape} for a photo. It must give floats (c, h, w).")
        return x

    def ready(self, photo: Image.Image) -> Ready:
        """The photo as the network takes it, and the part of it that this very call shows; the callable draws as if it had been
        called once.
        """
        shown = self.known.get(photo.size)
        if shown is None or shown.draws:
            with following():
                return self._looked_at(photo)
        x = self(photo)
        if shown.box is None or _confirmed(x, photo, shown.box, self.undrawn):
            return Ready(x, shown.box)
        with following():
            return self._looked_at(photo)

    def box(self, size: PhotoSize) -> Extent | Turned | None:
        """The part that is shown of photos of that size; None where it cannot be told."""
        shown = self.known.get(size)
        if shown and not shown.draws:
            return shown.box
        try:
            with following():
                return Chance(self.prepare).undone(lambda: self._looked_at(_pattern(size)).box)
        except Exception:  # noqa: BLE001 - a stranger's callable: whatever it raises, the part cannot be told
            return None

    def undrawn(self, photo: Image.Image) -> NDArray[Any]:
        """The photo as the network takes it; nobody sees that random numbers were drawn for it."""
        with following():
            return Chance(self.prepare).undone(lambda: self(photo))

    def _looked_at(self, photo: Image.Image) -> Ready:
        """The photo made ready while it is found out what was drawn for it, and which part is shown of it."""
        chance, copy = Chance(self.prepare), photo.copy()
        x, draw = chance.first(lambda: self(photo))

        def again(image: Image.Image) -> NDArray[Any]:
            return chance.again(draw, lambda: self(image))

        try:
            draw = chance.confirmed(draw, lambda: self(copy)) if draw.moved else draw
            if draw and not np.array_equal(again(copy), x, equal_nan=True):
                raise NotRepeated
            box = _part(again, photo.size)
            self.known.keep(photo.size, Shown(box, bool(draw)))
            if box is not None and not _confirmed(x, copy, box, again):
                box = None
        except NotRepeated:
            return Ready(x, None, (UNSTEADY,))
        return Ready(x, box, (DRAWS,) if draw else ())


def _part(send: Send, size: PhotoSize) -> Extent | Turned | None:
    """The part of photos of that size that is shown, where a pattern is recognised; None if it cannot be told."""
    pattern, best, part = _pattern(size), PATTERN_ALIKE, None
    for told_by in (measured, by_fringes):
        try:
            box = told_by(send, size)
            alike = 0 if box is None else agreement(send(pattern), pattern, box)
        except NotRepeated:
            raise
        except Exception:  # noqa: BLE001 - a stranger's callable: whatever it raises, the part cannot be told so
            continue
        best, part = (alike, box) if alike >= best else (best, part)
        if best >= ALIKE:
            break
    return part


def _confirmed(x: NDArray[Any], photo: Image.Image, box: Extent | Turned, send: Send) -> bool:
    """Does x show that part of the photo?

    Where it is not much like it, as its colours may have been changed, it is seen whether it changes with a pattern over the
    photo as that part does; the photo below the pattern has to lie where it lies in x.
    """
    alike = agreement(x, photo, box)
    if alike >= ALIKE or alike == 0:
        return alike > 0
    pattern = _pattern(photo.size)
    try:
        light, dark = (send(Image.blend(photo, over, SHARE)) for over in (pattern, ImageOps.invert(pattern)))
        below = np.corrcoef((light + dark).mean(0).ravel(), x.mean(0).ravel())[0, 1] if light.shape == x.shape else 0
        return bool(below >= SAME_ALIKE) and agreement(light - dark, pattern, box) >= CHANGE_ALIKE
    except NotRepeated:
        raise
    except Exception:  # noqa: BLE001 - a stranger's callable: whatever it raises, nothing is confirmed
        return False


def _pattern(size: PhotoSize) -> Image.Image:
    """Black and white blocks, which look like themselves in one way alone."""
    return Image.fromarray(BLOCKS).convert("RGB").resize(size, Image.Resampling.NEAREST)
