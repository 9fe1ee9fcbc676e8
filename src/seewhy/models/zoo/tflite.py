"""Files of TensorFlow Lite, run by LiteRT: scores alone, also of networks whose numbers are whole ones of 8 bits."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter, BadWeights
from seewhy.models.hazard import WARNING, Hazard
from seewhy.prepare.unscaled import Unscaled
from seewhy.printable import words_of
from seewhy.untrained import RANDOM

from .input_shape import InputShape
from .open_file import digest, opened, whole_digest
from .remarks import without_remarks
from .sources import Loaded, Request, need
from .tensor_function import TensorFunction, checked, one_of

SPANS = ((0, 1), (-1, 1), (0, 255), (-128, 127))  # of networks that take a photo's levels, shifted and scaled alike
LABELS = 2**20  # bytes of a list of names


@dataclass(frozen=True)
class Quantised:
    """Whole numbers that stand for scale * (number - zero); of other numbers, they stand for themselves."""

    dtype: Any
    scale: float = 0.0
    zero: int = 0

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> "Quantised":
        """As the details of a tensor say it."""
        numbers = details["quantization_parameters"]
        if len(numbers["scales"]) > 1:
            raise BadNetwork(f"The tensor {details['name']!r} has a scale for each channel, which images and scores have not.")
        scale, zero = (float(numbers["scales"][0]), int(numbers["zero_points"][0])) if len(numbers["scales"]) else (0.0, 0)
        return cls(np.dtype(details["dtype"]), scale, zero)

    @property
    def spans(self) -> bool:
        """Do its numbers, from the lowest to the highest, stand for all levels of a photo and no others?"""
        if self.dtype not in (np.uint8, np.int8) or not self.scale:
            return self.dtype == np.uint8
        limits = np.iinfo(self.dtype)
        ends = [self.scale * (end - self.zero) for end in (limits.min, limits.max)]
        return any(abs(np.subtract(ends, span)).max() <= 1.01 * self.scale for span in SPANS)

    def levels(self, photos: NDArray[np.uint8]) -> NDArray[Any]:
        """Photos as its numbers: their levels, from its lowest number on."""
        return photos if self.dtype == np.uint8 else (photos.astype(np.int16) - 128).astype(np.int8)

    def written(self, x: NDArray[Any]) -> NDArray[Any]:
        """Real numbers as its numbers, the nearest ones."""
        if self.dtype.kind == "f" or not self.scale:
            return x.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.clip(np.round(x / self.scale) + self.zero, limits.min, limits.max).astype(self.dtype)

    def read(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """What its numbers stand for."""
        y = numbers.astype(np.float64)
        return self.scale * (y - self.zero) if self.scale else y


class TfLiteFunction(TensorFunction):
    """Images to scores by a file of TensorFlow Lite; one run at a time."""

    def __init__(self, content: bytes, name: str, options: Mapping[str, str], output: Any) -> None:
        self._made_of = content, name, dict(options), output
        self.lock = threading.Lock()
        self.interpreter = _interpreter(content, name)
        inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        if len(inputs) != 1:
            names = ", ".join(repr(each["name"]) for each in inputs[:20])
            raise BadNetwork(f"{name} takes {len(inputs)} tensors ({names}), and an image is one.")
        ((self.input,), place) = (
            inputs,
            one_of([each["name"] for each in outputs], output, "output", name, "output= (--output)"),
        )
        self.output = outputs[place]
        self.given, self.gives = Quantised.of(self.input), Quantised.of(self.output)
        shape = InputShape.of([*self.input["shape_signature"]], name, options.get("layout"))
        shape = shape if shape.batch else InputShape(shape.channels_last, shape.channels, shape.size, 1)
        super().__init__(name, shape, options.get("takes") or ("uint8" if self.given.spans else "float"))
        self.versions = {"ai-edge-litert": _version()}
        self.distribution = _ends_in_softmax(self.interpreter, self.output["index"]) or None
        self.step = self.gives.scale
        if self.step:
            words = f"scores are whole numbers of 8 bits, in steps of {self.gives.scale:.2g}: smaller changes are not seen"
            self.hazards = (Hazard("coarse-scores", WARNING, words, (), "Explain the network before it was quantised."),)

    def __reduce__(self) -> Any:
        return TfLiteFunction, self._made_of

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        photos = x.dtype == np.uint8
        exact = photos and self.given.dtype in (np.uint8, np.int8)
        tensor = np.ascontiguousarray(self.given.levels(x) if exact else self.given.written(x))
        with self.lock:
            if tuple(tensor.shape) != tuple(self.interpreter.get_input_details()[0]["shape"]):
                self.interpreter.resize_tensor_input(self.input["index"], tensor.shape)
                self.interpreter.allocate_tensors()
            self.interpreter.set_tensor(self.input["index"], tensor)
            self.interpreter.invoke()
            return self.gives.read(self.interpreter.get_tensor(self.output["index"]))


def tflite_function(request: Request) -> Loaded:
    """The function in a .tflite file, with the labels that are packed into it, if any.

    Photos of the size of its input are given as they are where its numbers span a photo's levels; else `prepare` has to say
    the scale.
    """
    path = Path(request.spec).expanduser()
    if not path.is_file():
        raise BadWeights(f"There is no file {path}.")
    if request.weights not in (None, RANDOM):
        raise BadParameter(f"{path} has its own weights: leave weights= out.")
    checked(request.options, str(path))
    need("ai_edge_litert", "ai_edge_litert.interpreter", "tflite")
    with opened(path) as file:
        content = file.read()
        hashed, sha256 = digest(file), whole_digest(file)
    function = TfLiteFunction(content, str(path), request.options, request.output)
    function.sha256 = sha256
    shape, takes = function.shape, function.takes
    prepare = {"size": shape.size} if takes == "uint8" else Unscaled(shape.size, grey=shape.grey)
    count = int(function.output["shape"][-1])
    return Loaded(
        function, prepare, packed_labels(content, count), f"{path.name} {hashed}", {"takes": takes}, found_output=True
    )


def packed_labels(content: bytes, count: int) -> list[str] | None:
    """The names of so many classes, where one list of as many is packed into the file."""
    lists = []
    with suppress(BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError, OSError, ValueError):
        if is_zipfile(BytesIO(content)):
            with ZipFile(BytesIO(content)) as archive:
                names = [entry for entry in archive.infolist()[:100] if entry.filename.endswith(".txt")]
                texts = [archive.read(entry).decode("utf-8") for entry in names if entry.file_size <= LABELS]
                lists = [[line.strip() for line in text.strip().splitlines()] for text in texts]
    fitting = [names for names in lists if len(names) == count]
    return fitting[0] if len(fitting) == 1 else None


def _ends_in_softmax(interpreter: Any, tensor: int) -> bool:
    """Is a tensor made by a softmax, maybe in another shape or type?  Its whole numbers of 8 bits need not sum to one."""
    made_by = {}
    with suppress(AttributeError):  # LiteRT tells its operations on no promise
        for operation in interpreter._get_ops_details():
            made_by |= dict.fromkeys(map(int, operation["outputs"]), operation) if operation["op_name"] != "DELEGATE" else {}
    for _ in range(8):
        operation = made_by.get(tensor)
        if operation is None or operation["op_name"] not in ("RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"):
            return operation is not None and operation["op_name"] == "SOFTMAX"
        tensor = int(operation["inputs"][0])
    return False


def _interpreter(content: bytes, name: str) -> Any:
    litert = need("ai_edge_litert", "ai_edge_litert.interpreter", "tflite")
    try:
        with without_remarks():
            interpreter = litert.Interpreter(model_content=content)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BadNetwork(f"LiteRT cannot run {name}: {words_of(error)}") from None
    return interpreter


def _version() -> str:
    try:
        return version("ai-edge-litert")
    except PackageNotFoundError:  # put there without its record
        return "unknown"
