"""Every method, by its own name.  A new family is a file here and a line below."""

from .attention import *  # noqa: F403
from .balance import *  # noqa: F403
from .cam import *  # noqa: F403
from .channel import *  # noqa: F403
from .combine import *  # noqa: F403
from .control import *  # noqa: F403
from .gradient import *  # noqa: F403
from .occlude import *  # noqa: F403
from .path import *  # noqa: F403
from .relevance import *  # noqa: F403
from .rise import *  # noqa: F403
from .segment import *  # noqa: F403
