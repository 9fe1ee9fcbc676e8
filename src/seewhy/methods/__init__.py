"""Every method, by its own name.  A new file here, imported below, is all that a new family needs."""

from .cam import (
    cam as cam,
    counterfactual as counterfactual,
    eigen_cam as eigen_cam,
    eigen_grad_cam as eigen_grad_cam,
    grad_cam as grad_cam,
    grad_cam_elementwise as grad_cam_elementwise,
    grad_cam_pp as grad_cam_pp,
    hires_cam as hires_cam,
    layer_cam as layer_cam,
    xgrad_cam as xgrad_cam,
)
from .control import centre as centre, random_map as random_map
