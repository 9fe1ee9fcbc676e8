"""Folders of TensorFlow's SavedModel, for scores: programs, which run where they are trusted alone."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter, BadWeights, MissingExtra
from seewhy.prepare.unscaled import Unscaled
from seewhy.printable import words_of
from seewhy.untrained import RANDOM

from .input_shape import InputShape
from .open_file import opened, whole_digest
from .remarks import without_remarks
from .sources import Loaded, Request, need
from .tensor_function import CHOICES, TensorFunction, checked, one_of

OPTIONS = {**CHOICES, "signature": None, "input": None}
SIGNATURE = "serving_default"
PIXELS = ("uint8", "int32", "int64")  # kinds of inputs that are given a photo's levels
FLOATS = ("float16", "bfloat16", "float32", "float64")


class SavedModelFunction(TensorFunction):
    """Images to scores by a signature of a SavedModel."""

    def __init__(self, folder: str, options: Mapping[str, str], output: Any) -> None:
        self._made_of = folder, dict(options), output
        try:
            with without_remarks():
                self.tensorflow = need("tensorflow", extra="tensorflow")
                self.kept = self.tensorflow.saved_model.load(folder)  # its variables go when it goes
        except MissingExtra:
            raise
        except Exception as error:  # whatever a program raises while it is read
            raise BadNetwork(f"TensorFlow cannot load {folder}: {type(error).__name__}: {words_of(error)}") from error
        signatures = [*self.kept.signatures]
        wanted = options.get("signature") or (SIGNATURE if SIGNATURE in signatures else None)
        self.call = self.kept.signatures[
            signatures[one_of(signatures, wanted, "signature", folder, "options={'signature': NAME}")]
        ]
        inputs, outputs = self.call.structured_input_signature[1], self.call.structured_outputs
        self.input = [*inputs][one_of([*inputs], options.get("input"), "input", folder, "options={'input': NAME}")]
        if len(inputs) > 1:
            raise BadNetwork(f"{folder} takes {len(inputs)} tensors ({', '.join(map(repr, inputs))}), and an image is one.")
        self.output = [*outputs][one_of([*outputs], output, "output", folder, "output= (--output)")]
        spec = inputs[self.input]
        self.dtype = spec.dtype
        if spec.dtype.name not in PIXELS + FLOATS:
            raise BadNetwork(f"{folder} takes {spec.dtype.name}, and an image is numbers.")
        sides = [] if spec.shape.rank is None else spec.shape.as_list()
        takes = options.get("takes") or ("uint8" if spec.dtype.name in PIXELS else "float")
        super().__init__(folder, InputShape.of(sides, folder, options.get("layout")), takes)
        self.versions = {"tensorflow": self.tensorflow.__version__}

    def __reduce__(self) -> Any:
        return SavedModelFunction, self._made_of

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        tensor = self.tensorflow.cast(self.tensorflow.constant(np.ascontiguousarray(x)), self.dtype)
        return self.tensorflow.cast(self.call(**{self.input: tensor})[self.output], self.tensorflow.float64).numpy()


def saved_model_function(request: Request) -> Loaded:
    """The function of a SavedModel's signature, where the folder is trusted: its graph may read and write files."""
    folder = Path(request.spec).expanduser()
    if request.weights not in (None, RANDOM):
        raise BadParameter(f"{folder} has its own weights: leave weights= out.")
    checked(request.options, str(folder), OPTIONS)
    if not request.trust:
        raise BadWeights(
            f"{folder} is a SavedModel, which is a program of TensorFlow that may read and write your files. It runs only if "
            "you trust who made it: trust=True (--trust)."
        )
    sha256 = _hashed(folder)
    function = SavedModelFunction(str(folder), request.options, request.output)
    function.sha256 = sha256
    shape, takes = function.shape, function.takes
    prepare = {"size": shape.size} if takes == "uint8" else Unscaled(shape.size, grey=shape.grey)
    return Loaded(function, prepare, None, f"{folder.name} sha256:{sha256[:16]}", {"takes": takes}, found_output=True)


def _hashed(folder: Path) -> str:
    """The SHA-256 of the graph and the variables."""
    paths = [folder / "saved_model.pb", *sorted(path for path in (folder / "variables").glob("*") if path.is_file())]
    with ExitStack() as files:
        return whole_digest(*[files.enter_context(opened(path)) for path in paths])
