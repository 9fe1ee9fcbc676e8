"""Does the score follow the map: what becomes of it when the places that the map names are hidden or shown.

Each file holds metrics of one idea.  It imports `metric.py` and `subject.py` of this room, and what these may.
"""

# `seewhy metrics` lists them in the order in which they are imported.
# isort: off
from . import curves as curves
from . import drops as drops
from . import road as road
from . import regions as regions
from . import subsets as subsets
from . import compactness as compactness
from . import asking as asking
