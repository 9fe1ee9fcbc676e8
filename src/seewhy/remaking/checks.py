"""What came of a check on a map, as verdicts, evidence records and pages have it; and how a check is run again."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, get_args

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.json_text import plain
from seewhy.printable import printable, quoted

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap

Status = Literal["green", "amber", "red", "grey", "none"]
Better = Literal["higher", "lower", ""]
RunCheck = Callable[..., "Check"]  # (model, image, heatmap, settings): see `runs_again`
NUMBERS = ("value", "low", "high", "control")
# By the names of checks; of what is not imported yet "module:function", or a dict of functions there, by the same names
RUNS_AGAIN: dict[str, "RunCheck | str"] = {
    "contrast": "seewhy.metrics.contrast:again",
    **dict.fromkeys(("head", "deletion", "disagreement", "stability", "completeness"), "seewhy.metrics.verdict.checking:RUNS"),
}


@dataclass(frozen=True)
class Check:
    """The outcome of one check on a map.

    name: of the check: "deletion".  status: "green" (held), "amber" (doubtful), "red" (failed), "grey" (it could not be found
        out), or "none" (it does not apply to this map); of both, `says` tells why.
    value: the measured number; low, high: its interval; control: what chance gives; each None where there is none.
    better: which values are better: "higher", "lower", or "" where neither is.
    says: the outcome in one plain sentence.  forwards: passes of the network that it took.
    settings: all that running it again needs beside the map, as JSON can say it: seed, samples, fill.
    Raises BadParameter for a status that there is not, a number that is none, an interval that is turned about, or no words.
    """

    name: str
    status: Status
    says: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    control: float | None = None
    better: Better = ""
    forwards: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        what = f"The check {quoted(self.name, 100)}"
        if not isinstance(self.name, str) or not self.name.strip():
            raise BadParameter(f"{what} has no name: give it one, as in name='deletion'.")
        for name, known in (("status", Status), ("better", Better)):
            if getattr(self, name) not in get_args(known):
                there = ", ".join(map(repr, get_args(known)))
                raise BadParameter(f"{what} has the {name} {quoted(getattr(self, name), 40)}; there are: {there}.")
        if not isinstance(self.says, str) or not self.says.strip():
            raise BadParameter(f"{what} says nothing: give its outcome, and why it is grey, as one sentence in says=.")
        for name in NUMBERS:
            number = getattr(self, name)
            if number is not None and not (isinstance(number, Real) and isfinite(number)):
                raise BadParameter(f"{what} has {name}={quoted(number, 40)}: give a number, or None where there is none.")
            object.__setattr__(self, name, number if number is None else float(number))  # of numpy's, of JSON's 1 for 1.0
        if self.low is not None and self.high is not None and self.low > self.high:
            raise BadParameter(f"{what} has an interval from {self.low:g} to {self.high:g}: low= is the lower end.")
        if not isinstance(self.forwards, Integral) or self.forwards < 0:
            raise BadParameter(f"{what} took {quoted(self.forwards, 40)} forwards: give a whole number from 0 on.")
        object.__setattr__(self, "forwards", int(self.forwards))
        if not isinstance(self.settings, Mapping):
            raise BadParameter(f"{what} has settings of {type(self.settings).__name__}: give a dict of names and values.")
        object.__setattr__(self, "settings", plain(self.settings))

    def __str__(self) -> str:
        """As in "deletion: red (0.41, 0.35 to 0.47; chance 0.4). Hiding ... ."."""
        numbers = ([] if self.value is None else [f"{self.value:.3g}"]) + (
            [] if self.low is None or self.high is None else [f"{self.low:.3g} to {self.high:.3g}"]
        )
        chance = [] if self.control is None else [f"chance {self.control:.3g}"]
        inside = "; ".join(filter(None, [", ".join(numbers), *chance]))
        return printable(f"{self.name}: {self.status}" + (f" ({inside})" if inside else "") + f". {self.says}")

    @property
    def facts(self) -> dict[str, Any]:
        """All of it under plain names, for an object of JSON."""
        return asdict(self)

    @classmethod
    def of(cls, facts: Any) -> "Check":
        """What `facts` gave, read again.  Raises ValueError, in words, for anything else."""
        if not isinstance(facts, Mapping):
            raise ValueError(f"a check is a {type(facts).__name__}, and no object")
        names = [each.name for each in fields(cls)]
        if {*facts} != {*names}:
            odd = sorted({*facts} ^ {*names})
            raise ValueError(f"a check has {', '.join(names)}; lacking or of no use: {printable(', '.join(odd), 200)}")
        return cls(**facts)


def runs_again(name: str, run: "RunCheck | str") -> None:
    """Have checks of this name run again by a function, as `seewhy verify` does with those of an evidence record.

    run: (model, image, heatmap, settings) -> Check; or where it is to be imported, as `RUNS_AGAIN` has it.  model: the model of
        the map; image: as it was given; heatmap: the map, made again; settings: those of the check.
    Raises BadParameter where another function has that name.
    """
    if RUNS_AGAIN.setdefault(name, run) != run:
        raise BadParameter(f"A check {quoted(name, 100)} is there already: give yours another name.")


def run_again(name: str, model: Any, image: Any, heatmap: "Heatmap", settings: Mapping[str, Any]) -> Check:
    """Run the check of that name once more.  Raises NoSuchName where nothing was registered under that name."""
    if name not in RUNS_AGAIN:
        known = sorted(RUNS_AGAIN)
        rest = f"There are: {', '.join(known) or 'none'}. One of your own is made known by seewhy.metrics.checks.runs_again."
        raise NoSuchName("check that can be run again is called", name, closest(name, known), rest)
    run = RUNS_AGAIN[name]
    if isinstance(run, str):
        module, _, function = run.partition(":")
        found = getattr(import_module(module), function)
        run = found[name] if isinstance(found, Mapping) else found
    return run(model, image, heatmap, settings)
