"""What a worker of a run on Ray is: a process that loads what it takes once, and then stores the rows of whole parts."""

import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from threading import Event
from time import monotonic

from .store import PartWork

PAUSE = 1.0  # seconds between two numbers that a worker tells: what it does is to be seen, and not more


Storing = Callable[[Sequence[PartWork]], Generator[int]]  # stores parts, and gives the number of photos each time some are done


class RayWorker:
    """A process of a cluster; its methods are called from afar.

    load: makes what stores parts, of which a worker that is told to stop closes the generator: what is done is stored.
    """

    def __init__(self, load: Callable[[], Storing]) -> None:
        self._load, self._storing, self._stop = load, None, Event()

    def ready(self) -> str:
        """Load what it takes; the name of the machine.  It is no part of `__init__`, whose errors Ray makes text of."""
        self._storing = self._load()
        return socket.gethostname()

    def explain(self, works: Sequence[PartWork]) -> Iterator[int]:
        """Store the parts, one after the other; numbers of photos that are done since the last one."""
        if self._storing is None:
            raise RuntimeError("a worker is asked before it is ready")
        done, told = 0, monotonic()
        running = self._storing(works)
        try:
            for count in running:
                done += count
                if self._stop.is_set():
                    break
                if monotonic() - told > PAUSE:
                    yield done
                    done, told = 0, monotonic()
        finally:
            running.close()
        yield done  # once all is stored

    def stop(self) -> None:
        """End with what is under way."""
        self._stop.set()
