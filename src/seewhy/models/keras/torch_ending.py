"""The last softmax or sigmoid of a pass on torch, where no layer of Keras computes it: what it was given are the logits."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.models.torch.adapted import LeftOff
from seewhy.models.torch.passes.torch_calls import name_of

KINDS = {"softmax": "softmax", "_softmax": "softmax", "sigmoid": "sigmoid", "sigmoid_": "sigmoid"}


class LastSoftmax(TorchFunctionMode):
    """While it is entered, remembers what the last softmax or sigmoid was given."""

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.given, self.made = "", None, None

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        kind = KINDS.get(name_of(fn), "")
        if kind and isinstance(out, Tensor) and args and args[0] is not out:
            self.kind, self.given, self.made = kind, args[0], out
        return out

    def before(self, output: Any) -> tuple[Any, LeftOff]:
        """The logits of which it made the output of the network; the output itself, where it did not."""
        if self.made is None or output is not self.made:
            return output, LeftOff()
        return self.given, LeftOff(self.kind, f"the {self.kind} at the end is left off: the logit is explained")
