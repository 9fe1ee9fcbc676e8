"""Tracing a network by torch.export, for any number of images where its code allows that."""

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL, getLogger
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram, export

from seewhy.errors import NotApplicable, SeewhyError
from seewhy.memory import out_of_memory
from seewhy.printable import printable

from .network import SelfExplaining

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
FIXED = "its code fixes how many there are"


def traced(network: SelfExplaining, image: Tensor, name: str) -> tuple[ExportedProgram, str]:
    """The program of a network of images like that (1, c, *space); why it takes one at a time, "" where it takes any number.

    Raises NotApplicable where torch.export cannot trace it.
    """
    try:
        return _program(network, image.repeat(2, *[1] * (image.ndim - 1)), {0: Dim("n", max=2**20)}), ""
    except Exception as error:  # whatever a network's Python does with what is traced
        if isinstance(error, SeewhyError) or out_of_memory(error):
            raise
        why = error
    network.single = True
    try:
        return _program(network, image, {}), FIXED if "Constraints violated" in str(why) else first_words(why)
    except Exception as error:
        if isinstance(error, SeewhyError) or out_of_memory(error):
            raise
        raise NotApplicable(
            f"torch.export cannot trace {name}: {first_words(error)}. Where Python chooses the way by what the numbers are, no "
            "graph can be written."
        ) from error


def _program(network: SelfExplaining, images: Tensor, sides: dict[int, Any]) -> ExportedProgram:
    with symbolic_lengths():
        program = export(network, (images,), dynamic_shapes=({**sides},), strict=False)
    return program.run_decompositions({ATTENTION: _with_heads})  # without what writes over its own memory


def _with_heads(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *args: Any, **options: Any) -> Any:
    """An attention without heads as one of a single head: torch.onnx (2.14) knows no other."""
    if q.ndim != 3:
        return NotImplemented
    mask = mask if mask is None or mask.ndim != 3 else mask[:, None]
    return ATTENTION(q[:, None], k[:, None], v[:, None], mask, *args, **options)[:, 0]


def first_words(error: BaseException) -> str:
    """What went wrong, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(f"{type(error).__name__}: {lines[0] if lines else 'it gives no reason'}", 300).rstrip(".")


@contextmanager
def symbolic_lengths() -> Iterator[None]:
    """Inside, len(tensor) is its shape[0], which may be a symbol: Python's own is always a number, which would then hold for
    all batches.  What else has a length, and any tensor of another thread, has the one it had.
    """
    usual = builtins.len

    def length(x: Any, /) -> Any:
        return x.shape[0] if isinstance(x, Tensor) and x.ndim else usual(x)

    builtins.len = length
    try:
        yield
    finally:
        builtins.len = usual


@contextmanager
def quiet() -> Iterator[None]:
    """What torch and onnxscript tell of their own doing is kept from the person; what fails, is raised."""
    loggers = [getLogger(name) for name in ("torch", "torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operation of torch's own, which no other runtime has
    try:
        for logger in loggers:
            logger.setLevel(CRITICAL)
        with catch_warnings():
            simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
