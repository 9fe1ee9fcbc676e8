"""How a person wants a service to be asked: `load(..., options=...)` and `--option`, checked."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter, closest
from seewhy.json_text import json_of
from seewhy.printable import printable, quoted

KINDS = ("json", "image", "multipart", "kserve", "torchserve", "tensorflow")
ENCODINGS = ("png", "jpeg")
LAYOUTS = ("nchw", "nhwc")
LARGEST_TEMPLATE = 2**20  # bytes
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # of a header
SPOKEN = re.compile(r"[\t\x20-\x7e]*")  # what the value of a header may hold
VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class ServiceOptions:
    """How a service is asked.  Secrets, `headers` and `proxy`, are not in its repr."""

    kind: str | None = None  # one of KINDS; None: told from the path of the address
    template: Any = None  # of the JSON that is sent
    form_field: str = "file"  # the name of the photo in a form
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | tuple[int, int] | None = None  # photos are resized to it: the shorter side, or (h, w) outright
    encoding: str = "png"
    quality: int = 90  # of JPEG
    timeout: float = 30.0  # seconds for one answer
    retries: int = 3  # after the first try
    concurrency: int = 4  # requests at once
    rate: float | None = None  # requests a second, at most
    batch: int | None = None  # images in one request
    input: str | None = None  # name of the input tensor
    layout: str | None = None  # of tensors, one of LAYOUTS
    takes: str | None = None  # "uint8" or "float", as for `wrap`
    binary: bool = False  # tensors as bytes behind the JSON (KServe's extension)
    missing: float | None = None  # the score of a class that an answer leaves out
    proxy: str | None = field(default=None, repr=False)
    ca: str | None = None  # file of certificates to trust, in place of the usual ones

    @property
    def secrets(self) -> list[str]:
        """What no message may show: the values of headers and their words, and what a proxy is told."""
        words = [word for value in self.headers.values() for word in (value, *value.split())]
        return [*words, *([self.proxy] if self.proxy and "@" in self.proxy else [])]


def options_of(given: Mapping[str, Any], service: str) -> ServiceOptions:
    """The checked options; BadParameter, which never quotes a header, for what is none."""
    known = {"header": "headers", "field": "form_field", **{f.name: f.name for f in fields(ServiceOptions)}}
    del known["form_field"]
    for name in given:
        if name not in known:
            names = ", ".join(key for key in known if key != "headers")
            near = closest(str(name), [*known], 1)
            hint = f" Is it {near[0]}?" if near else ""
            raise BadParameter(f"{service} has no option {quoted(name)}.{hint} It takes: {names}.")
    return ServiceOptions(**{known[name]: CHECKS[known[name]](name, value) for name, value in given.items()})


def _headers(_name: str, value: Any) -> dict[str, str]:
    """From "NAME: VALUE", several of these, or a dict; ${VARIABLE} in a value is read from the environment."""
    if isinstance(value, Mapping):
        pairs = [*value.items()]
    else:
        lines = [value] if isinstance(value, str) else [*value] if isinstance(value, Sequence) else [None]
        pairs = [tuple(line.split(":", 1)) if isinstance(line, str) and ":" in line else ("", "") for line in lines]
    headers = {}
    for name, text in pairs:
        text = VARIABLE.sub(_of_environment, text.strip()) if isinstance(text, str) else None
        if not isinstance(name, str) or not NAME.fullmatch(name.strip()) or text is None or not SPOKEN.fullmatch(text):
            raise BadParameter(
                "A header is NAME: VALUE in plain ASCII, as in options={'header': 'Authorization: Bearer ${TOKEN}'}, several "
                "are a dict. (It is not quoted here, for it may be a secret.)"
            )
        headers[name.strip()] = text
    return headers


def _of_environment(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise BadParameter(f"A header names the variable {match[1]}, which the environment does not have.")
    return value


def _template(_name: str, value: Any) -> Any:
    """What JSON says: values as they are, a text of JSON, or the name of a file of it."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(("{", "[", '"')):
        path = Path(text).expanduser()
        try:
            if not path.is_file() or path.stat().st_size > LARGEST_TEMPLATE:
                raise BadParameter(f"template={quoted(value)} is no JSON, and no file of it.")
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadParameter(f"The template {quoted(value)} cannot be read: {printable(error, 200)}") from None
    try:
        return json_of(text, LARGEST_TEMPLATE)
    except ValueError as error:
        raise BadParameter(
            f'The template is no JSON: {printable(error, 200)}. Give such as {{"image": "<base64 png>"}}'
        ) from None


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value not in choices:
            raise BadParameter(f"{name}={quoted(value)}: it is one of {', '.join(choices)}.")
        return value

    return check


def _number(least: float, most: float, whole: bool = False, above: bool = False) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most or (above and value == least):
            what = "a whole number" if whole else "a number"
            raise BadParameter(f"{name}={quoted(value)}: {what} {'above' if above else 'from'} {least:g} to {most:g}.")
        return value

    return check


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise BadParameter(f"{name}={'...' if name == 'proxy' else quoted(value)}: it is a text.")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadParameter(f"{name}={quoted(value)}: it is true or false.")
    return value


def _size(name: str, value: Any) -> Any:
    sides = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(sides) not in (1, 2) or not all(type(side) is int and 0 < side <= 2**16 for side in sides):
        raise BadParameter(f"{name}={quoted(value)}: give a number of pixels, or (height, width).")
    return sides if isinstance(value, list | tuple) and len(sides) == 2 else sides[0]


CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "kind": _one_of(*KINDS),
    "template": _template,
    "form_field": _text,
    "headers": _headers,
    "size": _size,
    "encoding": _one_of(*ENCODINGS),
    "quality": _number(1, 100, whole=True),
    "timeout": _number(0, 86400, above=True),
    "retries": _number(0, 100, whole=True),
    "concurrency": _number(1, 256, whole=True),
    "rate": _number(0, 1e6, above=True),
    "batch": _number(1, 4096, whole=True),
    "input": _text,
    "layout": _one_of(*LAYOUTS),
    "takes": _one_of("uint8", "float"),
    "binary": _flag,
    "missing": _number(-1e30, 1e30),
    "proxy": _text,
    "ca": _text,
}
