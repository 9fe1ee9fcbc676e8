"""The options that say how boxes are found in maps, as `Heatmap.boxes` takes them.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any

import click

from seewhy.printable import quoted

from .options import Share, literal

KINDS = ("max", "quantile", "otsu")  # objects.threshold.USUAL
PRESETS = ("cam", "grad-cam")  # objects.threshold.PRESETS
COMPONENTS = ("largest", "all")  # objects.find.COMPONENTS


class ShareBelow(Share):
    """A number from 0 to below 1."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = super().convert(value, param, ctx)
        return number if number < 1 else self.fail(f"{value} is no number from 0 to below 1, as 0.15 for 15 %.", param, ctx)


class RefineWords(click.ParamType):
    """NAME, or NAME:setting=value,..., as `refine=` takes it: a name, or that and a dict."""

    name = "NAME[:setting=value,...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        name, colon, said = value.partition(":")
        pairs = [setting.partition("=") for setting in said.split(",")] if colon else []
        if not all(key.strip() and equals for key, equals, _ in pairs):
            self.fail(f"{quoted(value)}: write settings behind a colon, as in guided:radius=0.1.", param, ctx)
        settings = {key.strip(): literal(number.strip()) for key, _, number in pairs}
        return (name.strip(), settings) if settings else name.strip()


FINDING = (
    click.option("--threshold", type=ShareBelow(), metavar="SHARE",
                 help="What lies above counts as object: a share of the maximum (0.15 by default), or of the values (0.85)."),
    click.option("--of", type=click.Choice(KINDS), default="max", show_default=True,
                 help="What the threshold is a share of; otsu finds its own."),
    click.option("--preset", type=click.Choice(PRESETS), help="As in that paper: 20 % of the maximum (cam), 15 % (grad-cam)."),
    click.option("--components", type=click.Choice(COMPONENTS), default="largest", show_default=True,
                 help="A box around the largest region alone, or around all."),
    click.option("--connectivity", type=click.Choice(["8", "4"]), default="8", show_default=True,
                 help="Do pixels hang together at their corners, too (8; of volumes 26), or at their sides alone (4; 6)?"),
    click.option("--least", type=click.FloatRange(0), metavar="AREA",
                 help="Of --components all, leave out smaller regions: a share of the image (0.001 by default), or pixels."),
    click.option("--refine", type=RefineWords(), metavar="NAME",
                 help="Bring masks to the edges in the photo: guided, crf, ...; with settings as in guided:radius=0.1."),
    click.option("--suppress", type=Share(), default=0.5, show_default=True, metavar="IOU",
                 help="Of boxes of several classes that overlap more than so, keep the surest; 1 keeps all."),
)  # fmt: skip


@dataclass(frozen=True)
class BoxRule:
    """How boxes are found in each map."""

    threshold: float | None
    of: str
    preset: str | None
    components: str
    connectivity: int
    least: float | None
    refine: Any  # a name, or (name, settings)
    suppress: float

    def __post_init__(self) -> None:
        """Raises click.UsageError where options do not go together."""
        if self.preset and (self.threshold is not None or self.of != "max"):
            raise click.UsageError(f"--preset {self.preset} says the threshold: leave out --threshold and --of.")
        if self.of == "otsu" and self.threshold is not None:
            raise click.UsageError("--of otsu finds the threshold by itself: leave out --threshold.")

    @property
    def of_map(self) -> dict[str, Any]:
        """As `Heatmap.boxes` takes it: the threshold in numbers, and nothing that nobody said."""
        from seewhy.objects.threshold import USUAL

        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "suppress"}
        usual = {"threshold": USUAL[self.of]} if self.threshold is None and self.preset is None else {}
        return {name: value for name, value in {**said, **usual}.items() if value is not None}

    def check(self) -> None:
        """Raise what the library would, of a small map, before a model is loaded."""
        import numpy as np

        from seewhy.objects.find import find

        bump = np.hanning(16)
        find(np.outer(bump, bump).astype(np.float32), **self.of_map, pixels=np.zeros((16, 16, 3), np.uint8))


def finding_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; the command gets them as `rule`."""

    @wraps(command)
    def packed(*arguments: Any, **given: Any) -> None:
        said = {field.name: given.pop(field.name) for field in fields(BoxRule)}
        command(*arguments, rule=BoxRule(**{**said, "connectivity": int(said["connectivity"])}), **given)

    for option in reversed(FINDING):
        option(packed)
    return packed
