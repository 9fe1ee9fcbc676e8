"""Where a map's evidence lies, in the few numbers that a row has of it."""

import numpy as np
from numpy.typing import NDArray

from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.regional.frames import SIDE, framed
from seewhy.metrics.regional.within import CORNERS, FrameRegion, frame_boxes
from seewhy.truth.given import ObjectMark

from .schema import SHARES

REGIONS = {"border": "border", **{f"corner_{corner}": f"corner:{corner}" for corner in CORNERS}}  # of the frame, by column
STRONGEST = 0.1  # of the area, of which `concentration` tells how much of the evidence it has
_INSIDE = np.stack([FrameRegion(name, frame_boxes(name)).inside.ravel() for name in REGIONS.values()])  # (regions, places)
_CENTRES = (np.arange(SIDE) + 0.5) / SIDE


def evidence_of(heatmap: Heatmap, mark: ObjectMark | None = None) -> dict[str, float | None]:
    """The column `evidence`: shares of the positive evidence over what the network saw of a photo; None of what is not known.

    mark: where the object is.  Raises BadParameter or BadImage where it does not fit the photo.
    """
    frame = framed(heatmap).astype(np.float64)
    total = float(frame.sum())
    found: dict[str, float | None] = dict.fromkeys(SHARES)
    if total > 0:
        found |= dict(zip(REGIONS, (_INSIDE @ frame.ravel() / total).tolist(), strict=True))
        found |= {"concentration": _strongest(frame) / total}
        found |= {"centre_y": float(frame.sum(1) @ _CENTRES / total), "centre_x": float(frame.sum(0) @ _CENTRES / total)}
    if mark is not None and not mark.empty:
        share = heatmap.evidence_in(mark.boxes, mark.mask)
        found |= {"on_object": share.share, "object_area": share.area} if share.seen else {}
    return found


def _strongest(frame: NDArray[np.float64]) -> float:
    """The sum of the strongest tenth of the places."""
    count = round(STRONGEST * frame.size)
    return float(np.partition(frame.ravel(), -count)[-count:].sum())
