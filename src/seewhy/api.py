"""The public names, in one place.  `seewhy` hands them out on first use."""

from . import demo as demo
from .case import explain as explain
from .errors import (
    BadImage as BadImage,
    BadNetwork as BadNetwork,
    BadParameter as BadParameter,
    BadWeights as BadWeights,
    MissingExtra as MissingExtra,
    Misuse as Misuse,
    NeedsGradients as NeedsGradients,
    NoSuchName as NoSuchName,
    NotApplicable as NotApplicable,
    SeewhyError as SeewhyError,
)
from .fusion import fuse as fuse
from .heatmap import Heatmap as Heatmap, Heatmaps as Heatmaps, Source as Source
from .image import Box as Box, Photo as Photo, read as read
from .method import METHODS as METHODS, Method as Method, from_activations as from_activations, from_gradients as from_gradients
from .methods import *  # noqa: F403 - every method is public, by its own name
from .models import wrap as wrap
from .models.zoo import load as load
from .render import COLOURS as COLOURS
from .target import Class as Class, Contrast as Contrast, PerImage as PerImage, Top as Top

__all__ = [
    "BadImage",
    "BadNetwork",
    "BadParameter",
    "BadWeights",
    "Box",
    "COLOURS",
    "Class",
    "Contrast",
    "Heatmap",
    "Heatmaps",
    "METHODS",
    "Method",
    "MissingExtra",
    "Misuse",
    "NeedsGradients",
    "NoSuchName",
    "NotApplicable",
    "PerImage",
    "Photo",
    "SeewhyError",
    "Source",
    "Top",
    "cam",
    "centre",
    "counterfactual",
    "demo",
    "eigen_cam",
    "eigen_grad_cam",
    "explain",
    "from_activations",
    "from_gradients",
    "fuse",
    "grad_cam",
    "grad_cam_elementwise",
    "grad_cam_pp",
    "hires_cam",
    "layer_cam",
    "load",
    "random_map",
    "read",
    "wrap",
    "xgrad_cam",
]
