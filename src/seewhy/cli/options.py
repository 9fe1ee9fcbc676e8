"""What several commands take: a model, and name=value."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seewhy.printable import quoted

from .saying import apart, safe_logs

if TYPE_CHECKING:
    from seewhy.models.model import Differentiable

FAMILIES = ("demo/honest", "demo/shortcut", "demo/flat", "torchvision/", "timm/", "hf/")
FETCHED = ("torchvision/", "timm/", "hf/")  # whose weights may have to be fetched
LONGEST, DEEPEST = 10_000, 50  # of a literal: characters; brackets, and signs in a row
COUNT = click.IntRange(1, 10**6)  # of images at once, of pixels: more than any command means
TRUST, WRAP, BOUNDS = (
    "seewhy.trust",
    "seewhy.wrap",
    "seewhy.bounds",
)  # what is remembered of the command, so that each need not hand it on


OUT = click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
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
    """A number from 0 to 1, of which NaN is none."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        found = super().convert(value, param, ctx)
        return found if isfinite(found) else self.fail(f"{value!r} is no number from 0 to 1.", param, ctx)


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


def complete_models(_ctx: Any, _param: Any, start: str) -> list[str]:
    return [spec for spec in FAMILIES if spec.startswith(start)]


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--weights", metavar="FILE", help=".safetensors, a state dict or checkpoint; else the pretrained."),
            click.option("--labels", metavar="FILE", help="Names of the classes, one a line or JSON; else the weights' own."),
            click.option("--option", "options", type=KeyValue(), multiple=True, help="For the network's constructor."),
            click.option("--prepare", type=KeyValue(), multiple=True,
                         help="Preprocessing: size=256 crop=224 mean=0.5 std=0.5, of volumes also orientation=RAS spacing=1 "
                              "window=-100,400; repeatable; else that of the weights."),
            click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps."),
            click.option("--trust", is_flag=True, expose_value=False, callback=_remember_trust,
                         help="Run code that comes with the weights: TorchScript, whole pickled networks, a repository's own "
                              "Python."),
            click.option("--output", metavar="KEY", expose_value=False, callback=_remember,
                         help="Where the scores are in what the network gives: a key, or a place in a tuple."),
            click.option("--task", type=click.Choice(["single-label", "multi-label", "regression"]), expose_value=False,
                         callback=_remember, help="What the scores mean; else told from their shape."),
            click.option("--grid", metavar="RxC", expose_value=False, callback=_remember_grid,
                         help="Rows and columns of a transformer's patches, where they cannot be found out: 14x14."),
            click.option("--geometry", type=click.Choice(["receptive-field", "plain"]), expose_value=False, callback=_remember,
                         help="Draw cells where their receptive fields lie (default), or spread evenly as others do."),
            click.option("--max-pixels", type=click.IntRange(1), metavar="N", expose_value=False, callback=_allow_pixels,
                         help="Read photos of up to so many pixels, if you trust them; by default 89478485."),
            click.option("--max-voxels", type=click.IntRange(1), metavar="N", expose_value=False, callback=_allow_voxels,
                         help="Read volumes of up to so many voxels, if you trust them; by default 536870912 (2 GB)."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _remember_trust(ctx: click.Context, _param: Any, trust: bool) -> None:
    ctx.meta[TRUST] = trust


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta.setdefault(WRAP, {})[param.name] = literal(value) if param.name == "output" else value


def _allow_pixels(ctx: click.Context, param: click.Parameter, most: int | None) -> None:
    """For this command."""
    if most is not None:
        ctx.meta.setdefault(BOUNDS, {})[param.opts[0]] = most
        from PIL import Image

        ctx.call_on_close(partial(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS))
        Image.MAX_IMAGE_PIXELS = most


def _allow_voxels(ctx: click.Context, param: click.Parameter, most: int | None) -> None:
    """For this command."""
    if most is not None:
        ctx.meta.setdefault(BOUNDS, {})[param.opts[0]] = most
        from importlib import import_module

        volume: Any = import_module("seewhy.images.volume")
        ctx.call_on_close(partial(setattr, volume, "MAX_VOXELS", volume.MAX_VOXELS))
        volume.MAX_VOXELS = most


def _remember_grid(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    sides = value.lower().split("x") if value else []
    if len(sides) > 3 or not all(re.fullmatch(r"\s*[0-9]{1,5}\s*", side) and int(side) for side in sides):
        raise click.BadParameter(f"{quoted(value)}: write rows x columns, as in 14x14.", ctx, param)
    if sides:
        ctx.meta.setdefault(WRAP, {})["grid"] = tuple(map(int, sides))


def wrapped() -> tuple[Any, ...]:
    """What was said of how to wrap the network."""
    return tuple(sorted(click.get_current_context().meta.get(WRAP, {}).items()))


def untrained(spec: str, weights: str | None) -> str | None:
    """The weights to list layers with, which are the same whatever was learned: none are fetched that were not asked for."""
    return "random" if weights is None and spec.startswith(FETCHED) else weights


def load_model(spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, **more: Any) -> "Differentiable":
    from seewhy.api import load
    from seewhy.errors import BadParameter
    from seewhy.prepare.batch import preparer
    from seewhy.prepare.fit import Fit
    from seewhy.prepare.volume_fit import VolumeFit

    said = click.get_current_context().meta
    wrapped = {"device": device, **more, **said.get(WRAP, {})}
    click.get_current_context().call_on_close(safe_logs())
    click.get_current_context().with_resource(apart(click.get_current_context()))
    model: Any = load(spec, weights, labels, dict(options), bool(said.get(TRUST)), **wrapped)
    if prepare:
        if not isinstance(model.prepare, Fit | VolumeFit):
            model.prepare = preparer(dict(prepare))
        elif unknown := set(dict(prepare)) - {*(known := model.prepare.__dataclass_fields__)}:
            raise BadParameter(f"--prepare has no {', '.join(unknown)}. It takes: {', '.join(known)}.")
        else:
            model.prepare = replace(model.prepare, **dict(prepare))
    return model
