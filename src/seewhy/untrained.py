"""Weights that were drawn at random and never trained: how a Source names them, and what is said of their maps.

The text that says where weights came from is the one fact on them: "random, seed 0", or "a1_in1k, with random fc, seed 0".
"""

import re
from collections.abc import Sequence

RANDOM = "random"  # weights as the constructor draws them
ADVICE = "Maps show what the architecture prefers, nothing more. Load trained weights."
NAMED = 4  # layers that are named
DRAWN = re.compile(rf"(?:{RANDOM}|.*, with {RANDOM} (?P<layers>.+)), seed [0-9]+( \(.*\))?", re.DOTALL)  # and a remark


def drawn_text(seed: int, layers: Sequence[str] = (), others: str = "") -> str:
    """What is said of where weights came from that were drawn from a seed: all, or those of some layers beside others."""
    if not layers:
        return f"{RANDOM}, seed {seed}"
    more = len(layers) - NAMED
    names = ", ".join(layers[:NAMED]) + (f" and {more} more layer{'s' * (more > 1)}" if more > 0 else "")
    return f"{others}, with {RANDOM} {names}, seed {seed}"


def untrained(weights: str | None) -> str:
    """The weights that nobody trained, by the text on where they came from: "random weights", "random weights in fc"; or ""."""
    drawn = DRAWN.fullmatch(weights or "")
    if drawn is None and weights != RANDOM:
        return ""
    layers = drawn and drawn["layers"]
    return f"{RANDOM} weights" + (f" in {layers}" if layers else "")


def warned(random: str) -> tuple[str, ...]:
    """The warning on each map of a network with such weights, by what `untrained` says; none where it says nothing."""
    return (f"{random}, which nobody trained: the answer is arbitrary, and the map explains an arbitrary answer",) * bool(
        random
    )
