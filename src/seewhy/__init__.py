"""Why did the image model say that, here?  Heatmaps that are named, checked and traceable.

Importing seewhy imports nothing else: every public name of `seewhy.api` is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import *  # noqa: F403 - the same names, for editors and type checkers

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return import_module(".api", __name__).PUBLIC
    if name.startswith("__"):
        raise AttributeError(f"module 'seewhy' has no attribute {name!r}")
    api = import_module(".api", __name__)
    if name not in api.PUBLIC:
        raise AttributeError(f"module 'seewhy' has no attribute {name!r}. Public names: {', '.join(api.PUBLIC)}")
    return globals().setdefault(name, getattr(api, name))


def __dir__() -> list[str]:
    return ["__version__", *import_module(".api", __name__).PUBLIC]
