"""Controls: maps that do not depend on the network.  A method that is no better than these has shown nothing."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, whole_number
from seewhy.explaining.case import Case
from seewhy.methods.making.reading import from_case

__all__ = ["centre", "random_map"]


@from_case("nothing")
def random_map(case: Case, *, seed: int = 0) -> Mapping[str, NDArray[Any]]:
    """Uniform noise in [0, 1) at the layer's resolution; another draw for every image and seed.

    Source: a control; compare Selvaraju et al. 2017 and the random baselines of later work.

    Caveat: a control: it does not look at the network.
    """
    seed = whole_number(seed, "random-map: seed", 0)

    def draw(image: NDArray[Any], space: tuple[int, ...]) -> NDArray[np.float64]:
        return np.random.default_rng([seed, crc32(np.ascontiguousarray(image).tobytes())]).random(space)

    return {
        layer: np.stack([np.stack([draw(image, tuple(a.shape[2:])) for image in case.images])] * len(case.targets))
        for layer, a in case.activations.items()
    }


@from_case("nothing")
def centre(case: Case, *, sigma: float = 0.25) -> Mapping[str, NDArray[Any]]:
    """A Gaussian over the middle of the image.

    sigma: its standard deviation, as a share of each side.

    Source: a control; the centre baseline of weakly supervised localization.

    Caveat: a control: it does not look at the network; photographers put things in the middle.
    """
    if not 0 < sigma < np.inf:
        raise BadParameter(f"centre: sigma is a share of each side, above 0, not {sigma}.")

    def bell(space: tuple[int, ...]) -> NDArray[np.float64]:
        at = np.meshgrid(*((np.arange(side) + 0.5) / side - 0.5 for side in space), indexing="ij")
        with np.errstate(over="ignore"):  # far outside of a narrow bell
            return np.exp(-sum((offset / sigma) ** 2 for offset in at) / 2)

    t, n = len(case.targets), len(case.x)
    return {layer: np.tile(bell(tuple(a.shape[2:])), (t, n, *[1] * (a.ndim - 2))) for layer, a in case.activations.items()}
