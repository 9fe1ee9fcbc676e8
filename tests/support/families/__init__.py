"""One small random network of each family that people ask about, and what is known of it from its documentation.

Every weight is drawn anew (libraries begin with heads of zeros, layer scales of 1e-6): what can speak to the scores does.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from support.families.hf import HF
from support.families.known import CLASSES, Family, Known
from support.families.timm import TIMM
from support.families.torchvision import VISION


class Ordered(nn.Module):
    """A transformer of patches of 8 pixels, other tokens before and after them; the scores read token `read`, or the mean."""

    def __init__(self, before: int = 0, after: int = 0, read: int | None = None, batch_first: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, stride=8)
        self.before = nn.Parameter(torch.empty(1, before, 16))
        self.after = nn.Parameter(torch.empty(1, after, 16))
        self.where = nn.Parameter(torch.empty(1, before + 24 + after, 16))
        block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=batch_first, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, CLASSES)
        self.read, self.batch_first = read, batch_first

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)  # (n, 24, 16)
        around = [part.expand(len(x), -1, -1) for part in (self.before, self.after)]
        tokens = torch.cat([around[0], patches, around[1]], 1) + self.where
        found = self.encoder(tokens) if self.batch_first else self.encoder(tokens.transpose(0, 1)).transpose(0, 1)
        return self.head(found.mean(1) if self.read is None else found[:, self.read])


def ordered(before: int = 0, after: int = 0, **options: Any) -> Family:
    known = Known("encoder.layers.0", (4, 6), prefix=before, suffix=after)
    return Family(partial(Ordered, before, after, **options), known, (4, 6), (32, 48))


HAND = {
    "tokens before the batch": ordered(1, read=0, batch_first=False),
    "tokens before the batch, averaged": ordered(batch_first=False),
    "the class token at the end": ordered(after=1, read=-1),
    "registers at the end": ordered(1, 3, read=0),
    "registers at the end, averaged": ordered(0, 4),
}
ALL: Mapping[str, Family] = {**TIMM, **VISION, **HF, **HAND}


class Tokens(nn.Module):
    """(n, 3, h, w) -> (n, prefix + patches, 4): of each patch its brightness and its colour, row by row."""

    def __init__(self, prefix: int, side: int) -> None:
        super().__init__()
        self.prefix, self.side = prefix, side

    def forward(self, x: Tensor) -> Tensor:
        colour = nn.functional.avg_pool2d(x, self.side).flatten(2).transpose(1, 2)
        patches = torch.cat([colour.sum(2, keepdim=True), colour], 2)
        return torch.cat([patches.new_zeros(len(x), self.prefix, 4), patches], 1)


class Largest(nn.Module):
    """The first token takes over the brightest token."""

    def forward(self, tokens: Tensor) -> Tensor:
        attention = (50 * tokens[..., :1]).softmax(1)
        return torch.cat([tokens[:, :1] + (attention * tokens).sum(1, keepdim=True), tokens[:, 1:]], 1)


class BrightestPatch(nn.Module):
    """Three classes: the colour, red, green or blue, of the brightest patch of 8 pixels, which alone matters."""

    def __init__(self, prefix: int = 1) -> None:
        super().__init__()
        self.tokens, self.block = Tokens(prefix, 8), Largest()

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.tokens(x))[:, 0, 1:]
