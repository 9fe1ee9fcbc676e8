"""Do the images of a batch change each other's scores?  What passes of a torch network show of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

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
PRODUCTS = {"mm": ("self", "mat2"), "addmm": ("mat1", "mat2"), "bmm": ("self", "mat2"), "baddbmm": ("batch1", "batch2")}
DISTANCES = ("cdist", "_cdist_forward")
EACH = ("convolution", "native_group_norm")  # of each row of the first dimension by itself
ATTENDING = ("_scaled_dot_product", "_native_multi_head_attention", "_transformer_encoder_layer_fwd")
NORMS = ("batch_norm", "native_layer_norm")
NEAR = 24  # calls among which the same call of another pass is looked for
MOVING = ALONG | OVER | {"slice", "index"}
LOOSE = frozenset(
    (
        "cat",
        "select",
        "index_select",
        "gather",
        "split",
        "split_with_sizes",
        "unbind",
        "topk",
        "sort",
        "index_copy",
        "index_add",
        "slice",
        "index",
        "unsqueeze",
    )
)  # also how images are handled one by one, or tokens sorted
NOTED = MOVING | RECURRENT | {*PRODUCTS, *DISTANCES, *EACH, "unsqueeze"}


class RowCall(NamedTuple):
    """A tensor that an operation ran on which may read one of its rows for another: its shape, and the dimensions along which
    the operation ran.

    guess: it would mix images that lay in the first dimension of each tensor as long as there are images; joins: if images lie
    where it runs, the numbers of several enter each of its own.
    """

    name: str
    shape: tuple[int, ...]
    along: frozenset[int]
    guess: bool
    joins: bool = False

    def like(self, one: "RowCall", count: int) -> bool:
        """May one be the same call in a pass of one image instead of so many?"""
        return (self.name, len(self.shape)) == (one.name, len(one.shape)) and all(
            several in (alone, count * alone) for several, alone in zip(self.shape, one.shape, strict=True)
        )

    def mixes(self, one: "RowCall | None", count: int) -> bool:
        """Does it mix images?  one: the same call in a pass of one image, which tells in what dimension they lie; where that
        pass had none, each as long as there are images may be theirs.
        """
        if one is None:
            return self.guess or (self.name in MOVING and any(self.shape[dim] == count for dim in self.along))
        images = {dim for dim, sizes in enumerate(zip(self.shape, one.shape, strict=True)) if sizes[0] != sizes[1]}
        return len(images) > 1 or bool(images & self.along)

    def may_mix(self, count: int) -> bool:
        """Might it mix images, as far as is known without a pass of one image?  They lie first wherever they can; where they
        do not, a norm or a convolution of each row may run over all of them.
        """
        if self.guess or self.shape[0] % count == 0:
            return self.guess
        return self.mixes(None, count) or (self.name in EACH and len(self.shape) > 1 and self.shape[1] % count == 0)


class RowCalls(EagerMode):
    """Looks for operations that may read one image of a batch for another: along the dimension of images, or over it."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.calls: list[RowCall] = []

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        name = fn.overloadpacket.__name__
        first = next((each[0] if isinstance(each, list | tuple) and each else each for each in args), None)
        noted = name in NOTED or any(norm in name for norm in NORMS) or name.startswith(ATTENDING)
        if noted and isinstance(first, Tensor) and first.ndim:
            arguments = fn._schema.arguments
            given = {a.name: a.default_value for a in arguments if a.has_default_value()}
            given |= {a.name: v for a, v in zip(arguments, args, strict=False)} | (kwargs or {})
            guess = self._guess(name, first, given, out)
            read = _read(name, first, given, out, self.count)
            joins = name not in LOOSE and first.is_floating_point() and not (isinstance(out, Tensor) and out.ndim == 0)
            self.calls += [RowCall(name, tuple(x.shape), frozenset(along), guess, joins) for x, along in read]
        return out

    def mixing(self, ones: Iterable["RowCalls | None"] = ()) -> bool:
        """Was there an operation that could mix images, such as a shift or a mean?

        ones: passes of one image; the one in which most of the same was called tells where the images lie in each tensor.
        """
        pairs = self._closest(ones)
        if pairs is None:
            return any(call.may_mix(self.count) for call in self.calls)
        return any(call.mixes(alone, self.count) for call, alone in pairs)

    def joining(self, ones: Iterable["RowCalls | None"]) -> bool:
        """Were numbers of several images joined, as a pass of one image shows, in which the very same was called?

        Such a network mixes them even where the scores of some batch do not tell, as behind a softmax that saturates.
        """
        pairs = self._closest([one for one in ones if one is not None and self._parallel(one)]) or []
        return any(call.joins and alone is not None and call.mixes(alone, self.count) for call, alone in pairs)

    def _parallel(self, one: "RowCalls") -> bool:
        return [call.name for call in self.calls] == [call.name for call in one.calls]

    def _closest(self, ones: Iterable["RowCalls | None"]) -> list[tuple[RowCall, RowCall | None]] | None:
        """Each call with the same one of that pass of one image in which most of them were; None where there is no pass."""
        found = [self._beside(one) for one in ones if one is not None]
        return [*zip(self.calls, min(found, key=lambda each: each.count(None)), strict=True)] if found else None

    def _beside(self, one: "RowCalls") -> list[RowCall | None]:
        """The same call of each in a pass of one image, between which others may lie; None where it is not there."""
        if self._parallel(one):
            return [alone if call.like(alone, self.count) else None for call, alone in zip(self.calls, one.calls, strict=True)]
        found, start = [], 0
        for call in self.calls:
            near = range(start, min(start + NEAR, len(one.calls)))
            at = next((k for k in near if call.like(one.calls[k], self.count)), None)
            found.append(None if at is None else one.calls[at])
            start = start if at is None else at + 1
        return found

    def _guess(self, name: str, x: Tensor, given: dict[str, Any], out: Any) -> bool:
        if "batch_norm" in name:  # of more images than one, unless they are handed over as channels, as by instance_norm
            return x.shape[0] % self.count == 0 and _of_this_batch(name, given)
        if x.shape[0] != self.count:
            return False
        if name == "unsqueeze":  # the images become what a sequence is made of
            return given["dim"] in (0, -out.ndim)
        if name == "select" and x.ndim == 4 and x.shape[2] == self.count == 3:
            return False  # queries, keys and values (3, l, n, c), of three images
        if name in ("mm", *DISTANCES):
            return tuple(getattr(out, "shape", ())) == (self.count, self.count)
        if name in OVER and x.ndim == 1:
            return False
        return name in MOVING | RECURRENT and any(0 in along for _, along in _read(name, x, given, out, self.count))


def _read(name: str, x: Tensor, given: dict[str, Any], out: Any, count: int) -> list[tuple[Tensor, Iterable[int]]]:
    """The tensors that an operation read, and the dimensions along which it did, if it runs on so many images; x is the first
    that it was given.
    """
    if name == "unsqueeze":
        return [(x, ())]
    if "batch_norm" in name:
        return [(x, {*range(x.ndim)} - {1} if _of_this_batch(name, given) else ())]
    if name == "slice":
        dim = given.get("dim", 0) % x.ndim
        whole = given.get("start") in (None, 0) and (given.get("end") is None or given["end"] >= x.shape[dim])
        return [(x, () if whole else (dim,))]
    if name == "index":
        return [(x, [dim for dim, index in enumerate(given["indices"]) if index is not None])]
    if name in RECURRENT:
        return [(x, (1 if given.get("batch_first") else 0,))]
    if name in EACH:
        groups = given.get("groups", given.get("group", 1))
        return [(x, range(1 if groups % count or count == 1 else 2, x.ndim))]  # with groups for each, images lie as channels
    if "layer_norm" in name:
        return [(x, range(x.ndim - len(given["normalized_shape"]), x.ndim))]
    if name.startswith(ATTENDING):
        keys = given.get("key", x)
        return [(keys, (keys.ndim - 2,))]
    if name in PRODUCTS:
        left, right = (given[side] for side in PRODUCTS[name])
        return [(left, (left.ndim - 1,)), (right, (right.ndim - 2,)), (out, ())]
    if name in DISTANCES:
        return [(out, ())]
    dims = next((given[each] for each in ("dim", "dims", "dimension") if given.get(each) is not None), None)
    each = dims if isinstance(dims, list | tuple) else [dims]
    return [(x, [dim % x.ndim for dim in each if isinstance(dim, int)] if dims not in (None, []) else range(x.ndim))]


def _of_this_batch(name: str, given: dict[str, Any]) -> bool:
    """Does a batch norm take the statistics of its batch?"""
    trained = given.get("training", given.get("train", "no_training" not in name and "running_mean" not in given))
    return bool(trained) or ("running_mean" in given and given["running_mean"] is None)


def mixing(runner: Any, x: Any) -> bool | None:
    """Did operations run in the last pass of as many images of that size that could mix them?  None: it was not looked at."""
    seen, key = runner.learned.calls_seen, runner.key(x)
    several = seen.get((*key, len(x)))
    return None if several is None else several.mixing(seen.get((*key, slopes)) for slopes in ("plain", "with slopes"))


def joining(runner: Any, x: Any) -> bool:
    """Did operations run in the last pass of as many images of that size that joined them, whatever came of it?"""
    seen, key = runner.learned.calls_seen, runner.key(x)
    several = seen.get((*key, len(x)))
    return several is not None and several.joining(seen.get((*key, slopes)) for slopes in ("plain", "with slopes"))


def together_of(runner: Any) -> Together:
    """What is known of the runner's network, as it is now."""
    return runner.learned.together.of(runner.call.identity, Together)


def known_together(runner: Any) -> Together:
    """What is known of the runner's network, as it was when it was last looked over: it is not looked over again."""
    identity = runner.call.last_identity
    return Together() if identity is None else runner.learned.together.of(identity, Together)


def comparable(runner: Any) -> bool:
    """Can rows be compared at all?  Not where each image has other inputs of its own, or the network draws."""
    return not (runner.call.inputs.rows or runner.call.tries.draws or runner.call.inputs.listed)


def kind_of(runner: Any) -> Any:
    """In which way the network is asked."""
    return (*runner.aims, runner.end, runner.settings.output)


@contextmanager
def row_calls(runner: Any, x: Tensor) -> Iterator[None]:
    """Around a pass of images x: note which operations could mix them, where that is not known yet; and of the first passes of
    one image what a pass of several is held against.
    """
    with torch._C.DisableTorchFunction():  # what is asked here is no part of the network's program
        count, seen, key = len(x), runner.learned.calls_seen, runner.key(x)
        kind = count if count > 1 else "with slopes" if torch.is_grad_enabled() else "plain"
        known = seen.get((*key, kind)) is not None if count == 1 else not together_of(runner).open(x)
    if known or together_of(runner).alone or not comparable(runner):
        yield
        return
    calls, through = RowCalls(count), False
    try:
        with calls:
            yield
        through = True
    finally:
        if through or count > 1:
            seen.keep((*key, kind), calls)


def learn_rows(runner: Any, x: Tensor, raw: Tensor) -> None:
    """Learn from a pass of images x, by nothing else changed, that gave the raw numbers (n, k)."""
    together = together_of(runner)
    if not comparable(runner) or together.alone or together.unsteady or len(raw) != len(x):
        return
    if len(x) > 1 and not together.open(x):
        return
    several = x if len(x) > 1 or together.batch is None else together.batch.x
    together.note(kind_of(runner), x.detach(), rows_of(raw), slack_of(raw), not mixing(runner, several))


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


def apart(runner: Any, x: Any, copies: bool = False) -> bool:
    """Has each of these images, or of these copies of images, to run alone, which just ran together?"""
    together = together_of(runner)
    if not comparable(runner):
        return together.single
    if not together.open(x) and together.doubts is None:
        return together.alone
    if joining(runner, x):
        together.mixes = True
        return True
    mixed = mixing(runner, x)
    if together.doubts is None and not mixed and (copies or not together.watched_enough(x)):
        return False  # nothing ran that could mix images
    with runner.ready(x) as ready, torch.no_grad():

        def ask(images: Tensor) -> NDArray[Any]:
            raw = runner.raw(images.clone())
            together.slack = max(together.slack, slack_of(raw))
            return rows_of(raw)

        return together.apart(ready, ask, kind_of(runner), bool(mixed))
