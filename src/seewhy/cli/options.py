"""What several commands take: a model, and name=value.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial, wraps
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.printable import SECRET, quoted

from .printing import apart, safe_logs, say

if TYPE_CHECKING:
    from seewhy.models.model import Differentiable

FAMILIES = ("demo/honest", "demo/shortcut", "demo/flat", "demo/segmenter", "torchvision/", "timm/", "hf/", "keras/")
FETCHED = ("torchvision/", "timm/", "hf/", "keras/")  # whose weights may have to be fetched
LONGEST, DEEPEST = 10_000, 50  # of a literal: characters; brackets, and signs in a row
COUNT = click.IntRange(1, 10**6)  # of images at once, of pixels: more than any command means


class FolderPath(click.Path):
    """A folder to write into, which need not be there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not str(value):  # as of a variable that is not set
            self.fail("it is empty; . is the folder you are in.", param, ctx)
        if os.path.isfile(value):
            self.fail(f"{quoted(str(value))} is a file; name a folder, which is made where there is none.", param, ctx)
        return super().convert(value, param, ctx)


class FilePath(click.Path):
    """A file to write: one that has no folder to lie in is refused before anything is computed for it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        path: Any = super().convert(value, param, ctx)
        if not path.parent.is_dir():
            self.fail(f"there is no folder {quoted(str(path.parent))}; make it first.", param, ctx)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"nothing may be written into the folder {quoted(str(path.parent))}.", param, ctx)
        return path


OUT = click.option(
    "--out",
    "-o",
    type=FolderPath(),
    default=Path("seewhy-out"),
    show_default=True,
    help="Folder for the overlays.",
)


class KeyValue(click.ParamType):
    """k=v, v a Python literal or a string."""

    name = "k=v"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key:
            self.fail(f"{quoted(value)} is not of the form name=value.", param, ctx)
        return key.strip(), literal(text.strip())


class Window(click.ParamType):
    """low,high"""

    name = "low,high"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        try:
            low, high = map(float, value.split(",") if isinstance(value, str) else value)
            if -inf < low < high < inf:
                return low, high
        except ValueError:
            pass
        self.fail(f"{quoted(value)}: write the low value, a comma and the high one, as in -100,400.", param, ctx)


class Share(click.FloatRange):
    """A number from 0 (or another least one) to 1, of which NaN is none."""

    def __init__(self, least: float = 0) -> None:
        super().__init__(least, 1)

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = super().convert(value, param, ctx)
        return number if isfinite(number) else self.fail(f"{value!r} is no number from {self.min:g} to 1.", param, ctx)


class Opacity(Share):
    """A number from 0 to 1, or "value"."""

    name = "0 to 1, or value"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if value == "value" else super().convert(value, param, ctx)


def literal(text: str) -> Any:
    """The Python literal that the text is, else the text.  One that is long, or deep in brackets and signs, is none: what
    reads such things in Python can break down over them.
    """
    import warnings
    from ast import literal_eval

    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    if len(text) > LONGEST or len(re.findall(r"[(\[{]", text)) > DEEPEST or re.search(rf"[-+~\s]{{{DEEPEST},}}", text):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's, about escapes that it does not know
            return literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def complete_methods(_ctx: Any, _param: Any, start: str) -> list[str]:
    from seewhy.api import METHODS

    return [name for name in METHODS if name.startswith(start)]


def complete_metrics(_ctx: Any, _param: Any, start: str) -> list[str]:
    from seewhy.metrics import METRICS

    return [name for name in METRICS if name.startswith(start)]


def complete_models(_ctx: Any, _param: Any, start: str) -> list[str]:
    return [spec for spec in FAMILIES if spec.startswith(start)]


class GridSize(click.ParamType):
    """RxC, as in 14x14: the sides of a grid of patches, as whole numbers."""

    name = "RxC"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sides = value.lower().split("x") if value else []
        if len(sides) > 3 or not all(re.fullmatch(r"\s*[0-9]{1,5}\s*", side) and int(side) for side in sides):
            self.fail(f"{quoted(value)}: write rows x columns, as in 14x14.", param, ctx)
        return tuple(map(int, sides))


class Literal(click.ParamType):
    """A Python literal, or else the text itself."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return literal(value) if isinstance(value, str) else value


SPEC = click.argument("spec", metavar="SPEC", shell_complete=complete_models)


def model_option(words: str = "As for explain.") -> Callable[..., Any]:
    """The option --model, which says where the network is; words: its help."""
    return click.option("--model", "-m", "spec", required=True, metavar="SPEC", shell_complete=complete_models, help=words)


OF_EACH = {  # options that may be said of each of several models
    "weights": ".safetensors, a state dict or checkpoint; random; else the pretrained.",
    "labels": "Names of the classes, one a line or JSON; else the weights' own.",
}
MODEL_OPTIONS = (
    click.option("--option", "options", type=KeyValue(), multiple=True,
                 help="For the network's constructor; of a service, how it is asked."),
    click.option("--prepare", type=KeyValue(), multiple=True,
                 help="Preprocessing: size=256 crop=224 mean=0.5 std=0.5, of volumes also orientation=RAS spacing=1 "
                      "window=-100,400; repeatable; else that of the weights."),
    click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps."),
    click.option("--trust", is_flag=True,
                 help="Run code that comes with the weights: TorchScript, whole pickled networks, a repository's own "
                      "Python."),
    click.option("--output", metavar="KEY", type=Literal(),
                 help="Where the scores are in what the network gives: a key, or a place in a tuple."),
    click.option("--task", type=click.Choice(["single-label", "multi-label", "regression"]),
                 help="What the scores mean; else told from their shape."),
    click.option("--grid", metavar="RxC", type=GridSize(),
                 help="Rows and columns of a transformer's patches, where they cannot be found out: 14x14."),
    click.option("--geometry", type=click.Choice(["receptive-field", "plain"]),
                 help="Draw cells where they look (default), or spread evenly as others do."),
    click.option("--max-pixels", type=click.IntRange(1), metavar="N",
                 help="Read photos of up to so many pixels, if you trust them; by default 89478485."),
    click.option("--max-voxels", type=click.IntRange(1), metavar="N",
                 help="Read volumes of up to so many voxels, if you trust them; by default 536870912 (2 GB)."),
)  # fmt: skip


@dataclass(frozen=True)
class ModelOptions:
    """All that the command line says of a network: where it is, how it is loaded and wrapped, and how large images may be."""

    spec: str
    weights: str | None = None
    labels: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    prepare: tuple[tuple[str, Any], ...] = ()
    device: str | None = None
    trust: bool = False
    output: Any = None
    task: str | None = None
    grid: tuple[int, ...] | None = None
    geometry: str | None = None
    max_pixels: int | None = None
    max_voxels: int | None = None

    @property
    def wrapping(self) -> dict[str, Any]:
        """The options that `seewhy.wrap` takes, of those that were given."""
        values = {"output": self.output, "task": self.task, "grid": self.grid or None, "geometry": self.geometry}
        return {name: value for name, value in values.items() if value is not None}

    def words(self) -> Iterator[str]:
        """The words of the command line that name the same network; with ... in place of what may be a secret."""
        secret = "://" in self.spec and "?" in self.spec  # of an address, what stands behind ? may be a key
        yield from ("--model", self.spec.partition("?")[0] + "?..." if secret else self.spec)
        for name in ("weights", "labels", "option", "prepare", "device"):
            value = getattr(self, "options" if name == "option" else name)
            for part in value if isinstance(value, tuple) else [value] if value is not None else []:
                yield from (f"--{name}", f"{part[0]}={_told(*part)}" if isinstance(part, tuple) else part)
        for name, value in self.wrapping.items():
            yield from (f"--{name}", "x".join(map(str, value)) if name == "grid" else typed(value))
        for name, value in (("--max-pixels", self.max_pixels), ("--max-voxels", self.max_voxels)):
            yield from () if value is None else (name, str(value))
        yield from ["--trust"] * self.trust

    def load_warning(self, **more: Any) -> "Differentiable":
        """The same as `load`; random weights are said on stderr, by commands that make no map to say it on."""
        from seewhy.untrained import warned

        model = self.load(**more)
        for warning in warned(model.untrained):
            say(f"seewhy: note: {warning.partition(', and the map')[0]}", err=True)
        return model

    def load(self, **more: Any) -> "Differentiable":
        """The network, loaded and wrapped; more: further arguments of `seewhy.wrap`."""
        from seewhy.api import load
        from seewhy.memory import keep_freed

        keep_freed()
        context = click.get_current_context()
        context.call_on_close(safe_logs())
        context.with_resource(apart(context))
        how = {"device": self.device, "prepare": dict(self.prepare) or None, **more, **self.wrapping}
        return load(self.spec, self.weights, self.labels, dict(self.options), self.trust, **how)

    def untrained(self) -> "ModelOptions":
        """The same with random weights in place of those that would be fetched: what learning does not change is read of it."""
        fetched = self.weights is None and self.spec.startswith(FETCHED)
        return replace(self, weights="random") if fetched else self

    def raise_bounds(self) -> None:
        """Let images be as large as --max-pixels and --max-voxels say, until the command ends."""
        context = click.get_current_context()
        if self.max_pixels is not None:
            from PIL import Image

            context.call_on_close(partial(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS))
            Image.MAX_IMAGE_PIXELS = self.max_pixels
        if self.max_voxels is not None:
            from seewhy.images import volume

            context.call_on_close(partial(setattr, volume, "MAX_VOXELS", volume.MAX_VOXELS))
            volume.MAX_VOXELS = self.max_voxels


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say of a network all that there is; the command gets them as `network`, a ModelOptions.

    The spec itself is an argument of some commands and an option of others: `SPEC` or `model_option()`.
    """

    @wraps(command)
    def packed(*arguments: Any, **given: Any) -> None:
        network = ModelOptions(**{field.name: given.pop(field.name) for field in fields(ModelOptions)})
        network.raise_bounds()
        command(*arguments, network=network, **given)

    for option in reversed(MODEL_OPTIONS):
        option(packed)
    for name, words in reversed(OF_EACH.items()):
        click.option(f"--{name}", metavar="FILE", help=words)(packed)
    return packed


def _told(name: str, value: Any) -> str:
    """The value of an option as `typed`, unless it may be a secret."""
    return "..." if name in SECRET else typed(value)


def typed(value: Any) -> str:
    """A value as a person has to type it so that it is read as that value again: '5' is not the text of a number."""
    return value if isinstance(value, str) and literal(value) == value else repr(value)
