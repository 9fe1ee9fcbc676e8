"""Where the cells of every layer lie in the image: derived from the calls of torch while the unchanged network runs."""

from collections.abc import Iterable
from threading import local
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import name_of

from .calls import cell_by_cell, gated, rule_of
from .marks import Mark, lost, start
from .merging import simple
from .sights import PRODUCTS, scale_of
from .writing import onto

BLANK = (  # calls that use no number of the tensors that they are given
    "new_full", "new_zeros", "new_ones", "new_empty", "new_empty_strided", "new_tensor",
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like", "zero_", "fill_", "grad",
)  # fmt: skip
CHANCE = frozenset((
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial", "normal",
    "poisson", "uniform_", "normal_", "random_", "bernoulli_", "exponential_",
))  # fmt: skip
CHOOSING = frozenset((
    "getitem", "setitem", "index", "index_select", "gather", "take_along_dim", "index_put", "index_copy", "masked_select",
    "masked_scatter", "scatter",
))  # fmt: skip
FUNCTORCH: Any = vars(torch._C)["_functorch"]
UNREADABLE = "{}, whose result could not be followed"
BY_CHANCE = "tokens are chosen by chance"
TRANSFORMED = "the inside of torch.func's transforms, which cannot be seen"


class Active(local):
    """What follows the network that this thread runs, the innermost last."""

    follows: "tuple[Following, ...]" = ()


ACTIVE = Active()


class Following(TorchFunctionMode):
    """While this mode is active, each tensor computed from the image x (n, c, *space) has a mark that says where its cells lie.

    No number changes, and nothing is raised: the result of a call without a rule counts as lying in no known place.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.marks: dict[int, tuple[ReferenceType[Tensor], Mark]] = {}
        self.space = tuple(x.shape[2:])
        self.made: dict[int, ReferenceType[Tensor]] = {}  # results of calls that read nothing of the image
        self.chance: dict[int, ReferenceType[Tensor]] = {}  # tensors that are drawn by chance, and not computed from the image
        self.hidden: set[int] = set()  # where the numbers lie that were computed from the image inside a transform
        self._keep(x, start(x.shape))

    def of(self, tensor: Tensor) -> Mark | None:
        """The mark of a tensor; None for a tensor that was not computed from the image."""
        mark = self._of(tensor)
        return mark if mark is None or mark.lost else simple(mark)

    def raw(self, tensor: Tensor) -> Mark | None:
        """The mark of a tensor as it was followed, of which `moves.simple` makes what `of` gives."""
        return self._of(tensor)

    def __enter__(self) -> "Following":
        ACTIVE.follows = (*ACTIVE.follows, self)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        ACTIVE.follows = ACTIVE.follows[:-1]
        super().__exit__(*error)

    def beside(self, values: Iterable[Any], x: Tensor) -> None:
        """Follow other pictures, of the shape of the images x, that the network gets beside them: their cells lie in them."""
        for tensor in tensors_in(values):
            if tensor.shape == x.shape and tensor.is_floating_point() and self.of(tensor) is None:
                self._keep(tensor, start(tensor.shape))

    def moment(self, tensor: Tensor) -> Mark | None:
        """What is known at this moment of a tensor that was just computed."""
        return self.of(tensor)

    def _of(self, tensor: Tensor) -> Mark | None:
        known = self.marks.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        if FUNCTORCH.is_functorch_wrapped_tensor(tensor):
            return lost(TRANSFORMED) if self._of(FUNCTORCH.get_unwrapped(tensor)) is not None else None
        return lost(TRANSFORMED) if self.hidden and tensor.data_ptr() in self.hidden else None

    def adopt(self, output: Any, args: Any, kind: str) -> None:
        """Tell that a module of that kind computed this output from these arguments: where torch's calls inside it were not
        seen, as in compiled code, it is not known where the output lies.
        """
        unseen = [tensor for tensor in tensors_in([output]) if self._of(tensor) is None and not self._was_made(tensor)]
        given = [*tensors_in([args])] if unseen else []
        if any(self._of(tensor) is not None for tensor in given):
            for tensor in unseen:
                if not isinstance(tensor, nn.Parameter) and not any(tensor is other for other in given):
                    self._keep(tensor, lost(f"the inside of {kind}, which cannot be seen"))

    def _was_made(self, tensor: Tensor) -> bool:
        """Did a call that was seen make the tensor, from nothing of the image?"""
        made = self.made.get(id(tensor))
        return made is not None and made() is tensor

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = fn(*args, **kwargs)
        if isinstance(out, Tensor | tuple | list) and not isinstance(out, torch.Size):
            with torch._C.DisableTorchFunction():  # reading a shape is a call, too, which other modes should not see
                self._note(fn, args, kwargs, out)
        elif fn is Tensor.__setitem__:
            with torch._C.DisableTorchFunction():
                self._note(fn, args, kwargs, args[0])
        return out

    def _note(self, fn: Any, args: Any, kwargs: Any, out: Any) -> None:
        marks = self._marks(args) + self._marks(kwargs.values()) if kwargs else self._marks(args)
        if not marks:
            self._note_others(fn, args, kwargs, out)
        if not marks or (name := name_of(fn)).partition(".")[0] in BLANK or _erases(name, args):
            self.made.update({id(tensor): ref(tensor) for tensor in tensors_in([out])})
            return
        try:
            made = self._made(rule_of(fn), marks, args, kwargs, out)
            if self.chance and name.strip("_") in CHOOSING and self._by_chance([args, kwargs]):
                made = lost(BY_CHANCE)
        except Exception:  # noqa: BLE001 - the network itself ran: a rule that fails must not stop it
            made = lost(UNREADABLE.format(name))
        if isinstance(made, Mark) and made.lost:
            made = next((mark for mark in marks if mark.lost), made)  # the first reason is the true one
        if isinstance(made, Mark) and made.spots:
            scale = scale_of(name, args, [arg for arg in args if isinstance(arg, Tensor) and self._of(arg) is not None])
            made = made if scale == 1 else made.scaled(scale)
        if isinstance(out, Tensor):
            self._keep(out, self._fitting(made, out, name))
            if out._base is not None and args and out is args[0]:  # written to a view of another tensor
                self._keep(out._base, onto(self._of(out), out, out._base, self._of(out._base)))
            return
        for tensor, mark in zip(out, [made] * len(out) if isinstance(made, Mark) else made, strict=False):
            if isinstance(tensor, Tensor):
                self._keep(tensor, self._fitting(mark, tensor, name))

    def _note_others(self, fn: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Note what was made without the image, and what of it was drawn by chance."""
        self.made.update((id(tensor), ref(tensor)) for tensor in tensors_in([out]))
        if name_of(fn) in CHANCE or (self.chance and self._by_chance([args, kwargs])):
            self.chance.update((id(tensor), ref(tensor)) for tensor in tensors_in([out]))

    def _by_chance(self, values: Iterable[Any]) -> bool:
        return any((known := self.chance.get(id(tensor))) is not None and known() is tensor for tensor in tensors_in(values))

    def _made(self, rule: Any, marks: list[Mark], args: Any, kwargs: Any, out: Any) -> Any:
        if "out" in kwargs:  # where the result is written to
            kwargs = {name: value for name, value in kwargs.items() if name != "out"}
        if rule is not cell_by_cell:
            return rule(self._of, out, *args, **kwargs)
        if any(mark.lost for mark in marks):
            return gated(self._of, out, [*tensors_in([args, kwargs])])
        return rule(marks, out)

    def _fitting(self, mark: Any, tensor: Tensor, name: str) -> Mark | None:
        """The mark, if it can be that of the tensor."""
        if mark is None or (isinstance(mark, Mark) and (mark.lost or mark.shape == tensor.shape)):
            return None if mark is None or mark.stranger else mark
        return lost(UNREADABLE.format(name))

    def _marks(self, values: Iterable[Any]) -> list[Mark]:
        """The marks of those tensors among the arguments, or in lists among them, that were computed from the image."""
        marks: list[Mark] = []
        for value in values:
            if isinstance(value, Tensor):
                if (mark := self._of(value)) is not None:
                    marks.append(mark)
            elif isinstance(value, tuple | list):
                marks += self._marks(value)
        return marks

    def _keep(self, tensor: Tensor, mark: Mark | None) -> None:
        if mark is None:
            self.marks.pop(id(tensor), None)
        else:
            self.marks[id(tensor)] = (ref(tensor), mark)
            if mark.lost == TRANSFORMED:  # what comes out of the transform is another tensor of the same numbers
                self.hidden.add(_unwrapped(tensor).data_ptr())


def _erases(name: str, args: Any) -> bool:
    """Is that a product with the number 0, of which nothing of the image is left?"""
    return name.strip("_") in PRODUCTS and any(isinstance(arg, int | float) and arg == 0 for arg in args)


def _unwrapped(tensor: Tensor) -> Tensor:
    while FUNCTORCH.is_functorch_wrapped_tensor(tensor):
        tensor = FUNCTORCH.get_unwrapped(tensor)
    return tensor
