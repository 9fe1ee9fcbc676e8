"""Do the images of a batch change each other's scores?  What passes of a torch network show of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.models.together import Together

from .draws import EagerMode
from .scores import as_numpy

DRAWS = (
    "the network draws random numbers as it runs, as dropout does that is active in eval mode: other draws give another map, "
    "and torch.manual_seed chooses which"
)
ALONG = frozenset(("roll", "flip", "cat", "select", "index_select", "gather", "split", "split_with_sizes", "unbind",
                   "cumsum", "cumprod", "cummax", "cummin", "topk", "sort", "unfold", "index_copy", "index_add"))  # fmt: skip
OVER = frozenset(("mean", "sum", "var", "var_mean", "std", "amax", "amin", "max", "min", "norm", "linalg_vector_norm", "prod",
                  "_softmax", "_log_softmax", "logsumexp", "median", "argmax"))  # fmt: skip
RECURRENT = frozenset(("mkldnn_rnn_layer", "_cudnn_rnn", "miopen_rnn"))  # along their first dimension, if not said otherwise


class RowCalls(EagerMode):
    """Looks for operations that may read one image of a batch for another: along the first dimension, or over it.

    mixing: there were, such as a shift or a mean.  Images that lie behind another dimension, as in attention and recurrent
    layers that take tokens first, are not followed there: those show in what is said of an image that ran alone.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count, self.mixing = count, False

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        name = fn.overloadpacket.__name__
        first = next((each[0] if isinstance(each, list | tuple) and each else each for each in args), None)
        if isinstance(first, Tensor) and first.ndim and (first.shape[0] == self.count or "batch_norm" in name):
            arguments = fn._schema.arguments
            given = {a.name: a.default_value for a in arguments if a.has_default_value()}
            given |= {a.name: v for a, v in zip(arguments, args, strict=False)} | (kwargs or {})
            self._note(name, first, given, out)
        return out

    def _note(self, name: str, x: Tensor, given: dict[str, Any], out: Any) -> None:
        if "batch_norm" in name:
            trained = given.get("training", given.get("train", "no_training" not in name and "running_mean" not in given))
            alone = x.shape[0] % self.count != 0  # as instance_norm, which hands images over as channels
            self.mixing |= not alone and (bool(trained) or ("running_mean" in given and given["running_mean"] is None))
        elif name == "slice":
            whole = given.get("start") in (None, 0) and (given.get("end") is None or given["end"] >= x.shape[0])
            self.mixing |= given.get("dim", 0) % x.ndim == 0 and not whole
        elif name == "index":
            self.mixing |= given["indices"][0] is not None
        elif name == "select" and x.ndim == 4 and x.shape[2] == self.count == 3:
            pass  # queries, keys and values (3, l, n, c), of three images
        elif name in ALONG:
            self.mixing |= self._first(given, x)
        elif name in RECURRENT:
            self.mixing |= not given.get("batch_first")
        elif name == "unsqueeze":  # the images become what a sequence is made of
            self.mixing |= given["dim"] in (0, -out.ndim)
        elif name in OVER:
            self.mixing |= x.ndim > 1 and self._first(given, x)
        elif name in ("mm", "cdist", "_cdist_forward"):
            self.mixing |= tuple(getattr(out, "shape", ())) == (self.count, self.count)

    def _first(self, given: dict[str, Any], x: Tensor) -> bool:
        """Is the first dimension among those that an operation runs along?"""
        dims = next((given[name] for name in ("dim", "dims", "dimension") if name in given), None)
        if dims is None or dims == []:
            return True
        each = dims if isinstance(dims, list | tuple) else [dims]
        return any(dim % x.ndim == 0 for dim in each if isinstance(dim, int))


def calls_of(runner: Any, count: int) -> RowCalls | None:
    """What the last pass of so many images called, where that was looked at."""
    return runner.learned.calls_seen.get((runner.call.identity, count))


def together_of(runner: Any) -> Together:
    """What is known of the runner's network, as it is now."""
    return runner.learned.together.of(runner.call.identity, Together)


def comparable(runner: Any) -> bool:
    """Can rows be compared at all?  Not where each image has other inputs of its own, or the network draws."""
    return not (runner.call.inputs.rows or runner.call.tries.draws or runner.call.inputs.listed)


def kind_of(runner: Any) -> Any:
    """In which way the network is asked."""
    return (*runner.aims, runner.end, runner.settings.output)


@contextmanager
def row_calls(runner: Any, x: Tensor) -> Iterator[None]:
    """Around a pass of images x: note which operations could mix them, where that is not known yet."""
    if len(x) == 1 or not comparable(runner) or not together_of(runner).open(x):
        yield
        return
    calls = RowCalls(len(x))
    try:
        with calls:
            yield
    finally:
        runner.learned.calls_seen.keep((runner.call.identity, len(x)), calls)


def learn_rows(runner: Any, x: Tensor, raw: Tensor) -> None:
    """Learn from a pass of images x, by nothing else changed, that gave the raw numbers (n, k)."""
    together = together_of(runner)
    if not comparable(runner) or together.alone or together.unsteady or len(raw) != len(x):
        return
    if len(x) > 1 and not together.open(x):
        return
    several = x if len(x) > 1 or together.batch is None else together.batch.x
    calls = calls_of(runner, len(several))
    together.note(kind_of(runner), x.detach(), rows_of(raw), slack_of(raw), calls is None or not calls.mixing)


def raw_rows(runner: Any, x: Tensor) -> Tensor:
    """What the network gives for images x, from which is learned."""
    raw = runner.raw(x.clone())
    learn_rows(runner, x, raw)
    return raw


def rows_of(raw: Tensor) -> NDArray[Any]:
    return as_numpy(raw.detach())


def slack_of(raw: Tensor) -> float:
    """What is rounding in these numbers, as a share of the largest."""
    eps = torch.finfo(raw.dtype).eps if raw.dtype.is_floating_point else 1e-7
    if raw.device.type == "cuda" and raw.dtype == torch.float32:
        tf32 = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
        eps = 2.0**-10 if tf32 else eps
    return eps**0.6


def apart(runner: Any, x: Any) -> bool:
    """Has each of these images to run alone, which just ran together?"""
    together = together_of(runner)
    if not comparable(runner):
        return together.single
    if not together.open(x) and together.doubts is None:
        return together.alone
    calls = calls_of(runner, len(x))
    if together.doubts is None and (calls is None or not calls.mixing):
        return False  # nothing ran that could mix images
    with runner.ready(x) as ready, torch.no_grad():

        def ask(images: Tensor) -> NDArray[Any]:
            raw = runner.raw(images.clone())
            together.slack = max(together.slack, slack_of(raw))
            return rows_of(raw)

        return together.apart(ready, ask, kind_of(runner), calls is not None and calls.mixing)
