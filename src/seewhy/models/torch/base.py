"""What all torch models do, also those that cannot be read inside: give scores and answers, and let aims read their output."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from seewhy.arrays import Array
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.lru import Recent
from seewhy.models.model import Answer
from seewhy.models.origin import NO_ORIGIN, Origin, ground
from seewhy.models.pace import cheapest
from seewhy.models.settings import BATCH, COPIES, Settings
from seewhy.models.torch.passes.taps import every_module
from seewhy.models.torch.variants.order import turnable, turned_copy
from seewhy.models.torch.variants.scorer import TorchScorer, quick
from seewhy.prepare.batch import Batch, batches, grey, preparer
from seewhy.printable import printable
from seewhy.targets.aim import Aim, ImageView, Pinned

from .conditions import libraries
from .cuts import rests
from .defaults import parts_read
from .rows import DRAWS, apart, known_together, learn_rows, together_of
from .runner import Runner
from .two_tower import NO_CLASSES, Towers
from .undisturbed import again
from .writing import with_text


def setting(field: str) -> Any:
    """An attribute of a model that is one of its runner's settings; a new value makes another runner."""

    def change(model: Any, value: Any) -> None:
        model.runner = model.runner.changed(settings=replace(model.runner.settings, **{field: value}))

    return property(attrgetter(f"runner.settings.{field}"), change)


class TorchScores:
    """A torch network that gives scores.  It is explained in eval mode, and keeps its own modes and hooks."""

    name: Any = setting("name")
    labels: Any = setting("labels")
    weights: Any = setting("weights")
    explains: Any = setting("scores")  # "logits", "log-probability" or "probability"; aims and units have other kinds
    sealed = ""  # what a network in one piece is, such as "TorchScript"

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        self.runner = Runner(network, settings, self.sealed)
        self.prepare = preparer(settings.prepare)
        self.origin: Origin = NO_ORIGIN
        self.derived: Recent[Any, Any] = Recent()  # models made of this one, and surveys that they share

    def __copy__(self) -> Self:
        return self.run_by(self.runner.changed())

    def run_by(self, runner: Runner) -> Self:
        """The same model with another runner."""
        model = object.__new__(type(self))
        model.__dict__.update(self.__dict__)
        model.runner, model.derived = runner, Recent()
        return model

    def __repr__(self) -> str:
        if self.no_classes and self.towers:
            words = "with its" if self.towers.tokenizer else "without a"
            return f"<{printable(self.name, 300)}: embeddings of images and texts, {words} tokenizer>"
        return f"<{printable(self.name, 300)}: {self.explains} of {len(self.labels) if self.labels else 'unnamed'} classes>"

    @property
    def network(self) -> nn.Module:
        """The network, as the person gave it; while this thread explains it, what stands in for it."""
        return self.runner.network

    @property
    def untrained(self) -> str:
        """The weights that nobody trained, in words; "" where all were, or where that is not known."""
        return self.runner.untrained

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The groups of classes, by their indices, that its scores are those of; none where they are those of classes."""
        return self.runner.groups

    @property
    def towers(self) -> Towers | None:
        """How the image and the text tower are called, of a network that has both."""
        return self.runner.call.towers

    @property
    def no_classes(self) -> str:
        """Why no class can be explained; "" where one can."""
        classless = self.towers and not self.runner.aims and self.runner.end is None
        return NO_CLASSES.format(self.name) if classless else ""

    @property
    def batch_size(self) -> int | None:
        """How many images a pass takes at most, as the person said; None where `at_once` chooses."""
        return self.runner.settings.batch_size

    def at_once(self, space: Sequence[int], whole: bool = False) -> int:
        """How many images of these sides share a pass at most; whole: one that keeps the graph of the whole network.

        As many as the person said, or as are cheapest on this device.
        """
        if known_together(self.runner).alone:
            return 1
        usual = min(COPIES if whole else BATCH, cheapest(space, self.runner.call.device.type))
        return self.runner.settings.batch_size or usual

    @property
    def remarks(self) -> tuple[str, ...]:
        """What every map has to say of how the network runs, as far as it is known by now."""
        return (*known_together(self.runner).notes, *[DRAWS] * self.runner.call.tries.draws)

    @again
    def mixed(self, x: Array, copies: bool = False) -> bool:
        """Has each of these images (n, c, *space) to run alone, which just shared a pass?

        Where no pass showed it yet, some are made; it is remembered until the network is edited.  copies: they are changed
        copies, of which a method makes many; how often such passes are looked at does not matter.
        """
        return apart(self.runner, x, copies)

    def takes_one(self) -> None:
        """Remember that the network takes one image at a time."""
        together_of(self.runner).single = True

    def takes_signals(self) -> bool:
        """Does it take batches (n, c, l)?"""
        convolved = {len(m.kernel_size) for m in every_module(self.network) if isinstance(m, nn.modules.conv._ConvNd)}
        return self.prepare is None and convolved <= {1}

    def unchanged(self) -> AbstractContextManager[Any]:
        """Inside, the network counts as what it is at the beginning: edits are looked for once, not at each question."""
        return self.runner.call.unchanged()

    def fit(self, count: int) -> None:
        """Raise BadParameter where an input that has a row for each image has another number of rows than `count`."""
        self.runner.call.inputs.fit(count)

    def beside(self, place: int, count: int) -> Self:
        """The model for `count` images from `place` on: with the rows of the other inputs that belong to these images."""
        call = self.runner.call
        if not call.inputs.rows:
            return self
        return self.run_by(self.runner.changed(call=call.with_inputs(call.inputs.of(place, count))))

    def batches(self, images: Images, whole: bool = False) -> Iterator[Batch]:
        """The images, prepared, in batches; whole: of so few that the graph of the whole network can be kept."""
        together = partial(self.at_once, whole=whole)
        given = self._turned(sort_out(images, self.takes_signals))
        return batches(given, self.prepare, together, self.name, self.takes_signals)

    @again
    def _turned(self, images: PreparedBatch | list[Any]) -> PreparedBatch | list[Any]:
        """Images that were given as the network takes them, such as frames (n, t, c, h, w), as (n, c, *space)."""
        if not isinstance(images, PreparedBatch):
            return images
        call, x = self.runner.call, images.x
        if x.ndim != 4:
            with call.ready(x[:1], self.name) as image:
                call.find_channels(image, given=True)
        channels = call.channels(x)
        if channels == 1:
            return images
        moved = np.moveaxis(x, channels, 1) if isinstance(x, np.ndarray) else x.movedim(channels, 1)
        return replace(images, x=moved)

    def colour(self, level: int) -> NDArray[Any] | None:
        """What a grey of that level (0 black, 255 white) is to the network: (c,); None where it takes no photos."""
        return grey(self.prepare, level)

    @property
    def asked_grid(self) -> bool:
        """Was `grid` of use: could some layer not be followed, in the passes so far?"""
        return self.runner.learned.asked_grid

    def versions(self) -> Mapping[str, str]:
        """The versions of all libraries that a map depends on."""
        code = type(getattr(self.prepare, "prepare", None))  # of a preprocessing that is a callable
        return {**ground(), "torch": torch.__version__, **libraries([*self.runner.call.kinds(), code])}

    def weights_sha256(self) -> str:
        """The SHA-256 of all parameters and buffers as they are now, with their names, kinds and shapes; "" where they cannot
        be read.  What an edit has to do to be seen: `WeightsDigest`.
        """
        return self.runner.call.weights_sha256()

    def conditions(self) -> Mapping[str, Any]:
        """Where and how the network runs, as far as its numbers depend on it."""
        return self.runner.call.conditions()

    def host(self) -> Mapping[str, Any]:
        """The machine that it runs on."""
        return self.runner.call.host()

    @again
    def answer(self, x: Array) -> Answer:
        """The scores of images x (n, c, *space), in one pass without a graph."""
        runner = self.runner
        with runner.ready(x) as x, torch.no_grad():
            raw = runner.raw(x)
            runner.look_for_sigmoid(x, raw)
            learn_rows(runner, x, raw)
            return runner.answer(raw, runner.scores(raw))

    def rests(self, x: Array, weights: NDArray[Any], layer: str) -> bool:
        """Does a score of an image x (1, c, *space), the sum of its scores times weights (k,), change when other values stand
        in the layer's place?
        """
        return rests(self.runner, x, weights, layer)

    @again
    def whole(self, x: Array) -> Any:
        """All that the network gives for images x (n, c, *space), as aims read it."""
        with self.runner.ready(x) as ready, torch.no_grad():
            return self.runner.whole(ready)

    @again
    def aimed(self, aims: Sequence[Aim], x: Array, view: ImageView) -> tuple[Self, tuple[Pinned, ...]]:
        """The model whose scores are what aims, of one kind, read of its whole output; pinned on an image x (1, c, *space)."""
        runner = self.runner
        several = runner.settings.task == "multi-label"
        reader = runner.reader
        view = view._replace(scored=reader.dense_scores, ending=reader.dense_ending, independent=several, model=self)
        with runner.ready(x) as ready, torch.no_grad():
            runner, written = with_text(runner, ready, aims)
            view = view._replace(written=written)
            output = runner.whole(ready)
            runner.look_for_dense_sigmoid(ready, output)
            pinned = tuple(aim.pin(output, view) for aim in aims)
        read = tuple(parts_read(output, aim.read) for aim in pinned)
        surveys = self.derived.of((*map(type, aims), *read), Recent)  # as of other images
        surveys = surveys if written is None else Recent()  # of texts of another length
        return self.run_by(runner.changed(
            settings=replace(runner.settings, scores=pinned[0].kind, labels=None), aims=pinned, end=None,
            widest=aims[0].widest, learned=replace(runner.learned.surveyed_anew(), surveys=surveys, straight=Recent()),
        )), pinned  # fmt: skip

    def grouped(self, groups: Sequence[Sequence[int]]) -> Self:
        """The model whose scores are those of groups of its classes, by their indices: that any class of a group is there."""
        return self.run_by(self.runner.changed(groups=tuple(map(tuple, groups)), learned=self.runner.learned))

    @contextmanager
    def scoring(
        self, x: Array, answer: Answer, fast: bool | None = False, dtype: Any = None, inside: bool = False
    ) -> Iterator[TorchScorer]:
        """The scores of many variants of images like x (n, c, *space), of which it said `answer`, again and again.

        fast: of a copy in channels_last order, where it takes that, with folded BatchNorms (not if `inside`, where layers are
        asked for); None: of the network itself, its images in that order on a processor, where that leaves scores to rounding.
        dtype: of a copy of that precision.
        """
        runner = self.runner
        if fast or dtype is not None:
            with self.runner.ready(x[:1]) as like:
                runner = quick(self.runner, like, bool(fast), dtype, not inside)
        with runner.ready(x[:1]) as like:
            turned = turned_copy(runner, like) if fast else fast is None and turnable(runner, like)
            scorer = TorchScorer(runner, like, runner is not self.runner, turned, answer.normalised)
            with torch.autocast(like.device.type, enabled=False):
                yield scorer
