"""What readers of ZIP archives, .npz among them, raise of files that are damaged or were never such."""

import zlib
from struct import error as BadStructure
from zipfile import BadZipFile

# NotImplementedError: of a compression or version that zipfile does not know; RuntimeError: of a member that is locked
DAMAGED = (
    OSError, EOFError, ValueError, KeyError, OverflowError, NotImplementedError, RuntimeError, BadZipFile, zlib.error,
    BadStructure,
)  # fmt: skip
