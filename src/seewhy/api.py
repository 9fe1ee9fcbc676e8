"""The public names, in one place.  `seewhy` hands them out on first use."""

from importlib import import_module
from inspect import ismodule
from typing import TYPE_CHECKING, Any

from .aim import Aim as Aim
from .aim import Point as Point
from .aim import Region as Region
from .chart import explain as explain
from .errors import (
    BadImage as BadImage,
)
from .errors import (
    BadNetwork as BadNetwork,
)
from .errors import (
    BadParameter as BadParameter,
)
from .errors import (
    BadWeights as BadWeights,
)
from .errors import (
    MissingExtra as MissingExtra,
)
from .errors import (
    Misuse as Misuse,
)
from .errors import (
    NeedsGradients as NeedsGradients,
)
from .errors import (
    NoSuchName as NoSuchName,
)
from .errors import (
    NotApplicable as NotApplicable,
)
from .errors import (
    NotWritten as NotWritten,
)
from .errors import (
    OutOfMemory as OutOfMemory,
)
from .errors import (
    SeewhyError as SeewhyError,
)
from .fusion import fuse as fuse
from .heatmap import Heatmap as Heatmap
from .heatmap import Heatmaps as Heatmaps
from .image import Extent as Extent
from .image import Photo as Photo
from .image import read as read
from .medical import read_volume as read_volume
from .method import METHODS as METHODS
from .method import Method as Method
from .methods import *  # noqa: F403 - every method is public, by its own name
from .models import IMAGE as IMAGE
from .models import Fixed as Fixed
from .models import wrap as wrap
from .perturb import Estimate as Estimate
from .perturb import from_scores as from_scores
from .prepare_volume import VolumeFit as VolumeFit
from .probe import Probe as Probe
from .ranking import Ranked as Ranked
from .ranking import top_units as top_units
from .reading import from_activations as from_activations
from .reading import from_gradients as from_gradients
from .reading import from_pixels as from_pixels
from .regions import Regions as Regions
from .render import COLOURS as COLOURS
from .source import Source as Source
from .target import Class as Class
from .target import Contrast as Contrast
from .target import PerImage as PerImage
from .target import Top as Top
from .target import Unit as Unit
from .volume import Volume as Volume

if TYPE_CHECKING:
    from . import demo as demo
    from .boxes import Box as Box
    from .boxes import Detection as Detection
    from .boxes import detections as detections
    from .diagnosis import doctor as doctor
    from .embedding import Similar as Similar
    from .embedding import Text as Text
    from .models.zoo import load as load
    from .video import Clip as Clip
    from .video import ClipFit as ClipFit
    from .video import read_clip as read_clip

_LATE = {  # loaded when they are first asked for
    "demo": ".demo", "doctor": ".diagnosis", "load": ".models.zoo",
    **dict.fromkeys(("Box", "Detection", "detections"), ".boxes"), **dict.fromkeys(("Similar", "Text"), ".embedding"),
    **dict.fromkeys(("Clip", "ClipFit", "read_clip"), ".video"),
}  # fmt: skip

PUBLIC = sorted(
    {*_LATE} | {name for name, value in globals().items() if getattr(value, "__module__", __name__).startswith("seewhy")
                and not (name.startswith("_") or ismodule(value) or name in ("TYPE_CHECKING", "Any"))}
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATE:
        module = import_module(_LATE[name], __package__)
        return getattr(module, name, module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
