"""A small network as one piece: TorchScript and programs of torch.export, with the scores of the Python network."""

import warnings

import numpy as np
import torch
from torch import nn
from torch.export import Dim, export

X = np.random.default_rng(0).normal(size=(5, 3, 8, 8))
KINDS = ["script", "trace", "frozen", "export of 1", "export of 3", "export of 2 to 4", "export of any"]


class Normed(nn.Module):
    """A convolution and a BatchNorm, that in train mode would give other scores."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.norm, self.weigh = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.norm.running_var.fill_(3.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.norm(self.see(x)).relu().mean((2, 3)))


def normed() -> nn.Module:
    """The network in double precision, with weights drawn under a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Normed().double().eval()


def in_one_piece(network: nn.Module, kind: str):
    """The network as one of KINDS."""
    x = torch.as_tensor(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        return {
            "script": lambda: torch.jit.script(network),
            "trace": lambda: torch.jit.trace(network, x),
            "frozen": lambda: torch.jit.freeze(torch.jit.script(network)),
            "export of 1": lambda: export(network, (x[:1],)),
            "export of 3": lambda: export(network, (x[:3],)),
            "export of 2 to 4": lambda: export(network, (x[:3],), dynamic_shapes=({0: Dim("batch", min=2, max=4)},)),
            "export of any": lambda: export(network, (x,), dynamic_shapes=({0: Dim.AUTO},)),
        }[kind]()
