"""The three losses of SEC: seed, expand, constrain to boundaries (Kolesnikov & Lampert 2016), as its released code has them.

f: the probabilities of each class in each cell, (n, k, h, w), summing to 1 over k; class 0 is the background.
"""

from typing import Any

import torch
from torch import Tensor

FLOOR = 1e-4  # of probabilities, so that no logarithm is infinite
Q_PRESENT, Q_BACKGROUND = 0.996, 0.999  # how a cell's weight falls with its rank: of classes in the image, of background
CELLS = 41 * 41  # of the paper's grid, which these decays are made for


def probabilities(scores: Tensor) -> Tensor:
    """The softmax of scores (n, k, h, w) over the classes, none below about FLOOR."""
    f = scores.softmax(1) + FLOOR
    return f / f.sum(1, keepdim=True)


def seed_loss(f: Tensor, seeds: Tensor) -> Tensor:
    """How improbable the seeds are: minus the mean of log f over all seeds of an image, then over the images.

    seeds: bool (n, k, h, w), true where a cell is known to be of a class; cells of no class are not asked of.  Images without
    a seed are left out.
    """
    counts = seeds.flatten(1).sum(1)
    sums = (f.log() * seeds).flatten(1).sum(1)
    return -_mean(sums / counts.clamp_min(1), counts > 0)


def expand_loss(f: Tensor, present: Tensor, q_present: float = Q_PRESENT, q_background: float = Q_BACKGROUND) -> Tensor:
    """How little of its classes an image shows, and how much of others: the mean over classes, then over images, of

    -log G(q_present) of classes in the image, -log(1 - max f) of those that are not, and -log G(q_background) of the
    background; G is `rank_pooled`.  present: bool (n, k - 1), true of the classes in the image.
    """
    there, absent = present, ~present
    objects = f[:, 1:]
    shown = _mean(_share(-rank_pooled(objects, q_present).log(), there), there.any(1))
    hidden = _mean(_share(-(1 - objects.flatten(2).amax(2)).log(), absent), absent.any(1))
    return shown + hidden - rank_pooled(f[:, :1], q_background).log().mean()


def constrain_loss(f: Tensor, smooth: Tensor) -> Tensor:
    """How far f lies from what fits the image's edges: the divergence KL(smooth || f), mean over cells and images.

    smooth: probabilities (n, k, h, w), the dense CRF's of f and the image; see `following`.
    """
    return (smooth * (smooth / f).log()).sum(1).mean()


def rank_pooled(f: Tensor, q: float) -> Tensor:
    """Global weighted rank pooling: the mean over the cells, the j-th greatest weighing q to the power of j - 1.

    (n, k, h, w) to (n, k); q=1: the mean, q=0: the maximum.
    """
    falling = f.flatten(2).sort(2, descending=True).values
    weights = torch.as_tensor(q, dtype=f.dtype, device=f.device) ** torch.arange(falling.shape[2], device=f.device)
    return (falling * weights).sum(2) / weights.sum()


def decay(q: float, cells: int) -> float:
    """The decay that weighs shares of a grid of so many cells as q weighs those of the paper's 41 x 41."""
    return q ** (CELLS / cells)


class _Following(torch.autograd.Function):
    """Passes on what the CRF made of scores; backward, a class's score moves its logarithm by 1 - smooth."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, smooth: Tensor) -> Tensor:
        ctx.save_for_backward(smooth)
        return smooth.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (smooth,) = ctx.saved_tensors
        return (1 - smooth) * gradients[0], None


def following(scores: Tensor, smooth: Tensor) -> Tensor:
    """The CRF's probabilities, floored, so that the gradient flows on to the scores that the CRF was given.

    As in the released code, it flows as if the CRF were the softmax of each cell alone, of which the class's own derivative
    is taken: d log smooth_c / d scores_c = 1 - smooth_c.  The exact one runs through all iterations, and costs as much again.
    """
    floored = smooth.clamp_min(FLOOR)
    return _Following.apply(scores, floored / floored.sum(1, keepdim=True)).exp()  # pyright: ignore[reportOptionalMemberAccess]


def _share(values: Tensor, which: Tensor) -> Tensor:
    """The mean over the classes that count, (n, k) to (n,); 0 where none does."""
    return torch.where(which, values, 0.0).sum(1) / which.sum(1).clamp_min(1)


def _mean(values: Tensor, which: Tensor) -> Tensor:
    """The mean over the images that count; 0 where none does."""
    return torch.where(which, values, 0.0).sum() / which.sum().clamp_min(1)
