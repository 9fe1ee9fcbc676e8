"""What several commands take: a model, and name=value."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..models import Differentiable

FAMILIES = ("demo/honest", "demo/shortcut", "demo/flat", "torchvision/", "timm/")


class KeyValue(click.ParamType):
    """k=v, v a Python literal or a string."""

    name = "k=v"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not of the form name=value.", param, ctx)
        return key.strip(), literal(text.strip())


def literal(text: str) -> Any:
    from ast import literal_eval

    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def complete_methods(_ctx: Any, _param: Any, start: str) -> list[str]:
    from ..api import METHODS

    return [name for name in METHODS if name.startswith(start)]


def complete_models(_ctx: Any, _param: Any, start: str) -> list[str]:
    return [spec for spec in FAMILIES if spec.startswith(start)]


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--weights", metavar="FILE", help=".safetensors or a state dict; else the pretrained ones."),
            click.option("--labels", metavar="FILE", help="Names of the classes, one a line or JSON; else the weights' own."),
            click.option("--option", "options", type=KeyValue(), multiple=True, help="For the network's constructor."),
            click.option("--prepare", type=KeyValue(), multiple=True,
                         help="Preprocessing: size=256 crop=224 mean=0.5 std=0.5; repeatable; else that of the weights."),
            click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def load_model(spec: str, weights: Any, labels: Any, options: Any, prepare: Any, device: Any, **more: Any) -> "Differentiable":
    from ..api import load
    from ..errors import BadParameter
    from ..prepare import Fit, preparer

    model: Any = load(spec, weights, labels, dict(options), device=device, **more)
    if prepare:
        if not isinstance(model.prepare, Fit):
            model.prepare = preparer(dict(prepare))
        elif unknown := set(dict(prepare)) - set(Fit.__dataclass_fields__):
            raise BadParameter(f"--prepare has no {', '.join(unknown)}. It takes: {', '.join(Fit.__dataclass_fields__)}.")
        else:
            model.prepare = replace(model.prepare, **dict(prepare))
    return model
