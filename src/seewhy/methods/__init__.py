"""Every method, by its own name.  A new family of formulas is a file here and a line below.

`inside`, `diagnosis`, `api` and everything above may import it; it imports its inner room `making`,
`explaining` and what that may.
"""

# `seewhy methods` lists them in the order in which they are imported.
# isort: off
from .transformer import *  # noqa: F403
from .cam import *  # noqa: F403
from .kernel_cam import *  # noqa: F403
from .gradient import *  # noqa: F403
from .combine import *  # noqa: F403
from .mirror import *  # noqa: F403
from .refine import *  # noqa: F403
from .sess import *  # noqa: F403
from .balance import *  # noqa: F403
from .channel import *  # noqa: F403
from .control import *  # noqa: F403
from .occlude import *  # noqa: F403
from .path import *  # noqa: F403
from .relevance import *  # noqa: F403
from .rise import *  # noqa: F403
from .segment import *  # noqa: F403
