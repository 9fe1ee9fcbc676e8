"""Torch networks, read at the price of a forward pass."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import replace
from platform import python_version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy import __version__
from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.images.inputs import Images
from seewhy.lru import Recent
from seewhy.models.model import INPUT, Answer, Attended, Bias, Evidence, Examination, Head, Layer, Trace
from seewhy.models.rule import Balanced, Relevance, Rule
from seewhy.models.torch.attention.attended import attended
from seewhy.models.torch.passes.backward import gradients, second_gradient
from seewhy.models.torch.passes.head import first_bad, linear_head, pooled
from seewhy.models.torch.passes.taps import Several, Stop, Tap, ordered_gradients, recorded
from seewhy.models.torch.passes.units import End
from seewhy.models.torch.rules.biases import Biases
from seewhy.models.torch.rules.libra import Balance
from seewhy.models.torch.rules.relevance import Propagation
from seewhy.models.torch.rules.relu_rules import Rewiring
from seewhy.models.torch.rules.unfused import StepByStep
from seewhy.models.torch.variants.scorer import TorchScorer, quick
from seewhy.prepare.batch import Batch, batches, grey
from seewhy.printable import printable
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.target import Target, Top, weighted

from .examine import examined
from .hazards import hazards
from .inputs import of_scales
from .running import Running
from .scores import as_numpy, plain
from .undisturbed import again


class TorchModel(Running):
    """A torch.nn.Module and what is needed to ask it.  Made by `seewhy.wrap`; explained in eval mode, given back as it was."""

    def __repr__(self) -> str:
        if self.no_classes and self.towers:
            words = "with its" if self.towers.tokenizer else "without a"
            return f"<{printable(self.name, 300)}: embeddings of images and texts, {words} tokenizer>"
        return f"<{printable(self.name, 300)}: {self.explains} of {len(self.labels) if self.labels else 'unnamed'} classes>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "units": Recent(), "surveys": Recent()}

    def upto(self, layer: str, at: Any = "max") -> "TorchModel":
        """The model whose scores are the units of a layer: of each channel the strongest activation, its "sum" over
        space, or the activation at a cell, such as (y, x).  A class of it is a channel; what lies behind does not run.
        """
        at = at if isinstance(at, str) else tuple(at)
        return self.units.of((layer, at), lambda: self._upto(layer, at))

    def _upto(self, layer: str, at: Any) -> "TorchModel":
        model = copy(self)
        model.end = End(Tap(layer, self.network).layer, at, self)
        model.name, model.labels, model.explains = f"{self.name} up to {layer}", None, "activation"
        model.surveys, model.learned, model.units, model.calls, model.straight = (Recent() for _ in range(5))
        return model

    @again
    def aimed(self, aims: Sequence[Aim], x: Array, view: ImageView) -> tuple["TorchModel", tuple[Pinned, ...]]:
        """The model whose scores are what aims, of one kind, read of its whole output; pinned on an image x (1, c, *space)."""
        view = view._replace(scored=self._dense_scores, independent=self.task == "multi-label", model=self)
        with self._ready(x) as ready, torch.no_grad():
            output = self._whole(ready)
            self._look_for_dense_sigmoid(ready, output)
            pinned = tuple(aim.pin(output, view) for aim in aims)
        model = copy(self)
        model.widest = aims[0].widest
        model.aims, model.explains, model.labels, model.end = pinned, pinned[0].kind, None, None
        model.units, model.straight = Recent(), Recent()
        own = tuple(one.target for one in pinned) if of_scales(self.network) else ()
        model.surveys = self.units.of((*map(type, aims), *own), Recent)  # as of other images
        return model, pinned

    @again
    def whole(self, x: Array) -> Any:
        """All that the network gives for images x (n, c, *space), as aims read it."""
        with self._ready(x) as ready, torch.no_grad():
            return self._whole(ready)

    def fit(self, count: int) -> None:
        """BadParameter where the inputs beside the images are not one row for each of so many."""
        self.inputs.fit(count)

    def beside(self, place: int, count: int) -> "TorchModel":
        """The model as the images from `place` on meet it: with the inputs of their own beside them."""
        if not self.inputs.rows:
            return self
        model = copy(self)
        model.inputs, model.units = self.inputs.of(place, count), Recent()
        return model

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        return batches(images, self.prepare, self.copies if whole else self.batch_size, self.name, self.signals)

    def colour(self, level: int) -> NDArray[Any] | None:
        """What a grey of that level (0 black, 255 white) is to the network: (c,); None where it takes no photos."""
        return grey(self.prepare, level)

    def versions(self) -> Mapping[str, str]:
        used = {name: sys.modules[name].__version__ for name in ("torchvision", "timm") if name in sys.modules}
        return {"seewhy": __version__, "torch": torch.__version__, **used, "numpy": np.__version__, "python": python_version()}

    @again
    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space), in one pass without a graph."""
        with self._ready(x) as x, torch.no_grad():
            raw = self._raw(x)
            self._look_for_sigmoid(x, raw)
            return self._answer(raw, self._scores(raw))

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

    @again
    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        """What each layer emits, in the order it first runs, when x (n, c, *space) (by default a blank photo) comes in."""
        image = self._blank() if x is None else x[:1]
        known = self._surveyed_before(image)
        if known is not None:  # nothing runs, so nothing has to stand in for the network
            return known.layers
        with self._ready(image) as ready:
            return self._survey(ready).layers

    @again
    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str], rule: Rule | None = None, twice: bool = False
    ) -> Trace:
        """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer.

        With a rule the gradient comes back by it; NotApplicable where the network gives it nothing to do.
        twice: the evidence can be asked for second derivatives, and keeps the graph as long as it lives; not with a rule.
        """
        if twice and rule is not None:
            raise NotApplicable("Second derivatives are those of the plain gradient, not of what a rule brings back.")
        if isinstance(rule, Relevance) and self.explains not in ("logits", "activation"):
            raise NotApplicable(f"Relevance is shared out from logits; this model explains {self.explains}.")
        if isinstance(rule, Balanced) and self.explains not in ("logits", "activation"):
            raise NotApplicable(f"libra balances the way back from logits; this model explains {self.explains}.")
        layers = self._each_call(layers, x)
        for whole in (False, True):  # the graph from the first tap on; or, past a no_grad inside the network, all of it
            try:
                with self._ready(x) as ready:
                    found, connected = self._traced(ready, targets, layers, whole, rule, twice)
            except Several as several:  # only now it is known
                self._learn(x, several.calls)
                return self.trace(x, targets, layers, rule, twice)
            except BadNetwork as error:
                if whole or INPUT in layers or "created in no_grad" not in str(error):
                    raise
                continue  # writing over a part of what was made before the first tap
            if connected or whole or INPUT in layers:
                return found
        raise AssertionError("the second pass always returns")

    def _traced(
        self, x: Tensor, targets: Sequence[Target], layers: Sequence[str], whole: bool, rule: Rule | None,
        twice: bool,
    ) -> tuple[Trace, bool]:  # fmt: skip
        taps = self._taps(layers)
        inside = INPUT in layers
        mode = _mode(rule)
        with torch.enable_grad():
            entered = x.requires_grad_().clone() if inside else x  # a leaf cannot be written to
        follow = self._following(layers, entered)
        recording = recorded([*taps.values()], grad=True, follow=follow)
        way = (tuple(x.shape), tuple(layers), rule)
        ordered = ordered_gradients(self.network, 0 if way in self.straight and not twice else len(x))
        grad = torch.set_grad_enabled  # at once, not when it is entered
        with (
            ordered as odd,
            grad(whole or inside),
            mode or (StepByStep() if twice else nullcontext()),
            follow or nullcontext(),
            recording,
        ):
            raw, scores = self._run(entered)
        seen = {name: taps[name].check(self.end) if name in taps else x for name in layers}
        if several := {tap.name: tap.calls for tap in taps.values() if tap.calls > 1 and not tap.call}:
            raise Several(several)
        self._learn_places(follow, taps, x)
        if isinstance(mode, Propagation):
            mode.check(seen)
        own = mode.notes(raw, [one for one in seen.values() if one.is_leaf]) if mode else ()
        answer = self._answer(raw, scores)
        weights = weighted(targets, answer.scores)
        at_once = max(1, self.copies // len(x)) if inside else 16
        grads = gradients(scores, [*seen.values()], weights, at_once, keep=twice)
        if not odd:
            self.straight.keep(way, True)
        evidence = {
            name: self._evidence(name, a, a.new_zeros(len(weights), *a.shape) if g is None else g, x)
            for (name, a), g in zip(seen.items(), grads, strict=True)
        }
        if twice:
            turns = {name: self._layout(name, a, x).turn for name, a in seen.items()}
            evidence = {
                name: replace(each, again=second_gradient(scores, weights, seen[name], lambda b, t=turns[name]: plain(t(b))))
                for name, each in evidence.items()
            }
        notes = {name: (taps[name].notes if name in taps else ()) + own + self._mirrored(name, x) for name in layers}
        return Trace(answer, weights, evidence, notes), all(g is not None for g in grads)

    @again
    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
        """The trace at the image, and for each target what every bias of the network adds to its score."""
        with self._ready(x) as x:
            self._survey(x[:1])  # not amid the way back
            mode = Biases(len(x), lambda share: self._lies(None, share, x))
            with ordered_gradients(self.network, len(x)), torch.enable_grad(), mode:
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

    @again
    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        """What each layer emits (n, c, *space), from a pass that stops at the last of them; and notes on each."""
        with self._ready(x) as x, torch.no_grad():
            known = self._survey(x[:1]).layers
            layers = self._each_call(layers, x)
            taps = self._taps(layers)
            runs = {tap: tap.call or (known[tap.name].calls if tap.name in known else 1) for tap in taps.values()}
            if taps:
                done = lambda: all(tap.calls >= runs[tap] for tap in taps.values())  # noqa: E731
                entered = x.clone() if INPUT in layers else x
                follow = self._following(layers, entered)
                with suppress(Stop), follow or nullcontext(), recorded([*taps.values()], False, done, follow):
                    self._run(entered)
                self._learn_places(follow, taps, x)
            seen = {name: taps[name].check() if name in taps else x for name in layers}
            return (
                {name: plain(self._layout(name, a, x).turn(a)) for name, a in seen.items()},
                {name: tap.notes + self._mirrored(name, x) for name, tap in taps.items()},
            )

    @again
    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        """One pass; the pooled activations and the last linear layer's weights, where pooling is all there is between."""
        if self.explains != "logits":
            raise NotApplicable(f"CAM reads the linear layer, which makes logits; this model explains {self.explains}.")
        with self._ready(x) as x, torch.no_grad():
            taps = self._taps(layers)
            image = x.clone()
            follow = self._following(layers, image)
            with follow or nullcontext(), recorded([*taps.values()], grad=False, follow=follow):
                (raw, scores), linear, entered = linear_head(self.network, lambda: self._run(image))
            self._learn_places(follow, taps, x)
            answer = self._answer(raw, scores)
            seen = {name: taps[name].check() if name in taps else x for name in layers}
            a = {name: pooled(self._layout(name, a, x).turn(a), entered, name, self.name) for name, a in seen.items()}
            weights = weighted(targets, answer.scores)
            w = torch.as_tensor(weights @ as_numpy(linear.flatten(1)), dtype=plain(linear).dtype, device=linear.device)
            notes = {name: tap.notes for name, tap in taps.items()}
            return Head(answer, weights, {name: plain(one) for name, one in a.items()}, w, notes)

    @again
    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> Attended:
        """One pass, read at the weights of its attentions, and with targets at the gradients toward them; see `attended`."""
        return attended(self, x, targets, whole, each)

    def examine(self, x: Array) -> Examination:
        """What a few passes of one image (1, c, *space) show: what can be read, and what may spoil an explanation."""
        layers = {} if self.sealed else self.layers(x)
        layer = next((name for name, known in layers.items() if known.default), None)
        facts = examined(self, x, layers, layer)
        refused = dict(facts.refused)
        if self.explains not in ("logits", "activation"):
            logits = f"it takes logits apart; this model explains {self.explains}"
            refused |= dict.fromkeys(("head", "logits", "relevance", "excitation", "products"), logits)
        if not layers:
            refused |= {"biases": "no bias can be read inside", "balance": "nothing inside can be balanced"}
        products = Relevance(attention=True)
        attempts = {"attention": lambda: self.attended(x), "products": lambda: self.trace(x, [Top()], [INPUT], products)}
        if layer is not None:
            attempts["second derivative"] = lambda: self._second_derivative(x, layer)
        for need, attempt in attempts.items():
            try:
                _ = need in refused or attempt()
            except (NotApplicable, BadNetwork) as error:
                refused[need] = str(error)
        a = None if facts.first.a is None else as_numpy(facts.first.a)
        return Examination(facts.first.answer, layers, layer, a, refused, hazards(facts))

    def _second_derivative(self, x: Array, layer: str) -> None:
        """NotApplicable where the scores have none toward the layer."""
        for evidence in self.trace(x, [Top()], [layer], twice=True).evidence.values():
            evidence.hessian(0, evidence.a)

    def _mirrored(self, name: str, x: Tensor) -> tuple[str, ...]:
        seen = f"the network mirrors or turns the image before {name}: the map lies as the layer saw it"
        return (seen,) if name in self._learned(x).turned else ()

    @again
    def first_bad(self, x: Array) -> str | None:
        """The first layer to emit NaN or infinity, as x (n, c, *space) runs through."""
        with self._ready(x) as x, torch.no_grad():
            return first_bad(self.network, lambda: self._run(x))

    def _evidence(self, name: str, a: Tensor, g: Tensor, x: Tensor) -> Evidence:
        turn = self._layout(name, a, x).turn
        return Evidence(plain(turn(a.detach())), plain(turn(g)))


def _mode(rule: Rule | None) -> Propagation | Balance | Rewiring | None:
    """What sees to a rule while the network runs."""
    if rule is None:
        return None
    return Propagation(rule) if isinstance(rule, Relevance) else Balance() if isinstance(rule, Balanced) else Rewiring(rule)
