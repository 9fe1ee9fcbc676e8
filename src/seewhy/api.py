"""The public names, in one place.  `seewhy` hands them out on first use."""

from importlib import import_module
from inspect import ismodule
from typing import TYPE_CHECKING, Any

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
    SeewhyError as SeewhyError,
)
from .fusion import fuse as fuse
from .heatmap import Heatmap as Heatmap
from .heatmap import Heatmaps as Heatmaps
from .image import Box as Box
from .image import Photo as Photo
from .image import read as read
from .method import METHODS as METHODS
from .method import Method as Method
from .methods import *  # noqa: F403 - every method is public, by its own name
from .models import IMAGE as IMAGE
from .models import Fixed as Fixed
from .models import wrap as wrap
from .perturb import Estimate as Estimate
from .perturb import from_scores as from_scores
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

if TYPE_CHECKING:
    from . import demo as demo
    from .diagnosis import doctor as doctor
    from .models.zoo import load as load

_LATE = {"demo": ".demo", "doctor": ".diagnosis", "load": ".models.zoo"}  # loaded when they are first asked for

PUBLIC = sorted(
    {*_LATE} | {name for name, value in globals().items() if getattr(value, "__module__", __name__).startswith("seewhy")
                and not (name.startswith("_") or ismodule(value) or name in ("TYPE_CHECKING", "Any"))}
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATE:
        module = import_module(_LATE[name], __package__)
        return getattr(module, name, module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
