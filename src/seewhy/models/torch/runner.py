"""A torch network and how it is run: what a pass gives, and where the cells of its layers lie in the image."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, BadParameter, InSpace, NotApplicable, SeewhyError
from seewhy.images.places import Extent, Gaze, Place
from seewhy.memory import memory_for, out_of_memory
from seewhy.models.model import INPUT, Answer
from seewhy.models.settings import Settings
from seewhy.models.torch.passes.taps import Stop, Tap, modules_of
from seewhy.models.torch.passes.units import End, unit_scores
from seewhy.models.torch.places.experiment import experiment
from seewhy.models.torch.places.following import ACTIVE, Following
from seewhy.models.torch.places.layout import Layout, Located, located
from seewhy.models.torch.places.marks import entangled
from seewhy.models.torch.places.reading import ReadFollowing
from seewhy.models.torch.places.survey import BLIND, PROPOSALS, Forward, Survey, disentangled, settled, survey
from seewhy.printable import words_of
from seewhy.targets.aim import ImageView, Pinned
from seewhy.targets.dense import dense
from seewhy.targets.embedding import embedding
from seewhy.targets.suggest import overall, suggestion
from seewhy.untrained import untrained

from .adapted import AdaptedNetwork
from .inputs import by_proposal
from .learned import Learned, SizeFacts
from .network_call import NetworkCall
from .output import OutputReader
from .rows import raw_rows, row_calls
from .scores import chosen, could_be_sigmoids, part_of, picked, raw_scores, rivals
from .sigmoids import by_sigmoid
from .signature import advice, inside, no_tensors


class Runner:
    """A network, how it is called, how its output is read, and what earlier passes showed: all that a pass needs.

    It is never changed from outside: `changed` makes another over the same network.
    """

    def __init__(self, network: nn.Module, settings: Settings, sealed: str = "") -> None:
        settings = replace(settings, scores=settings.scores or "logits")
        self.call = NetworkCall(network, settings)
        task = "regression" if self.call.towers else settings.task
        self.settings = replace(settings, name=settings.name or type(self.call.original).__name__, task=task)
        self.sealed = sealed  # what a network in one piece is, such as "TorchScript": nothing can be read inside
        self.reader = OutputReader(self.settings)
        self.learned = Learned()
        self.end: End | None = None  # where the network stops, of a model of units
        self.aims: tuple[Pinned, ...] = ()  # what is read of the whole output, of a model of aims
        self.groups: tuple[tuple[int, ...], ...] = ()  # of classes, of a model whose scores are those of groups
        self.widest = False  # the default layer is the last of the widest maps
        self.flat = False  # layers without space are read, too, where they emit a row of channels for each image

    @property
    def untrained(self) -> str:
        """The weights that nobody trained, in words; "" where all were, or where something was written into them since."""
        random = untrained(self.settings.weights)
        return "" if random and self.call.trained() else random  # looking all weights over takes milliseconds

    def changed(self, **parts: Any) -> "Runner":
        """The same network run otherwise: with other settings, aims, end, call or learned facts."""
        runner = copy(self)
        runner.learned = self.learned.surveyed_anew()
        for name, part in parts.items():
            setattr(runner, name, part)
        as_is = bool(runner.aims) or runner.end is not None
        runner.reader = self.reader.changed(runner.settings, as_is, runner.groups)
        return runner

    def of_network(self, network: nn.Module) -> "Runner":
        """A runner of another network, such as a faster copy, with the same settings."""
        return self.changed(call=self.call.of_network(network))

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def network(self) -> nn.Module:
        """The network, as the person gave it; while this thread explains it, what stands in for it."""
        return self.call.network

    @contextmanager
    def ready(self, x: Array) -> Iterator[Tensor]:
        """x as the network's own kind of tensor, the network undisturbed; out of memory is a MemoryError."""
        with self.call.ready(x, self.name) as tensor:
            self.call.find_channels(tensor[:1], given=False)
            if self.end is not None and "#" not in self.end.layer:  # which call of the layer is the last to see the image
                known = self.end.whole.survey(tensor[:1]).layers.get(self.end.layer)
                self.learned.calls.keep(self.key(tensor), max(known.sees, default=known.calls) if known else 1)
            yield tensor

    def run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The raw numbers (n, k) that the network gives for images x, and the scores made of them."""
        raw = self.raw(x)
        return raw, self.reader.scores(raw)

    def raw(self, x: Tensor) -> Tensor:
        """What the network gives for images x: (n, k)."""
        if self.end is not None:
            calls = self.learned.calls.get(self.key(x)) or 1
            return unit_scores(lambda: self.called(x), self.network, x, self.end, calls)
        output, selection = self.called(x), self.settings.output
        if self.aims:
            return self.read(output, x)
        try:
            part = embedding(output) if self.call.towers and selection is None else picked(output, selection, len(x))
            self.reader.single = part.ndim < 2
            self.reader.rivals = rivals(output, len(x)) if selection is None else ""
            raw = raw_scores(part, len(x), output if selection is None else part)
        except BadNetwork as error:
            if other := suggestion(part_of(output, selection), self._view(x)):
                raise InSpace(f"{self.name} {other}. Or make scores of it: {error}") from None
            if no_tensors(output) and (meant := inside(self.network)):
                raise BadNetwork(f"{error}{meant}") from None
            raise
        return self.reader.in_floats(raw)

    def scores(self, raw: Tensor, normalised: bool | None = None) -> Tensor:
        """The raw numbers as scores of the kind that is explained."""
        return self.reader.scores(raw, normalised)

    def answer(self, raw: Tensor, scores: Tensor) -> Answer:
        """The answer of the model, from the raw numbers and the scores made of them."""
        answer, left = self.reader.answer(raw, scores), self.reader.left_off.note
        return answer._replace(notes=(*answer.notes, left)) if self.aims and left else answer

    def called(self, x: Tensor) -> Any:
        """The unchanged output of the network for images x; BadNetwork where it fails."""
        images, x = x, self.call.arranged(x)
        args, options = self.call.inputs(x)
        for follow in ACTIVE.follows[-1:] if self.call.inputs.template is not None else ():
            follow.beside([args, options], x)
        self.reader.read_from(self.call.identity)
        try:
            with self.call.passing((tuple(x.shape[1:]), self.end and self.end.layer)), row_calls(self, images):
                output = self.call(args, options)
            if isinstance(self.network, AdaptedNetwork):
                self.reader.left_off = self.network.left_off(chosen(output, self.settings.output))
            return output
        except Exception as error:
            if isinstance(error, SeewhyError | Stop) or out_of_memory(error):
                raise
            inputs, shapes = self.call.inputs, f"an input of shape {tuple(x.shape)}, {x.dtype}"
            also = f" among {len(args)} and {', '.join(options) or 'no keywords'}" if inputs.template is not None else ""
            rows = " What has a row for each image goes into seewhy.PerImage(rows)." if also and not inputs.rows else ""
            how = "" if self.call.towers else advice(self.network, args, options, error, inputs.template is not None)
            raise BadNetwork(
                f"{self.name} failed on {shapes}{also}: {type(error).__name__}: {words_of(error)}{how or rows}"
            ) from error

    def whole(self, x: Tensor) -> Any:
        """All that the network gives, or the part that `wrap(output=)` asks for."""
        return part_of(self.called(x), self.settings.output)

    def read(self, output: Any, x: Tensor) -> Tensor:
        """What the aims read of the network's output (n, aims)."""
        part = part_of(output, self.settings.output)
        rows = [aim.read(part) for aim in self.aims]
        for aim, row in zip(self.aims, rows, strict=True):
            if tuple(row.shape) != (len(x),):
                raise BadNetwork(f"{aim.target}: {tuple(row.shape)} numbers were read for {len(x)} images.")
        return torch.stack(rows, 1)

    def look_for_sigmoid(self, x: Tensor, raw: Tensor) -> None:
        """Run one image with a graph, if the scores may be those of a sigmoid and that is not known yet."""
        if self.reader.unsure_of_sigmoid(raw):
            self.reader.sigmoid = by_sigmoid(self.raw, x[:1])

    def look_for_dense_sigmoid(self, x: Tensor, output: Any) -> None:
        """Do the same for a dense output, which an aim will read."""
        if self.reader.sigmoid is not None or self.settings.task == "regression":
            return
        with suppress(NotApplicable):
            raw = dense(output, x.ndim - 2)
            if raw.is_floating_point() and could_be_sigmoids(raw):
                self.reader.sigmoid = by_sigmoid(lambda image: dense(self.whole(image), x.ndim - 2), x)

    def _view(self, x: Tensor) -> ImageView:
        """The view of images that belong to no photo."""
        box = Extent(0, 0, *(*reversed(x.shape[2:]), 1)[:2])
        return ImageView(tuple(x.shape[2:]), None, box, self.settings.labels, self)

    def taps(self, layers: Sequence[str], x: Array) -> dict[str, Tap]:
        """How each layer is read; a part of what a layer emits for images like x is read off its only call."""
        taps = {name: Tap(name, self.network) for name in layers if name != INPUT}
        facts = self.of_size(x)
        for name, tap in taps.items():
            if tap.call and (known := facts.at(name)) and known.layout and known.layout.part is not None:
                tap.call = None
        return taps

    def survey(self, x: Tensor) -> Survey:
        """What a pass of an image x (1, c, *space) shows of all layers."""
        known = self.surveyed_before(x) or self.learned.keep_survey(self.key(x), x, self._surveyed(x))
        self.of_size(x).last = known
        return known

    def learn_survey(self, x: Tensor, known: Survey) -> None:
        """Keep what a pass of images like x, made for something else, showed of all layers."""
        known = self._complete(known, x.detach(), self.raw)
        self.of_size(x).last = self.learned.keep_survey(self.key(x), x, known)

    def default(self, x: Tensor, by_gradient: bool = False) -> str:
        """The layer that is explained where none is named; by_gradient: the last that a gradient from the scores reaches."""
        known = self.survey(x[:1].detach())
        kept = (not self.aims or self.aims[0].written is not None) and not known.apart  # of a text the survey is its own
        default = known.by_gradient(self.network, x[:1].detach(), self.raw, kept) if by_gradient else known.default
        if default is None:
            raise BadParameter(f"{self.name} has no layer {known.no_default}")
        return default[0]

    def surveyed_before(self, x: Array) -> Survey | None:
        """The survey made before for images like x; None where there is none, or the network was edited since."""
        known = self.learned.survey(self.key(x), x)
        if known is not None:
            self.of_size(x).last = known
        return known

    def key(self, x: Array) -> tuple[object, tuple[int, ...]]:
        """Under which key is kept what passes of x show: of the network as it is now, in images of one size."""
        return self.call.identity, tuple(x.shape[1:])

    def _surveyed(self, x: Tensor) -> Survey:
        x = x[:1].detach()
        try:
            with memory_for("look", f"at the first look at {self.name}, for images of {tuple(x.shape[1:])}"):
                return self._complete(survey(self.network, x, partial(raw_rows, self), self.widest), x, self.raw)
        except InSpace:  # no class is asked for, and none has to be
            run = lambda image: overall(self.whole(image), self._view(image))  # noqa: E731
            return self._complete(survey(self.network, x, run, True), x, run)

    def _complete(self, known: Survey, x: Tensor, run: Forward) -> Survey:
        known = disentangled(known, self.network, x, run, known.widest)
        self.learned.asked_grid |= bool(known.later_lost())
        return settled(known, self.network, x[:1], run, self.settings.grid)

    def of_size(self, x: Array) -> SizeFacts:
        """What earlier passes showed of the layers in images of the size of x."""
        return self.learned.sizes.of(self.key(x), SizeFacts)

    def following(self, layers: Iterable[str], x: Tensor) -> Following | None:
        """What finds out where these layers lie in images like x, if it is not known yet."""
        facts = self.of_size(x)
        return ReadFollowing(x) if any(facts.at(name) is None for name in layers if name != INPUT) else None

    def learn_places(self, follow: Following | None, taps: Mapping[str, Tap], x: Tensor) -> None:
        """Note where the taps of a followed pass of x say that their layers lie; Several where they emit several parts."""
        if follow is None:
            return
        learned = self.of_size(x)
        for name, tap in taps.items():
            shape = tuple(tap.check().shape)
            if len(x) == 1 and tap.moment and entangled(tap.moment):
                self.survey(x)
                continue
            unseen = Located(shape, None, None, BLIND)
            learned.located.setdefault(name, located(tap.moment, shape, follow.space) if tap.moment else unseen)

    def divided(self, taps: Mapping[str, Tap], x: Array) -> dict[str, int]:
        """The layers that were read as one, but run several times in a pass, or emit several parts of each image."""
        facts, several = self.of_size(x), {}
        for name, tap in taps.items():
            known = facts.at(name)
            layout = known.layout if known is not None else None
            if facts.last is not None and facts.each(name) == [name]:
                continue  # none of its calls sees the image
            if "#" not in name and (tap.calls > 1 or (layout is not None and layout.parts > 1)):
                several[name] = tap.calls
        return several

    def cells(self, layer: str, x: Array) -> tuple[tuple[int, ...], Place] | None:
        """The grid of a layer, and where its cells lie in images like x (n, c, *space), as a pass of such found out; None of
        geometry="plain", and where the network does not tell.
        """
        known = self.of_size(x).at(layer) if self.settings.geometry != "plain" else None
        return (known.layout.space, known.place) if known and known.layout and known.place else None

    def gaze(self, layer: str, x: Array) -> Gaze | None:
        """Where the cells of a layer look in images like x, as a pass of such found out; None: where they lie."""
        known = self.of_size(x).at(layer)
        return known.gaze if known else None

    def each_call(self, layers: Sequence[str], x: Array) -> list[str]:
        """The layers, where one that sees the image in several calls, or parts, is replaced by these, as in name#1."""
        facts = self.of_size(x)
        return [call for name in layers for call in facts.each(name)]

    def located(self, name: str, a: Tensor, x: Tensor) -> Located:
        """Where what the layer emitted for images x lies."""
        if name == INPUT:
            return Located(tuple(x.shape), Layout.first(x.shape[1], x.shape[2:]))
        learned = self.of_size(x)
        known = learned.at(name)
        if known is None or (known.layout is not None and not known.layout.fits(a.shape, len(x))):
            known = self.survey(x[:1]).at(name) or Located(tuple(a.shape), None, None, BLIND)
        module = name.partition("#")[0]
        if by_proposal(self.network, module):
            return known._replace(layout=None, place=None, why=PROPOSALS, lost=False)
        if known.lost and "#" not in name and name not in learned.tried:
            learned.tried.add(name)
            self.learned.asked_grid = True
            modules, image = {name: modules_of(self.network)[name]}, x[:1].detach()
            known = experiment(modules, {name: known}, image, self.raw, self.settings.grid)[name]
            learned.located[name] = known
        return known

    def layout(self, name: str, a: Tensor, x: Tensor) -> Layout:
        """How what the layer emitted for images x lies over them; NotApplicable where it has no space, or none is known."""
        known = self.located(name, a, x)
        if (layout := known.fitting(a.shape, len(x), self.flat)) is not None:
            return layout
        default = self.survey(x[:1]).default
        better = f"The default is {default[0]}: {default[1].why}. " if default is not None else ""
        why = f"where that lies in the image is not known: {known.why}" if known.lost else known.why or "its size changes"
        raise NotApplicable(
            f"Layer {name} emits {tuple(a.shape)} for an input of {tuple(x.shape)}: {why}. {better}"
            "`seewhy layers` and model.layers() list all."
        )
