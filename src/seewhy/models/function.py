"""Any function from images to scores, as a model: a scikit-learn pipeline, a web service, another framework."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, first_of, is_distribution, numbers, softmax
from seewhy.errors import BadNetwork, BadParameter, InSpace, NeedsGradients, NotFinite, SeewhyError
from seewhy.images.inputs import Images
from seewhy.images.places import Extent
from seewhy.memory import out_of_memory
from seewhy.prepare.batch import Batch, batches, grey, preparer
from seewhy.printable import printable, words_of
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.decisions import DECIDED, decided_scores
from seewhy.targets.group import are_summed, joined
from seewhy.targets.suggest import suggestion
from seewhy.untrained import untrained

from .function_examination import examination
from .function_scorer import FunctionScorer
from .hazard import WARNING, KnownFunction
from .model import GIVEN, SCORES_ALONE, TRY, Answer, Examination
from .origin import NO_ORIGIN, Origin, ground, machine
from .settings import BATCH, Settings, of_function, pixel_preparation
from .together import Together

SLACK = 2.0 ** (-10 * 0.6)  # of the largest score: what is rounding, also inside a function that computes in TensorFloat-32

CLASSES = " Are these labels? Say which classes there are, labels=[...], or give what tells the scores, such as predict_proba."
SOFTMAX = "the network already ends in a softmax, so its log-probabilities are explained"


class FunctionModel:
    """A function, and how images are prepared for it.  It gives scores only.  `seewhy.wrap` makes it.

    takes: "uint8": photos (n, h, w, 3), resized and cropped by the numbers of `prepare`; here they are (n, 3, h, w) from 0
        to 255.  "float": what `prepare` made, (n, c, h, w).
    """

    gives = SCORES_ALONE
    towers = None  # it has no text tower
    no_classes = ""  # why no class can be explained: there is no reason
    recovers_logits = False  # of probabilities their logarithms are explained, where nothing else is asked for

    def __init__(self, function: Callable[..., Any], settings: Settings, inside: str = "") -> None:
        self.inside = inside  # in words, the network that it holds, where it is an object
        of_function(settings)
        prepare, takes = settings.prepare, settings.takes
        self.function, self.takes = function, takes
        self.prepare = preparer(pixel_preparation(prepare) if takes == "uint8" else prepare)
        self.sized = prepare is not None or takes == "float"
        self.labels = settings.labels
        self.name = settings.name or getattr(function, "__name__", type(function).__name__)
        self.explains = settings.scores or GIVEN
        self.requested_batch_size = settings.batch_size
        self.weights = settings.weights
        self.origin: Origin = NO_ORIGIN
        self.known = function if isinstance(function, KnownFunction) else KnownFunction()
        self.groups: tuple[tuple[int, ...], ...] = ()  # of classes, of a model whose scores are those of groups
        self.decided = ""  # what it gives, in words, where these are decisions and no scores, as its last answer showed
        self.together = Together()  # may images share a call?
        self.aims: tuple[Pinned, ...] = ()  # what is read of all that it gives, of a model made by `aimed`

    @property
    def remarks(self) -> tuple[str, ...]:
        """What every map has to say of how it runs, as far as it is known by now."""
        return self.together.notes

    def mixed(self, x: Array, copies: bool = False) -> bool:
        """Has each of these images (n, c, *space), or copies of images, to run alone, which just shared a pass?"""
        return self.together.apart(numbers(x), self.raw, self.aims)

    def takes_one(self) -> None:
        """Remember that it takes one image at a time."""
        self.together.single = True

    @property
    def untrained(self) -> str:
        """The weights that nobody trained, in words; "" where all were, or where that is not known."""
        return untrained(self.weights)

    def __repr__(self) -> str:
        classes = f"{len(self.labels) if self.labels else 'unnamed'} classes"
        return f"<{printable(self.name, 300)}: {self.explains} of {classes}, scores only>"

    def takes_signals(self) -> bool:
        """Does it take batches (n, c, l)?"""
        return self.takes == "float" and self.prepare is None

    def unchanged(self) -> AbstractContextManager[Any]:
        """Nothing is remembered of a function, so nothing has to be looked over."""
        return nullcontext()

    def fit(self, count: int) -> None:
        """Accept any number of images, since there are no inputs beside them."""

    def beside(self, place: int, count: int) -> "FunctionModel":
        """The same model, since there are no inputs beside the images."""
        return self

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        return batches(images, self.prepare, self.at_once, self.name, self.takes_signals)

    def at_once(self, space: Sequence[int], whole: bool = False) -> int:
        """How many images the function is given at most, whatever their size."""
        return 1 if self.together.alone else self.requested_batch_size or BATCH

    def colour(self, level: int) -> NDArray[Any] | None:
        """What a grey of that level (0 black, 255 white) is to the function: (c,); None where it takes no photos."""
        return grey(self.prepare, level)

    def first_bad(self, x: Array) -> str | None:
        """None: no layer can be read, so it is not known where NaN or infinity arises."""
        return None

    def versions(self) -> Mapping[str, str]:
        """The versions of all libraries that a map depends on, as far as they are known."""
        return {**ground(), **self.known.versions}

    def weights_sha256(self) -> str:
        """The SHA-256 of the file that holds its weights; "" of any other function, whose weights nobody can see."""
        return self.known.sha256

    def conditions(self) -> Mapping[str, Any]:
        """What is known of where and how it runs."""
        return {"backend": "function"}

    def host(self) -> Mapping[str, Any]:
        """The machine that asks it."""
        return machine()

    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space)."""
        x = numbers(x)
        if self.takes == "uint8" and 0 < x.max() <= 1 and (x % 1 != 0).any():
            raise BadParameter(f"{self.name} takes photos from 0 to 255; these lie between 0 and 1: multiply them by 255.")
        raw = self.noted(x)
        normalised = self._normalised(raw)
        chances = raw if normalised else None if self.explains == GIVEN or self.decided else softmax(raw)
        if self.aims:
            return Answer(raw, None)
        notes = self._decided_notes() + tuple(hazard.words for hazard in self.known.hazards if hazard.severity == WARNING)
        return Answer(self.scored(raw, normalised), chances, notes, normalised)

    def _decided_notes(self) -> tuple[str, ...]:
        return (DECIDED.format(self.name, self.decided),) if self.decided else ()

    def examine(self, x: Array) -> Examination:
        """What a few answers to the image (1, c, *space) show; nothing inside the function can be read."""
        return examination(self, x)

    def aimed(self, aims: Sequence[Aim], x: Array, view: ImageView) -> tuple["FunctionModel", tuple[Pinned, ...]]:
        """The model whose scores are what aims, of one kind, read of all that the function gives; pinned on an image x."""
        output = self.whole(x)
        model = copy(self)
        view = view._replace(model=model, scored=model._dense_scores, ending=model.dense_ending)
        pinned = tuple(aim.pin(output, view) for aim in aims)
        model.aims, model.explains, model.labels = pinned, pinned[0].kind, None
        return model, pinned

    def grouped(self, groups: Sequence[Sequence[int]]) -> Self:
        """The model whose scores are those of groups of its classes, by their indices: that any class of a group is there."""
        model = copy(self)
        model.groups = tuple(map(tuple, groups))
        return model

    def whole(self, x: Array) -> Any:
        """All that the function gives for images x (n, c, *space), as aims read it."""
        return self._called(numbers(x))

    def dense_ending(self, raw: NDArray[Any]) -> tuple[str, tuple[str, ...]]:
        """The kind of scores that are made of dense raw numbers (n, k, *where), where it is not the model's, and what is said
        of it: of probabilities the logarithms, where logits were to be explained; of a function's, which may be any, nothing.
        """
        if not self.recovers_logits or self.explains != "logits" or ((raw == 0) | (raw == 1)).all():  # the last: decided
            return "", ()
        if not self._normalised(np.moveaxis(raw, 1, -1).reshape(-1, raw.shape[1])):
            return "", ()
        self.explains = "log-probability"
        return self.explains, (SOFTMAX,)

    def _dense_scores(self, raw: NDArray[Any]) -> NDArray[Any]:
        flat = np.moveaxis(raw, 1, -1)
        rows = flat.reshape(-1, flat.shape[-1])
        return np.moveaxis(self.scored(rows, self._normalised(rows)).reshape(flat.shape), -1, 1)

    def raw(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the function gives for images x (n, c, *space), as scores (n, k); BadNetwork where it gives no scores."""
        output = self._called(x)
        if self.aims:
            return self._checked(np.stack([aim.read(output) for aim in self.aims], 1), x)
        try:
            return self._checked(self._array(output, len(x)), x)
        except BadNetwork as error:
            height, width = (*x.shape[2:], 1)[:2]
            view = ImageView(tuple(x.shape[2:]), None, Extent(0, 0, width, height), self.labels, self)
            if other := suggestion(output, view):
                raise InSpace(f"{self.name} {other}. Or make scores of it: {error}") from None
            raise type(error)(f"{error}{self.inside}") from None

    def noted(self, x: NDArray[Any]) -> NDArray[Any]:
        """What it gives for images x (n, c, *space), as scores (n, k); from it is learned whether images can share a call."""
        raw = self.raw(x)
        self.note_rows(x, raw)
        return raw

    def note_rows(self, x: NDArray[Any], raw: NDArray[Any]) -> None:
        """Learn from what it gave for images x (n, c, *space), as scores (n, k), whether images can share a call."""
        self.together.note(self.aims, x, raw, SLACK)

    def _array(self, output: Any, n: int) -> NDArray[Any]:
        """An output as one array; BadNetwork where it has several things by name."""
        first = first_of(output)
        if isinstance(first, Mapping):
            gave = printable(", ".join(map(str, first)), 200)
            raise BadNetwork(f"{self.name} gave {gave} for {n} images; scores are numbers ({n}, k).")
        return np.asarray(output)

    def _called(self, x: NDArray[Any]) -> Any:
        """What the function gives for images x, with tensors made numpy arrays; BadNetwork where it fails."""
        images = self._as_taken(x)
        with self.running(images):
            output = self.function(images)
            if hasattr(output, "dtype"):
                return numbers(output)
            first = output[0] if isinstance(output, list | tuple) and output else output
            return output if isinstance(first, Mapping) else np.asarray(output)  # of a list, a table

    @contextmanager
    def running(self, images: NDArray[Any]) -> Iterator[None]:
        """While it is entered, what goes wrong goes wrong with these images: MemoryError, or BadNetwork with the reason."""
        try:
            yield
        except (MemoryError, SeewhyError):
            raise
        except Exception as error:
            if out_of_memory(error):
                raise MemoryError(str(error)) from error
            what = f"{self.name} failed on {len(images)} images {images.shape} of {images.dtype}"
            size = "" if self.sized else " (Photos come at their own size: wrap(..., prepare={'size': (h, w)}) makes them one.)"
            raise BadNetwork(f"{what}: {type(error).__name__}: {words_of(error)}{size}{self.inside}") from error

    def _checked(self, scores: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
        if (
            scores.ndim == 1
            and (scores.dtype.kind in "fb" or self._ids_of_labels(scores))
            and (len(scores) == len(x) or len(x) == 1)
        ):
            scores = scores.reshape(len(x), -1)  # one score of each, or the scores of one
        if scores.ndim != 2 or len(scores) != len(x) or not scores.shape[1] or scores.dtype.kind not in "fiub":
            labels = CLASSES * (scores.ndim == 1)
            raise BadNetwork(
                f"{self.name} gave {scores.dtype} {scores.shape} for {len(x)} images; scores are numbers ({len(x)}, k).{labels}"
            )
        if scores.dtype.kind in "iub" and (scores.shape[1] > 1 or scores.dtype.kind == "b" or self._ids_of_labels(scores)):
            scores, self.decided = decided_scores(scores, self.labels, self.name)
        if not np.isfinite(scores).all():
            bad = np.flatnonzero(~np.isfinite(scores).all(1))
            which = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
            raise NotFinite(
                f"{self.name} gave NaN or infinity for {len(bad)} of {len(x)} images (number {which} of the batch)."
            )
        return scores.astype(np.float64)

    def _ids_of_labels(self, scores: NDArray[Any]) -> bool:
        """Are these numbers (n,) or (n, 1) the ids of classes, whose labels are known?"""
        return scores.dtype.kind in "iu" and self.labels is not None and len(self.labels) > 1

    def _as_taken(self, x: NDArray[Any]) -> NDArray[Any]:
        if self.takes == "float":
            return x.copy()  # the function may write into what it gets
        if x.ndim != 4 or x.shape[1] != 3 or x.min() < -0.5 or x.max() > 255.5:
            span = f"{x.min():.4g} to {x.max():.4g}"
            raise BadParameter(f"{self.name} takes uint8 photos: numbers from 0 to 255 (n, 3, h, w), not {span} {x.shape}.")
        return np.ascontiguousarray(np.moveaxis(x.round().clip(0, 255).astype(np.uint8), 1, -1))

    def _normalised(self, raw: NDArray[Any]) -> bool:
        """Are the raw numbers (n, k) probabilities?"""
        return is_distribution(raw) if self.known.distribution is None else self.known.distribution

    def scored(self, raw: NDArray[Any], normalised: bool) -> NDArray[Any]:
        """The raw numbers as scores of the kind that is explained; `normalised`: the raw numbers are probabilities."""
        scores = self.class_scores(raw, normalised)
        return joined(scores, self.groups, are_summed(self.explains, normalised)) if self.groups else scores

    def class_scores(self, raw: NDArray[Any], normalised: bool) -> NDArray[Any]:
        """The same of the classes, of a model of groups, too."""
        if self.aims or self.decided or self.explains in (GIVEN, "logits"):
            return raw
        chances = raw if normalised else softmax(raw)
        return (
            chances
            if self.explains == "probability"
            else np.log(np.maximum(chances, self.known.step / 2 or np.finfo(float).tiny))
        )

    @contextmanager
    def scoring(
        self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False
    ) -> Iterator["FunctionScorer"]:
        """The scores of many variants of images."""
        if inside:
            raise NeedsGradients(f"{self.name} gives scores only, and no layer can be read. {TRY}")
        if fast or dtype is not None:
            raise BadParameter(f"{self.name} is a function: it runs as it is. Leave fast= and dtype= out.")
        yield FunctionScorer(self, numbers(x).dtype, answer.normalised)
