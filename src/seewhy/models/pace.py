"""How many images share a pass, found out while they run."""


class Pace:
    """How many variants share a pass: always as many, halved where memory runs out.

    The clock has no part in it: by how many share a pass, a network's scores differ in their last digits, and a map has to be
    the same twice.
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)
        self.rate = 0.0  # seconds a variant takes, as far as known

    def took(self, size: int, seconds: float) -> None:
        """Learn from a pass of `size` variants."""
        self.rate = min(seconds / size, self.rate or seconds / size)

    def halve(self) -> None:
        """Memory ran out."""
        self.size = max(1, self.size // 2)
