"""What is said where the scores of a network are no numbers."""

from typing import Any

from seewhy.arrays import Array
from seewhy.errors import NotFinite


def not_finite(model: Any, x: Array, error: NotFinite | None = None) -> NotFinite:
    """What to raise, with the layer where NaN or infinity first arises as images x (n, c, *space) run, where that is known.

    error: what was raised, which stays where it is not.
    """
    first = model.first_bad(x)
    if error is not None and not first:
        return error
    arise = f", which first arise at layer {first}" if first else ""
    return NotFinite(
        f"{model.name}: the scores hold NaN or infinity{arise}, so that no class can be explained. "
        f"Look at {'what goes in there and at its weights' if first else 'its weights'}; in half precision, run in float32."
    )
