"""Networks over signals whose layers emit rows of tokens, and their Grad-CAM by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LENGTH = 24


class Encoder(nn.Module):
    """torch's own transformer over patches of a signal, and tokens of no place before and behind them."""

    def __init__(
        self, width: int, before: int = 0, behind: int = 0, batch_first: bool = True, patch: int = 4, mean: bool = False
    ) -> None:
        super().__init__()
        cells = LENGTH // patch
        self.patch = nn.Conv1d(2, width, patch, stride=patch)
        self.before, self.behind = (nn.Parameter(torch.randn(1, extra, width)) for extra in (before, behind))
        self.where = nn.Parameter(torch.randn(1, before + cells + behind, width) / 2)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=batch_first)
        self.encoder, self.fc = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(width, 5)
        self.batch_first, self.read = batch_first, None if mean or not before + behind else 0 if before else -1

    def forward(self, x: Tensor) -> Tensor:
        n, tokens = len(x), self.patch(x).transpose(1, 2)
        tokens = torch.cat([self.before.expand(n, -1, -1), tokens, self.behind.expand(n, -1, -1)], 1) + self.where
        tokens = self.encoder(tokens) if self.batch_first else self.encoder(tokens.transpose(0, 1)).transpose(0, 1)
        return self.fc(tokens.mean(1) if self.read is None else tokens[:, self.read])


class Hand(nn.Module):
    """Attention by hand, in modules of no kind that torch knows, as Hugging Face's are: (hidden,) comes out of a block."""

    def __init__(self, width: int, tokens: int, start: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.start, self.cls = start, nn.Parameter(torch.randn(1, 1, width))
        self.embed, self.where = nn.Linear(8, width), nn.Parameter(torch.randn(1, tokens + 1, width) / 2)
        self.layer = nn.ModuleList([Layer(width), Layer(width), Layer(width)])
        self.layernorm, self.classifier = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(self.start(x))
        h = torch.cat([self.cls.expand(len(x), -1, -1), h], 1) + self.where
        for layer in self.layer:
            (h,) = layer(h)
        return self.classifier(self.layernorm(h)[:, 0])


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attention, self.mlp = nn.Linear(width, width), nn.Sequential(nn.Linear(width, 30), nn.GELU(), nn.Linear(30, width))

    def forward(self, h: Tensor) -> tuple[Tensor]:
        shares = (self.query(h) @ self.key(h).transpose(1, 2) / 4).softmax(-1)
        h = h + self.attention(shares @ self.value(h))
        return (h + self.mlp(h),)


class Hidden(torch.autograd.Function):
    """The samples in patches, by a call that nothing follows."""

    @staticmethod
    def forward(_ctx: Any, *args: Any, **_: Any) -> Tensor:
        return args[0].unfold(2, 4, 4).permute(0, 2, 1, 3).flatten(2).clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Tensor:
        n, cells, _ = grads[0].shape
        return grads[0].reshape(n, cells, 2, 4).permute(0, 2, 1, 3).reshape(n, 2, 4 * cells)


def reshaped(x: Tensor) -> Tensor:
    return x.reshape(len(x), 2, -1, 4).permute(0, 2, 1, 3).flatten(2)


def hidden(x: Tensor) -> Tensor:
    return Hidden.apply(x)  # type: ignore[no-any-return]


def signals(seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(0.2, 1, (2, 2, LENGTH))


def rows_of(out: Any, batch_first: bool = True) -> Tensor:
    out = out[0] if isinstance(out, tuple) else out
    return out if batch_first else out.transpose(0, 1)


def by_hand(network: nn.Module, layer: str, x: Any, batch_first: bool, own: slice, target: int = 3) -> Any:
    """relu(sum_c mean(g) a) over the tokens of the signal, of a hook's (n, tokens, c)."""
    kept: list[Any] = []
    handle = network.get_submodule(layer).register_forward_hook(
        lambda _m, _a, out: kept.append(out[0] if isinstance(out, tuple) else out)
    )
    scores = network(torch.as_tensor(x).requires_grad_())
    handle.remove()
    (g,) = torch.autograd.grad(scores[:, target].sum(), kept[-1])
    a, g = (rows_of(one, batch_first)[:, own] for one in (kept[-1], g))
    return (a * g.mean(1, keepdim=True)).sum(2).relu().detach().numpy()
