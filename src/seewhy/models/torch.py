"""Torch networks, read at the price of a forward pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from platform import python_version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import BadNetwork, BadParameter, NotApplicable, SeewhyError
from ..image import Array, Images
from ..prepare import Batch, Fit, batches, preparer
from ..target import Target, weighted
from . import INPUT, Answer, Evidence, Head, Layer, Trace, softmax
from .layout import Layout
from .survey import first_bad, layout_of, linear_head, survey
from .taps import Stop, Tap, every_module, raw_scores, recorded, undisturbed, unwrapped

BATCH = 32  # images per pass, where the person has not said
TARGETS = 16  # targets per batched backward pass


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
        self.weights = weights
        self.surveys: dict[Any, dict[str, Layer]] = {}

    def __repr__(self) -> str:
        return f"<{self.name}: {self.explains} of {len(self.labels) if self.labels else 'unnamed'} classes>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "surveys": {}}

    def batches(self, images: Images) -> Iterator[Batch]:
        return batches(images, self.prepare, self.batch_size, self.name)

    def versions(self) -> Mapping[str, str]:
        return {"torch": torch.__version__, "numpy": np.__version__, "python": python_version()}

    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space), in one pass without a graph."""
        with self._ready(x) as x, torch.no_grad():
            return self._answer(*self._run(x))

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        """What each layer emits, in the order it first runs, when x (n, c, *space) (by default a blank photo) comes in."""
        with self._ready(self._blank() if x is None else x[:1]) as x:
            return self._survey(x)

    def trace(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Trace:
        """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer."""
        for whole in (False, True):  # the graph from the first tap on; or, past a no_grad inside the network, all of it
            with self._ready(x) as ready:
                found, connected = self._traced(ready, targets, layers, whole)
            if connected or whole:
                break
        return found

    def _traced(self, x: Tensor, targets: Sequence[Target], layers: Sequence[str], whole: bool) -> tuple[Trace, bool]:
        taps = self._taps(layers)
        inside = INPUT in layers
        with torch.set_grad_enabled(whole or inside), recorded([*taps.values()], grad=True):
            x.requires_grad_(inside)
            raw, scores = self._run(x.clone() if inside else x)  # a leaf cannot be written to
        seen = {name: taps[name].check() if name in taps else x for name in layers}
        answer = self._answer(raw, scores)
        weights = weighted(targets, answer.scores)
        grads = self._gradients(scores, [*seen.values()], weights)
        evidence = {
            name: self._evidence(name, a, a.new_zeros(len(weights), *a.shape) if g is None else g, x)
            for (name, a), g in zip(seen.items(), grads, strict=True)
        }
        notes = {name: tap.notes for name, tap in taps.items()}
        return Trace(answer, weights, evidence, notes), all(g is not None for g in grads)

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
        with undisturbed(self.network), _differentiable_rnn(self.network, parameter.device):
            try:
                own = np.array(x, order="C") if isinstance(x, np.ndarray) else x.detach().clone()
                yield torch.as_tensor(own, dtype=parameter.dtype, device=parameter.device)
            except RuntimeError as error:
                if out_of_memory(error):
                    raise MemoryError(str(error)) from error
                raise

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network gives (n, k), and that as this model's scores."""
        try:
            output = self.network(x)
        except Exception as error:
            if isinstance(error, SeewhyError | Stop) or out_of_memory(error):
                raise
            raise BadNetwork(
                f"{self.name} failed on an input of shape {tuple(x.shape)}, {x.dtype}: {type(error).__name__}: {error}"
            ) from error
        raw = raw_scores(output, len(x))
        return raw, as_scores(plain(raw), self.explains)

    def _answer(self, raw: Tensor, scores: Tensor) -> Answer:
        numbers = as_numpy(raw.detach())
        ends_in_softmax = is_distribution(raw)
        notes = []
        if ends_in_softmax and self.explains == "logits":
            notes.append("the network already ends in a softmax, so its probabilities are explained; wrap the part before it")
        if self.labels is not None and len(self.labels) != numbers.shape[1]:
            notes.append(f"there are {len(self.labels)} labels for {numbers.shape[1]} scores: do they belong to this network?")
        return Answer(as_numpy(scores.detach()), numbers if ends_in_softmax else softmax(numbers), tuple(notes))

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

    def _gradients(self, scores: Tensor, seen: list[Tensor], weights: NDArray[Any]) -> list[Tensor | None]:
        """Of each explained score toward each tap: (t, n, ...).  None where no score is connected to it."""
        if not scores.requires_grad:
            return [None] * len(seen)
        starts = torch.as_tensor(weights, dtype=scores.dtype, device=scores.device)
        chunks = [backward(scores, seen, part, keep=len(starts) > 1) for part in starts.split(TARGETS)]
        return [None if parts[0] is None else torch.cat(parts) for parts in zip(*chunks, strict=True)]


def backward(scores: Tensor, seen: list[Tensor], starts: Tensor, keep: bool) -> Sequence[Tensor | None]:
    """Gradients (t, n, ...) of t weightings of the scores: one batched pass, or one after the other where that fails."""
    if len(starts) > 1:
        try:
            return torch.autograd.grad(scores, seen, starts, is_grads_batched=True, retain_graph=True, allow_unused=True)
        except RuntimeError as error:  # a custom or recurrent operation that cannot be batched
            if out_of_memory(error):
                raise
    rows = [torch.autograd.grad(scores, seen, start, retain_graph=keep, allow_unused=True) for start in starts]
    return [None if column[0] is None else torch.stack(column) for column in zip(*rows, strict=True)]


def out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def pooled(a: Tensor, entered: Tensor, layer: str, model: str) -> Tensor:
    """What was averaged over space to give the linear layer's input (n, c): the layer's output, or its ReLU."""
    entered = entered.nan_to_num()
    near = 1e-3 * float(entered.abs().max()) + 1e-12
    for candidate in (a, a.relu()):
        mean = candidate.flatten(2).mean(2).nan_to_num()
        if mean.shape == entered.shape and torch.allclose(mean, entered, rtol=0, atol=near):
            return candidate
    raise NotApplicable(
        f"CAM needs global average pooling and one linear layer right after {layer}; in {model} something else lies "
        "between. hires-cam says the same thing where CAM exists, and needs no such head."
    )


def as_scores(raw: Tensor, explains: str) -> Tensor:
    """What the network gives (n, k) as logits, log-probabilities or probabilities; one score alone is a binary logit."""
    if explains == "logits":
        return raw
    if is_distribution(raw):
        return raw if explains == "probability" else raw.log()
    if raw.shape[1] == 1:
        return raw.sigmoid() if explains == "probability" else nn.functional.logsigmoid(raw)
    return raw.softmax(1) if explains == "probability" else raw.log_softmax(1)


def is_distribution(raw: Tensor) -> bool:
    """Are these probabilities already?"""
    raw = raw.detach().float()
    return raw.shape[1] > 1 and bool((raw >= 0).all()) and bool(((raw.sum(1) - 1).abs() < 1e-3).all())


def plain(x: Tensor) -> Tensor:
    """Half precision as float32: formulas sum over thousands of numbers."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def as_numpy(x: Tensor) -> NDArray[Any]:
    return plain(x).cpu().numpy()


@contextmanager
def _differentiable_rnn(network: nn.Module, device: torch.device) -> Iterator[None]:
    """cuDNN's recurrent layers refuse a backward pass in eval mode; torch's own do not."""
    recurrent = device.type == "cuda" and any(isinstance(m, nn.RNNBase) for m in network.modules())
    with torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext():
        yield
