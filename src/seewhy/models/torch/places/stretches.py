"""In which stretch of an axis of the image an entry changes most as bright stripes are laid across it, and how sure that is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Profile = NDArray[np.float64]  # (stripes, entries): how much each entry changes with each stripe across one axis of space

LOCAL = 0.15  # by how much the share of an entry's change that lies in one stretch must exceed the share of the stretch itself
ALIKE = 0.1  # an entry in which it does not even exceed it by this changes with all places alike
TORN = 0.5  # of that excess: no other stretch may have as much


class Stretches(NamedTuple):
    """Of each entry, the stretch of an axis in which it changes most."""

    excess: NDArray[np.float64]  # the share of its change there, less the share of the axis
    centre: NDArray[np.float64]  # of its change there; 0 is the start of the axis, 1 its end
    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    beside: NDArray[np.float64]  # the excess of the next best stretch, as a share of this
    unlike: NDArray[
        np.float64
    ]  # the share of its change that other stripes would have to cause to make it like that of all entries

    @property
    def local(self) -> NDArray[np.bool_]:
        """Does an entry belong to a place?"""
        likely = (self.excess >= LOCAL) & (self.beside < TORN) & (self.unlike >= ALIKE / 2)
        usual = float(np.median(self.excess[likely])) if likely.any() else 0.0
        return likely & (self.excess >= usual / 2)


def stretches(profile: Profile) -> Stretches:
    """The stretches of a profile (stripes, entries)."""
    count, entries = profile.shape
    total = profile.sum(0)
    density = np.divide(profile, total, out=np.full_like(profile, 1 / count), where=total > 0)
    even = profile.sum(1, keepdims=True) / max(profile.sum(), 1e-300)  # some stripes change more than others on the whole
    unlike = np.abs(density - even).sum(0) / 2
    density -= 1 / count
    excess, start, last = _largest(density)
    stripe = np.arange(count)[:, None]
    within = (start <= stripe) & (stripe <= last)
    weight = np.where(within, np.maximum(density, 0), 0)
    middle = (weight * (stripe + 0.5)).sum(0) / np.maximum(weight.sum(0), 1e-300) / count
    beside = np.divide(_largest(np.where(within, -1, density))[0], excess, out=np.ones(entries), where=excess > 0)
    return Stretches(excess, middle, start / count, (last + 1) / count, beside, unlike)


def _largest(density: Profile) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """The largest sum over stripes side by side for each entry, and the first and the last of these stripes."""
    ends = np.concatenate([np.zeros((1, density.shape[1])), density.cumsum(0)])
    sums = ends[1:] - np.minimum.accumulate(ends, 0)[:-1]
    last = sums.argmax(0)
    start = np.where(np.arange(len(ends))[:, None] <= last, ends, np.inf).argmin(0)
    return sums[last, np.arange(density.shape[1])], start, last
