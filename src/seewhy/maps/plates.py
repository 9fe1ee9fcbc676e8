"""Pictures of a map with their legends, put together from what its Source says."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import NotApplicable
from seewhy.images.volume import Volume
from seewhy.pictures.canvas import DrawingOptions, Overlay, drawn, full, magnified, magnified_size, plain, remark, views
from seewhy.pictures.legend import Legend, Plate, over
from seewhy.pictures.render import picture

from .source import Source


def overlaid(shown: Overlay, source: Source, options: DrawingOptions, magnify: float, percent: float) -> Plate:
    """The map in colour over its image, as `Heatmap.overlay` draws it; percent: where colours end, if nothing else is said."""
    image, shown = shown.image, magnified(shown, magnify)
    if options.window is None and isinstance(image, Volume):
        options = replace(options, window=source.prepare.get("window"))  # as the network saw it
    if not isinstance(image, Image.Image):
        options = replace(options, alpha=plain(options.alpha))
    look, beyond = options.look(
        full(shown) if percent == 100 and views(shown) else shown.values,  # the colours end at what is drawn
        percent=percent,
        signed=bool(source.params.get("signed")),
        from_least="mean_score" in source.measured,
    )
    largest = np.inf if isinstance(image, Image.Image) else 22  # beside letters of the picture's own

    def legend(width: int) -> Legend:
        caption = source.caption + beyond + remark(shown, options.window)
        return Legend.of(width, None if options.view == "curve" else look, caption, largest * magnify, magnify)

    return Plate(partial(drawn, shown, look, options), legend)


def pictured(channels: NDArray[Any] | None, source: Source, kind: str, clip: float | None, magnify: float) -> Plate:
    """The attribution of every pixel, as `Heatmap.picture` draws it.  Raises NotApplicable where there is none."""
    if channels is None or channels.ndim != 3:
        raise NotApplicable(f"{source.method} has no attribution of single pixels to draw so. Use overlay().")
    size = magnified_size(channels.shape[:0:-1], magnify)
    small, look, said = picture(channels, kind, clip)
    large = small if magnify == 1 else small.resize(size, Image.Resampling.NEAREST)

    def legend(width: int) -> Legend:
        return Legend.of(width, look, f"{source.caption}, {kind}: {said}", magnify=magnify)

    return Plate(lambda below: over(large, below(large.width)) if below else large, legend)
