"""How a network's output is read as the answer of a model: scores of its kind, probabilities, and what is odd about them."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.arrays import softmax
from seewhy.errors import NotApplicable
from seewhy.models.model import Answer
from seewhy.models.settings import Settings
from seewhy.targets.aim import Pinned
from seewhy.targets.decisions import DECIDED, decided_scores, why_no_gradient
from seewhy.targets.group import are_summed, checked, slopes

from .adapted import LeftOff
from .scores import as_numpy, as_scores, could_be_sigmoids, is_distribution, is_log_distribution, plain
from .sigmoids import ends_in_sigmoid

ENDS = "the network already ends in a {}, so its {} are explained"


class OutputReader:
    """Reads scores and answers from the raw numbers (n, k) that a network gives, and remembers what they showed.

    as_is: the numbers are explained as they are, as units and aims are, which are no classes.
    groups: of classes, whose scores take the place of those of the classes (see `targets.group`).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.as_is = settings, False
        self.groups: Sequence[Sequence[int]] = ()
        self.rivals = ""  # other parts of the output that could be the scores
        self.single = False  # it gives one number per image, as regressions do
        self.whole = ""  # the kind of its numbers, where they are whole ones, such as int64
        self.decided = ""  # what it gives, in words, where these are decisions and no scores
        self.sigmoid: bool | None = None  # the network ends in one; None: not known yet
        self.left_off = LeftOff()  # the network ran without that
        self.identity: object = None  # of the network of which all this was learned

    def changed(self, settings: Settings, as_is: bool, groups: Sequence[Sequence[int]] = ()) -> "OutputReader":
        """A reader of the same network's output with other settings."""
        reader = copy(self)
        reader.settings, reader.as_is, reader.groups = settings, as_is, groups
        reader.whole = reader.decided = ""
        return reader

    def read_from(self, identity: object) -> None:
        """Forget what the output showed where it came from another network, or from this one before an edit."""
        if self.identity is not identity:
            self.identity, self.rivals, self.single, self.sigmoid = identity, "", False, None
            self.whole = self.decided = ""

    @property
    def task(self) -> str | None:
        """What the scores mean, as the person said or the activation tells that was left off."""
        return self.settings.task or ("multi-label" if self.left_off.kind == "sigmoid" else None)

    def in_floats(self, raw: Tensor) -> Tensor:
        """What the network gives (n, k), in real numbers; that they were whole ones, or decisions, is noted.

        Raises BadNetwork where these are class ids of nobody knows how many classes.
        """
        self.whole = self.decided = ""
        if raw.is_floating_point():
            return raw
        self.whole = str(raw.dtype).removeprefix("torch.")
        if self.settings.task == "regression":
            return raw.float()
        scores, self.decided = decided_scores(raw, self.settings.labels, self.settings.name)
        return scores

    def require_slopes(self, aims: Sequence[Pinned]) -> None:
        """Raise NotApplicable where what was read of the last pass has no gradient, whatever the network is."""
        why = next((aim.why_no_gradient for aim in aims if aim.why_no_gradient), "")
        if self.whole and not aims:
            why = why_no_gradient(self.decided or f"whole numbers ({self.whole})")
        if why:
            raise NotApplicable(f"There is no gradient to read in {self.settings.name}: {why}.")

    def scores(self, raw: Tensor, normalised: bool | None = None) -> Tensor:
        """The raw numbers as scores of the kind that is explained; normalised: they are probabilities, where that is known."""
        scores = self._class_scores(raw, normalised)
        return joined(scores, self.groups, self._summed(raw, normalised)) if self.groups else scores

    def _class_scores(self, raw: Tensor, normalised: bool | None) -> Tensor:
        kind = self.settings.scores
        if self.as_is or kind == "logits" or self.decided:
            return plain(raw)
        return as_scores(plain(raw), str(kind), self.normalised(raw) if normalised is None else normalised, self.task)

    def _summed(self, raw: Tensor, normalised: bool | None = None) -> bool:
        return are_summed(str(self.settings.scores), self.normalised(raw) if normalised is None else normalised)

    def slopes(self, raw: Tensor) -> NDArray[Any]:
        """The derivatives (n, g, k) of the scores of groups by those of the classes."""
        return slopes(as_numpy(self._class_scores(raw, None).detach()), self.groups, self._summed(raw))

    def answer(self, raw: Tensor, scores: Tensor) -> Answer:
        """The answer of the network, with notes on what is odd about it."""
        if self.as_is:
            return Answer(as_numpy(raw.detach()), None)
        kind, labels = self.settings.scores, self.settings.labels
        numbers = as_numpy(raw.detach())
        normalised, notes = self.normalised(raw), [self.left_off.note] * bool(self.left_off.note)
        if self.decided:
            notes.append(DECIDED.format("the network", self.decided))
        if normalised and kind == "logits":
            notes.append(self._ends_in_probabilities)
        if kind == "logits" and is_log_distribution(raw):
            notes.append(ENDS.format("log-softmax", "log-probabilities"))
        if self.rivals:
            notes.append(f"the network gives {self.rivals}; the first is explained, output= asks for another")
        if labels is not None and len(labels) != numbers.shape[1]:
            notes.append(f"there are {len(labels)} labels for {numbers.shape[1]} scores: do they belong to this network?")
        return Answer(as_numpy(scores.detach()), self._probabilities(numbers, normalised), tuple(notes), normalised)

    def _probabilities(self, numbers: NDArray[Any], normalised: bool) -> NDArray[Any] | None:
        task = self.task
        if self.decided:
            return numbers if (numbers.sum(1) == 1).all() and numbers.shape[1] > 1 else None
        if task == "regression" or (task is None and self.single and numbers.shape[1] == 1 and not normalised):
            return None
        if normalised:
            return numbers
        return softmax(numbers.reshape(-1, 1)).reshape(numbers.shape) if task == "multi-label" else softmax(numbers)

    def normalised(self, raw: Tensor) -> bool:
        """Are these probabilities already?  Sigmoids are recognised by the graph, where there is one."""
        if self.settings.task == "regression" or self.decided:
            return False
        if self.sigmoid is None and raw.grad_fn is not None and could_be_sigmoids(raw):
            self.sigmoid = ends_in_sigmoid(raw)
        return bool(self.sigmoid) or (self.task != "multi-label" and is_distribution(raw))

    def unsure_of_sigmoid(self, raw: Tensor) -> bool:
        """Could the scores be those of a sigmoid, and only a pass with a graph can tell?"""
        known = self.sigmoid is not None or self.as_is or self.decided or self.settings.task == "regression"
        return not known and could_be_sigmoids(raw)

    @property
    def _ends_in_probabilities(self) -> str:
        return f"{ENDS.format('sigmoid' if self.sigmoid else 'softmax', 'probabilities')}; wrap the part before it"

    def dense_ending(self, raw: Tensor) -> tuple[str, tuple[str, ...]]:
        """The kind of scores that dense raw numbers (n, k, *where) are, where they are not the logits that are asked for, and
        what is said of it.
        """
        if self.settings.scores != "logits" or bool(((raw == 0) | (raw == 1)).all()):  # decided, and no probabilities
            return "", ()
        if self.normalised(raw):
            return "probability", (self._ends_in_probabilities,)
        log = self.settings.task != "regression" and is_log_distribution(raw)
        return ("log-probability", (ENDS.format("log-softmax", "log-probabilities"),)) if log else ("", ())

    def dense_scores(self, raw: Tensor) -> Tensor:
        """Dense raw numbers (n, k, *where) as scores of the kind that is explained."""
        kind, task = self.settings.scores, self.task
        if kind == "logits":
            return plain(raw)
        normalised = True if self.sigmoid else False if task == "multi-label" else None
        return as_scores(plain(raw), str(kind), normalised, task)


def joined(scores: Tensor, groups: Sequence[Sequence[int]], summed: bool) -> Tensor:
    """The scores of classes (n, k) as those of groups of them (n, g): log sum exp; summed: the sum, as of probabilities."""
    checked(groups, scores.shape[1])
    parts = [scores[:, [*group]] for group in groups]
    return torch.stack([part.sum(1) if summed else part.logsumexp(1) for part in parts], 1)
