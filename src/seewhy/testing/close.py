"""Two models that are to look at the same places."""

from typing import Any

from seewhy.comparison.drift import drift
from seewhy.comparison.questions import AUTO
from seewhy.comparison.records import Drift, check_bounds
from seewhy.errors import BadParameter
from seewhy.images.inputs import Images
from seewhy.methods.making.method import Method
from seewhy.printable import printable
from seewhy.targets.target import Top

TOLD = 10  # photos that a message names


def assert_explanations_close(
    model_a: Any,
    model_b: Any,
    images: Images,
    method: str | Method = AUTO,
    target: Any = Top(),
    layer: Any = None,
    min_spearman: float | None = 0.95,
    max_energy_shift: float | None = 0.1,
    same_top1: bool = True,
) -> Drift:
    """Raise AssertionError, which names the worst photos, where predictions or maps of the two models lie too far apart.

    model_a, model_b, images, method, target, layer: as for `seewhy.drift`, which says what the numbers mean.
    min_spearman: the least rank correlation of the two maps of a photo; where one map alone is the same everywhere, there is
        none, and the photo fails.  max_energy_shift: the largest share of the evidence that may lie elsewhere.  None: no bound.
    same_top1: both models have to take each photo for the same class.
    Returns what was measured.  Raises Misuse and BadImage as `seewhy.drift` does: a photo that cannot be compared fails, too.
    """
    __tracebackhide__ = True  # pytest shows the line of the test, not this one
    check_bounds(min_spearman, max_energy_shift)
    if min_spearman is None and max_energy_shift is None and not same_top1:
        raise BadParameter("Nothing is asserted: give min_spearman, max_energy_shift or same_top1.")
    found = drift(model_a, model_b, images, method, target, layer)
    beyond = found.breaches(min_spearman, max_energy_shift, same_top1)
    if not beyond:
        return found
    lines = [f"{len(beyond)} of {len(found)} photos moved too far by {found.method}, from {found.a} to {found.b}:"]
    lines += [f"  {photo.image}: {'; '.join(broken)}" for photo, broken in beyond[:TOLD]]
    lines += [f"  ... and {len(beyond) - TOLD} more"] if len(beyond) > TOLD else []
    lines += [f"  note: {note}" for note in found.notes]
    raise AssertionError("\n".join(printable(line, spaces=True) for line in lines))
