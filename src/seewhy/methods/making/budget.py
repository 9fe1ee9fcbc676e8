"""How many forward passes, or how many seconds, one image may cost."""

import re
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from seewhy.errors import BadParameter
from seewhy.printable import quoted
from seewhy.progress import stop_asked

UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


@dataclass
class Budget:
    """What one image may cost: so many forward passes of one variant, or so many seconds."""

    request: Any = None
    forwards: float = float("inf")
    seconds: float = float("inf")
    spent: int = 0  # forwards
    start: float = field(default_factory=perf_counter)

    @classmethod
    def of(cls, request: Any, what: str) -> "Budget":
        """The budget from None (no limit), a number of forwards such as 2000, or a time as in "10 s", "500 ms", "2 min"."""
        if request is None:
            return cls()
        text = "" if isinstance(request, int) and request > 10**99 else str(request).strip().lower()[:999]
        match = re.fullmatch(r"((?:[0-9]+_)*[0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-z]*)", text)
        number = float(match[1]) if match and not isinstance(request, bool) else 0.0
        unit = match[2] if match else ""
        if 0 < number < float("inf") and unit in UNITS:
            return cls(request, seconds=number * UNITS[unit])
        if 1 <= number < float("inf") and number == int(number) and unit in ("", "forwards", "forward"):
            return cls(request, forwards=number)
        raise BadParameter(
            f"{what}: budget={quoted(request)}. "
            'Give a number of forward passes (2000) or a time ("10 s", "2 min"), for each image.'
        )

    def left(self, rate: float) -> float:
        """How many forwards are still allowed, at `rate` seconds each; at least one as long as none was made."""
        unknown = float("inf") if self.seconds == float("inf") else 1.0
        by_time = (self.seconds - (perf_counter() - self.start)) / rate if rate else unknown
        return max(min(self.forwards - self.spent, by_time), 0 if self.spent else 1)

    @property
    def over(self) -> str:
        """Why no more forwards may be made; "" while there is budget left."""
        if not self.spent:  # at least one is made
            return ""
        if stop_asked():
            return "interrupted"
        if self.spent >= self.forwards or perf_counter() - self.start >= self.seconds:
            forwards = f"{int(self.forwards)} forward{'s' * (self.forwards != 1)}" if self.forwards < float("inf") else ""
            return f"stopped by the budget of {forwards or self.request}"
        return ""
