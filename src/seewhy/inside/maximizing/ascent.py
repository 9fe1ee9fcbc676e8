"""Gradient ascent on the parameters of images, toward an objective of a network."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.model import Differentiable
from seewhy.progress import shown, stop_asked
from seewhy.targets.sums import WeightedSum

from .adam import Adam
from .network_input import NetworkInput
from .objectives import Read, couples, layers_of, read
from .parametrisations import Parametrisation
from .regularisers import REGULARISERS
from .transformations import Transformations

TRIES = 6  # random images of which each is three times as strong as the one before, until one has a gradient
STRONGER = 3.0
OnStep = Callable[[int, NDArray[Any], NDArray[Any]], None]  # the step, the images before it, the objective of each


class Climbed(NamedTuple):
    """What an ascent leaves."""

    images: NDArray[Any]  # (n, c, *space) in [0, 1], of photos with 256 levels
    before: NDArray[np.float64]  # (n,), of the random images
    after: NDArray[np.float64]  # (n,), of the images
    trajectory: NDArray[np.float64]  # (steps, n), of their views
    moved: NDArray[np.float32]  # (n, *space), at most 1
    stopped: bool


class Ascent(NamedTuple):
    """All that a step needs."""

    model: Differentiable
    objective: WeightedSum
    place: NetworkInput
    way: Parametrisation
    looks: Transformations
    views: int = 1
    against: Mapping[str, float] = {}  # weights of regularisers, by their names

    def climb(self, count: int, steps: int, rate: float, seed: int, on_step: OnStep | None = None) -> Climbed:
        """Images made in so many steps, each from a random one; image i draws from a generator of its own, of seed + i.

        Ctrl-C ends it with the images so far.  Raises NotApplicable where no random image has a gradient, BadNetwork where one
        is not finite.
        """
        draws = [np.random.default_rng(seed + i) for i in range(count)]
        p = np.concatenate([self.way.start(rng) for rng in draws])
        start, trajectory, adam, stopped = p, list[NDArray[np.float64]](), Adam(rate), False
        moved = np.zeros((count, *self.place.space), np.float32)
        try:
            for step in shown(range(steps), steps, "ascent"):
                if stop_asked():
                    stopped = True
                    break
                image, back = self.way.image(p)
                seen = self._seen(image, draws)
                if not step:
                    p, image, back, seen = self._awake(p, image, back, seen, draws)
                    start = p
                if not np.isfinite(seen.g).all() or not np.isfinite(seen.values).all():
                    what = f"{self.objective}, or its gradient, is NaN or infinite at step {step + 1}"
                    raise BadNetwork(f"{self.model.name}: {what}.")
                moved += abs(seen.g).sum(1)
                g = seen.g - self._cost_slope(image)
                trajectory.append(seen.values)
                p = adam.step(p, back(g.astype(image.dtype)))
                if on_step is not None:
                    on_step(step + 1, image, seen.values)
        except KeyboardInterrupt:  # where nobody asked for it to be noted (`progress.stoppable`)
            stopped = True
        images = self.way.image(p)[0]
        images = np.rint(images * 255) / np.float32(255) if self.place.photos else images
        most = np.maximum(moved.reshape(count, -1).max(1), np.finfo(np.float32).tiny)
        return Climbed(
            images,
            self.value(self.way.image(start)[0]),
            self.value(images),
            np.array(trajectory).reshape(-1, count),
            moved / most.reshape(-1, *[1] * len(self.place.space)),
            stopped,
        )

    def value(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """The objective of images (n, c, *space) in [0, 1] as they are: (n,)."""
        return self._pass(images, False).values

    def _cost_slope(self, image: NDArray[Any]) -> Any:
        return sum(weight * REGULARISERS[name](image)[1] for name, weight in self.against.items())

    def _seen(self, image: NDArray[Any], draws: list[np.random.Generator]) -> "Seen":
        """The objective of one step's views, and its gradient at the images."""
        values, total = np.zeros(len(image)), np.zeros_like(image)
        for _ in range(self.views):
            views = [self.looks.draw(self.place.space, rng) for rng in draws]
            looked = [view.of(one) for view, one in zip(views, image, strict=True)]
            passed = self._pass(np.stack([seen for seen, _ in looked]), True)
            total += np.stack([back(g) for (_, back), g in zip(looked, passed.g, strict=True)])
            values += passed.values
        return Seen(values / self.views, total / self.views)

    def _pass(self, images: NDArray[Any], slopes: bool) -> "Seen":
        """The objective of images as the network is given them, as many at once as it takes, and its gradient if asked for."""
        together = len(images) if couples(self.objective) else self.model.at_once(images.shape[2:], True)
        parts = [self._together(images[i : i + together], slopes) for i in range(0, len(images), together)]
        return Seen(np.concatenate([part.values for part in parts]), np.concatenate([part.g for part in parts]))

    def _together(self, images: NDArray[Any], slopes: bool) -> "Seen":
        x, back = self.place.of(images)
        passed = self.model.pulled(x, layers_of(self.objective))
        found: Read = read(self.objective, passed.a)
        g = back(passed.back(found.cotangents)) if slopes else np.zeros_like(images)
        return Seen(found.values, g)

    def _awake(
        self, p: NDArray[Any], image: NDArray[Any], back: Any, seen: "Seen", draws: list[np.random.Generator]
    ) -> tuple[NDArray[Any], NDArray[Any], Any, "Seen"]:
        """The start; where an image of it has no gradient, with others in its place, each stronger than the one before."""
        asleep: list[int] = []
        for attempt in range(1, TRIES + 1):
            asleep = [i for i in range(len(p)) if not seen.g[i].any()]
            if not asleep:
                return p, image, back, seen
            if attempt == TRIES:
                break
            p = np.concatenate(
                [self.way.start(draws[i], STRONGER**attempt) if i in asleep else p[i : i + 1] for i in range(len(p))]
            )
            image, back = self.way.image(p)
            again = self._seen(image[asleep], [draws[i] for i in asleep])
            seen.values[asleep], seen.g[asleep] = again.values, again.g
        raise NotApplicable(
            f"{self.objective} of {self.model.name} has no gradient at any of {TRIES} random images; it is "
            f"{seen.values[asleep[0]]:.4g} there. The unit is dead, or sleeps before all but rare images. Another seed, or the "
            "layer before its activation function, may wake it; `seewhy units` ranks those that are alive in a photo."
        )


class Seen(NamedTuple):
    """The objective (n,) of images, and its gradient at them."""

    values: NDArray[np.float64]
    g: NDArray[Any]
