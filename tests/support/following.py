"""Networks whose cells are followed back to the image."""

from typing import Any

from torch import Tensor, nn

from seewhy.models.torch.places.following import Following

Net = Any  # a module, or a function of the image


def followed(net: Net, x: Tensor) -> tuple[Tensor, Following]:
    with Following(x) as following:
        return net(x), following


def conv(d: int, k: Any, **more: Any) -> nn.Module:
    return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1](more.pop("into", 3), 3, k, **more)
