"""The dimension that a network sums over first is that of its channels, whatever the sizes of the others."""

import pytest
import torch
from torch import Tensor, nn

from seewhy.models.torch.places.channels import first_summed

VIDEO = torch.rand(2, 3, 3, 8, 8)  # (n, c, t, h, w) or (n, t, c, h, w): as many channels as frames
SIGNAL = torch.rand(2, 4, 4)
flat = nn.Conv2d(3, 5, 3)
deep = nn.Conv3d(3, 5, 2)
tubes = nn.Linear(3 * 4 * 4, 5)
along = nn.GRU(4, 5, batch_first=True)


def patches(x: Tensor) -> Tensor:
    """Rows of the pixels of each 4 x 4 patch of frames (n, t, c, h, w)."""
    return x.unfold(3, 4, 4).unfold(4, 4, 4).permute(0, 1, 3, 4, 2, 5, 6).flatten(4)


WAYS = {
    "clips": (deep, VIDEO, 1),
    "frames first": (lambda x: deep(x.transpose(1, 2)), VIDEO, 2),
    "channels last": (lambda x: deep(x.movedim(-1, 1)), torch.rand(2, 4, 8, 8, 3), 4),
    "frames in the batch": (lambda x: flat(x.flatten(0, 1)), VIDEO, 2),
    "frames of clips in the batch": (lambda x: flat(x.transpose(1, 2).flatten(0, 1)), VIDEO, 1),
    "a bag without its batch": (lambda x: flat(x[0]), VIDEO, 2),
    "frames one by one": (lambda x: [flat(frame) for frame in x.unbind(1)], VIDEO, 2),
    "colours normalised and reversed": (lambda x: flat(((x - 0.5) / 0.2)[:, :, [2, 1, 0]].flatten(0, 1)), VIDEO, 2),
    "patches": (lambda x: tubes(patches(x)), VIDEO, 2),
    "patches of clips": (lambda x: tubes(patches(x.transpose(1, 2))), VIDEO, 1),
    "a product": (lambda x: x.movedim(2, -1) @ torch.rand(3, 5), VIDEO, 2),
    "a product from the left": (lambda x: torch.rand(5, 3) @ x.flatten(3), VIDEO, 2),
    "einsum": (lambda x: torch.einsum("ntchw,cd->ntdhw", x, torch.rand(3, 5)), VIDEO, 2),
    "single instance": (lambda x: flat(x.squeeze(1)), torch.rand(2, 1, 3, 8, 8), 2),
    "volume": (nn.Conv3d(1, 5, 3), torch.rand(2, 1, 8, 8, 8), 1),
    "slices of a volume": (lambda x: nn.Conv2d(1, 5, 3)(x.transpose(1, 2).flatten(0, 1)), torch.rand(2, 1, 8, 8, 8), 1),
    "signal": (nn.Conv1d(4, 5, 3), SIGNAL, 1),
    "signal, moments first": (along, SIGNAL, 2),
    "signal as words": (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval(), SIGNAL, 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_first_whole_dimension_that_is_summed_over(way):
    run, x, channels = WAYS[way]
    assert first_summed(run, x) == (channels, True)


def test_it_is_known_also_where_the_sizes_do_not_fit():
    assert first_summed(lambda x: flat(x.flatten(0, 1)), torch.rand(2, 3, 4, 8, 8)) == (2, False)


@pytest.mark.parametrize("run", [lambda x: x.mean(), lambda x: nn.Linear(3 * 3 * 64, 5)(x.flatten(1)), torch.sin])
def test_nothing_is_told_where_no_dimension_alone_is_summed_over_with_weights(run):
    assert first_summed(run, VIDEO) == (None, True)


def test_what_fails_before_tells_nothing():
    def fails(x: Tensor) -> None:
        raise ValueError

    assert first_summed(fails, VIDEO) == (None, False)


def test_nothing_behind_the_first_sum_runs():
    def network(x: Tensor) -> None:
        deep(x)
        raise AssertionError

    assert first_summed(network, VIDEO) == (1, True)
