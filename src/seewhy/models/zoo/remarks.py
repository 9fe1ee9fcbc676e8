"""What libraries write to the process's stderr from outside of Python, where nobody can catch it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_remarks() -> Iterator[None]:
    """Nothing is written to the process's stderr while the block runs: kernels are made, devices looked for.

    For blocks that raise what is wrong; what other threads write meanwhile is lost, too.
    """
    nowhere, kept = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
