"""Networks whose scores rest on layers of their own, or whose layers run for some images alone; and which layer is right."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


class Branches(nn.Module):
    """A stem (6 channels), and behind it two branches: `a` (8 channels) and `b` (5), each with three scores of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.a, self.b = (
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU()) for i, o in [(3, 6), (6, 8), (6, 5)]
        )
        self.of_a, self.of_b, self.router = nn.Linear(8, 3), nn.Linear(5, 3), nn.Linear(6, 2)

    def scores_a(self, stem: Tensor) -> Tensor:
        return self.of_a(self.a(stem).mean((2, 3)))

    def scores_b(self, stem: Tensor) -> Tensor:
        return self.of_b(self.b(stem).mean((2, 3)))

    def route(self, stem: Tensor) -> Tensor:
        """0 or 1 for each image: which branch it takes."""
        return (stem[:, 0, 4, 4] > 0).long()

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        stem = self.stem(x)
        return self.scores_a(stem), self.scores_b(stem)


class Cat(Branches):
    def forward(self, x):
        return torch.cat(self.both(x), 1)


class Stacked(Branches):
    def forward(self, x):
        return torch.stack(self.both(x), 2).flatten(1)[:, [0, 2, 4, 1, 3, 5]]


class Shuffled(Branches):
    def forward(self, x):
        return torch.cat(self.both(x)[::-1], 1)[:, [3, 4, 5, 0, 1, 2]]


class Written(Branches):
    def forward(self, x):
        out = x.new_zeros(len(x), 6)
        out[:, :3], out[:, 3:] = self.both(x)
        return out


class WrittenToParts(Branches):
    def forward(self, x):
        out, (a, b) = x.new_zeros(len(x), 6), self.both(x)
        out[:, :3].copy_(a)
        out.narrow(1, 3, 3).add_(b)
        return out


class Scattered(Branches):
    def forward(self, x):
        (a, b), at = self.both(x), torch.arange(3).expand(len(x), 3)
        return x.new_zeros(len(x), 6).scatter(1, at, a).scatter_add(1, at + 3, b)


class Padded(Branches):
    def forward(self, x):
        a, b = self.both(x)
        return F.pad(a, (0, 3)) + F.pad(b, (3, 0))


TWO_HEADED = (Cat, Stacked, Shuffled, Written, WrittenToParts, Scattered, Padded)  # scores 0 to 2 rest on a, 3 to 5 on b


class Dispatched(Branches):
    """Rows of the batch go to the branch of their own, which does not run where no image takes it."""

    def forward(self, x):
        stem = self.stem(x)
        route, out = self.route(stem), x.new_zeros(len(x), 3)
        for e, scores in enumerate((self.scores_a, self.scores_b)):
            if (route == e).any():
                out[route == e] = scores(stem[route == e])
        return out


class Listed(Branches):
    def forward(self, x):
        stem = self.stem(x)
        each = [self.scores_b if e else self.scores_a for e in self.route(stem).tolist()]
        return torch.cat([scores(stem[i : i + 1]) for i, scores in enumerate(each)])


class Chosen(Branches):
    def forward(self, x):
        stem = self.stem(x)
        return torch.where(self.route(stem)[:, None] == 0, self.scores_a(stem), self.scores_b(stem))


class Gated(Branches):
    def forward(self, x):
        stem = self.stem(x)
        gate = F.one_hot(self.route(stem), 2).to(x)
        return gate[:, :1] * self.scores_a(stem) + gate[:, 1:] * self.scores_b(stem)


class EarlyExit(Branches):
    """Takes one image at a time, and is done behind `a` if that is enough."""

    def forward(self, x):
        stem = self.stem(x)
        early = self.scores_a(stem)
        return early if self.route(stem)[0] == 0 else self.scores_b(stem)


ROUTED = (Dispatched, Listed, Chosen, Gated)  # an image whose route is 0 rests on a, else on b


def photos(n: int = 4) -> NDArray[np.float64]:
    """Images (n, 3, 10, 12), of which some take each route."""
    return np.random.default_rng(3).normal(size=(n, 3, 10, 12))


def routes(network: Branches, x: NDArray[np.float64]) -> list[str]:
    """By hand, the branch that each image takes."""
    return ["ab"[int(network.route(network.stem(torch.as_tensor(x[i : i + 1])))[0])] for i in range(len(x))]


def made(kind: type[Branches]) -> Branches:
    return kind().double().eval()
