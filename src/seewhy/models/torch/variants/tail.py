"""The scores behind one layer, for many edits of what it emits: what lies before the layer runs once.

Nothing is traced.  A function mode keeps what every call of torch returned in one plain pass.  A later pass runs the
network's own Python again, but a call that cannot feel the edit returns what it returned then, for as many rows as asked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.errors import BadParameter, NotApplicable, SeewhyError
from seewhy.memory import out_of_memory
from seewhy.models.torch.passes.outputs import emitted
from seewhy.models.torch.passes.taps import Tap, hooked
from seewhy.models.torch.passes.torch_calls import name_of

FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError)  # of a way that is tried
READS = {  # what hands an activation's values to Python
    "item", "tolist", "numpy", "__array__", "__bool__", "__float__", "__int__", "__index__", "__complex__", "is_nonzero",
    "equal", "allclose",
}  # fmt: skip


class Unreplayable(SeewhyError, RuntimeError):
    """The network does not do again what it did in the recorded pass."""


class TorchTail:
    """The scores behind one layer of one image, for any number of edits of what the layer emits; what lies before it runs once.

    Made and called in eval mode under no_grad; run gives scores (m, k) of images (m, c, *space), and had better not look at
    their values, as `as_scores` does: where Python reads what the edit changes, each edit runs alone.  `tap` names the
    layer's call that is edited: the last one, if it does not say.  Replaying is checked here against plain passes.
    """

    a: Tensor  # what the layer emits (1, ...), as it emits it
    scores: Tensor  # (1, k) of the untouched image
    replays: bool  # False: replay was checked and did not work; edits then run on copies of the image
    together: bool  # False: the network mixes the rows of a batch, so each edit runs alone

    def __init__(self, run: Callable[[Tensor], Tensor], tap: Tap, x: Tensor, replay: bool = True) -> None:
        self.run, self.tap, self.x = run, tap, x
        self.replays = self.together = False
        self._record(replay)
        if self.program and self.program.reads:
            self.program = None
            return
        truth, both = self._unlike()
        with tried():
            self.together = self._close(self._run(GrowthPass(self.program) if self.program else None, both), truth)
        if self.program is None:
            return
        with tried():
            self.replays = self.together and self._close(self._replay(both[[0, 1, 0]], alone=False), truth[[0, 1, 0]])
        if not self.replays:
            with tried():
                self.replays = self._close(self._replay(both, alone=True), truth)
                self.together = self.together and not self.replays
        self.program = self.program if self.replays else None

    def __call__(self, edits: Tensor) -> Tensor:
        """The scores (m, k) for activations (m, ...) in the place of a."""
        if edits.shape[1:] != self.a.shape[1:]:
            shape, edited = tuple(self.a.shape[1:]), tuple(edits.shape)
            raise BadParameter(f"Edits {edited} of layer {self.tap.layer}: each row replaces {shape}, so give (m, *{shape}).")
        if not len(edits):
            return self.scores[:0]
        if self.replays:
            try:
                return self._replay(edits, not self.together)
            except Unreplayable:  # the way through the network depends on the edit
                self.replays, self.program = False, None
        return torch.cat([self._run(None, rows) for rows in edits.split(len(edits) if self.together else 1)])

    def _record(self, replay: bool) -> None:
        """One plain pass: what the layer emits, the scores, and the program, if torch's calls can be seen."""
        self.program: Program | None = Program() if replay else None
        scores = None
        if self.program is not None:
            with tried():
                scores = self._run(self.program)
                self.program.finish(scores)
        if self.program is None or scores is None or self.program.recorded:  # it failed on the way
            self.program, scores = None, self._run(None)
        self.a, self.scores = self.tap.check(), scores.detach().clone()
        if self.a.shape[:1] != (1,):
            emits = f"Layer {self.tap.layer} emits {tuple(self.a.shape)} for one image"
            raise NotApplicable(f"{emits}: rows are no images, so no edit fits one. Ask for a layer around it.")

    def _unlike(self) -> tuple[Tensor, Tensor]:
        """The scores (2, k), each from a pass of its own, of a and of an activation that is unlike it; and the two (2, ...)."""
        wave = torch.arange(self.a.numel(), device=self.a.device).mul(2.4).cos().view_as(self.a).to(self.a.dtype)
        both = torch.cat([self.a, (self.a + (self.a.abs().mean() or 1)) * wave])
        return torch.cat([self.scores, self._run(None, both[1:])]), both

    def _close(self, scores: Tensor, truth: Tensor) -> bool:
        """Equal to rounding: to 7e-5 of the scores' scale in float32, 4e-10 in float64."""
        eps = max(torch.finfo(tensor.dtype).eps for tensor in (self.a, scores))
        return scores.shape == truth.shape and bool((scores - truth).abs().max() <= eps**0.6 * truth.abs().max())

    def _replay(self, edits: Tensor, alone: bool) -> Tensor:
        """As without a mode, for the price of what lies behind the layer."""
        calls = self.program.calls if self.program else []
        return torch.cat([self._run(Replay(calls, len(rows)), rows) for rows in edits.split(1 if alone else len(edits))])

    def _run(self, mode: TorchFunctionMode | None, edits: Tensor | None = None) -> Tensor:
        """One pass of a copy of the image per edit.  Without edits: of one, where any call of the layer may be the last."""
        counted, last = count(1), self.tap.call or (None if edits is None else self.tap.calls)
        if edits is None:
            self.tap.calls, self.tap.activation = 0, None

        def hook(_module: Any, args: Any, output: Any) -> Any:
            call = next(counted)
            if edits is None:
                self.tap.calls = call
            if call != (last or call):
                return None
            with torch._C.DisableTorchFunction():  # what a hook calls is no part of the network's program
                a, put_back = emitted(output, self.tap.name, args)
                return put_back(self._recorded(a, args, mode) if edits is None else replaced(a, edits))

        times = [1 if edits is None else len(edits), *[1] * (self.x.ndim - 1)]  # outside: a mode counts len, too
        with hooked([(self.tap.module, hook)]), mode or nullcontext():
            return self.run(self.x.repeat(times))  # the first call, so the image is replayed like all else

    def _recorded(self, a: Tensor, args: Any, mode: TorchFunctionMode | None) -> Tensor:
        same = any(isinstance(arg, Tensor) and arg.data_ptr() == a.data_ptr() for arg in args)
        self.tap.handed_on = (a, a._version) if same else None
        self.tap.activation, edited = a.detach().clone(), a.clone()
        if isinstance(mode, Program):
            mode.edited(a, edited)
        return edited


def replaced(a: Tensor, edits: Tensor) -> Tensor:
    """A copy of the edits in place of what the layer emitted: a copy, since in-place layers may write over it."""
    if a.shape != edits.shape:
        raise Unreplayable(f"{tuple(edits.shape)} cannot take the place of {tuple(a.shape)}.")
    return edits.to(a.dtype, copy=True)


@contextmanager
def tried() -> Iterator[None]:
    """A network that fails inside only fails to take this way."""
    try:
        yield
    except FAILURES as error:
        if out_of_memory(error):
            raise


class RecordedTensor:
    """A tensor that a call of the recorded pass returned."""

    def __init__(self, tensor: Tensor, felt: bool) -> None:
        self.tensor: Tensor | None = tensor
        self.felt, self.size = felt, tuple(tensor.shape)
        self.blank = tensor.new_full((), nan if tensor.is_floating_point() else 0)  # nobody needs it: NaN tells who does
        self.value: Tensor | None = None
        self.version, self.written = 0, False

    def rows(self, two: tuple[int, ...], m: int) -> Tensor:
        """It for m images, of size `two` for two."""
        grows = [d for d, (side, doubled) in enumerate(zip(self.size, two, strict=True)) if side != doubled]
        if len(grows) > 1 or any(two[d] != 2 * self.size[d] for d in grows):
            raise Unreplayable(f"{self.size} for one image is {two} for two.")
        times = [m if d in grows else 1 for d in range(len(self.size))]
        if self.value is not None and (self.written or any(self.size[d] > 1 for d in grows)):
            return self.value.repeat(times)
        return (self.blank if self.value is None else self.value).expand([n * t for n, t in zip(self.size, times, strict=True)])


class Call(NamedTuple):
    """A call of the recorded pass: what it returned for one image, with a RecordedTensor in the place of each tensor, and for
    two images, with the sizes of each tensor.
    """

    fn: Any
    runs: bool
    for_one: Any = None
    for_two: Any = None


class Program(TorchFunctionMode):
    """Every call of torch, in order, in a pass of one image, and which of them feel an edit of one activation."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.recorded: dict[int, RecordedTensor] = {}
        self.felt: set[int] = set()  # the memory of tensors that depend on the edit
        self.copies: list[tuple[Tensor, RecordedTensor]] = []  # of what each call of the layer emits, put in its place
        self.reads = False  # Python reads values that depend on it

    def edited(self, a: Tensor, copy: Tensor) -> None:
        """From here on the copy of a is edited; what an earlier edit would have changed is forgotten."""
        self.reads, self.felt = False, set()
        self.calls = [call._replace(runs=not call.for_one) for call in self.calls]
        for recorded in self.recorded.values():
            recorded.felt, recorded.value = False, None
        for earlier, recorded in self.copies:  # it is put in no more
            self.recorded[id(earlier)] = recorded
        self.copies.append((copy, self._returned(a, felt=False)))
        self._returned(copy, felt=True)

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors: list[Tensor] = []
        leaves((args, kwargs or {}), tensors.append)
        feels = any(memory(tensor) in self.felt for tensor in tensors)
        if feels:
            self.reads |= name_of(fn) in READS
            self._hold(tensors)
        versions = [tensor._version for tensor in tensors]
        out = fn(*args, **(kwargs or {}))
        if feels:
            self.felt |= {memory(held) for held, before in zip(tensors, versions, strict=True) if held._version != before}
        before = len(self.recorded)
        held = leaves(out, lambda tensor: self._returned(tensor, feels))
        settles = not tensors and len(self.recorded) == before  # grad mode, autocast, seeds: replaying cannot set them
        self.calls.append(Call(fn, feels or settles, None if settles else (held,)))
        return out

    def finish(self, scores: Tensor) -> None:
        """Let go of all that no later pass needs."""
        self._hold([scores])  # they may not depend on the layer
        for recorded in self.recorded.values():
            recorded.written = recorded.tensor is not None and recorded.tensor._version != recorded.version
            recorded.tensor = None
        self.recorded, self.felt, self.copies = {}, set(), []
        self.calls = [Call(call.fn, True) if call.runs else call for call in self.calls]

    def _hold(self, tensors: list[Tensor]) -> None:
        """Keep them as they are now: a call that feels the edit reads them, and may write over them."""
        for tensor in tensors:
            recorded = self.recorded.get(id(tensor))
            if recorded and recorded.value is None and not recorded.felt:
                recorded.tensor, recorded.value, recorded.version = tensor, tensor.clone(), tensor._version

    def _returned(self, tensor: Tensor, felt: bool) -> RecordedTensor:
        if felt:
            self.felt.add(memory(tensor))
        if id(tensor) not in self.recorded:  # which keeps it, so that no other takes its id and its memory meanwhile
            self.recorded[id(tensor)] = RecordedTensor(tensor, felt)
        return self.recorded[id(tensor)]


class GrowthPass(TorchFunctionMode):
    """A plain pass of two images, which tells the program what of each call's answer grows with their number."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program, self.counted = program, count()

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, at, calls = fn(*args, **(kwargs or {})), next(self.counted), self.program.calls
        if at < len(calls) and calls[at].fn == fn and not calls[at].runs:
            calls[at] = calls[at]._replace(for_two=(leaves(out, lambda tensor: tuple(tensor.shape)),))
        return out


class Replay(TorchFunctionMode):
    """A pass of m images in which only the calls that feel the edit run."""

    def __init__(self, calls: list[Call], m: int) -> None:
        super().__init__()
        self.calls, self.m, self.made = iter(calls), m, dict[int, Tensor]()

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = next(self.calls, None)
        if call is None or fn != call.fn:
            raise Unreplayable(f"The network calls {fn}, and did not when it was recorded.")
        return fn(*args, **(kwargs or {})) if call.runs else self._grown(call.for_one, call.for_two if self.m > 1 else None)[0]

    def _grown(self, for_one: Any, for_two: Any) -> Any:
        """What the call returns for m images, from what it returned for one, and, unless m is 1, for two."""
        if isinstance(for_one, RecordedTensor):
            if id(for_one) not in self.made:
                self.made[id(for_one)] = for_one.rows(for_one.size if self.m == 1 else for_two, self.m)
            return self.made[id(for_one)]
        if isinstance(for_one, tuple | list):
            for_twos = for_one if self.m == 1 else for_two
            return built(for_one, [self._grown(*each) for each in zip(for_one, for_twos, strict=True)])
        if type(for_one) is int and self.m > 1:  # a size, a count, a stride
            return for_one + (for_two - for_one) * (self.m - 1)
        return for_one


def memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() or id(tensor)


def leaves(value: Any, of: Callable[[Tensor], Any]) -> Any:
    """The same, with what `of` says in the place of each tensor."""
    if isinstance(value, Tensor):
        return of(value)
    if isinstance(value, dict):
        return {name: leaves(each, of) for name, each in value.items()}
    return built(value, [leaves(each, of) for each in value]) if isinstance(value, tuple | list) else value


def built(like: Any, values: list[Any]) -> Any:
    """A tuple, named or not, list or torch.Size, as `like` is one."""
    return getattr(type(like), "_make", type(like))(values)
