"""What a torch network gives, as the answer of a model: scores of its kind, probabilities, and what is odd about them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.errors import NotApplicable
from seewhy.models.model import Answer, softmax
from seewhy.models.torch.passes.units import End
from seewhy.targets.aim import Pinned
from seewhy.targets.region import EVEN, dense

from .scores import as_numpy, as_scores, could_be_sigmoids, ends_in_sigmoid, is_distribution, is_log_distribution, plain
from .two_tower import NO_CLASSES, Towers


class Answering(ABC):
    """How what a network gives is read; how it is run is in `Running`."""

    name: str
    labels: Sequence[str] | None
    explains: str  # "logits", "log-probability", "probability"; of aims and units their own kind
    task: str | None
    towers: Towers | None
    end: End | None = None  # where the network stops, of a model made by `upto`
    aims: tuple[Pinned, ...] = ()  # what is read of the whole output, of a model made by `aimed`
    rivals = ""  # other parts of what it gives that could be the scores
    single = False  # it gives one number per image, as regressions do
    sigmoid: bool | None = None  # it ends in one; None: not known yet

    @property
    def no_classes(self) -> str:
        """Why no class can be explained; "" where one can."""
        return NO_CLASSES.format(self.name) if self.towers and not self.aims and self.end is None else ""

    def _scores(self, raw: Tensor, normalised: bool | None = None) -> Tensor:
        if self.end is not None or self.aims or self.explains == "logits":
            return plain(raw)
        return as_scores(plain(raw), self.explains, self._normalised(raw) if normalised is None else normalised, self.task)

    def _answer(self, raw: Tensor, scores: Tensor) -> Answer:
        if self.end is not None or self.aims:
            return Answer(as_numpy(raw.detach()), None)
        numbers = as_numpy(raw.detach())
        normalised, notes = self._normalised(raw), []
        if normalised and self.explains == "logits":
            what = "sigmoid" if self.sigmoid else "softmax"
            notes.append(f"the network already ends in a {what}, so its probabilities are explained; wrap the part before it")
        if self.explains == "logits" and is_log_distribution(raw):
            notes.append("the network already ends in a log-softmax, so its log-probabilities are explained")
        if self.rivals:
            notes.append(f"the network gives {self.rivals}; the first is explained, output= asks for another")
        if self.labels is not None and len(self.labels) != numbers.shape[1]:
            notes.append(f"there are {len(self.labels)} labels for {numbers.shape[1]} scores: do they belong to this network?")
        return Answer(as_numpy(scores.detach()), self._probabilities(numbers, normalised), tuple(notes), normalised)

    def _probabilities(self, numbers: NDArray[Any], normalised: bool) -> NDArray[Any] | None:
        if self.task == "regression" or (self.task is None and self.single and numbers.shape[1] == 1 and not normalised):
            return None
        if normalised:
            return numbers
        return softmax(numbers.reshape(-1, 1)).reshape(numbers.shape) if self.task == "multi-label" else softmax(numbers)

    def _normalised(self, raw: Tensor) -> bool:
        """Are these probabilities already?  Sigmoids are told from the graph, where there is one."""
        if self.task == "regression":
            return False
        if self.sigmoid is None and raw.grad_fn is not None and could_be_sigmoids(raw):
            self.sigmoid = ends_in_sigmoid(raw)
        return bool(self.sigmoid) or (self.task != "multi-label" and is_distribution(raw))

    def _look_for_sigmoid(self, x: Tensor, raw: Tensor) -> None:
        """One image through with a graph, where the scores could be those of a sigmoid and it is not known yet."""
        if self.sigmoid is None and self.end is None and not self.aims and self.task != "regression" and could_be_sigmoids(raw):
            with torch.enable_grad():
                self.sigmoid = ends_in_sigmoid(self._raw(x[:1].clone().requires_grad_().clone()))

    def _dense_scores(self, raw: Tensor) -> Tensor:
        """The same of dense scores (n, k, *where)."""
        if self.explains == "logits":
            return plain(raw)
        told = True if self.sigmoid else False if self.task == "multi-label" else None
        return as_scores(plain(raw), self.explains, told, self.task)

    def _look_for_dense_sigmoid(self, x: Tensor, output: Any) -> None:
        """The same of an output that an aim is to read."""
        if self.sigmoid is not None or self.explains not in EVEN:
            return
        with suppress(NotApplicable):
            if could_be_sigmoids(dense(output, x.ndim - 2)):
                with torch.enable_grad():
                    self.sigmoid = ends_in_sigmoid(dense(self._whole(x.clone().requires_grad_().clone()), x.ndim - 2))

    @abstractmethod
    def _raw(self, x: Tensor) -> Tensor:
        """What it gives for images x: (n, k)."""

    @abstractmethod
    def _whole(self, x: Tensor) -> Any:
        """All that it gives."""
