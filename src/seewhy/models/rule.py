"""Rules, by which something other than the plain gradient goes back through a network, in no framework's terms.

A rule for ReLUs is a function (active, g) -> g: where the unit was on (0 < x, and below the clamp of a ReLU6), and the
gradient from above.  `Relevance` says how the layers with weights hand relevance down, `Balanced` keeps gradients in balance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from seewhy.arrays import Array
from seewhy.errors import BadParameter

ReluRule = Callable[[Array, Array], Array]


def guided(active: Array, g: Array) -> Array:
    """Positive gradient of active units.  Springenberg et al. 2015, Striving for Simplicity, fig. 1."""
    passed = g.clip(min=0)
    passed *= active  # into the new array: on a CPU another one costs more than the product
    return passed


def deconv(active: Array, g: Array) -> Array:
    """Positive gradient, whatever the unit did.  Zeiler & Fergus 2014, Visualizing and Understanding, sec. 2.1."""
    return g.clip(min=0)


LINEAR = ("epsilon", "gamma", "z-plus", "alpha2-beta1")  # for one layer z_j = sum_i x_i w_ij + b_j
FIRST = ("flat", "w-square", "z-box")  # for layers that read the image itself, whose zeros are no absence


@dataclass(frozen=True)
class Relevance:
    """Layer-wise relevance propagation: of R_j, input i gets its share x_i w_ij / z_j, with

    epsilon: z_j + epsilon sign(z_j) below; gamma: products of z_j's own sign count 1 + gamma times; z-plus: only positive
    products x_i w_ij, above and below; alpha2-beta1: twice its share of the positive ones, less that of the negative ones.
    The bias takes its own share (its part of that sign under z-plus and alpha2-beta1), or none.

    flat: all inputs alike; w-square: w_ij^2; z-box: x_i w_ij - low w_ij above zero - high w_ij below it, where inputs lie
    between low and high.
    """

    conv: str = "z-plus"  # one of LINEAR, for convolutions
    dense: str = "epsilon"  # and for fully connected layers
    epsilon: float = 1e-6
    gamma: float = 0.25
    bias: bool = True
    attention: bool = False  # are there rules for attention, norms and products of two activations?
    first: str = ""  # one of FIRST, for layers that read the image itself; z-box for convolutions alone
    low: tuple[float, ...] = (0.0,)  # of the image's values, one or one a channel
    high: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not (0 <= self.epsilon < inf and 0 <= self.gamma < inf):
            raise BadParameter(f"epsilon={self.epsilon}, gamma={self.gamma}: numbers from 0 on.")


@dataclass(frozen=True)
class Balanced:
    """The gradient of a network that is made affine where it was not: softmax, sigmoids and the divisors of norms count as
    constants, GELU and their like as x times a constant, a product of activations passes each factor its part of the gradient.

    Then score = sum x g + sum b dy/db over all that is added anywhere (biases, constants).  Mehri et al. 2025, LibraGrad.
    """


@dataclass(frozen=True)
class Rescaled:
    """Multipliers in place of gradients, where the second half of a batch are the baselines x' of the first: an activation
    passes (y - y') / (x - x') in place of its slope.  Shrikumar et al. 2017, DeepLIFT, the rescale rule.
    """


Rule = ReluRule | Relevance | Balanced | Rescaled
BY_NAME: dict[type, str] = {Relevance: "Relevance", Balanced: "Balanced gradients", Rescaled: "DeepLIFT"}
