"""KServe's second protocol, which Triton, MLServer and OpenVINO's server speak, too: tensors in JSON, or as bytes behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.zoo.input_shape import InputShape

from .answers import Row, parsed
from .exchange import JSON, TOGETHER, chosen
from .options import ServiceOptions
from .post import Post

DATATYPES = {  # of inputs, as numpy has them
    "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
NUMBERS = (*DATATYPES, "INT8", "INT16", "UINT16", "UINT32", "UINT64", "BF16")  # of outputs


@dataclass(frozen=True)
class KServeExchange:
    """Tensors are sent to /v2/models/NAME/infer, as the metadata of the model say."""

    options: ServiceOptions
    name: str  # of the input
    datatype: str
    shape: InputShape
    output: str | None
    shown: str
    lossy: bool = False

    @classmethod
    def of(cls, metadata: Any, options: ServiceOptions, output: Any, shown: str) -> "KServeExchange":
        """What the metadata say; BadParameter where no one input takes images."""
        try:
            facts = {one["name"]: (one["datatype"], [int(side) for side in one["shape"]]) for one in metadata["inputs"]}
            outputs = [one["name"] for one in metadata.get("outputs", [])]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise BadParameter(f"The metadata of {shown} tell no inputs as KServe's second protocol has them.") from None
        name, (datatype, sides) = chosen(facts, options.input, shown)
        if datatype not in DATATYPES:
            raise BadParameter(f"{shown} takes {datatype} for {name!r}; seewhy sends {', '.join(DATATYPES)}.")
        if datatype == "FP16" and not options.binary:
            raise BadParameter(
                f"{shown} takes FP16, which JSON does not have: options={{'binary': True}} (--option binary=true)."
            )
        if output is not None and output not in outputs:
            raise BadParameter(f"output={output!r}: {shown} has the outputs {', '.join(map(repr, outputs[:20]))}.")
        if output is None and len(outputs) > 1:
            raise BadParameter(
                f"{shown} has several outputs, {', '.join(map(repr, outputs[:20]))}: output= (--output) says which."
            )
        return cls(options, name, datatype, InputShape.of(sides, shown, options.layout), output, shown)

    @property
    def together(self) -> int:
        return self.shape.batch or self.options.batch or TOGETHER

    @property
    def only(self) -> int | None:
        return self.shape.batch

    @property
    def takes(self) -> str:
        return self.options.takes or ("float" if self.datatype.startswith("FP") else "uint8")

    def post(self, images: NDArray[Any]) -> Post:
        x = self.shape.arranged(images)
        x = np.ascontiguousarray(x if self.shape.batched else x[0]).astype(DATATYPES[self.datatype])
        tensor: dict[str, Any] = {"name": self.name, "shape": [*x.shape], "datatype": self.datatype}
        question: dict[str, Any] = {"inputs": [tensor]}
        if self.output is not None:
            question["outputs"] = [{"name": self.output}]
        if not self.options.binary:
            tensor["data"] = x.ravel().tolist()
            return Post(json.dumps(question).encode(), JSON)
        data = x.astype(x.dtype.newbyteorder("<")).tobytes()
        tensor["parameters"] = {"binary_data_size": len(data)}
        head = json.dumps(question).encode()
        length = ("Inference-Header-Content-Length", str(len(head)))
        return Post(head + data, (length, ("Content-Type", "application/octet-stream")))

    def rows(self, body: bytes, images: int) -> list[Row]:
        answer = parsed(body, self.shown)
        outputs = answer.get("outputs") if isinstance(answer, Mapping) else None
        found = [one for one in outputs if isinstance(one, Mapping)] if isinstance(outputs, list) else []
        found = [one for one in found if self.output in (None, one.get("name"))]
        if len(found) != 1:
            names = ", ".join(repr(one.get("name")) for one in found[:20])
            what = f"several outputs, {names}: output= says which" if found else f"no output {self.output or ''}"
            raise BadNetwork(f"{self.shown} answers with {what}.")
        (one,) = found
        data, shape = one.get("data"), one.get("shape")
        if one.get("datatype") not in NUMBERS or not isinstance(data, list) or not isinstance(shape, list):
            raise BadNetwork(f"{self.shown} answers with {one.get('datatype')!r} for {one.get('name')!r}; scores are numbers.")
        return _table(np.array(data, np.float64), shape, images, self.shape.batched, self.shown)


def _table(numbers: NDArray[np.float64], shape: list[Any], images: int, batched: bool, shown: str) -> list[Row]:
    """A row for each image; BadNetwork where the shape is not (images, k), but for sides of one behind it."""
    sides = [side for side in shape if isinstance(side, int)]
    if len(sides) != len(shape) or prod(sides) != numbers.size:
        raise BadNetwork(f"{shown} answers with {numbers.size} numbers of shape {shape}.")
    sides = sides if batched or sides[:1] == [1] else [1, *sides]
    if len(sides) < 1 or sides[0] != images or (len(sides) > 2 and prod(sides[2:]) != 1):
        raise BadNetwork(f"{shown} answers with {shape} for {images} images; scores are ({images}, k).")
    return [*numbers.reshape(images, -1).tolist()]
