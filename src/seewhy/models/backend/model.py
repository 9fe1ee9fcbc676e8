"""A network of any framework, over its `Backend`: what methods ask, answered in numpy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, is_distribution, numbers
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable, closest
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.images.places import Gaze, Place
from seewhy.models.function import SOFTMAX, FunctionModel
from seewhy.models.kernels import Kernels
from seewhy.models.model import INPUT, Answer, Attended, Bias, Evidence, Examination, Head, Layer, Trace
from seewhy.models.rule import BY_NAME, Balanced, Relevance, Rescaled, Rule
from seewhy.models.settings import BATCH, Settings
from seewhy.models.weights_digest import WeightsDigest
from seewhy.prepare.batch import Batch, batches, blank
from seewhy.prepare.unscaled import of_any_scale
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.decisions import whole_numbers, why_no_gradient
from seewhy.targets.target import Target, weighted

from .backend import Backend, LayerSight, PassResult
from .default import default_among, defaults, maps_of
from .ending import closed_form, pooled
from .examination import examined
from .pulled import PulledPass, pulled
from .resting import rests
from .scorer import BackendScorer
from .scores import chances, cotangents, scored

PIXELS_AT_ONCE = 2**21  # of the images of a pass: 32 of 256 x 256
TORCH_CAN = "Keras on the torch backend and torch networks can."
ByLayer = Mapping[str, NDArray[Any]]


class BackendModel(FunctionModel):
    """A network whose framework is asked through a `Backend`.  Adapters make it.

    settings: those that an adapter took into account itself (`inputs`, `output`, `device`, ...) are nothing to this model.
    """

    recovers_logits = True

    def __init__(self, backend: Backend, settings: Settings) -> None:
        adapted = replace(settings, takes="float", device=None, dtype=None, inputs=None, output=None, task=None, grid=None)
        super().__init__(backend.output, adapted)
        self.backend, self.task, self.digest = backend, settings.task, WeightsDigest()
        self.gives = backend.gives
        self.explains, self.geometry = settings.scores or "logits", settings.geometry
        self.widest = False  # the default layer is the last of the widest maps
        self.surveys: dict[tuple[int, ...], Mapping[str, LayerSight]] = {}  # by the size of images

    def __repr__(self) -> str:
        classes = f"{len(self.labels) if self.labels else 'unnamed'} classes"
        return f"<{self.name}: {self.explains} of {classes}, by {self.backend.framework}>"

    def takes_signals(self) -> bool:
        """Does it take batches (n, c, l)?"""
        return self.backend.signals and self.prepare is None

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        """The images, prepared, in batches; batches that were given prepared are turned to (n, c, *space)."""
        given = sort_out(images, self.takes_signals)
        if isinstance(given, PreparedBatch) and self.backend.channels != 1:
            given = replace(given, x=np.moveaxis(numbers(given.x), self.backend.channels, 1))
        return batches(given, self.prepare, self.at_once, self.name, self.takes_signals)

    def at_once(self, space: Sequence[int], whole: bool = False) -> int:
        """How many images of these sides a pass takes at most: of large ones fewer, lest memory run out."""
        usual = max(1, min(BATCH, PIXELS_AT_ONCE // max(1, prod(space))))
        return 1 if self.together.alone else self.requested_batch_size or usual

    def versions(self) -> Mapping[str, str]:
        return {**super().versions(), **self.backend.versions()}

    def weights_sha256(self) -> str:
        return self.digest.of(self.backend.weights())

    def conditions(self) -> Mapping[str, Any]:
        return {"backend": self.backend.framework, **self.backend.conditions()}

    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space)."""
        return self.answer_of(self.noted(numbers(x)))

    def answer_of(self, raw: NDArray[Any]) -> Answer:
        """The answer that raw scores (n, k) are."""
        if self.aims:
            return Answer(raw, None, self.backend.notes)
        normalised, notes = self._normalised(raw), (*self._decided_notes(), *self.backend.notes)
        if normalised and self.explains == "logits":
            self.explains = "log-probability"
        if normalised and self.explains == "log-probability":
            notes = (*notes, SOFTMAX)
        likely = chances(raw, normalised, self.task) if not self.decided else raw if is_distribution(raw) else None
        return Answer(self.scored(raw, normalised), likely, notes, normalised)

    def _normalised(self, raw: NDArray[Any]) -> bool:
        return not self.decided and self.task in (None, "single-label") and is_distribution(raw)

    def class_scores(self, raw: NDArray[Any], normalised: bool) -> NDArray[Any]:
        return raw if self.aims or self.decided else scored(raw, self.explains, normalised, self.task)

    @contextmanager
    def scoring(
        self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False
    ) -> Iterator[BackendScorer]:
        """The scores of many variants of images; where `inside`, of edits of what layers emit, too."""
        if fast or dtype is not None:
            raise BadParameter(f"{self.name} runs as it is, by {self.backend.framework}: leave fast= and dtype= out.")
        if inside:
            self._require_layers()
        yield BackendScorer(self, numbers(x), answer.normalised)

    def aimed(self, aims: Sequence[Aim], x: Array, view: ImageView) -> tuple["BackendModel", tuple[Pinned, ...]]:
        model: Any
        model, pinned = super().aimed(aims, x, view)
        model.widest = aims[0].widest
        return model, pinned

    def layers(self, x: Array | None = None) -> Mapping[str, Layer]:
        """What each layer that has axes of space emits, in the order it first runs, when x (n, c, *space) comes in."""
        self._require_layers()
        image = numbers(x)[:1] if x is not None else self._blank()
        default = self.default(image)
        known = {name: self.layer(each) for name, each in self.surveyed(image).items()}
        return known if default is None else {**known, default[0]: default[1]}

    def _blank(self) -> NDArray[Any]:
        if self.prepare is None:
            raise BadParameter(f"{self.name} was wrapped without `prepare`: give the prepared batch, layers(x).")
        size = getattr(self.prepare, "size", None) or 256
        return blank(of_any_scale(self.prepare), (size, size) if isinstance(size, int) else (size[1], size[0]), 128)[None]

    def surveyed(self, x: NDArray[Any]) -> Mapping[str, LayerSight]:
        """What a pass of an image of the size of x shows of all layers that have axes of space, in order."""
        key = tuple(x.shape[1:])
        if key not in self.surveys:
            with self.running(x[:1]):
                self.surveys[key] = self.backend.survey(x[:1])
        return self.surveys[key]

    def default(self, x: Array) -> tuple[str, Layer] | None:
        """The layer of images like x (n, c, *space) that is explained where none is named; None where there is none."""
        self._require_layers()
        maps = {name: each for name, each in maps_of(self.surveyed(numbers(x))).items() if each.connected}
        return default_among(maps, self.layer, self.widest) if maps else None

    def apart(self, x: Array) -> bool:
        """May one score rest on other layers than another?  That is not followed: a gradient that is zero tells of it."""
        return False

    def defaults(self, x: Array, targets: Sequence[Target]) -> Sequence[tuple[str, Layer] | None]:
        """For each target, the layer of an image x (1, c, *space) that is explained where none is named, and that the target's
        number rests on.
        """
        return defaults(self, numbers(x), targets)

    def rests(self, x: Array, weights: NDArray[Any], layer: str) -> bool:
        """Does a score of an image x (1, c, *space), the sum of its scores times weights (k,), change when other values stand
        in the layer's cells?
        """
        return rests(self, numbers(x)[:1], weights, layer)

    def layer(self, each: LayerSight) -> Layer:
        return Layer(each.kind, each.shape, each.calls, each.connected, cells=each.cells, sees=tuple(range(1, each.calls + 1)))

    def named(self, layers: Sequence[str | None], x: NDArray[Any]) -> list[str]:
        """The names of layers, the default's in place of None, and of one that runs several times each of its calls."""
        self._require_layers() if {*layers} - {INPUT} else None
        names: list[str] = []
        for name in layers:
            if name is None:
                default = self.default(x)
                if default is None:
                    raise BadParameter(f"{self.name} has no layer that still has space to explain; name one: layer=...")
                name = default[0]
            names += [name] if name == INPUT else self.calls_of(name, x)
        return [*dict.fromkeys(names)]

    def calls_of(self, name: str, x: NDArray[Any]) -> list[str]:
        known = self.surveyed(x)
        layer, _, call = name.partition("#")
        if layer not in known:
            raise NoSuchName("layer", name, closest(layer, [*known]), f"All names: seewhy layers {self.name}")
        calls = known[layer].calls
        if call and not (call.isdecimal() and 1 <= int(call) <= calls):
            raise NoSuchName("call", name, [f"{layer}#{i + 1}" for i in range(min(calls, 3))], f"{layer} runs {calls} times.")
        return [name] if call or calls == 1 else [f"{layer}#{i + 1}" for i in range(calls)]

    def cells(self, layer: str, x: Array) -> tuple[tuple[int, ...], Place] | None:
        """The grid of a layer, and where its cells lie in images like x; None where that is not known."""
        each = self.surveyed(numbers(x)).get(layer.partition("#")[0]) if self.geometry != "plain" else None
        return None if each is None or each.cells is None else (each.shape[1:], each.cells)

    def gaze(self, layer: str, x: Array) -> Gaze | None:
        """None: cells are drawn where they lie."""

    def upto(self, layer: str, at: Any = "max") -> Any:
        raise NotApplicable(f"The units of a layer cannot be explained by {self.backend.framework}. {TORCH_CAN}")

    def kernels(self, layer: str, x: Array) -> Kernels:
        raise NotApplicable(f"The kernels of a layer cannot be read by {self.backend.framework}. {TORCH_CAN}")

    def with_flat_layers(self) -> "BackendModel":
        """The same model: of layers without space it knows nothing."""
        return self

    def activations(self, x: Array, layers: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, tuple[str, ...]]]:
        """What each layer emits (n, c, *space), and notes on each."""
        x = numbers(x)
        names = [name for name in self.named(layers, x) if name != INPUT]
        with self.running(x):
            emitted = self.backend.emitted(x, names)
        return {**emitted.layers, **({INPUT: x} if INPUT in layers else {})}, emitted.notes

    def trace(
        self, x: Array, targets: Sequence[Target], layers: Sequence[str | None], rule: Rule | None = None, twice: bool = False,
        few: int | None = None,
    ) -> Trace:  # fmt: skip
        """One forward pass of x (n, c, *space), one backward pass per target: what they leave at each layer."""
        if twice or isinstance(rule, Relevance | Balanced | Rescaled):
            what = "Second derivatives" if twice else BY_NAME[type(rule)]
            raise NotApplicable(f"{what} cannot be had by {self.backend.framework}. {TORCH_CAN}")
        x = numbers(x)
        names = self.named(layers, x)
        if "gradients" not in self.gives:
            return self._by_head(x, targets, names, rule)
        if self.aims:
            what = "Gradients of regions, boxes and points"
            raise NotApplicable(f"{what} cannot be had by {self.backend.framework}. {TORCH_CAN}")
        with self.running(x):
            emitted = self.backend.traced(x, names, rule)
        self.note_rows(x, self.scores_of(emitted.output, len(x)))
        return self.evidence(emitted, targets, few)

    def evidence(self, emitted: PassResult, targets: Sequence[Target], few: int | None) -> Trace:
        raw = self.scores_of(emitted.output, next(iter(emitted.layers.values())).shape[0])
        if kind := whole_numbers(numbers(emitted.output)):
            why = why_no_gradient(self.decided or f"whole numbers ({kind})")
            raise NotApplicable(f"There is no gradient to read in {self.name}: {why}.")
        answer = self.answer_of(raw)
        weights = weighted(targets, answer.scores)
        back = cotangents(raw, weights, self.explains, answer.normalised, self.task, self.groups)
        assert emitted.pull is not None, "a traced pass can be pulled back"
        pull, count = emitted.pull, few or len(weights)

        def further(start: int) -> Trace:
            with self.running(raw):
                gradients = pull(back[start : start + count])
            evidence = {name: Evidence(a, gradients[name]) for name, a in emitted.layers.items()}
            return Trace(answer, weights, evidence, emitted.notes)

        first = further(0)
        return first._replace(further=further) if few else first

    def pulled(self, x: Array, layers: Sequence[str]) -> PulledPass:
        """One pass of x (n, c, *space), whose gradient at x can be asked for: of the scores, and of no other layer."""
        return pulled(self, numbers(x), layers)

    def scores_of(self, output: Any, n: int) -> NDArray[Any]:
        """The raw scores (n, k) in what the network gave for n images, checked."""
        raw = np.stack([aim.read(output) for aim in self.aims], 1) if self.aims else numbers(output)
        return self._checked(raw, np.empty((n, 0)))

    def _by_head(self, x: NDArray[Any], targets: Sequence[Target], names: Sequence[str], rule: Any) -> Trace:
        """The trace at the layer that is pooled, whose gradients follow from the linear layer's weights."""
        if rule is not None or INPUT in names:
            raise NeedsGradients(f"{self.name} runs by {self.backend.framework}, which gives no gradients. {self.instead}")
        try:
            head, emitted, slopes = self._head(x, targets, names)
        except NotApplicable as error:
            raise NeedsGradients(
                f"{self.name} runs by {self.backend.framework}, which gives no gradients, and they have no closed form "
                f"at {', '.join(names)}: {error} {self.instead}"
            ) from None
        evidence = {name: Evidence(a, closed_form(head.w, slopes[name])) for name, a in emitted.items()}
        return Trace(head.answer, head.weights, evidence, head.notes)

    @property
    def instead(self) -> str:
        """What explains a network without gradients."""
        return "Try eigen-cam, score-cam, recipro-cam, occlusion, rise or lime."

    def head(self, x: Array, targets: Sequence[Target], layers: Sequence[str]) -> Head:
        """One pass; the pooled activations and the last linear layer's weights, where pooling is all there is between."""
        return self._head(numbers(x), targets, layers)[0]

    def _head(self, x: NDArray[Any], targets: Sequence[Target], layers: Sequence[str]) -> tuple[Head, ByLayer, ByLayer]:
        """The head; what its layers emit, and the slope of what is pooled by that."""
        if self.explains != "logits":
            raise NotApplicable(f"CAM reads the linear layer, which makes logits; this model explains {self.explains}.")
        names = [name for name in self.named(layers, x) if name != INPUT]
        with self.running(x):
            end = self.backend.linear_end(x, names)
        answer = self.answer_of(raw := self.scores_of(end.emitted.output, len(x)))
        weights = weighted(targets, answer.scores)
        each = {name: pooled(a, end.entered, name, self.name) for name, a in end.emitted.layers.items()}
        w = cotangents(raw, weights, self.explains, answer.normalised, self.task, self.groups) @ end.weights.astype(float)
        head = Head(answer, weights, {name: of.a for name, of in each.items()}, w, end.emitted.notes)
        return head, end.emitted.layers, {name: of.slope for name, of in each.items()}

    def biases(self, x: Array, targets: Sequence[Target]) -> tuple[Trace, list[list[Bias]]]:
        raise NotApplicable(f"What biases add cannot be told by {self.backend.framework}. {TORCH_CAN}")

    def attended(self, x: Array, targets: Sequence[Target] = (), whole: bool = True, each: bool = False) -> Attended:
        raise NotApplicable(f"Attention cannot be read by {self.backend.framework}. {TORCH_CAN}")

    def first_bad(self, x: Array) -> str | None:
        """The first layer to emit NaN or infinity, as x (n, c, *space) runs through."""
        if "layers" not in self.gives:
            return None
        emitted = self.backend.emitted(x := numbers(x), names := self.named([*self.surveyed(x)], x)).layers
        return next((name for name in names if not np.isfinite(emitted[name]).all()), None)

    def examine(self, x: Array) -> Examination:
        """What a few passes of one image (1, c, *space) show: what can be read, and what may spoil an explanation."""
        return examined(self, numbers(x), super().examine(x))

    def _require_layers(self) -> None:
        if "layers" not in self.gives:
            more, instead = (" and gradients at the images", "gradient, ") if "gradients" in self.gives else ("", "")
            gives = f"{self.name}, run by {self.backend.framework}, gives scores{more}, and no layers."
            raise NeedsGradients(f"{gives} Try {instead}occlusion, rise or lime.")
