"""Every method, by its own name.  A new family is a file here and a line below."""

from .cam import *  # noqa: F403
from .control import *  # noqa: F403
