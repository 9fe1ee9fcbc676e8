"""Attention methods a second time: weights from hooks or from the library itself, and the papers' formulas in plain loops."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import seewhy
from seewhy import Class
from seewhy.explaining.case import Case
from support.ask import run
from support.families import ALL, Tokens

NAMES = ("attention-rollout", "transformer-relevance", "le-grad")


def core(name: str, network: nn.Module, x: Any, targets: Sequence[int] = (0,), **params: Any) -> np.ndarray:
    """What a method finds: (t, n, *grid)."""
    asked = Case(seewhy.wrap(network), x, [Class(t) for t in targets], (None,), ())
    (found,) = run(name, asked, **params).values()
    return np.asarray(found)


def eager(name: str) -> nn.Module:
    """The network of the family, written out: nothing fused."""
    network = ALL[name].network()
    for module in network.modules():
        if getattr(module, "fused_attn", False):
            module.fused_attn = False  # timm
    if name.startswith("hf"):
        network.set_attn_implementation("eager")
    return network


def told(network: nn.Module, x: Any) -> tuple[Sequence[Tensor], Tensor]:
    """The weights (n, heads, q, k) of each layer as transformers itself hands them out, in the graph, and the scores."""
    output = network(torch.as_tensor(x), output_attentions=True)
    return output.attentions, output.logits


def dropped(network: nn.Module, x: Any) -> tuple[Sequence[Tensor], Tensor]:
    """The same of a network of timm, written out: what its layers' dropout of attention emits."""
    layers = [name for name, _ in network.named_modules() if name.endswith(".attn_drop")]
    scores: list[Tensor] = []
    return emitted(network, layers, lambda: scores.append(network(torch.as_tensor(x)))), scores[0]


def torch_weights(network: nn.Module, x: Any) -> list[Tensor]:
    """Of every MultiheadAttention: softmax(q k' / sqrt(c)) of its input."""
    entered: list[tuple[nn.MultiheadAttention, Tensor]] = []
    hooks = [m.register_forward_hook(lambda m, a, _o: entered.append((m, a[0])))
             for m in network.modules() if isinstance(m, nn.MultiheadAttention)]  # fmt: skip
    network(torch.as_tensor(x))
    for hook in hooks:
        hook.remove()
    found = []
    for module, given in entered:
        tokens = given if module.batch_first else given.transpose(0, 1)
        assert module.in_proj_weight is not None
        made = tokens @ module.in_proj_weight.T + module.in_proj_bias
        q, k, _ = (one.unflatten(-1, (module.num_heads, -1)).transpose(1, 2) for one in made.chunk(3, -1))
        scores = torch.einsum("nhqc,nhkc->nhqk", q, k) / q.shape[-1] ** 0.5
        found.append(scores.exp() / scores.exp().sum(-1, keepdim=True))
    return found


def rollout(weights: Sequence[Tensor], how: str = "mean") -> np.ndarray:
    """Abnar & Zuidema 2020, layer after layer: (n, tokens, tokens)."""
    n, _, tokens, _ = weights[0].shape
    r = np.stack([np.eye(tokens)] * n)
    for a in weights:
        heads = a.detach().numpy()
        fused = getattr(heads, how)(axis=1)
        for i in range(n):
            mixed = fused[i] + np.eye(tokens)
            r[i] = (mixed / mixed.sum(axis=1)[:, None]) @ r[i]
    return r


def relevance(weights: Sequence[Tensor], score: Tensor) -> np.ndarray:
    """Chefer et al. 2021b, eq. 5-6, layer after layer: (n, tokens, tokens)."""
    n, heads, tokens, _ = weights[0].shape
    grads = torch.autograd.grad(score.sum(), [*weights], retain_graph=True, allow_unused=True)
    r = np.stack([np.eye(tokens)] * n)
    for a, g in zip(weights, grads, strict=True):
        assert g is not None
        for i in range(n):
            e = sum(np.maximum((g[i, h] * a[i, h]).detach().numpy(), 0) for h in range(heads)) / heads
            r[i] = r[i] + e @ r[i]
    return r


def le_grad(weights: Sequence[Tensor], tokens: Sequence[Tensor], end: Callable[[Tensor], Tensor], target: int) -> np.ndarray:
    """Bousselham et al. 2024: of each block the score that `end` makes of its tokens, one backward pass each: (n, tokens)."""
    whole = np.zeros((len(weights[0]), weights[0].shape[-1]))
    for a, z in zip(weights, tokens, strict=True):
        (g,) = torch.autograd.grad(end(z)[:, target].sum(), [a], retain_graph=True)
        whole += np.maximum(g.numpy(), 0).mean(axis=(1, 2))
    return whole


def emitted(network: nn.Module, layers: Sequence[str], run: Callable[[], Any]) -> list[Tensor]:
    """What some layers emit while something runs, in the graph."""
    met: list[Tensor] = []

    def keep(_module: Any, _args: Any, output: Any) -> Any:
        whole = isinstance(output, Tensor)
        met.append((output if whole else output[0]).clone())
        return met[-1] if whole else (met[-1], *output[1:])

    hooks = [network.get_submodule(name).register_forward_hook(keep) for name in layers]
    run()
    for hook in hooks:
        hook.remove()
    return met


class Brightest(nn.Module):
    """Every token adds what it sees of all, by their brightness."""

    def forward(self, tokens: Tensor) -> Tensor:
        weights = tokens[:, None, None, :, 0].expand(-1, 1, tokens.shape[1], -1).softmax(-1)
        return tokens + (weights @ tokens[:, None])[:, 0]


class ByHand(nn.Module):
    """The colour of patches of 8 pixels, by their brightness, seen by the class token."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.block = Tokens(1, 8), Brightest()
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # by which its precision is told

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.tokens(x))[:, 0, 1:]
