"""A metric is a function with a name, as a method is: call it, list it, give it other parameters.

    @metric(better="lower", forwards="{steps}")
    def deletion(subject, values, *, steps=28, fill="blur"):
        '''The area under the probability while the map's highest places are hidden.  ...'''

is a complete metric: its entry in METRICS and on the command line, and its place in `measure`, follow from that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Any, Concatenate, Generic, Literal, ParamSpec

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import no_such
from seewhy.errors import BadParameter, NoSuchName, NotApplicable, closest
from seewhy.explaining.recipe import Parameter
from seewhy.images.inputs import Images
from seewhy.maps.heatmap import Heatmap
from seewhy.methods.making.parameters import fits, in_help, in_words, parameters_of, split
from seewhy.models.model import Model
from seewhy.printable import quoted
from seewhy.targets.parse import Targets

from .subject import Map, Subject, subjects

METRICS: "dict[str, Metric[...]]" = {}  # every metric by its name: deletion, insertion, average-drop, ...
Terms = ParamSpec("Terms")  # the parameters of a metric's own, all of them given by name
BetterWhen = Literal["lower", "higher", "neither"]
Takes = Literal["map", "shares", "heatmap"]
Measuring = Callable[..., float]  # (Subject, values (*space) or Heatmap, **parameters)


class SignatureOfMetric:
    """The signature of each metric, for help and notebooks."""

    def __get__(self, metric: "Metric[...] | None", _owner: type) -> Signature | None:
        if metric is None:
            return None
        common = [p for p in signature(Metric.__call__).parameters.values() if p.name not in ("self", "args", "params")]
        own = [Argument(key, Argument.KEYWORD_ONLY, default=value, annotation=metric.parameters[key].kind)
               for key, value in metric.settings.items()]  # fmt: skip
        return Signature([*common, *own], return_annotation=NDArray[np.float64])


@dataclass(frozen=True, eq=False)
class Metric(Generic[Terms]):
    """A named way to measure a map on its image.  `help(seewhy.metrics.deletion)` tells what it computes, where it comes from,
    what is known against it, and every parameter.

    better: which values are better.  takes: what it reads of a map: "map", its values on the image's grid; "shares", what
    it says that each place adds to the score; "heatmap", the question, too, which it asks again.
    share: where probabilities are read it is a share of the score or of the image, and is printed in per cent; of those that
    subtract curves it may be below 0.
    """

    name: str
    run: Measuring = field(repr=False)
    better: BetterWhen
    parameters: Mapping[str, Parameter] = field(default_factory=dict, repr=False)
    takes: Takes = field(default="map", repr=False)
    doc: str = field(default="", repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    forwards: str = field(default="none", repr=False)  # of one map, in words, with the names of settings in braces
    share: bool = field(default=False, repr=False)

    def __call__(
        self, model: Model, images: Images, heatmaps: Iterable[Map], target: Targets | None = None, seed: int = 0,
        fast: bool = False,
        *args: Terms.args, **params: Terms.kwargs,
    ) -> NDArray[np.float64]:  # fmt: skip
        """The metric of each map: (n,), in their order; NaN where it is not defined.

        model: what `seewhy.wrap` or `seewhy.load` gave.
        images: those that were explained, as methods take them.
        heatmaps: what methods gave for them; or an array for each image, over all that the network sees of it.
        target: by what all maps are measured; None: each by what it explains, an array by the top class.
        seed: of the order of places of equal value, and of all that is drawn.
        fast: ask a copy of the network with channels last and BatchNorm folded, where that leaves scores to rounding.

        Its own parameters are given by name.

        Raises BadParameter for what it does not take, or where maps and images do not belong together, NotApplicable where it
        cannot be told of a map.
        """
        chosen, maps = self.using(*args, **params), list(heatmaps)
        values = np.full(len(maps), np.nan)
        for subject, which in subjects(model, images, maps, target, seed, fast):
            for number in which:
                values[number] = chosen.of(subject, maps[number])
        return values

    def of(self, subject: Subject, shown: Map) -> float:
        """The metric of one map on its subject; NaN where it is not defined."""
        if self.takes == "heatmap":
            if not isinstance(shown, Heatmap):
                raise NotApplicable(f"{self.name} asks the method again, and an array has none: give the Heatmaps.")
            return float(self.run(subject, shown, **self.settings))
        values = subject.shares(shown) if self.takes == "shares" else subject.on_grid(shown)
        return float(self.run(subject, values, **self.settings))

    def using(self, *args: Terms.args, **params: Terms.kwargs) -> "Metric[Terms]":
        """The same metric with other parameters: `deletion.using(fill="zero")`."""
        if args:
            raise BadParameter(
                f"{self.name}: give its own parameters by name, as in {', '.join(self.parameters) or 'none'}=..."
            )
        for name, value in params.items():
            if name not in self.parameters:
                takes = ", ".join(f"{key}={p.default!r}" for key, p in self.parameters.items()) or "no parameters"
                raise no_such(self.name, name, value, self.parameters, takes=takes)
            _, kind, meaning = self.parameters[name]
            if not fits(value, kind):
                raise BadParameter(f"{self.name}: {name} is {in_words(kind)}, not {quoted(value)}. {name}: {meaning}")
        return replace(self, params={**self.params, **params})

    __signature__ = SignatureOfMetric()

    @property
    def settings(self) -> dict[str, Any]:
        """Every parameter, given or by default."""
        return {**{name: p.default for name, p in self.parameters.items()}, **self.params}

    @property
    def title(self) -> str:
        """Its name with the parameters that were given: deletion(fill=zero)."""
        usual = {name: p.default for name, p in self.parameters.items()}
        own = [f"{name}={value}" for name, value in self.params.items() if repr(value) != repr(usual[name])]
        return f"{self.name}({', '.join(own)})" if own else self.name

    @property
    def formula(self) -> str:
        """What it computes, in a sentence."""
        return " ".join(self.doc.split("\n\n")[0].split())

    @property
    def source(self) -> str:
        """The paper that it comes from."""
        return self._said("Source:")

    @property
    def weakness(self) -> str:
        """What is known against it."""
        return self._said("Weakness:")

    @property
    def cost(self) -> str:
        """How many forwards one map takes, in words."""
        return self.forwards.format(**self.settings)

    def _said(self, key: str) -> str:
        parts = [" ".join(part.split()) for part in self.doc.split("\n\n")]
        return next((part.removeprefix(key).strip() for part in parts if part.startswith(key)), "")

    def __post_init__(self) -> None:
        own = {name: p._replace(default=self.settings[name]) for name, p in self.parameters.items()}
        said = f"{self.doc}\n\nBetter: {self.better}.  Forwards of one map: {self.cost}.\n\n"
        object.__setattr__(self, "__doc__", said + (f"Parameters:\n{in_help(own)}" if own else "It takes no parameters."))

    def __reduce__(self) -> Any:  # pickled by name, without the code
        return metric_named, (self.name, dict(self.params))


def metric(
    *, better: BetterWhen, forwards: str, takes: Takes = "map", share: bool = False
) -> Callable[[Callable[Concatenate[Subject, Any, Terms], float]], Metric[Terms]]:
    """A metric: decorate (subject, values, *, ...) -> float.  The name follows from the function's, `_` becomes `-`; what it
    computes, `Source:` and `Weakness:` from its docstring, an own line for each parameter.
    """

    def decorate(function: Callable[Concatenate[Subject, Any, Terms], float]) -> Metric[Terms]:
        parameters = parameters_of(function)
        doc, _ = split(function.__doc__ or "", parameters)
        name = function.__name__.strip("_").replace("_", "-")
        made: Metric[Terms] = Metric(name, function, better, parameters, takes, doc, {}, forwards, share)
        METRICS[name] = made
        return made

    return decorate


def metric_named(name: "str | Metric[...]", params: Mapping[str, Any] | None = None) -> Metric[...]:
    """The metric of that name (average-drop or average_drop), with these parameters."""
    if isinstance(name, Metric):
        return name.using(**(params or {}))
    key = str(name).strip().lower().replace("_", "-")
    if key not in METRICS:
        raise NoSuchName("metric", name, closest(key, [*METRICS]), f"All: {', '.join(METRICS)}.")
    return METRICS[key].using(**(params or {}))
