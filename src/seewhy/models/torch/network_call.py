"""How a torch network is called: on its own device, with its other inputs, while other threads may use it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, BadParameter
from seewhy.lru import Recent
from seewhy.memory import out_of_memory
from seewhy.models.settings import Settings
from seewhy.models.torch.passes.backward import TRAINED, trained_meanwhile
from seewhy.models.torch.passes.taps import differentiable_rnn, offloaded, unwrapped
from seewhy.models.torch.passes.units import Reached
from seewhy.models.torch.places.channels import first_summed
from seewhy.models.torch.variants.scorer import precision
from seewhy.models.weights_digest import WeightsDigest, WeightsInMemory
from seewhy.untrained import untrained

from .conditions import conditions_of, host_of, weights_of
from .draws import Drawing
from .inputs import Inputs, detects
from .signature import unable
from .two_tower import towers_of
from .undisturbed import Tries, standing, state_of, unchanged, undisturbed


class NetworkCall:
    """A network, and how it is called."""

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        self.given, self.inside = network, unwrapped(network) is not network  # of torch.compile, DataParallel or the like
        if why := unable(self.original):
            raise BadParameter(why)
        self.tries, self.digest = Tries(), WeightsDigest()
        self.written = _written(self.original) if untrained(settings.weights) else []  # into the weights, before it was wrapped
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
        self.said = settings.channels
        self.found: Recent[Any, int] = Recent()  # which dimension the network takes as channels, of images of so many

    @property
    def original(self) -> nn.Module:
        """The network, as the person gave it, without what only wraps it."""
        return unwrapped(self.given) if self.inside else self.given

    @property
    def network(self) -> nn.Module:
        """The network, as the person gave it; while this thread explains it, what stands in for it."""
        stands = standing(self.original)
        return self.original if stands is None else stands.network

    @property
    def identity(self) -> object:
        """What the network is: the same object until somebody edits it.  What passes showed is kept under it."""
        return self.known_as or state_of(self.original, self.tries).identity

    @property
    def last_identity(self) -> object | None:
        """What the network was when it was last looked over, which costs nothing; None before the first time."""
        last = self.tries.watch.last
        return self.known_as or (None if last is None else last.identity)

    def unchanged(self) -> AbstractContextManager[Any]:
        """Inside, the network counts as what it is at the beginning: edits are looked for once."""
        return unchanged(self.original, self.tries)

    @property
    def device(self) -> torch.device:
        """The device that images are moved to."""
        return entrance(self.network, _parameter(self.network))

    def weights_sha256(self) -> str:
        """The SHA-256 of the weights as they are in memory now; "" where they cannot be read."""
        memory = state_of(self.original, self.tries).memory  # another one after each write that torch counts
        return self.digest.of(WeightsInMemory((memory,), lambda: weights_of(self.original)))

    def kinds(self) -> Collection[type]:
        """The classes of all modules of the network."""
        return state_of(self.original, self.tries).structure.kinds

    def conditions(self) -> Mapping[str, Any]:
        """The settings that change the numbers of a pass."""
        seed = {"seed": torch.initial_seed()} if self.tries.draws else {}  # of what the network itself draws
        return {**conditions_of(self.device, _parameter(self.original).dtype), **seed}

    def host(self) -> Mapping[str, Any]:
        """The machine that passes run on."""
        return host_of(self.device)

    def trained(self) -> bool:
        """Was anything written into weights that had been drawn at random, as far as torch counts it?"""
        return _written(self.original) != self.written

    def as_drawn(self) -> "NetworkCall":
        """The same, whose weights count as drawn at random as they are now, and not as trained since."""
        call = copy(self)
        call.written = _written(self.original)
        return call

    def of_network(self, network: nn.Module) -> "NetworkCall":
        """Another network that gives the same, such as a faster copy, called the same way."""
        call = copy(self)
        call.given, call.inside, call.tries, call.known_as = network, False, Tries(), self.identity
        call.digest = WeightsDigest()
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

    def channels(self, x: Array) -> int:
        """Which dimension of images (of as many dimensions as x) holds the channels, as the network takes them; 1 as long as
        nothing else was said or found out.
        """
        if self.said is not None:
            return self.said % x.ndim
        return 1 if x.ndim == 4 else self.found.get((self.identity, x.ndim)) or 1

    def arranged(self, x: Tensor) -> Tensor:
        """Images x (n, c, *space) as the network takes them."""
        channels = self.channels(x)
        return x if channels == 1 else x.movedim(1, channels).contiguous()

    def find_channels(self, x: Tensor, given: bool) -> None:
        """Find out which dimension the network takes as channels, once for images of as many dimensions as x (1, ...).

        x: an image, given in the network's own order or (1, c, *space).  Raises BadParameter where that cannot be told.
        """
        if self.said is None and x.ndim != 4 and (key := (self.identity, x.ndim)) not in self.found:
            channels = self._given(x) if given else self._turned(x)
            if channels is not None:
                self.found.keep(key, channels)

    def _given(self, x: Tensor) -> int:
        channels, ran = self._first_summed(x)
        alike = x.ndim > 4 and ran and (x.shape[1] == x.shape[2] or x.shape[2] == 3)
        if channels is None and alike:
            raise BadParameter(UNTOLD.format(tuple(x.shape)))
        return channels or 1

    def _turned(self, x: Tensor) -> int | None:
        """The dimension, of an image (1, c, *space); None where it seems to be in the network's own order instead."""
        channels, ran = self._first_summed(x)
        if channels == 1 or (channels is None and ran):
            return 1
        other = channels or 2
        again, ran = self._first_summed(x.movedim(1, other).contiguous())
        return other if ran and again in (channels, other) else None

    def _first_summed(self, x: Tensor) -> tuple[int | None, bool]:
        with self.passing(("channels", tuple(x.shape[1:]))):
            return first_summed(lambda image: self(*self.inputs(image)), x)

    def __call__(self, args: Any, options: Any) -> Any:
        """What the network, or its image tower, gives."""
        return self.towers.images(self.network, *args, **options) if self.towers else self.network(*args, **options)


UNTOLD = (
    "Which dimension of {} holds the channels cannot be told from what the network does with it. Say it: wrap(channels=1), "
    "as in (n, c, t, h, w), or wrap(channels=2), as in (n, t, c, h, w)."
)


def _written(network: nn.Module) -> list[tuple[int, int]]:
    """Which parameters there are, and how often each was written to."""
    return [(id(p), 0 if is_lazy(p) or p.is_inference() else p._version) for p in network.parameters()]


def _parameter(network: nn.Module) -> Tensor:
    """The first floating-point parameter: it tells the network's device and precision."""
    first = next((p for p in network.parameters() if p.is_floating_point()), None)
    return torch.empty(0) if first is None else first


def entrance(network: nn.Module, parameter: Tensor) -> torch.device:
    """The device that images are moved to: that of the first parameter, or that on which accelerate runs the network."""
    modules = network.modules() if parameter.is_meta else [network]
    sent = (getattr(m.__dict__.get("_hf_hook"), "execution_device", None) for m in modules)
    device = next((device for device in sent if device is not None), "cpu" if parameter.is_meta else parameter.device)
    return torch.device(device)
