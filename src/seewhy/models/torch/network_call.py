"""How a torch network is called: on its own device, with its other inputs, while other threads may use it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, BadParameter
from seewhy.memory import out_of_memory
from seewhy.models.settings import Settings
from seewhy.models.torch.passes.backward import TRAINED, trained_meanwhile
from seewhy.models.torch.passes.taps import differentiable_rnn, offloaded, unwrapped
from seewhy.models.torch.passes.units import Reached
from seewhy.models.torch.variants.scorer import precision

from .draws import Drawing
from .inputs import Inputs, detects
from .two_tower import towers_of
from .undisturbed import Tries, standing, state_of, unchanged, undisturbed


class NetworkCall:
    """A network, and how it is called."""

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        self.original = unwrapped(network)  # the network, as the person gave it
        self.tries = Tries()
        self.known_as: object = None  # of a copy: the identity of the network that it is a copy of
        device, dtype = settings.device, settings.dtype
        if device is not None or dtype is not None:
            try:
                self.original.to(device=device, dtype=None if dtype is None else precision(dtype))
            except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
                why = str(error).splitlines()[0]
                raise BadParameter(f"device={device!r}, dtype={dtype!r}: the network cannot be moved there ({why}).") from None
        self.towers = towers_of(self.original, settings.tokenizer, settings.inputs)
        self.inputs = Inputs(settings.inputs, detects(self.original))

    @property
    def network(self) -> nn.Module:
        """The network, as the person gave it; while this thread explains it, what stands in for it."""
        stands = standing(self.original)
        return self.original if stands is None else stands.network

    @property
    def identity(self) -> object:
        """What the network is: the same object until somebody edits it.  What passes showed is kept under it."""
        return self.known_as or state_of(self.original, self.tries).identity

    def unchanged(self) -> AbstractContextManager[Any]:
        """Inside, the network counts as what it is at the beginning: edits are looked for once."""
        return unchanged(self.original, self.tries)

    @property
    def device(self) -> torch.device:
        """The device that images are moved to."""
        return entrance(self.network, _parameter(self.network))

    def of_network(self, network: nn.Module) -> "NetworkCall":
        """Another network that gives the same, such as a faster copy, called the same way."""
        call = copy(self)
        call.original, call.tries, call.known_as = network, Tries(), self.identity
        return call

    def with_inputs(self, inputs: Inputs) -> "NetworkCall":
        """The same network, called with other inputs beside the images."""
        call = copy(self)
        call.inputs = inputs
        return call

    @contextmanager
    def ready(self, x: Array, name: str) -> Iterator[Tensor]:
        """x as the network's own kind of tensor, the network undisturbed; out of memory is a MemoryError."""
        network = self.network
        parameter = _parameter(network)
        if parameter.is_inference():
            raise BadNetwork(
                f"{name} was made inside torch.inference_mode, so no gradient can pass it. "
                "Make it outside, or explain copy.deepcopy(network), copied outside."
            )
        device = entrance(network, parameter)
        if parameter.is_meta and not offloaded(network):
            advice = "Load them first, or dispatch it by accelerate."
            raise BadNetwork(f"{name} lies on the meta device, so it has no weights. {advice}")
        with undisturbed(self.original, self.tries) as stands, differentiable_rnn(stands.network, device):
            try:
                fresh = np.array(x, order="C") if isinstance(x, np.ndarray) else x.detach().clone()
                yield torch.as_tensor(fresh, dtype=parameter.dtype, device=device)
            except RuntimeError as error:
                if out_of_memory(error):
                    raise MemoryError(str(error)) from error
                if trained_meanwhile(error):
                    why = str(error).strip().splitlines()[0]
                    raise BadNetwork(f"The way back through {name} failed: {why} {TRAINED}") from error
                raise

    @contextmanager
    def passing(self, key: Any) -> Iterator[None]:
        """Around a pass of that key: what it draws comes from a generator of its own, unless it is known to draw nothing."""
        stands = standing(self.original)
        with Drawing() if stands is None else stands.drawing(key):
            try:
                yield
            except Reached:
                if stands is not None:
                    stands.passed(key, whole=False)
                raise
        if stands is not None:
            stands.passed(key, whole=True)

    def __call__(self, args: Any, options: Any) -> Any:
        """What the network, or its image tower, gives."""
        return self.towers.images(self.network, *args, **options) if self.towers else self.network(*args, **options)


def _parameter(network: nn.Module) -> Tensor:
    """The first floating-point parameter: it tells the network's device and precision."""
    return next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))


def entrance(network: nn.Module, parameter: Tensor) -> torch.device:
    """The device that images are moved to: that of the first parameter, or that on which accelerate runs the network."""
    modules = network.modules() if parameter.is_meta else [network]
    sent = (getattr(m.__dict__.get("_hf_hook"), "execution_device", None) for m in modules)
    device = next((device for device in sent if device is not None), "cpu" if parameter.is_meta else parameter.device)
    return torch.device(device)
