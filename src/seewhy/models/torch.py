"""Torch networks, read at the price of a forward pass."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from platform import python_version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import __version__
from ..errors import BadNetwork, BadParameter, NotApplicable, SeewhyError
from ..image import Array, Images
from ..prepare import Batch, Fit, batches, preparer
from ..rule import Relevance, Rule
from ..target import Target, weighted
from . import INPUT, Answer, Bias, Evidence, Head, Layer, Trace, softmax
from .backward import gradients, out_of_memory
from .biases import Biases
from .layout import Layout
from .relevance import Propagation
from .rewire import Rewiring
from .scores import as_numpy, as_scores, is_distribution, plain, raw_scores
from .scoring import TorchScorer, quick
from .survey import first_bad, layout_of, linear_head, pooled, survey
from .taps import Stop, Tap, differentiable_rnn, every_module, recorded, undisturbed, unwrapped
from .units import End, unit_scores

BATCH = 32  # images per pass, where the person has not said
COPIES = 8  # where the graph of the whole network is kept: more are no faster on a CPU, and take memory


class TorchModel:
    """A torch.nn.Module and what is needed to ask it.  Made by `seewhy.wrap`; explained in eval mode, given back as it was."""

    def __init__(
        self, network: nn.Module, *, prepare: Any = None, labels: Sequence[str] | None = None, name: str | None = None,
        scores: str = "logits", batch_size: int | None = None, device: Any = None, dtype: Any = None,
        weights: str | None = None,
    ) -> None:  # fmt: skip
        self.network = unwrapped(network)
        if device is not None or dtype is not None:
            try:
                self.network.to(device=device, dtype=dtype)
            except (RuntimeError, TypeError, AssertionError) as error:
                why = str(error).splitlines()[0]
                raise BadParameter(f"device={device!r}, dtype={dtype!r}: the network cannot be moved there ({why}).") from None
        self.prepare = preparer(prepare)
        self.labels = labels
        self.name = name or type(self.network).__name__
        self.explains = scores
        self.batch_size = batch_size or BATCH
        self.asked_batch = batch_size
        self.copies = batch_size or COPIES
        self.weights = weights
        self.surveys: dict[Any, dict[str, Layer]] = {}
        self.end: End | None = None  # where the network stops, of a model made by `upto`
        self.units: dict[Any, TorchModel] = {}
        self.calls: dict[Any, int] = {}  # of the layer it stops at

    def __repr__(self) -> str:
        return f"<{self.name}: {self.explains} of {len(self.labels) if self.labels else 'unnamed'} classes>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "surveys": {}, "units": {}}

    def upto(self, layer: str, at: Any = "max") -> "TorchModel":
        """The model whose scores are the units of a layer: of each channel the strongest activation, its "sum" over
        space, or the activation at a cell (y, x).  A class of it is a channel; what lies behind the layer does not run.
        """
        at = at if isinstance(at, str) else tuple(at)
        if (layer, at) not in self.units:
            model = copy(self)
            model.end = End(Tap(layer, self.network).asked, at, self)
            model.name, model.labels, model.explains = f"{self.name} up to {layer}", None, "activation"
            model.surveys, model.units, model.calls = {}, {}, {}
            self.units[layer, at] = model
        return self.units[layer, at]

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        return batches(images, self.prepare, self.copies if whole else self.batch_size, self.name)

    def colour(self, level: int) -> NDArray[Any] | None:
        """What a grey of that level (0 black, 255 white) is to the network: (c,); None for a model without `prepare`."""
        from PIL import Image

        if self.prepare is None:
            return None
        return self.prepare(Image.new("RGB", (64, 64), (level,) * 3)).mean((1, 2), dtype=np.float64)

    def versions(self) -> Mapping[str, str]:
        used = {name: sys.modules[name].__version__ for name in ("torchvision", "timm") if name in sys.modules}
        return {"seewhy": __version__, "torch": torch.__version__, **used, "numpy": np.__version__, "python": python_version()}

    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space), in one pass without a graph."""
        with self._ready(x) as x, torch.no_grad():
            return self._answer(*self._run(x))

    @contextmanager
    def scoring(
        self, x: Array, answer: Answer, fast: bool = False, dtype: Any = None, inside: bool = False
    ) -> Iterator[TorchScorer]:
        """The scores of many variants of images like x (n, c, *space), of which it said `answer`, again and again.

        fast: of a copy in channels_last order with folded BatchNorms (not if `inside`, where layers are asked for);
        dtype: of a copy of that precision.
        """
        model = self
        if fast or dtype is not None:
            with self._ready(x[:1]) as like:
                model = quick(self, like, fast, dtype, not inside)
        with model._ready(x[:1]) as like:
            scorer = TorchScorer(model, like, model is not self, fast, answer.normalised)
            with torch.autocast(like.device.type, enabled=False):
                yield scorer

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        """What each layer emits, in the order it first runs, when x (n, c, *space) (by default a blank photo) comes in."""
        with self._ready(self._blank() if x is None else x[:1]) as x:
            return self._survey(x)

    def trace(self, x: Array, targets: Sequence[Target], layers: Sequence[str], rule: Rule | None = None) -> Trace:
        """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer.

        With a rule the gradient comes back by it; NotApplicable where the network gives it nothing to do.
        """
        if isinstance(rule, Relevance) and self.explains not in ("logits", "activation"):
            raise NotApplicable(f"Relevance is shared out from logits; this model explains {self.explains}.")
        for whole in (False, True):  # the graph from the first tap on; or, past a no_grad inside the network, all of it
            try:
                with self._ready(x) as ready:
                    found, connected = self._traced(ready, targets, layers, whole, rule)
            except BadNetwork as error:
                if whole or INPUT in layers or "created in no_grad" not in str(error):
                    raise
                continue  # writing over a part of what was made before the first tap
            if connected or whole or INPUT in layers:
                return found
        raise AssertionError("the second pass always returns")

    def _traced(
        self, x: Tensor, targets: Sequence[Target], layers: Sequence[str], whole: bool, rule: Rule | None
    ) -> tuple[Trace, bool]:
        taps = self._taps(layers)
        inside = INPUT in layers
        mode = None if rule is None else Propagation(rule) if isinstance(rule, Relevance) else Rewiring(rule)
        with torch.set_grad_enabled(whole or inside), mode or nullcontext(), recorded([*taps.values()], grad=True):
            x.requires_grad_(inside)
            raw, scores = self._run(x.clone() if inside else x)  # a leaf cannot be written to
        seen = {name: taps[name].check(self.end) if name in taps else x for name in layers}
        if isinstance(mode, Propagation):
            mode.check(seen)
        own = mode.notes(raw, [one for one in seen.values() if one.is_leaf]) if mode else ()
        answer = self._answer(raw, scores)
        weights = weighted(targets, answer.scores)
        grads = gradients(scores, [*seen.values()], weights, at_once=max(1, self.copies // len(x)) if inside else 16)
        evidence = {
            name: self._evidence(name, a, a.new_zeros(len(weights), *a.shape) if g is None else g, x)
            for (name, a), g in zip(seen.items(), grads, strict=True)
        }
        notes = {name: (taps[name].notes if name in taps else ()) + own for name in layers}
        return Trace(answer, weights, evidence, notes), all(g is not None for g in grads)

    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
        """The trace at the image, and for each target what every bias of the network adds to its score."""
        with self._ready(x) as x:
            mode = Biases(len(x), lambda share: layout_of(None, share, x))
            with torch.enable_grad(), mode:
                x.requires_grad_()
                raw, scores = self._run(x.clone())
            answer = self._answer(raw, scores)
            weights = weighted(targets, answer.scores)
            found, rows = [], []
            for t in range(len(weights)):
                mode.found = []
                (g,) = gradients(scores, [x], weights[t : t + 1], keep=t + 1 < len(weights))
                rows.append(x.new_zeros(1, *x.shape) if g is None else g)
                found.append(mode.found)
            evidence = {INPUT: self._evidence(INPUT, x, torch.cat(rows), x)}
            return Trace(answer, weights, evidence, {}), found

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        """What each layer emits (n, c, *space), from a pass that stops at the last of them; and notes on each."""
        with self._ready(x) as x, torch.no_grad():
            taps = self._taps(layers)
            known = self._survey(x[:1])
            runs = {tap: tap.call or (known[tap.name].calls if tap.name in known else 1) for tap in taps.values()}
            if taps:
                done = lambda: all(tap.calls >= runs[tap] for tap in taps.values())  # noqa: E731
                with suppress(Stop), recorded([*taps.values()], grad=False, done=done):
                    self._run(x.clone() if INPUT in layers else x)
            seen = {name: taps[name].check() if name in taps else x for name in layers}
            return (
                {name: plain(self._layout(name, a, x).turn(a)) for name, a in seen.items()},
                {name: tap.notes for name, tap in taps.items()},
            )

    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        """One pass; the pooled activations and the last linear layer's weights, where pooling is all there is between."""
        if self.explains != "logits":
            raise NotApplicable(f"CAM reads the linear layer, which makes logits; this model explains {self.explains}.")
        with self._ready(x) as x, torch.no_grad():
            taps = self._taps(layers)
            with recorded([*taps.values()], grad=False):
                (raw, scores), linear, entered = linear_head(self.network, lambda: self._run(x.clone()))
            answer = self._answer(raw, scores)
            seen = {name: taps[name].check() if name in taps else x for name in layers}
            a = {name: pooled(self._layout(name, a, x).turn(a), entered, name, self.name) for name, a in seen.items()}
            weights = weighted(targets, answer.scores)
            w = torch.as_tensor(weights @ as_numpy(linear.flatten(1)), dtype=plain(linear).dtype, device=linear.device)
            notes = {name: tap.notes for name, tap in taps.items()}
            return Head(answer, weights, {name: plain(one) for name, one in a.items()}, w, notes)

    def first_bad(self, x: Array) -> str | None:
        """The first layer to emit NaN or infinity, as x (n, c, *space) runs through."""
        with self._ready(x) as x, torch.no_grad():
            return first_bad(self.network, lambda: self._run(x))

    @contextmanager
    def _ready(self, x: Array) -> Iterator[Tensor]:
        """x as the network's own kind of tensor, the network undisturbed; out of memory is a MemoryError."""
        parameter = next((p for p in self.network.parameters() if p.is_floating_point()), torch.empty(0))
        if parameter.is_inference():
            raise BadNetwork(
                f"{self.name} was made inside torch.inference_mode, so no gradient can pass it. "
                "Make it outside, or explain copy.deepcopy(network), copied outside."
            )
        with undisturbed(self.network), differentiable_rnn(self.network, parameter.device):
            try:
                own = np.array(x, order="C") if isinstance(x, np.ndarray) else x.detach().clone()
                ready = torch.as_tensor(own, dtype=parameter.dtype, device=parameter.device)
                if self.end is not None and "#" not in self.end.layer:  # which call of the layer is the last
                    found = self.end.whole._survey(ready[:1]).get(self.end.layer)
                    self.calls[tuple(ready.shape[1:])] = found.calls if found else 1
                yield ready
            except RuntimeError as error:
                if out_of_memory(error):
                    raise MemoryError(str(error)) from error
                raise

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network gives (n, k), and that as this model's scores."""
        raw = self._raw(x)
        return raw, self._scores(raw)

    def _scores(self, raw: Tensor, normalised: bool | None = None) -> Tensor:
        if self.end is not None or self.explains == "logits":
            return plain(raw)
        return as_scores(plain(raw), self.explains, is_distribution(raw) if normalised is None else normalised)

    def _raw(self, x: Tensor) -> Tensor:
        try:
            if self.end is not None:
                return unit_scores(self.network, x, self.end, self.calls.get(tuple(x.shape[1:]), 1))
            output = self.network(x)
        except Exception as error:
            if isinstance(error, SeewhyError | Stop) or out_of_memory(error):
                raise
            raise BadNetwork(
                f"{self.name} failed on an input of shape {tuple(x.shape)}, {x.dtype}: {type(error).__name__}: {error}"
            ) from error
        return raw_scores(output, len(x))

    def _answer(self, raw: Tensor, scores: Tensor) -> Answer:
        if self.end is not None:
            return Answer(as_numpy(raw.detach()), None)
        numbers = as_numpy(raw.detach())
        ends_in_softmax = is_distribution(raw)
        notes = []
        if ends_in_softmax and self.explains == "logits":
            notes.append("the network already ends in a softmax, so its probabilities are explained; wrap the part before it")
        if self.labels is not None and len(self.labels) != numbers.shape[1]:
            notes.append(f"there are {len(self.labels)} labels for {numbers.shape[1]} scores: do they belong to this network?")
        probabilities = numbers if ends_in_softmax else softmax(numbers)
        return Answer(as_numpy(scores.detach()), probabilities, tuple(notes), ends_in_softmax)

    def _taps(self, layers: Sequence[str]) -> dict[str, Tap]:
        return {name: Tap(name, self.network) for name in layers if name != INPUT}

    def _survey(self, x: Tensor) -> dict[str, Layer]:
        key = (tuple(x.shape[1:]), tuple(map(id, every_module(self.network))))
        if key not in self.surveys:
            self.surveys[key] = survey(self.network, x, lambda image: self._run(image)[0])
        return self.surveys[key]

    def _blank(self) -> NDArray[Any]:
        from PIL import Image

        if self.prepare is None:
            raise BadParameter(f"{self.name} was wrapped without `prepare`: give the prepared batch, layers(x).")
        size = self.prepare.size if isinstance(self.prepare, Fit) else 256
        side = size if isinstance(size, int) else 256
        return self.prepare(Image.new("RGB", (side, side), "grey"))[None]

    def _layout(self, name: str, a: Tensor, x: Tensor) -> Layout:
        module = self.network.get_submodule(name.partition("#")[0]) if name != INPUT else None
        found = layout_of(module, a, x)
        if found is None:
            raise NotApplicable(
                f"Layer {name} emits {tuple(a.shape)} for an input of {tuple(x.shape)}: there is no space to draw in. "
                f"`seewhy layers` and model.layers() list those that have."
            )
        return found

    def _evidence(self, name: str, a: Tensor, g: Tensor, x: Tensor) -> Evidence:
        turn = self._layout(name, a, x).turn
        return Evidence(plain(turn(a.detach())), plain(turn(g)))
