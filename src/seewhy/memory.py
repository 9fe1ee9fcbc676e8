"""Memory that runs out: known by whoever says so, and said with what to lower; and memory that a process keeps."""

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import OutOfMemory

PHRASES = (  # by torch's allocators and kernels, C++, numpy, the loader of libraries
    "can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "bad_alloc", "bad allocation",
    "unable to allocate", "failed to allocate", "could not allocate", "could not create a primitive",
    "could not create a memory", "alloc_failed",
)  # fmt: skip
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT, LARGEST = 2**30, 2**25  # bytes that stay in the process, and of one block that may be among them (glibc takes no more)
AMOUNT = re.compile(r"tried to allocate ([\d.]+ ?\w+)|allocate ([\d.]+ [KMGT]?i?B)")
CURES = {  # what to lower, by what was done
    "load": "Close what else needs memory, or take a smaller network; weights are needed twice while they are read.",
    "look": "Give smaller images (prepare=), explain by tiles (tile=, --tile), or name the layer (layer=, --layer).",
    "map": "Lower batch_size= (--batch-size), explain by tiles (tile=, --tile), or ask for fewer targets or a later layer.",
    "else": "Close what else needs memory, give smaller images, or explain by tiles (tile=, --tile).",
}  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Is it that memory ran out, in whatever words?"""
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "ResourceExhaustedError"):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError | ImportError | OSError) and any(words in str(error).lower() for words in PHRASES)


def keep_freed() -> None:
    """Let this process keep what it frees, for what it needs next: up to a gigabyte, on Linux with glibc; elsewhere nothing.

    A network's activations are blocks of megabytes.  glibc gives such back to the system one by one and gets them again, empty,
    for the next layer, which can take a third of the time of a pass on a CPU.  It holds for the whole process, so it is for
    commands, not for whoever imports seewhy.
    """
    if sys.platform != "linux":
        return
    from ctypes import CDLL  # here, for only commands that run networks need it

    try:
        set_option = CDLL(None).mallopt
    except (OSError, AttributeError):  # as with musl
        return
    set_option(M_TRIM_THRESHOLD, KEPT)
    set_option(M_MMAP_THRESHOLD, LARGEST)


@contextmanager
def memory_for(stage: str, what: str) -> Iterator[None]:
    """Where memory runs out inside, OutOfMemory says so: at which stage (a key of CURES), at what, and what to lower."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error  # of what another part of seewhy put into its own words
        if isinstance(error, OutOfMemory) or not (out_of_memory(error) or out_of_memory(cause)):
            raise
        raise short(stage, what, cause) from error


def short(stage: str, what: str, error: BaseException) -> OutOfMemory:
    """The error that says it."""
    match = AMOUNT.search(str(error))
    size = next((each for each in match.groups() if each), "") if match else ""
    amount = f" ({_in_words(size)} more were asked for)" if size else ""
    return OutOfMemory(f"Out of memory{what and f' {what}'}{amount}. {CURES[stage]}")


def _in_words(size: str) -> str:
    number, _, unit = size.partition(" ")
    if unit != "bytes":
        return size
    return f"{float(number) / 2**30:.1f} GiB" if float(number) >= 2**30 else f"{float(number) / 2**20:.1f} MiB"
