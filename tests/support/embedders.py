"""Networks whose embedding is the mean colour of an image, so that every answer about it is known."""

import numpy as np
import torch
from torch import nn

import seewhy

COLOURS = ["red", "green", "blue"]
FIT = {"size": (8, 8), "crop": None, "mean": 0.0, "std": 1.0}


def ids(texts):
    """One word each, or several."""
    return torch.tensor([[COLOURS.index(text.split()[-1])] for text in texts])


class Mean(nn.Module):
    """The mean colour (n, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.act = nn.Conv2d(3, 3, 1, bias=False), nn.ReLU()
        with torch.no_grad():
            self.see.weight.copy_(torch.eye(3)[:, :, None, None])

    def forward(self, x):
        return self.act(self.see(x)).mean((2, 3))


class Towers(Mean):
    """A word is its colour, twice as long; logits are ten times the cosine."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(2 * torch.eye(3))
        self.logit_scale = nn.Parameter(torch.tensor(10.0, dtype=torch.float64).log())
        self.calls = 0

    def encode_image(self, x):
        self.calls += 1
        return super().forward(x)

    def encode_text(self, tokens):
        return self.table(tokens).sum(1)

    def forward(self, x):
        raise AssertionError("never called")


class Plain(nn.Module):
    """The number that Text(COLOURS[of], against=[COLOURS[other]]) explains, written down: (n, 1)."""

    def __init__(self, of: int, other: int | None = None) -> None:
        super().__init__()
        self.mean, self.of, self.other = Mean(), of, other

    def forward(self, x):
        e = self.mean(x)
        logits = 10 * e / e.norm(dim=1, keepdim=True)
        return (logits[:, self.of] - (0 if self.other is None else logits[:, self.other]))[:, None]


def squares(n=1, seed=0):
    """Images (n, 3, 8, 8): red upper left, green lower right, a little of all everywhere."""
    x = np.random.default_rng(seed).uniform(0.01, 0.02, (n, 3, 8, 8))
    x[:, 0, :4, :4] += 0.6
    x[:, 1, 4:, 4:] += 0.3
    return x


def towers(**more):
    return seewhy.wrap(Towers().double().eval(), **{"tokenizer": ids, **more})


def plain(of, other=None):
    return seewhy.wrap(Plain(of, other).double().eval(), task="regression")


def angles(x):
    """The embedding, its length, its cosine with each colour, and how each of these cosines grows with it: (3, 3)."""
    e = x[0].mean((1, 2))
    c = e / np.linalg.norm(e)
    return e, np.linalg.norm(e), c, (np.eye(3) - np.outer(c, c)) / np.linalg.norm(e)
