"""How many images or variants share a pass: as many as are cheapest on the device, fewer after memory ran out."""

from collections.abc import Sequence
from math import prod

ON_CPU, ELSEWHERE = 2**18, 2**22  # pixels of images that share a pass: about as many as are cheapest


def cheapest(space: Sequence[int], device: str) -> int:
    """How many images of these sides are cheapest in one pass on a kind of device, such as "cpu": a power of two.

    On a CPU what few images leave stays in its caches.  The number follows from the sides alone, and no clock decides it: the
    last digits of a network's scores depend on how many images share a pass, and the same question has to give the same map.
    """
    return power_of_two((ON_CPU if device == "cpu" else ELSEWHERE) // max(1, prod(space)))


def power_of_two(most: int) -> int:
    """The largest up to so many; 1 at least."""
    return 1 << max(0, most.bit_length() - 1)


class Pace:
    """How many variants share a pass: the same number in every pass, halved each time that memory runs out.

    Time does not change the number: the last digits of a network's scores depend on how many images share a pass, and the
    same question has to give the same map.
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)
        self.rate = 0.0  # the fewest seconds that a variant took so far; 0 before the first pass

    def took(self, size: int, seconds: float) -> None:
        """Learn from a pass of `size` variants."""
        self.rate = min(seconds / size, self.rate or seconds / size)

    def halve(self) -> None:
        """Let half as many share a pass, after memory ran out."""
        self.size = max(1, self.size // 2)
