"""A torch network as it runs: what it is called with, what it gives, and where its layers lie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, BadParameter, InSpace, NotApplicable, SeewhyError
from seewhy.images.places import Extent
from seewhy.lru import Recent
from seewhy.memory import memory_for, out_of_memory
from seewhy.models.model import INPUT
from seewhy.models.torch.passes.taps import Stop, Tap, differentiable_rnn, every_module, offloaded, unwrapped
from seewhy.models.torch.passes.units import Reached, unit_scores
from seewhy.models.torch.places.following import Following, Place
from seewhy.models.torch.places.layout import Layout, NetworkGrids
from seewhy.models.torch.places.survey import Survey, layout_of, survey
from seewhy.models.torch.variants.scorer import precision
from seewhy.prepare.batch import preparer
from seewhy.prepare.fit import Fit
from seewhy.printable import words_of
from seewhy.targets.aim import ImageView
from seewhy.targets.embedding import embedding
from seewhy.targets.suggest import overall, suggestion

from .answering import Answering
from .draws import Drawing
from .inputs import Inputs, by_proposal, detects
from .scores import TASKS, part_of, picked, raw_scores, rivals
from .two_tower import towers_of
from .undisturbed import Tries, standing, undisturbed

GEOMETRIES = ("receptive-field", "plain")  # where a map's cells lie: where they look, or spread evenly
BATCH = 32  # images per pass, where the person has not said
COPIES = 8  # where the graph of the whole network is kept: more are no faster on a CPU, and take memory


class Learned:
    """What passes of images of one size told; whole: what is known of the network that goes on behind a layer of units."""

    def __init__(self, whole: "Learned | None" = None) -> None:
        self.last: Survey | None = None  # that it was told by
        self.places: dict[str, tuple[tuple[int, ...], Place] | None] = {}  # of layers: their grid and its place
        self.turned: set[str] = whole.turned if whole else set()  # layers behind a mirror
        self.several: dict[str, list[str]] = whole.several if whole else {}  # calls that see the image, of those that repeat

    def told_by(self, found: Survey) -> None:
        if self.last is found:
            return
        repeated = {name: [f"{name}#{call}" for call in one.sees] for name, one in found.layers.items() if one.calls > 1}
        self.several.update({name: calls for name, calls in repeated.items() if calls})
        placed = {name: one.cells and (one.shape[1:], one.cells) for name, one in found.layers.items() if one.calls == 1}
        self.turned.update(found.turned)
        self.places.update({name: place for name, place in placed.items() if name not in self.places})
        self.last = found


class Running(Answering):
    """The network, and how it is run; what is asked of it is in `TorchModel`."""

    sealed = ""  # what a network in one piece is, such as "TorchScript": nothing can be read inside

    def __init__(
        self, network: nn.Module, *, prepare: Any = None, labels: Sequence[str] | None = None, name: str | None = None,
        scores: str = "logits", batch_size: int | None = None, device: Any = None, dtype: Any = None,
        weights: str | None = None, inputs: Any = None, output: Any = None, task: str | None = None, grid: Any = None,
        geometry: str = "receptive-field", tokenizer: Any = None,
    ) -> None:  # fmt: skip
        if task not in (None, *TASKS):
            raise BadParameter(f"task={task!r}: it is one of {', '.join(TASKS)}.")
        if task == "regression" and scores != "logits":
            raise BadParameter(f'scores={scores!r}: a regression has no probabilities; leave scores= or task="regression" out.')
        if geometry not in GEOMETRIES:
            raise BadParameter(f"geometry={geometry!r}: it is one of {', '.join(GEOMETRIES)}.")
        self.network = unwrapped(network)
        if device is not None or dtype is not None:
            try:
                self.network.to(device=device, dtype=None if dtype is None else precision(dtype))
            except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
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
        convolved = {len(m.kernel_size) for m in every_module(self.network) if isinstance(m, nn.modules.conv._ConvNd)}
        self.signals = prepare is None and convolved <= {1}
        self.towers = towers_of(self.network, tokenizer, inputs)
        self.inputs, self.output = Inputs(inputs, detects(self.network)), output
        self.task = "regression" if self.towers else task
        self.grid, self.geometry = grid, geometry
        self.surveys: Recent[Any, Survey] = Recent()
        self.widest = False  # that model looks by default at the last of the widest maps
        self.units: Recent[Any, Any] = Recent()
        self.learned: Recent[Any, Learned] = Recent()  # of images of one size
        self.straight: Recent[Any, bool] = Recent()  # ways back on which all gradients come in memory order
        self.calls: Recent[Any, int] = Recent()  # of the layer it stops at

    @property
    def network(self) -> nn.Module:
        """The network, as the person gave it; while this thread explains it, what stands in for it."""
        found = standing(self.given)
        return self.given if found is None else found.network

    @network.setter
    def network(self, network: nn.Module) -> None:
        self.given, self.tries = network, Tries()

    @contextmanager
    def _ready(self, x: Array) -> Iterator[Tensor]:
        """x as the network's own kind of tensor, the network undisturbed; out of memory is a MemoryError."""
        parameter = next((p for p in self.network.parameters() if p.is_floating_point()), torch.empty(0))
        if parameter.is_inference():
            raise BadNetwork(
                f"{self.name} was made inside torch.inference_mode, so no gradient can pass it. "
                "Make it outside, or explain copy.deepcopy(network), copied outside."
            )
        device = entrance(self.network, parameter)
        if parameter.is_meta and not offloaded(self.network):
            advice = "Load them first, or dispatch it by accelerate."
            raise BadNetwork(f"{self.name} lies on the meta device, so it has no weights. {advice}")
        with undisturbed(self.given, self.tries), differentiable_rnn(self.network, device):
            try:
                own = np.array(x, order="C") if isinstance(x, np.ndarray) else x.detach().clone()
                ready = torch.as_tensor(own, dtype=parameter.dtype, device=device)
                if self.end is not None and "#" not in self.end.layer:  # which call of the layer is the last to see the image
                    found = self.end.whole._survey(ready[:1]).layers.get(self.end.layer)
                    self.calls.keep(tuple(ready.shape[1:]), max(found.sees, default=found.calls) if found else 1)
                yield ready
            except RuntimeError as error:
                if out_of_memory(error):
                    raise MemoryError(str(error)) from error
                raise

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the network gives (n, k), and that as this model's scores."""
        raw = self._raw(x)
        return raw, self._scores(raw)

    def _raw(self, x: Tensor) -> Tensor:
        args, options = self.inputs(x)
        if self.end is not None:
            calls = self.calls.get(tuple(x.shape[1:])) or 1
            return unit_scores(lambda: self._called(args, options, x), self.network, x, self.end, calls)
        output = self._called(args, options, x)
        if self.aims:
            return self._read(output, x)
        try:
            found = embedding(output) if self.towers and self.output is None else picked(output, self.output, len(x))
            self.single = found.ndim < 2
            self.rivals = rivals(output, len(x)) if self.output is None else ""
            return raw_scores(found, len(x), output if self.output is None else found)
        except BadNetwork as error:
            if other := suggestion(part_of(output, self.output), self._seen(x)):
                raise InSpace(f"{self.name} {other}. Or make scores of it: {error}") from None
            raise

    def _called(self, args: Any, options: Any, x: Tensor) -> Any:
        """What the network gives for the images x, as it gives it."""
        try:
            with self._passing(x):
                return self.towers.images(self.network, *args, **options) if self.towers else self.network(*args, **options)
        except Exception as error:
            if isinstance(error, SeewhyError | Stop) or out_of_memory(error):
                raise
            shapes = f"an input of shape {tuple(x.shape)}, {x.dtype}"
            also = f" among {len(args)} and {', '.join(options) or 'no keywords'}" if self.inputs.asked is not None else ""
            rows = " What has a row for each image goes into seewhy.PerImage(rows)." if also and not self.inputs.rows else ""
            raise BadNetwork(
                f"{self.name} failed on {shapes}{also}: {type(error).__name__}: {words_of(error)}{rows}"
            ) from error

    @contextmanager
    def _passing(self, x: Tensor) -> Iterator[None]:
        """Around a pass of images x: what it draws comes from a generator of its own, unless it is known to draw nothing."""
        stands = standing(self.given)
        key = (tuple(x.shape[1:]), self.end and self.end.layer)
        with Drawing() if stands is None else stands.drawing(key):
            try:
                yield
            except Reached:
                if stands is not None:
                    stands.passed(key, whole=False)
                raise
        if stands is not None:
            stands.passed(key, whole=True)

    def _whole(self, x: Tensor) -> Any:
        args, options = self.inputs(x)
        return part_of(self._called(args, options, x), self.output)

    def _seen(self, x: Tensor) -> ImageView:
        """Of images that come from nowhere."""
        return ImageView(tuple(x.shape[2:]), None, Extent(0, 0, *(*reversed(x.shape[2:]), 1)[:2]), self.labels, self)

    def _read(self, output: Any, x: Tensor) -> Tensor:
        """What the aims read of the network's output (n, aims)."""
        given = part_of(output, self.output)
        rows = [aim.read(given) for aim in self.aims]
        for aim, row in zip(self.aims, rows, strict=True):
            if tuple(row.shape) != (len(x),):
                raise BadNetwork(f"{aim.target}: {tuple(row.shape)} numbers were read for {len(x)} images.")
        return torch.stack(rows, 1)

    def _taps(self, layers: Sequence[str]) -> dict[str, Tap]:
        return {name: Tap(name, self.network) for name in layers if name != INPUT}

    def _survey(self, x: Tensor) -> Survey:
        found = self.surveys.of(self._survey_key(x), lambda: self._surveyed(x))
        self._learned(x).told_by(found)
        return found

    def _surveyed_before(self, x: Array) -> Survey | None:
        """The survey made before for images like x; None where there is none, or the network has other modules since."""
        known = self.surveys.get(self._survey_key(x))
        if known is not None:
            self._learned(x).told_by(known)
        return known

    def _survey_key(self, x: Array) -> Any:
        return tuple(x.shape[1:]), tuple(map(id, every_module(self.given)))

    def _surveyed(self, x: Tensor) -> Survey:
        beside = self.inputs.asked is not None
        run = lambda image: self._run(image)[0]  # noqa: E731
        try:
            with memory_for("look", f"at the first look at {self.name}, for images of {tuple(x.shape[1:])}"):
                return survey(self.network, x[:1], run, self.grid, beside, bool(self.aims), self.widest)
        except InSpace:  # no class is asked for, and none has to be
            all_of = lambda image: overall(self._whole(image), self._seen(image))  # noqa: E731
            return survey(self.network, x[:1], all_of, self.grid, beside, True, True)

    def _learned(self, x: Array) -> Learned:
        """What is known of images like x."""
        return self.learned.of(tuple(x.shape[1:]), lambda: Learned(self.end and self.end.whole._learned(x)))

    def _lies(self, module: nn.Module | None, a: Tensor, x: Tensor, own: tuple[int, ...] | None = None) -> Layout | None:
        """How what a module emitted lies over the space of x; None where it has no space.  own: its grid, if that is known."""
        found = layout_of(module, a, x, NetworkGrids({}, frozenset()), own)
        if found is None and a.ndim in (3, x.ndim):  # only a look through the whole network tells
            found = layout_of(module, a, x, self._survey(x[:1].detach()).known, own)
        return found

    def _following(self, layers: Iterable[str], x: Tensor) -> Following | None:
        """What finds out where the cells of these layers lie in images like x, if it is asked for and not known yet."""
        known = self._learned(x).places
        unknown = self.geometry != "plain" and any(name not in known for name in layers if name != INPUT)
        return Following(x) if unknown and self.end is None else None

    def _learn_places(self, follow: Following | None, taps: Mapping[str, Tap], x: Tensor) -> None:
        if follow is None:
            return
        learned = self._learned(x)
        for name, tap in taps.items():
            grid = self._layout(name, tap.check(), x, tap.moment.grid).space
            place = follow.place_at(tap.moment, grid)
            learned.places[name] = (grid, place) if place else None
            if tap.moment.turned and place is None:
                learned.turned.add(name)

    def cells(self, layer: str, x: Array) -> tuple[tuple[int, ...], Place] | None:
        """The grid of a layer, and where its cells lie in images like x (n, c, *space), as a pass of such found out; None of
        geometry="plain", and where the network does not tell.
        """
        return self._learned(x).places.get(layer) if self.geometry != "plain" else None

    def _each_call(self, layers: Sequence[str], x: Array) -> list[str]:
        """Layers of which several calls are known to see the image, as each of these calls."""
        known = self._learned(x).several
        return [one for name in layers for one in known.get(name, [name])]

    def _learn(self, x: Array, calls: Mapping[str, int]) -> None:
        """Layers that run several times in a pass of x."""
        if self.inputs.asked is not None:  # some calls may see another input alone
            with self._ready(x[:1]) as one:
                self._survey(one)
        known = self._learned(x).several
        for name, count in calls.items():
            known.setdefault(name, [f"{name}#{call + 1}" for call in range(count)])

    def _blind(self, name: str, x: Tensor) -> bool:
        """Does the layer not see the image, but other inputs alone, or parts of it one by one?"""
        if by_proposal(self.network, name.partition("#")[0]):
            return True
        if self.inputs.asked is None or name == INPUT:
            return False
        layer = self._survey(x[:1].detach()).layers.get(name.partition("#")[0])
        return layer is not None and not layer.sees

    def _blank(self) -> NDArray[Any]:
        from PIL import Image

        if self.prepare is None:
            raise BadParameter(f"{self.name} was wrapped without `prepare`: give the prepared batch, layers(x).")
        size = self.prepare.size if isinstance(self.prepare, Fit) else 256
        side = size if isinstance(size, int) else 256
        return self.prepare(Image.new("RGB", (side, side), "grey"))[None]

    def _layout(self, name: str, a: Tensor, x: Tensor, own: tuple[int, ...] | None = None) -> Layout:
        module = self.network.get_submodule(name.partition("#")[0]) if name != INPUT else None
        placed = self._learned(x).places.get(name)
        found = self._lies(module, a, x, placed[0] if placed else own)
        if found is None or self._blind(name, x):
            known = self._survey(x[:1].detach())
            unclear = [why for count, why in known.unclear.items() if a.ndim == 3 and count in a.shape[:2]]
            better = [f"The default is {one}: {layer.why}." for one, layer in known.layers.items() if layer.default]
            why = f"it may be {unclear[0]}" if unclear else f"there is no space to draw in. {' '.join(better)}"
            raise NotApplicable(
                f"Layer {name} emits {tuple(a.shape)} for an input of {tuple(x.shape)}: {why}"
                f"{'' if unclear else ' `seewhy layers` and model.layers() list all.'}"
            )
        return found


def entrance(network: nn.Module, parameter: Tensor) -> torch.device:
    """Where the images go in: beside the first parameter, or where accelerate sends it to run."""
    asked = network.modules() if parameter.is_meta else [network]
    sent = (getattr(m.__dict__.get("_hf_hook"), "execution_device", None) for m in asked)
    device = next((device for device in sent if device is not None), "cpu" if parameter.is_meta else parameter.device)
    return torch.device(device)
