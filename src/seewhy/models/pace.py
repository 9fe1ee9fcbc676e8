"""How many images share a pass: fewer after each time that memory runs out."""


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
