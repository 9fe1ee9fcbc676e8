"""scikit-image, which finds regions and refines them; imported when it is first used, for that takes a while."""

from importlib import import_module
from typing import Any

from seewhy.errors import MissingExtra


def skimage(module: str) -> Any:
    """A module of scikit-image.  Raises MissingExtra, which says how to install it."""
    try:
        return import_module(f"skimage.{module}")
    except ImportError as error:
        if error.name and error.name.partition(".")[0] != "skimage":
            raise
        raise MissingExtra("scikit-image, which finds connected regions,", "localize") from None
