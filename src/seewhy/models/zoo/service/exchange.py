"""How images are put to a service, and its answers read as scores: as photos, in JSON, a form, or as the body itself."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.models.zoo.input_shape import InputShape

from .answers import Row, parsed, path_of, rows
from .options import ServiceOptions
from .photos import TYPES, as_file
from .post import Post
from .template import JPEG, PIXELS, PNG, checked, filled, placeholders, several

JSON = (("Content-Type", "application/json"),)
TOGETHER = 8  # images in a request that takes several, where nobody says how many


class Exchange(Protocol):
    """A way to put images to a service."""

    @property
    def shown(self) -> str: ...  # the address, for messages
    @property
    def shape(self) -> InputShape | None: ...  # of the tensors that it takes; None of photos
    @property
    def lossy(self) -> bool: ...  # are photos changed by being sent?
    @property
    def together(self) -> int: ...  # images in one request at most
    @property
    def only(self) -> int | None: ...  # as many images have to be in one request; None: any number up to `together`
    @property
    def takes(self) -> str: ...  # "uint8" or "float", as for `wrap`
    def post(self, images: NDArray[Any]) -> Post: ...  # photos (n, h, w, 3), or prepared ones (n, c, h, w)
    def rows(self, body: bytes, images: int) -> list[Row]: ...  # the scores of so many images in an answer


@dataclass(frozen=True)
class PhotoExchange:
    """Photos are sent as files, or by a template of JSON; scores come in JSON.

    template: of the JSON; None: `form` is the field of a form, or "" where the file is the whole body.
    """

    options: ServiceOptions
    template: Any
    form: str
    path: tuple[str | int, ...] | None
    shown: str
    shape: InputShape | None = None

    @classmethod
    def of(cls, kind: str, options: ServiceOptions, output: Any, shown: str) -> "PhotoExchange":
        """The exchange of that kind; BadParameter where the options do not belong together."""
        template = None
        if kind == "json":
            template = options.template
            if template is None:
                template = {"image": PNG if options.encoding == "png" else JPEG}
            checked(template)
            if options.takes == "float" and placeholders(template) != {PIXELS}:
                raise BadParameter(
                    f"takes=float: prepared numbers go into a template at {PIXELS} alone, and not into a picture."
                )
        elif options.template is not None:
            raise BadParameter(f"A template is for kind=json, and this is kind={kind}.")
        elif options.takes == "float":
            raise BadParameter(f"takes=float: kind={kind} sends photos, and no prepared numbers.")
        if options.batch not in (None, 1) and not several(template):
            raise BadParameter(
                f"batch={options.batch}: one request of this kind has one image. In a template, "
                '[{...}, "..."] repeats what is there for each image.'
            )
        return cls(options, template, options.form_field if kind == "multipart" else "", path_of(output), shown)

    @property
    def together(self) -> int:
        return (self.options.batch or TOGETHER) if several(self.template) else 1

    @property
    def only(self) -> int | None:
        return None

    @property
    def takes(self) -> str:
        return self.options.takes or "uint8"

    @property
    def lossy(self) -> bool:
        if self.template is None:
            return self.options.encoding == "jpeg"
        return JPEG in placeholders(self.template)

    def post(self, images: NDArray[Any]) -> Post:
        if self.template is not None:
            return Post(json.dumps(filled(self.template, [*images], self._written)).encode(), JSON)
        encoding = self.options.encoding
        file, kind = as_file(images[0], encoding, self.options.quality), TYPES[encoding]
        if self.form:
            return Post(files={self.form: (f"image.{encoding}", file, kind)})
        return Post(file, (("Content-Type", kind),))

    def rows(self, body: bytes, images: int) -> list[Row]:
        return rows(parsed(body, self.shown), images, self.path, self.shown)

    def _written(self, place: str, image: NDArray[Any]) -> Any:
        if place == PIXELS:
            return self._pixels(image)
        return base64.b64encode(as_file(image, "png" if place == PNG else "jpeg", self.options.quality)).decode()

    def _pixels(self, image: NDArray[Any]) -> list[Any]:
        """The numbers as nested lists, of photos (h, w, 3) and of prepared ones (c, h, w) unless the layout says otherwise."""
        photo = image.dtype == np.uint8
        last = photo if self.options.layout is None else self.options.layout == "nhwc"
        channels = image.shape[-1] if photo else image.shape[0]
        return InputShape(last, channels, None, None).arranged(image[None])[0].tolist()


@dataclass(frozen=True)
class TensorFlowExchange:
    """TensorFlow Serving: {"instances": [...]} to ...:predict, with what its metadata says of the input."""

    options: ServiceOptions
    name: str  # of the input; "" where it takes the values without one
    shape: InputShape | None  # None: it takes files of photos (DT_STRING)
    whole: bool  # the input takes whole numbers
    path: tuple[str | int, ...] | None
    shown: str

    @classmethod
    def of(cls, metadata: Any, options: ServiceOptions, output: Any, shown: str) -> "TensorFlowExchange":
        """What the metadata say; BadParameter where no one input takes images."""
        try:
            signatures = metadata["metadata"]["signature_def"]["signature_def"]
            inputs = signatures["serving_default"]["inputs"]
            facts = {name: (one["dtype"], _dimensions(one["tensor_shape"])) for name, one in inputs.items()}
        except (KeyError, TypeError, AttributeError, ValueError):
            raise BadParameter(f"The metadata of {shown} tell no input of serving_default. {WITHOUT_METADATA}") from None
        name, (kind, shape) = chosen(facts, options.input, shown)
        if kind == "DT_STRING":
            return cls(options, name, None, False, path_of(output), shown)
        if kind not in ("DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_UINT8", "DT_INT32", "DT_INT64"):
            raise BadParameter(f"{shown} takes {kind}, which is no image.")
        whole = kind in ("DT_UINT8", "DT_INT32", "DT_INT64")
        layout = InputShape.of(shape, shown, options.layout)
        return cls(options, name, layout, whole, path_of(output), shown)

    @property
    def together(self) -> int:
        fixed = self.shape.batch if self.shape else None
        return fixed or self.options.batch or TOGETHER

    @property
    def only(self) -> int | None:
        return self.shape.batch if self.shape else None

    @property
    def takes(self) -> str:
        return self.options.takes or ("uint8" if self.shape is None or self.whole else "float")

    @property
    def lossy(self) -> bool:
        return self.shape is None and self.options.encoding == "jpeg"

    def post(self, images: NDArray[Any]) -> Post:
        if self.shape is None:
            files = (as_file(image, self.options.encoding, self.options.quality) for image in images)
            values = [{"b64": base64.b64encode(file).decode()} for file in files]
        else:
            values = self.shape.arranged(images).tolist()
        instances = [{self.name: value} for value in values] if self.name and self.options.input else values
        return Post(json.dumps({"instances": instances}).encode(), JSON)

    def rows(self, body: bytes, images: int) -> list[Row]:
        return rows(parsed(body, self.shown), images, self.path, self.shown)


WITHOUT_METADATA = 'Without it: kind=json with template={"instances": ["<pixels>", "..."]} and size=.'


def chosen(facts: Mapping[str, Any], name: str | None, shown: str) -> tuple[str, Any]:
    """The input of that name, or the only one; BadParameter where there is none, or more than one to choose from."""
    if name is None and len(facts) == 1:
        return next(iter(facts.items()))
    if name is not None and name in facts:
        return name, facts[name]
    what = f"no input {name!r}" if name is not None else "more than one input" if facts else "no input"
    raise BadParameter(
        f"{shown} has {what}; it has {', '.join(map(repr, [*facts][:20])) or 'none'}: options={{'input': NAME}}."
    )


def _dimensions(shape: Mapping[str, Any]) -> Sequence[int]:
    return [int(side["size"]) for side in shape.get("dim", [])]
