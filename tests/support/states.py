"""The state of a network, to compare before and after."""

import torch
from torch import nn


def state(network: nn.Module) -> list:
    """All that a person could find changed."""
    modules = list(network.modules())
    return [
        [m.training for m in modules],
        [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in modules],
        [(p.requires_grad, p.grad is None, p.dtype, p.device) for p in network.parameters()],
        [t.detach().clone().numpy().tobytes() for t in network.state_dict().values()],
        torch.get_rng_state().numpy().tobytes(),
        torch.is_grad_enabled(),
        torch.overrides._get_current_function_mode_stack(),
    ]
