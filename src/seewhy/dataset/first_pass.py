"""Does a network take photos at all?  It is asked before any photo of a run is read."""

from typing import Any

import numpy as np
from PIL import Image

from seewhy.errors import BadNetwork, InSpace, NoService, NotApplicable, NotFinite
from seewhy.prepare.fit import Fit

SIZES = ((320, 256), (256, 320))  # of photos (w, h), which a Fit makes one size of, or does not


def check_takes_photos(model: Any) -> None:
    """Raise BadNetwork where the network fails on an image of noise of the very shape that every photo is prepared to;
    NotApplicable where it gives no scores of whole images; NoService where it does not answer.

    Nothing is asked where photos keep sizes of their own, or `prepare` is a callable: what suits their network, only they show.
    """
    if not isinstance(model.prepare, Fit):
        return
    noise = np.random.default_rng(0)
    some = [model.prepare(Image.fromarray(noise.integers(0, 256, (h, w, 3), dtype=np.uint8))) for w, h in SIZES]
    if some[0].shape != some[1].shape:
        return
    try:
        with model.unchanged():
            model.answer(some[0][None])
    except InSpace:
        raise no_scores(model) from None
    except NotFinite:
        return  # of noise; the photos will show
    except NoService:
        raise
    except BadNetwork as error:
        raise BadNetwork(
            f"{str(error).rstrip('. ')}. Noise of the shape that all photos are prepared to was tried, and no photo was read. "
            "Does it take photos? Of volumes, clips and signals `seewhy explain` makes maps; size and channels are set by "
            "prepare={'size': 256} (--prepare size=256), inputs beside the image by wrap(inputs=...)."
        ) from error


def no_scores(model: Any) -> NotApplicable:
    """What is said of a network that gives no scores of whole photos."""
    return NotApplicable(
        f"{model.name} answers with boxes, or with a map of each class, and a run asks for scores of whole photos: explain "
        "its photos by `seewhy explain` or `seewhy segment`, or make scores of its output: wrap(output=...)."
    )
