"""A run over the workers of a Ray cluster: who does which parts, and what becomes of those of a worker that died.

Each worker stores whole parts under names of their own, so the parts that are there are all that has to be known of the past:
what a worker or this process did not store, whoever killed it, is done again under the same names.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from seewhy.errors import BadNetwork, SeewhyError
from seewhy.printable import printable
from seewhy.progress import stop_asked

from .ray_cluster import ClusterShape, shape_of
from .ray_worker import RayWorker, Storing
from .store import PartWork, further_part

LEASE = 20.0  # seconds of work that a worker gets at once: long beside the pauses between two, short at the end of a run
DEATHS = 2  # workers that may die on the same photos before these are halved, to find the one that kills
IN_A_ROW = 8  # workers that may die before one of them stores a part
LOOK = 0.5  # seconds between two looks at whether a person wants it to end
LATE = 20.0  # seconds after which it is said what is waited for


class WorkerShape(NamedTuple):
    """How many workers a run has, and what each of them gets of the cluster."""

    number: int
    cpus: int
    gpus: int


def workers_for(shape: ClusterShape, wanted: int | None = None) -> WorkerShape:
    """One worker for each GPU, where there are any, else for each CPU; or as many as are wanted, which share the CPUs.

    No machine may be too small for its workers, for these would wait for ever.
    """
    if shape.gpus:
        cpus = min(machine.cpus // machine.gpus for machine in shape.machines if machine.gpus)
        return WorkerShape(min(wanted or shape.gpus, shape.gpus), max(1, cpus), 1)
    count = max(1, min(wanted or shape.cpus, shape.cpus))
    each = range(shape.cpus // count, 1, -1)
    fitting = (cpus for cpus in each if sum(machine.cpus // cpus for machine in shape.machines) >= count)
    return WorkerShape(count, next(fitting, 1), 0)


@dataclass
class _Lease:
    """Parts that a worker is at."""

    worker: Any
    works: list[PartWork]
    begun: float = field(default_factory=monotonic)
    told: int = 0  # photos of which it said that they are done

    @property
    def photos(self) -> int:
        return sum(len(work.items) for work in self.works)


class RayRun:
    """One run: numbers of photos that are done come out of it, as they are.

    ray: connected to a cluster; load: makes, in each worker, what stores parts; say: tells a person what goes on.
    """

    def __init__(self, ray: Any, load: Callable[[], Storing], workers: WorkerShape, say: Callable[[str], None]) -> None:
        self.ray, self.workers, self.say = ray, workers, say
        # "control" is a thread of its own, so that a worker can be told to stop while it works
        limits = {"num_cpus": workers.cpus, "num_gpus": workers.gpus, "max_restarts": 0, "concurrency_groups": {"control": 1}}
        self._new = lambda: ray.remote(**limits)(RayWorker).remote(load)
        self._starting: dict[Any, Any] = {}  # what a worker will say when it is ready -> the worker
        self._running: dict[Any, _Lease] = {}  # what a worker tells meanwhile -> what it is at
        self._idle: list[Any] = []
        self._again: deque[PartWork] = deque()  # of workers that died; each is given out alone, so that it is known what kills
        self._deaths: dict[Path, int] = {}  # at which part, how many
        self._pieces = 0  # the largest number of a piece that was given to a half here
        self._row = self._debt = 0  # deaths in a row; photos that were told of and have to be done again
        self._pace = 0.0  # photos that one worker does in a second, as far as it is known
        self._failure: BaseException | None = None
        self._stopping = False

    def __call__(self, works: Iterable[PartWork], photos: int) -> Iterator[int]:
        """Do the work.  photos: of all of it.

        Raises, after the other workers ended with what they have, what one of them raised of seewhy's errors; BadNetwork where
        workers die again and again.  Photos on which they die are rows with an error.
        """
        todo, begun = _Ahead(works, photos), monotonic()
        try:
            for _ in range(self.workers.number):
                self._start()
            while True:
                if stop_asked() or self._failure:
                    self._stop()
                while self._idle and not self._stopping and (lease := self._next(todo)):
                    self._give(self._idle.pop(), lease)
                if not self._running and (self._stopping or not (self._again or todo.left)):
                    break
                for each in self._spoke():
                    yield from self._heard(each)
                if begun and not (self._running or self._idle) and monotonic() - begun > LATE:
                    self._tell_waiting()
                    begun = 0.0
        finally:
            for worker in (*self._starting.values(), *(lease.worker for lease in self._running.values()), *self._idle):
                self.ray.kill(worker)
        yield from self._new_of(0)
        if self._failure is not None:
            raise self._failure

    def _spoke(self) -> list[Any]:
        """Of whom something is to be heard: once anybody spoke, all who did, for a look for one takes as long."""
        waiting = [*self._starting, *self._running]
        first, _ = self.ray.wait(waiting, num_returns=1, timeout=LOOK)
        return self.ray.wait(waiting, num_returns=len(waiting), timeout=0)[0] if first and len(waiting) > 1 else first

    def _start(self) -> None:
        worker = self._new()
        self._starting[worker.ready.remote()] = worker

    def _give(self, worker: Any, works: list[PartWork]) -> None:
        told = worker.explain.options(num_returns="streaming").remote(works)
        self._running[told] = _Lease(worker, works)

    def _next(self, todo: "_Ahead") -> list[PartWork]:
        """What the next worker gets: as much as it does in LEASE seconds, and so little that all end together."""
        if self._again:
            return [self._again.popleft()]
        most = min(self._pace * LEASE, todo.left / (2 * self.workers.number))
        return todo.take(most)

    def _stop(self) -> None:
        """Tell the workers to end with what they have."""
        if not self._stopping:
            self._stopping = True
            for lease in self._running.values():
                lease.worker.stop.options(concurrency_group="control").remote()

    def _heard(self, told: Any) -> Iterator[int]:
        """What follows from what a worker said, or from its death."""
        if told in self._starting:
            worker = self._starting.pop(told)
            if self._got(told, self._not_born):
                self._idle.append(worker)
            return
        lease = self._running[told]
        try:
            each = next(told)
        except StopIteration:
            del self._running[told]
            self._row = 0
            self._idle.append(lease.worker)
            self._pace = lease.told / max(monotonic() - lease.begun, 1e-3)
            return
        count = self._got(each, lambda error: self._died(told, error))
        if isinstance(count, int):
            lease.told += count
            yield from self._new_of(count)

    def _new_of(self, count: int) -> Iterator[int]:
        """Of photos that are done, the number of those that were not done before."""
        new, self._debt = max(0, count - self._debt), max(0, self._debt - count)
        if new:
            yield new

    def _got(self, told: Any, died: Callable[[Exception], None]) -> Any:
        """What a worker told; None where it raised, or died."""
        try:
            return self.ray.get(told)
        except self.ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            known = (
                cause if isinstance(cause, SeewhyError) else BadNetwork(f"A worker failed: {printable(cause or error, 500)}")
            )
            self._failure = self._failure or known
            self._running.pop(told, None)
        except self.ray.exceptions.RayError as error:
            died(error)
        return None

    def _not_born(self, error: Exception) -> None:
        self._replace(error, "it was ready")

    def _died(self, told: Any, error: Exception) -> None:
        """A worker died: what it did not store is done again."""
        lease = self._running.pop(told)
        missing = [work for work in lease.works if not work.path.exists()]
        stored = lease.photos - sum(len(work.items) for work in missing)
        self._debt += lease.told - stored  # below 0 where it stored more than it told of
        self._row = 0 if stored else self._row
        self._again.extend([*self._tried_again(missing[0]), *missing[1:]] if missing else [])
        self._replace(error, "it stored a part")

    def _tried_again(self, work: PartWork) -> list[PartWork]:
        """How photos are done again on which a worker died: as they were, for it may not be theirs; then in halves."""
        self._deaths[work.path] = deaths = self._deaths.get(work.path, 0) + 1
        if deaths < DEATHS:
            return [work]
        if len(work.items) == 1:
            return [work._replace(error="a worker's process ended without a word each time that it was at this photo")]
        half, other = len(work.items) // 2, further_part(work.path, self._pieces)
        self._pieces = other.piece
        self._deaths[work.path] = self._deaths[other.path] = DEATHS - 1
        return [work._replace(items=work.items[:half]), work._replace(path=other.path, items=work.items[half:])]

    def _replace(self, error: Exception, before: str) -> None:
        """Let another worker take the place of one that died before something."""
        self._row += 1
        if self._row >= IN_A_ROW:
            died = "A worker died" if self._row == 1 else f"{self._row} workers in a row died, the last one"
            words = f"{died} before {before}. Is there too little memory for so many workers? Give fewer. {_reason(error)}"
            self._failure = self._failure or BadNetwork(words)
        elif not self._stopping:
            self.say("a worker died, and another one takes its place: what it did not store is done again")
            self._start()

    def _tell_waiting(self) -> None:
        wanted = f"{self.workers.cpus} CPUs" + (f" and {self.workers.gpus} GPU" if self.workers.gpus else "")
        self.say(
            f"waiting for a worker, which takes {wanted} of the cluster ({shape_of(self.ray)}); it may be busy with others"
        )


class _Ahead:
    """Work that nobody has yet.  left: how many photos."""

    def __init__(self, works: Iterable[PartWork], photos: int) -> None:
        self._works, self.left = iter(works), photos

    def take(self, photos: float) -> list[PartWork]:
        """The next parts, of so many photos, or one part; none at the end."""
        taken, count = list[PartWork](), 0
        while (not taken or count < photos) and (work := next(self._works, None)) is not None:
            taken.append(work)
            count += len(work.items)
        self.left = self.left - count if taken else 0
        return taken


def _reason(error: Exception) -> str:
    """What Ray says of a death, without the lines that only it understands."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(next((line for line in lines if "memory" in line.lower()), lines[0] if lines else ""), 300)
