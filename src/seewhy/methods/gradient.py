"""Saliency: the score's gradient at the pixels of the image, with different rules for the way back through ReLUs.

Each formula gives an attribution for every channel, (n, c, *space) -> (n, c, *space); `reduce` joins the channels:
"max" the largest absolute value, "sum" the signed sum, "l2" the Euclidean norm.
"""

from seewhy.arrays import Array
from seewhy.methods.making.reading import from_pixels
from seewhy.models.rule import deconv, guided

__all__ = ["deconvnet", "gradient", "guided_backprop", "input_x_gradient"]


@from_pixels()
def gradient(x: Array, g: Array) -> Array:
    """dy/dx; max_c |dy/dx| as one map.

    Source: Simonyan et al. 2014, Deep Inside Convolutional Networks.

    Caveat: noisy: it tells how the score reacts to small changes of a pixel, not how much of the score rests on it.
    """
    return g


@from_pixels(reduce="sum")
def input_x_gradient(x: Array, g: Array) -> Array:
    """x dy/dx, summed over channels.

    Source: Shrikumar et al. 2016, Not Just a Black Box.

    Caveat: sums to the score only in networks without biases; a pixel of value zero after normalisation never counts.
    """
    return x * g


@from_pixels(rule=guided)
def guided_backprop(x: Array, g: Array) -> Array:
    """dy/dx, where each ReLU passes only positive gradient, and only where it was active.

    Source: Springenberg et al. 2015, Striving for Simplicity: The All Convolutional Net.

    Caveat: barely changes when the classifier's weights are randomised (Adebayo et al. 2018, Nie et al. 2018): it acts
    like an edge detector, and shows what is in the image rather than why the network chose this class.
    """
    return g


@from_pixels(rule=deconv)
def deconvnet(x: Array, g: Array) -> Array:
    """dy/dx, where each ReLU passes only positive gradient, whether it was active or not; max-pooling by its switches.

    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 2.1. With target=Unit(layer,
    channel) the projection of a unit's strongest activation, up to that activation as a factor.

    Caveat: barely changes when the classifier's weights are randomised (Adebayo et al. 2018, Nie et al. 2018): it acts
    like an edge detector, and hardly depends on the class.
    """
    return g
