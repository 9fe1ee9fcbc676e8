"""Which options of `seewhy explain` had no effect: a person who gave them may expect one.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap

    from .finding_options import BoxRule


class Explained:
    """What was explained in a run, as far as it tells which options and which caveats concern it."""

    def __init__(self) -> None:
        self.methods: set[str] = set()  # by name
        self.volumes = False
        self.tiled = False
        self.several = False  # maps of one photo

    def add(self, maps: "Iterable[Heatmap]") -> None:
        from seewhy.images.volume import Volume

        maps = [*maps]
        self.several |= len(maps) > 1
        for heatmap in maps:
            self.methods.add(heatmap.source.method)
            self.volumes |= isinstance(heatmap.image, Volume)
            self.tiled |= bool(heatmap.source.tile)


def given_options() -> set[str]:
    """The names of the options that stand on the command line, as Python has them."""
    context = click.get_current_context()
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def without_effect(given: set[str], methods: Sequence[Any], models: Sequence[Any], explained: Explained) -> Iterator[str]:
    """A remark on each option that was given and changed nothing of what was explained."""
    if not explained.methods:
        return
    for name in ("view", "views", "window"):
        if name in given and not explained.volumes:
            yield f"--{name.removesuffix('s')} had no effect: it is of volumes, and none was explained"
    if "tile" in given and not explained.tiled:
        yield "--tile had no effect: no image is larger than a tile"
    without = [method.name for method in methods if "budget" not in method.defaults]
    if "budget" in given and without:
        yield f"--budget had no effect on {', '.join(without)}: it bounds methods that ask for many scores, such as rise"
    unlayered = [method.name for method in methods if not method.layered]
    if "layers" in given and unlayered:
        yield f"--layer had no effect on {', '.join(unlayered)}: a layer is not what it reads"
    if "grid" in given and not any(getattr(model, "asked_grid", True) for model in models):
        yield "--grid had no effect: where all cells lie was found out without it"


def finding_without_effect(given: set[str], rule: "BoxRule", explained: Explained) -> Iterator[str]:
    """A remark on each option on boxes that was given and changed none of them."""
    if "least" in given and rule.components == "largest":
        yield "--least had no effect: the largest region is taken, however small; --components all takes others"
    if "suppress" in given and explained.methods and not explained.several:
        yield "--suppress had no effect: it is between classes, and of each photo one was looked at; --target top:3 takes more"
