"""Where a heatmap came from: all that is needed to make it again, as text that a picture can carry."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isfinite
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from numpy import isnan
from numpy.typing import NDArray

from seewhy.json_text import as_json, json_of, plain, with_bytes
from seewhy.printable import in_percent, printable
from seewhy.targets.target import Labels, name_of
from seewhy.untrained import untrained, warned

if TYPE_CHECKING:
    from seewhy.remaking.remade import Remade

T = TypeVar("T")
MOST = 300  # characters of a caption


@dataclass(frozen=True)
class Predicted:
    """What the network took the image for."""

    index: int
    label: str | None
    probability: float

    @classmethod
    def of(cls, chances: NDArray[Any] | None, labels: Labels) -> "Predicted | None":
        """The likeliest of the classes, by their probabilities (k,); None where there are none, or they are no numbers."""
        if chances is None or isnan(chances).any():
            return None
        top = int(chances.argmax())
        return cls(top, name_of(labels, top), float(chances[top]))


@dataclass(frozen=True)
class Source:
    """Everything needed to make the map again, and to know what it says.

    Two are equal where all that another run has to share is: `seconds` and `host` are not compared.
    """

    image: str
    model: str
    weights: str | None  # the file or tag they came from, with the start of the file's SHA-256
    method: str
    params: Mapping[str, Any]
    layer: str
    target: str  # as it was asked: "top 1", "281", "281-vs-282"
    index: int | None  # of the class explained; None where it is no single class, or the map is class-blind
    label: str | None
    scores: str  # logits, log-probability or probability
    score: float | None  # the explained score
    probability: float | None  # softmax of the class explained
    predicted: Predicted | None  # what the network took the image for; None where only a part of it ran
    seconds: float | None = field(compare=False)  # per image, for all maps of the call; None of a saved map
    versions: Mapping[str, str]
    caveat: str = ""  # what is known against the method
    warnings: tuple[str, ...] = ()  # why this map is empty or suspect
    measured: Mapping[str, float] = field(default_factory=dict)  # by the method, about itself: a completeness gap
    layer_why: str = ""  # this layer was looked at, where nobody named one
    place: str = ""  # of what is explained, where it is no class of the whole image: "in the box (31, 59, 207, 302)"
    classes: tuple[int, ...] = ()  # the classes of a group, as AnyOf explains it
    written: Mapping[str, Any] = field(default_factory=dict)  # of a token: the text that it stands in, and which tokens
    geometry: str = "plain"  # how its cells are drawn: where they look in their "receptive-field", or evenly
    recipe: Mapping[str, Any] = field(default_factory=dict)  # `load(**recipe)` makes the model again; empty of one wrapped
    prepare: Mapping[str, Any] = field(default_factory=dict)  # every number of the preprocessing; empty of a prepared array
    tile: Mapping[str, Any] = field(default_factory=dict)  # of one explained by tiles: sides, overlap, what was `asked`
    weights_sha256: str = ""  # of the weights as they were in memory
    image_sha256: str = ""  # of the image's pixels, upright; of a prepared array its numbers, of a volume voxels and affine
    image_size: tuple[int, ...] = ()  # as `Heatmap.size`
    conditions: Mapping[str, Any] = field(default_factory=dict)  # precision, device, backend, settings that change the numbers
    host: Mapping[str, Any] = field(default_factory=dict, compare=False)  # machine, threads: the rounding at most
    values: Mapping[str, Any] = field(default_factory=dict)  # of the map: SHA-256, and numbers to hold another map against

    @property
    def caption(self) -> str:
        """What the map is, in a few words on one line: method, class, its probability where it has one, layer; also how much of
        the work was done, where it was stopped early.
        """
        spent, planned = (self.measured.get(key) or 0 for key in ("forwards", "planned_forwards"))
        random = untrained(self.weights)
        said = printable(self._caption, MOST) + (f", {random}" if random else "")
        return said + (f", {spent:.0f} of {planned:.0f} forwards" if spent < planned else "")

    @property
    def _caption(self) -> str:
        if self.score is None and self.index is None:  # no class plays a part in it
            return f"{self.method}{self.place and f' {self.place}'} at {layer_words(self.layer)}"
        what = self.label or (self.target if self.index is None else f"class {self.index}")
        what += f" ({self.index})" if self.label and self.index is not None else ""
        chance = "" if self.probability is None or not isfinite(self.probability) else f", {in_percent(self.probability)},"
        return f"{self.method} for {what}{self.place and f' {self.place}'}{chance} at {layer_words(self.layer)}"

    def __str__(self) -> str:
        return f"{self.caption} of {printable(self.model, MOST)} on {printable(self.image, MOST)}"

    def again(
        self, model: Any = None, image: Any = None, target: Any = None, trust: bool = False, **params: Any
    ) -> "Remade":  # fmt: skip
        """Make the map again from these facts, and say whether it is the same bit for bit, to rounding, or different and where.

        model: what `wrap` or `load` gave, of a network that was wrapped by hand; by default it is loaded by the recipe.
        image: by default the file of that name.  target: where it was a function, an array or a picture of your own.
        trust: run code that comes with the weights again.  params: of the method, those that were arrays or functions.
        Raises BadParameter where one of these is needed, BadImage where the file is not there.
        """
        from seewhy.remaking.remade import again  # here, for it stands on methods and models, and these on the Source

        return again(self, model, image, target, trust, params)

    def to_json(self) -> str:
        """As one JSON object in ASCII, as saved files carry it: without `seconds`, so that two equal runs write equal files.

        Numbers that JSON does not have become null (see `json_text.as_json`).
        """
        return as_json({name: value for name, value in self.facts.items() if name != "seconds"})

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)

    @property
    def comparable(self) -> dict[str, Any]:
        """All that another run of the same has to share, which `==` looks at, too: not the time that it took, nor the machine.

        As `from_json` gives it, so that the facts of a file and of a new map can be held against each other.
        """
        facts = type(self).from_json(self.to_json()).facts
        return {f.name: facts[f.name] for f in fields(self) if f.compare}

    @classmethod
    def from_json(cls, text: str) -> "Source":
        """What `to_json` wrote.  Raises ValueError, in words, for anything else."""
        content = json_of(text)
        if not isinstance(content, dict):
            raise ValueError(f"it is a {type(content).__name__}, and no object")
        kinds = {f.name: f for f in fields(cls)}
        facts = {"seconds": None, **{key: _tuples(value) for key, value in with_bytes(content).items() if key in kinds}}
        if predicted := facts.get("predicted"):
            facts["predicted"] = made_from(Predicted, predicted)
        if isinstance(measured := facts.get("measured"), dict):  # of which JSON does not know NaN
            facts["measured"] = {key: float("nan") if value is None else value for key, value in measured.items()}
        return made_from(cls, facts)


@dataclass(frozen=True)
class ModelFacts:
    """What a Source says of the model, as it comes back from a file: a new Source and one of a file are equal."""

    name: str
    weights: str | None
    versions: Mapping[str, str]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    untrained: str = ""  # the weights that nobody trained, in words

    @classmethod
    def of(cls, model: Any) -> "ModelFacts":
        origin, sha256 = model.origin, model.weights_sha256()
        weights = origin.weights_now(model.weights, sha256)
        return cls(
            model.name,
            weights,
            dict(model.versions()),
            stored(origin.recipe),
            sha256,
            stored({**model.conditions(), **({"trusted": True} if origin.trusted else {})}),
            stored(model.host()),
            model.untrained if weights == model.weights else "",
        )


@dataclass(frozen=True)
class ImageFacts:
    """What a Source says of the image, and of what was done to it before the network saw it."""

    sha256: str = ""
    size: tuple[int, ...] = ()
    prepare: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of what read it


@dataclass(frozen=True)
class MethodFacts:
    """What a Source says of the method."""

    name: str
    params: Mapping[str, Any]
    caveat: str
    versions: Mapping[str, str] = field(default_factory=dict)  # of what its formula needs beside


@dataclass(frozen=True)
class TargetFacts:
    """What a Source says of the target; all that concerns a class stays None where the map looks at no class."""

    target: str
    scores: str
    place: str = ""
    index: int | None = None
    label: str | None = None
    score: float | None = None
    probability: float | None = None
    classes: tuple[int, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def without_class(self) -> "TargetFacts":
        """The same target, for a map on which no class has any influence."""
        return TargetFacts(self.target, self.scores, self.place)


@dataclass(frozen=True)
class MapFacts:
    """What a Source says of this map alone."""

    image: str
    layer: str
    seconds: float
    geometry: str
    layer_why: str = ""
    warnings: tuple[str, ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)
    read: ImageFacts = ImageFacts()
    together: int = 1  # images that shared the pass


def source_from(
    *, model: ModelFacts, method: MethodFacts, target: TargetFacts, predicted: Predicted | None, this: MapFacts
) -> Source:
    """The Source of a new map, put together from what its model, its method, its target and the map itself have to say."""
    return Source(
        image=this.image,
        model=model.name,
        weights=model.weights,
        method=method.name,
        params=method.params,
        layer=this.layer,
        target=target.target,
        index=target.index,
        label=target.label,
        scores=target.scores,
        score=target.score,
        probability=target.probability,
        predicted=predicted,
        seconds=this.seconds,
        versions={**model.versions, **method.versions, **this.read.versions},
        caveat=method.caveat,
        warnings=(*warned(model.untrained), *this.warnings),
        measured=this.measured,
        layer_why=this.layer_why,
        place=target.place,
        classes=target.classes,
        written=stored(target.written),
        geometry=this.geometry,
        recipe=model.recipe,
        prepare=this.read.prepare,
        weights_sha256=model.weights_sha256,
        image_sha256=this.read.sha256,
        image_size=this.read.size,
        conditions=model.conditions,
        host={**model.host, "images_together": this.together},
    )


def layer_words(layer: str) -> str:
    """A layer in words; "layer 3" of one that has a number for a name."""
    return f"layer {layer}" if layer.isdecimal() else layer


def made_from(kind: type[T], facts: Any) -> T:
    """The dataclass of these facts, each of the kind that its field is."""
    if not isinstance(facts, Mapping):
        raise ValueError(f"{kind.__name__} is a {type(facts).__name__}, and no object")
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name in facts and not _fits(facts[f.name], f.type):
            raise ValueError(f"its {f.name!r} is a {type(facts[f.name]).__name__}")
        if f.name not in facts and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"it lacks {f.name!r}")
    whole = {f.name: _floats(facts[f.name]) for f in fields(kind) if f.name in facts and "float" in str(f.type)}  # type: ignore[arg-type]
    return kind(**{**facts, **whole})


def _floats(value: Any) -> Any:
    """Numbers that JSON has as whole ones, as canonical JSON does of 7.0, as they were."""
    if isinstance(value, Mapping):
        return {key: _floats(inner) for key, inner in value.items()}
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        raise ValueError("it has a number that is too large") from None


def _fits(value: Any, kind: Any) -> bool:
    """Is the value of that kind: a class, a union of classes, or a Mapping or a tuple of them?"""
    if kind is Any:
        return True
    if isinstance(kind, UnionType):
        return any(_fits(value, member) for member in get_args(kind))
    container = get_origin(kind) or kind
    if container is tuple:
        return isinstance(value, tuple) and all(_fits(item, get_args(kind)[0]) for item in value)
    if container is Mapping:
        return isinstance(value, Mapping) and all(_fits(item, get_args(kind)[1]) for item in value.values())
    if isinstance(value, bool):
        return container is bool
    return isinstance(value, int | float if container is float else container)


def stored(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts as they come back from a file, so that a new Source and a stored one can be equal."""
    return _tuples(plain(facts))


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
