"""How many images a network may look at in an audit, and which photos these are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seewhy.errors import BadParameter
from seewhy.photo_sets.items import Item
from seewhy.printable import quoted

LEAST = 20  # images: fewer tell nothing
PLANTED = 0.25  # of a budget that is kept for photos with something pasted on


@dataclass
class AuditBudget:
    """What may be looked at, and what was: most is None where there is no bound."""

    most: int | None
    spent: int = 0

    @classmethod
    def of(cls, budget: int | None) -> "AuditBudget":
        """Raises BadParameter for what is no number of images."""
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < LEAST):
            raise BadParameter(
                f"budget={quoted(budget)}: give a number of images that the network may look at, {LEAST} or more."
            )
        return cls(budget)

    @property
    def photos(self) -> int | None:
        """How many photos may be explained."""
        return None if self.most is None else self.most - round(PLANTED * self.most)

    def left(self, images: int) -> int:
        """How many of so many it may still look at."""
        return images if self.most is None else max(0, min(images, self.most - self.spent))


def drawn_items(items: Sequence[Item], most: int | None, seed: int) -> list[Item]:
    """At most so many of the items, in their order, drawn evenly of each class: as many of each, while it has any left."""
    if most is None or len(items) <= most:
        return [*items]
    rng, of_class = np.random.default_rng(seed), dict[tuple[int, ...], list[int]]()
    for place in rng.permutation(len(items)):
        of_class.setdefault(items[place].truth[:1], []).append(int(place))
    turns = [(turn, rng.random(), place) for places in of_class.values() for turn, place in enumerate(places)]
    return [items[place] for place in sorted(place for _, _, place in sorted(turns)[:most])]
