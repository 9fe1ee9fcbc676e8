"""How an image processor of Hugging Face prepares a photo: as a `Fit` where its settings can be said as one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadWeights
from seewhy.prepare.fit import RESAMPLING, Fit
from seewhy.printable import words_of

PROBES = ((75, 58), (76, 58), (77, 58), (58, 78))  # sizes of the photos on which a Fit is compared with the processor


@dataclass(frozen=True)
class ImageProcessor:
    """An image processor of transformers as a callable: PIL photo -> (c, h, w)."""

    processor: Any

    @property
    def facts(self) -> dict[str, Any]:
        """Its settings, as transformers would save them."""
        return {"class": type(self.processor).__name__, **self.processor.to_dict()}

    def __call__(self, photo: Image.Image) -> NDArray[np.float32]:
        try:
            ready = np.asarray(self.processor(images=photo, return_tensors="np")["pixel_values"], np.float32)[0]
            return ready[0] if ready.ndim == 4 else ready  # of a clip of this one frame
        except MemoryError:
            raise
        except Exception as error:  # whatever its settings, which a stranger may have written, make it raise
            raise BadWeights(
                f"The image processor {type(self.processor).__name__} cannot prepare a photo ({type(error).__name__}: "
                f"{words_of(error)}): its preprocessor_config.json may be at fault. Give prepare= instead."
            ) from error


@dataclass(frozen=True)
class RoundedDown(Fit):
    """A Fit that crops as transformers does: of an odd margin, the smaller part is on the left and on top."""

    def _cropped(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        height, width = (self.crop, self.crop) if isinstance(self.crop, int) else self.crop or size[::-1]
        left, top = int((size[0] - width) / 2), int((size[1] - height) / 2)
        return left, top, left + width, top + height


def fit_of(settings: Mapping[str, Any]) -> Fit | None:
    """Resize, centre crop and normalise, where the settings of an image processor say no more."""
    size, crop = _side(settings.get("size")), _side(settings.get("crop_size"))
    pct = settings.get("crop_pct")
    if pct and isinstance(size, int):  # ConvNeXt and LeViT: below 384 the margin is cut off, above the photo is squeezed
        size, crop = (int(size / pct), (size, size)) if size < 384 else ((size, size), None)
    elif not settings.get("do_center_crop"):
        crop = None
    scaled = settings.get("do_rescale", True) and abs(settings.get("rescale_factor", 1 / 255) * 255 - 1) < 1e-6
    resample = {number: name for name, number in RESAMPLING.items()}.get(settings.get("resample", 2))
    if not scaled or resample is None:
        return None
    normal = settings.get("do_normalize", True)
    mean, std = (tuple(settings[key]) if normal else at for key, at in (("image_mean", 0.0), ("image_std", 1.0)))
    return RoundedDown(size if settings.get("do_resize", True) else None, crop, mean, std, resample)


def unlike_fit(settings: Mapping[str, Any]) -> bool:
    """Does an image processor do what a `Fit` has no numbers for: bound the longer side too, or go without a mean?"""
    size = settings.get("size")
    bounded = isinstance(size, Mapping) and bool(size.get("longest_edge")) and bool(size.get("shortest_edge"))
    return bounded or "image_mean" not in settings


def _side(size: Any) -> Any:
    """The size in a processor's settings as a Fit takes it: the shorter side, or (h, w); None where neither is given."""
    if not isinstance(size, Mapping):
        return size
    if size.get("shortest_edge"):
        return size["shortest_edge"]
    return (size["height"], size["width"]) if size.get("height") else None


def same(fit: Fit, processor: ImageProcessor) -> bool:
    """Does a Fit give the pixels of the processor, to the rounding of resampling (4 levels of 255)?  Compared on noise."""
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    for width, height in PROBES:
        photo = Image.fromarray(noise[:height, :width])
        ours, theirs = fit(photo), processor(photo)
        if ours.shape != theirs.shape or (abs(ours - theirs) * np.reshape(fit.std, (-1, 1, 1))).max() > 4.5 / 255:
            return False
    return True


def usual(transformers: Any, config: Any) -> Fit | None:
    """The default preprocessing of transformers for such networks, at the size of the configuration; None if unknown."""
    vision = getattr(config, "vision_config", config)
    mapping = transformers.models.auto.image_processing_auto.IMAGE_PROCESSOR_MAPPING
    if type(config) not in mapping:
        return None
    kinds = mapping[type(config)]
    kind = next((kind for kind in (kinds.values() if isinstance(kinds, Mapping) else kinds) if kind is not None), None)
    fit = fit_of(kind().to_dict()) if kind is not None else None
    side = getattr(vision, "image_size", None)
    if fit is None or side is None:
        return fit
    sides = (side, side) if isinstance(side, int) else tuple(side)
    return Fit(sides, None, fit.mean, fit.std, fit.interpolation)


@contextmanager
def quietly(transformers: Any) -> Iterator[None]:
    """Show no progress bars and no tables of keys while the block runs: what matters in them is raised as an error."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
