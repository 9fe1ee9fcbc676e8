"""Layouts of the usual emissions, over images of any number of axes."""

from math import prod

from seewhy.models.torch.places.layout import Layout
from seewhy.models.torch.places.marks import IMAGES, Dim, Factor

IMAGE = Dim((Factor(1, IMAGES),))


def first(channels, space) -> Layout:
    """(n, channels, *space)."""
    return Layout.first(channels, space)


def last(channels, space) -> Layout:
    """(n, *space, channels)."""
    return Layout((IMAGE, *(Dim((Factor(side, a),)) for a, side in enumerate(space)), Dim((Factor(channels),))), tuple(space))


def tokens(channels, space, before=0, after=0, sequence=False) -> Layout:
    """(n, before + cells + after, channels), or with the tokens before the images."""
    rows = (-1,) * before + tuple(range(prod(space))) + (-1,) * after
    row = Dim(tuple(Factor(side, a) for a, side in enumerate(space)), rows if before + after else None)
    dims = (row, IMAGE) if sequence else (IMAGE, row)
    return Layout((*dims, Dim((Factor(channels),))), tuple(space))
