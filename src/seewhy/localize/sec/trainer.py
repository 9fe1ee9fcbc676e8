"""Training a segmenter by the losses of SEC, on photos of which only the classes are known."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seewhy.errors import BadNetwork, BadParameter, NotWritten
from seewhy.objects.refine.crf import Tie, kernels, mean_field
from seewhy.progress import shown, stop_asked

from .cues import RGB, XY, by_cells, ties
from .keeping import Checkpoint, read_checkpoint, write_checkpoint, write_segmenter
from .losses import Q_BACKGROUND, Q_PRESENT, constrain_loss, decay, expand_loss, following, probabilities, seed_loss
from .photos import TrainingPhotos

GRID = 41  # cells along a side of the grid that the losses are taken on, at most, as in the paper
KERNELS = 2**30  # bytes of the CRF's pairs that are kept from pass to pass; beyond, they are computed each time
BODY_RATE = 0.5  # of the body's steps, beside the new layers'


@dataclass(frozen=True)
class Training:
    """How a segmenter is trained.

    epochs: passes over the photos, at most; patience: it ends after so many passes in which the loss of the photos held out did
        not fall; held_out: the share of the photos that is held out; batch: photos in a step; rate: of AdamW, at its highest.
    foreground, background: shares of a map's greatest value: a class's seeds are sure above the first, the background's below
        the second, both behind a dense CRF, as `cues.sure_labels` has it.
    xy, rgb: how far the ties of the CRF in the loss reach, in shares of the photo's longer side, and in levels of 255.
    seed: of the order of the photos and the first weights.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 4e-3
    held_out: float = 0.1
    patience: int = 5
    foreground: float = 0.25
    background: float = 0.15
    xy: float = XY
    rgb: float = RGB
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {name: getattr(self, name) for name in ("epochs", "batch", "patience")}
        if wrong := next((name for name, value in whole.items() if value < 1), ""):
            raise BadParameter(f"{wrong}={whole[wrong]}: give 1 or more.")
        for name in ("foreground", "background", "held_out"):
            if not 0 <= getattr(self, name) < 1:
                raise BadParameter(f"{name}={getattr(self, name)}: give a share from 0 to below 1.")
        if self.background > self.foreground:
            raise BadParameter(
                f"background={self.background} is above foreground={self.foreground}: cells would be seeds of both."
            )
        for name in ("rate", "xy", "rgb"):
            if not 0 < getattr(self, name) < inf:
                raise BadParameter(f"{name}={getattr(self, name)}: give a number above 0.")


class Epoch(NamedTuple):
    """The mean losses of one pass: of the photos that were learned from, and the sum of those that were held out."""

    seed: float
    expand: float
    constrain: float
    held_out: float
    best: bool  # so far


class Trained(NamedTuple):
    """What came of a training."""

    epochs: tuple[Epoch, ...]
    ended: str  # why, in words


@dataclass(frozen=True, eq=False)
class Lesson:
    """The photos as tensors on the grid of the losses."""

    x: Tensor  # uint8 (n, h, w, 3)
    present: Tensor  # bool (n, k)
    seeds: Tensor  # bool (n, k + 1, rows, columns)
    colours: NDArray[np.floating[Any]]  # (n, rows, columns, 3)
    ties: tuple[Tie, Tie]
    kept: NDArray[np.float16] | None  # the CRF's pairs, times their number

    def pairs(self, places: Sequence[int]) -> NDArray[np.float32]:
        """How strongly the cells of these photos are tied: (n, cells, cells)."""
        if self.kept is not None:
            return self.kept[list(places)].astype(np.float32) / np.float32(self.kept.shape[1])
        return np.stack([kernels(self.colours[place], self.ties) for place in places])


def losses_grid(cells: tuple[int, int]) -> tuple[int, int]:
    """The grid that the losses are taken on: the network's own, by the least whole divisor that leaves GRID cells a side."""
    by = -(-max(cells) // GRID)
    return -(-cells[0] // by), -(-cells[1] // by)


def seeds_of(labels: NDArray[np.uint8], classes: int) -> NDArray[np.bool_]:
    """Which cells are known to be of which class, bool (n, classes, rows, columns), by label maps (n, rows, columns)."""
    return labels[:, None] == np.arange(classes, dtype=np.uint8)[:, None, None]


def lesson(photos: TrainingPhotos, training: Training) -> Lesson:
    """The photos, made ready for the losses on the grid that their seeds have."""
    n, rows, columns = photos.seeds.shape
    seeds = seeds_of(photos.seeds, photos.present.shape[1] + 1)
    colours = np.stack([by_cells(pixels, (rows, columns)) for pixels in photos.pixels])
    tied = ties(max(rows, columns), training.xy, training.rgb)
    kept = None
    if n * (rows * columns) ** 2 * 2 <= KERNELS:
        kept = np.empty((n, rows * columns, rows * columns), np.float16)
        for place in shown(range(n), n, "tying pixels"):
            kept[place] = kernels(colours[place], tied) * (rows * columns)
    return Lesson(
        torch.from_numpy(photos.pixels), torch.from_numpy(photos.present), torch.from_numpy(seeds), colours, tied, kept
    )


class Trainer:
    """A training on its way."""

    def __init__(
        self, network: Any, settings: Mapping[str, Any], photos: TrainingPhotos, training: Training, run: Path
    ) -> None:
        self.network, self.settings, self.training, self.run = network, settings, training, run
        self.lesson = lesson(photos, training)
        order = np.random.default_rng(training.seed).permutation(len(photos.files))
        out = round(len(order) * training.held_out)
        self.held_out, self.learned = sorted(order[:out].tolist()), sorted(order[out:].tolist())
        if len(self.learned) < 2:
            raise BadParameter(f"{len(order)} photos are too few to learn from: at least 2 are needed beside those held out.")
        self.steps = len([*self._batches(0)])
        new = [weight for name, weight in network.named_parameters() if not name.startswith("body.")]
        rates = [training.rate * BODY_RATE, training.rate]
        self.optimiser = torch.optim.AdamW(
            [{"params": [*network.body.parameters()], "lr": rates[0]}, {"params": new, "lr": rates[1]}], weight_decay=1e-3
        )
        total = max(3, training.epochs * self.steps)
        rising = max(0.2, 2 / total)  # for one step at least: the schedule divides by how many rise, and fall
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, rates, total_steps=total, pct_start=rising)
        self.q = [decay(q, self.lesson.seeds.shape[2] * self.lesson.seeds.shape[3]) for q in (Q_PRESENT, Q_BACKGROUND)]

    def train(self, say: Callable[[int, Epoch], None] = lambda _place, _epoch: None) -> Trained:
        """Train to the end, going on where an earlier run of the same training was stopped; the best network is in the folder.

        say: told of each pass.  Raises BadNetwork where the losses are no numbers any more.
        """
        done = self._resumed()
        work = [(place, batch) for place in range(len(done), self.training.epochs) for batch in self._batches(place)]
        sums: list[tuple[float, ...]] = []
        for place, batch in shown(work, len(work), "training", wait=False):
            if self._patience_is_over(done):
                break
            if stop_asked():
                return Trained(tuple(done), f"stopped after {len(done)} passes; the same command goes on from there")
            sums.append(self._step(batch, np.random.default_rng((self.training.seed, place, len(sums))).random() < 0.5))
            if len(sums) == self.steps:
                epoch = self._end(sums, done)
                done.append(epoch)
                self._checkpoint(done)
                say(place, epoch)
                sums = []
        waited = self._patience_is_over(done) and len(done) < self.training.epochs
        ended = f"the loss held out did not fall for {self.training.patience} passes" if waited else "all passes made"
        write_segmenter(self.run, None, {**self.settings, "made": self._made(done, ended)})
        return Trained(tuple(done), ended)

    def _batches(self, place: int) -> Iterator[list[int]]:
        """The photos of each step of a pass, in the order that the seed gives it."""
        order = np.random.default_rng((self.training.seed, place)).permutation(self.learned)
        size = min(self.training.batch, len(order))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size].tolist()

    def _losses(self, batch: Sequence[int], mirrored: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The three losses of some photos, or of their mirror images."""
        device = next(self.network.parameters()).device
        x = self._normalised(self.lesson.x[list(batch)].to(device))
        scores = self.network.cells(x.flip(3) if mirrored else x)
        scores = scores.flip(3) if mirrored else scores  # the seeds and the CRF's pairs are those of the photo as it is
        rows, columns = self.lesson.seeds.shape[2:]
        if scores.shape[2:] != (rows, columns):
            scores = functional.adaptive_avg_pool2d(scores, (rows, columns))
        f = probabilities(scores)
        pairs = torch.from_numpy(self.lesson.pairs(batch)).to(device)
        with torch.no_grad():
            smooth = mean_field(-f.log().flatten(2), pairs).view_as(f)
        seeds, present = (each[list(batch)].to(device) for each in (self.lesson.seeds, self.lesson.present))
        return seed_loss(f, seeds), expand_loss(f, present, *self.q), constrain_loss(f, following(scores, smooth))

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Bytes (n, h, w, 3) as the network takes them (n, 3, h, w)."""
        fit = self.settings["prepare"]
        mean, std = (torch.as_tensor(fit[name], dtype=torch.float32, device=pixels.device) for name in ("mean", "std"))
        x = ((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2)
        return x.flip(1) if fit["bgr"] else x

    def _step(self, batch: Sequence[int], mirrored: bool) -> tuple[float, ...]:
        self.network.train()
        losses = self._losses(batch, mirrored)
        total = sum(losses, torch.zeros(()))
        if not torch.isfinite(total):
            raise BadNetwork(
                "The losses are no numbers any more. Train in smaller steps, as with "
                f"--rate {self.training.rate / 4:g}; the passes so far are kept."
            )
        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()
        self.schedule.step()
        return tuple(float(loss.detach()) for loss in losses)

    def _end(self, sums: Sequence[tuple[float, ...]], done: Sequence[Epoch]) -> Epoch:
        """The losses of a pass; the network is kept if it is the best so far."""
        means = [float(np.mean(column)) for column in zip(*sums, strict=True)]
        held_out = sum(means)
        if self.held_out:
            self.network.eval()
            with torch.no_grad():
                parts = [
                    self.held_out[at : at + self.training.batch] for at in range(0, len(self.held_out), self.training.batch)
                ]
                losses = [sum(map(float, self._losses(part, False))) * len(part) for part in parts]
            held_out = sum(losses) / len(self.held_out)
        best = held_out < min((epoch.held_out for epoch in done), default=inf)
        epoch = Epoch(means[0], means[1], means[2], held_out, best)
        if best:
            write_segmenter(self.run, self.network, {**self.settings, "made": self._made([*done, epoch], "")})
        return epoch

    def _patience_is_over(self, done: Sequence[Epoch]) -> bool:
        return len(done) >= self.training.patience and not any(epoch.best for epoch in done[-self.training.patience :])

    def _made(self, done: Sequence[Epoch], ended: str) -> dict[str, Any]:
        """How the network was made, for the folder."""
        return {
            "by": "SEC (Kolesnikov & Lampert 2016), from the classes of photos alone",
            "training": asdict(self.training),
            "photos": {"learned": len(self.learned), "held_out": len(self.held_out)},
            "losses": [[round(value, 5) for value in epoch[:4]] for epoch in done],
            "ended": ended,
        }

    def _checkpoint(self, done: Sequence[Epoch]) -> None:
        states = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        write_checkpoint(
            self.run, Checkpoint(self._key(), [*map(list, done)], states | {"schedule": self.schedule.state_dict()})
        )

    def _resumed(self) -> list[Epoch]:
        """The passes of an earlier run of the same training, whose state is taken up; none where there is none.

        Raises NotWritten where the folder holds another training's.
        """
        found = read_checkpoint(self.run)
        if found is None:
            return []
        if found.key != self._key():
            raise NotWritten(
                f"{self.run} holds a training with other settings, photos or another classifier. Give another folder (--out), "
                "or remove it."
            )
        self.network.load_state_dict(found.states["network"])
        self.optimiser.load_state_dict(found.states["optimiser"])
        self.schedule.load_state_dict(found.states["schedule"])
        return [Epoch(*values) for values in found.epochs]

    def _key(self) -> str:
        """What makes a training the same."""
        lesson, plain = self.lesson, dict(self.settings)
        parts = [
            plain,
            asdict(self.training),
            int(lesson.x.sum(dtype=torch.int64)),
            int(lesson.seeds.sum()),
            list(lesson.x.shape),
        ]
        return json.dumps(parts, sort_keys=True)
