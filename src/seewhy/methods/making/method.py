"""A method is a function with a name: call it, pass it, print it, send it to a worker.

    @from_gradients()
    def grad_cam(a, g):
        '''relu(sum_c mean(g) a).  Source: Selvaraju et al. 2017, eq. 1-2.'''
        return weighted_sum(mean(g), a)

is a complete method: its entry in the registry, on the command line and in the tests of all methods follow from that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Any, Generic, TypeVar

from seewhy.arguments import HOMES, at_home, known_names, no_such
from seewhy.errors import SEEDS, BadParameter, NoSuchName, closest
from seewhy.explaining.ask import LayerNames, OnError, TileSides, ask
from seewhy.explaining.recipe import READINGS, Parameter, Recipe, Run
from seewhy.images.inputs import Images
from seewhy.maps.heatmaps import Heatmaps
from seewhy.models.model import Model
from seewhy.printable import quoted
from seewhy.targets.parse import Targets
from seewhy.targets.target import PerImage, Top

from .conditions import Advice, Advising, Conditions, Forwards, Obstacle, once, stated
from .parameters import P, Signed, fits, in_help, in_words, parameters_of, split
from .segments import by_image

METHODS: "dict[str, Method[Any]]" = {}  # every method by its name: grad-cam, layer-cam, ...
Own = TypeVar("Own", covariant=True)  # a function that takes the parameters of a method's own
Make = TypeVar("Make", bound="Callable[..., Method[Any]]")

LONGEST, DEEPEST = 1000, 16  # characters of a method's name; how deep makers are nested in it


class SignatureOf:
    """The signature of each method, for help and notebooks; of the class, the usual one."""

    def __get__(self, method: "Method[Any] | None", _owner: type) -> Signature | None:
        if method is None:
            return None
        common = [p for p in signature(Method.__call__).parameters.values() if p.name not in ("self", "args", "params")]
        own = [Argument(key, Argument.KEYWORD_ONLY, default=value, annotation=method.parameters[key].kind)
               for key, value in method.settings.items()]  # fmt: skip
        return Signature([*common, *own], return_annotation=Heatmaps)


@dataclass(frozen=True, eq=False)
class Method(Recipe, Generic[Own]):
    """A named way to explain.  Call it: `grad_cam(model, images, target=Top(), layer=None, signed=True) -> Heatmaps`.

    `help(seewhy.grad_cam)` tells what it computes, where it comes from, what is known against it, and every parameter.
    """

    needs: tuple[str, ...] = field(default=(), repr=False)  # of the network, beyond what it reads: keys of Conditions.refused
    counted: Forwards = field(default=once, repr=False)  # how many forwards one map takes, by settings and conditions
    obstacle: Obstacle | None = field(default=None, repr=False)  # why it may be unable to run, whatever the network
    advising: Advising | None = field(default=None, repr=False)  # when a person should begin with it, and why

    def __call__(
        self: "Method[Callable[P, Any]]", model: Model, images: Images, target: Targets = Top(), layer: LayerNames = None,
        tile: TileSides = None, overlap: TileSides = None, on_error: OnError = "raise", *args: P.args, **params: P.kwargs,
    ) -> Heatmaps:  # fmt: skip
        """The heatmaps of the images, in the order image, target, layer.

        model: what `seewhy.wrap` or `seewhy.load` gave.
        images: a path, a PIL image, a uint8 array (h, w, 3) or (h, w), a list of these, or a prepared float batch
        (n, c, h, w); a Volume or a Clip.
        target: what is explained: a class index, a label, a Target, or a list of these; Top() is the class each image is
        taken for.
        layer: a name (name#1 reads the first call of a reused module), a list of names, or None for the last layer that
        still has space.  Methods that read the image's own pixels, or all of the attention, take none.
        tile: the side of a tile in pixels, or (h, w); a larger image is explained by such overlapping tiles, which are
        joined to one map.  None: as a whole.
        overlap: how many pixels neighbouring tiles share at least; None: half of what the network sees of a tile.
        on_error: "raise" ends at the first image of which no map can be made; "skip" leaves such images out, and tells them
        in `Heatmaps.failed`.

        Its own parameters are given by name, as `help(seewhy.grad_cam)` explains them.

        Raises Misuse where the question cannot be asked so, BadImage where a picture cannot be read; `partial` of the error
        has the maps made before.
        """
        return ask(model, images, [self.using(*args, **params)], target, layer, tile, overlap, on_error)

    def using(self: "Method[Callable[P, Any]]", *args: P.args, **params: P.kwargs) -> "Method[Callable[P, Any]]":
        """The same method with other parameters: `grad_cam.using(signed=True)`."""
        if args:
            raise BadParameter(f"{self.name}: give its own parameters by name, as in {', '.join(self.defaults) or 'none'}=...")
        given = {name: by_image(value) if name == "segments" else value for name, value in params.items()}
        for name, value in given.items():
            if name not in self.parameters:
                takes = ", ".join(f"{k}={v!r}" for k, v in self.defaults.items()) or "no parameters"
                raise no_such(self.name, name, value, self.defaults, takes=takes)
            if not _within(value):
                raise BadParameter(f"{self.name}: {name}={quoted(value)} is beyond all bounds.")
            _, kind, meaning = self.parameters[name]
            if not all(fits(each, kind) for each in (value.targets if isinstance(value, PerImage) else [value])):
                means = f" {name}: {' '.join(meaning.split())}" if meaning else ""
                raise BadParameter(f"{self.name}: {name} is {in_words(kind)}, not {quoted(value)}.{means}")
        return replace(self, params={**self.params, **given})

    __signature__ = SignatureOf()

    @property
    def requires(self) -> tuple[str, ...]:
        """What the method has to read from a network, as keys of Conditions.refused."""
        return tuple(dict.fromkeys(("scores", *READINGS[self.reads].needs, *self.needs)))

    def forwards(self, conditions: Conditions) -> int | None:
        """How many forwards one map takes; None where that depends.

        Of a method that asks for the scores of variants, these alone, as `budget` counts them: what the untouched image gives
        comes to it, and a few passes that prepare or check a short cut.  Of others, all images that enter the network.
        """
        return self.counted(self.settings, conditions)

    def hindered(self, conditions: Conditions) -> str:
        """Why the method cannot run under these conditions; "" where it can."""
        why = next((conditions.refused[need] for need in self.requires if need in conditions.refused), "")
        return why or ("" if self.obstacle is None else self.obstacle(self.settings, conditions))

    def advice(self, conditions: Conditions) -> Advice | None:
        """What speaks for beginning with it there; None where nothing does, or where it cannot run."""
        return None if self.advising is None or self.hindered(conditions) else self.advising(self.settings, conditions)

    def __post_init__(self) -> None:
        if len(self.name) > LONGEST:
            raise BadParameter(f"The method {quoted(self.name, 60)} is made of too many others.")
        own = {name: p._replace(default=self.settings[name]) for name, p in self.parameters.items()}
        said = f"{self.doc}\n\nCosts {self.cost}.\n\nParameters:\n{in_help({**_CALL, **own})}\n\n{_RAISES}"
        object.__setattr__(self, "__doc__", said)

    @property
    def formula(self) -> str:
        return self._part(0)

    @property
    def source(self) -> str:
        """The paper that the method comes from."""
        return self._said("Source:")

    def _part(self, i: int) -> str:
        return " ".join(self.doc.split("\n\n")[i].split())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and (self.name, self.described) == (other.name, other.described)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:  # pickled by name, without the code
        by_name = self.name in METHODS or self.name.partition("(")[0] in MAKERS
        return (lookup, (self.name, dict(self.params))) if by_name else super().__reduce__()


_NAMES = [name for name in signature(Method.__call__).parameters if name not in ("self", "args", "params")]
_REST, _MEANINGS = split(Method.__call__.__doc__ or "", _NAMES)
_CALL = {name: Parameter(signature(Method.__call__).parameters[name].default, Any, _MEANINGS.get(name, "")) for name in _NAMES}
_RAISES = _REST.rpartition("\n\n")[2]


def _within(value: Any, depth: int = 8) -> bool:
    """Can the value be written down: numbers of bounded size, lists of bounded depth?"""
    if isinstance(value, list | tuple):
        return depth > 0 and all(_within(item, depth - 1) for item in value)
    return not isinstance(value, int) or abs(value) <= SEEDS


def lookup(name: "str | Method[Any]", params: Mapping[str, Any] | None = None) -> Method[Any]:
    """The method of that name (grad-cam or grad_cam), or made of others as in "smooth(grad-cam)", with these parameters."""
    if isinstance(name, Method):
        return name.using(**(params or {}))
    key = str(name).strip().lower().replace("_", "-")
    if len(key) > LONGEST or key.count("(") > DEEPEST:
        raise BadParameter(f"The method {quoted(key, 60)} is made of too many; {DEEPEST} around each other are the most.")
    if "(" in key:
        return _made(key).using(**(params or {}))
    if key not in METHODS:
        made = f" Or one made of others: {', '.join(f'{maker}(...)' for maker in MAKERS)}."
        raise NoSuchName("method", name, closest(key, [*METHODS]), f"All: {', '.join(METHODS)}.{made}")
    return METHODS[key].using(**(params or {}))


def _made(text: str) -> Method[Any]:
    """The method of a name such as product(guided-backprop, smooth(grad-cam)): a maker with its methods in brackets."""
    maker, _, rest = text.partition("(")
    parts, depth = [""], 0
    for letter in rest.removesuffix(")"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    shapes = {name: f"{name}({', '.join(['METHOD'] * len(signature(make).parameters))})" for name, make in MAKERS.items()}
    if not rest.endswith(")") or depth:
        raise BadParameter(f"{quoted(text)}: a bracket is missing. Methods are made of others by {', '.join(shapes.values())}.")
    if maker.strip() not in MAKERS:
        near = [shapes[name] for name in closest(maker.strip(), [*MAKERS])]
        raise NoSuchName("method", text, near, f"Methods are made of others by {', '.join(shapes.values())}.")
    if len(parts) != len(signature(MAKERS[maker.strip()]).parameters):
        raise BadParameter(f"{quoted(text)}: write {shapes[maker.strip()]}.")
    return MAKERS[maker.strip()](*(lookup(part) for part in parts))


MAKERS: dict[str, Callable[..., Method[Any]]] = {}  # makers, which turn methods into a method: smooth, product, augment


def maker(make: Make) -> Make:
    """Register a maker, so that its methods can be looked up and pickled by name: "smooth(grad-cam)"."""
    MAKERS[make.__name__] = make
    return make


def listed(method: Method[Own]) -> Method[Own]:
    """Register a method by its name, for `lookup`, the command line and pickles."""
    METHODS[method.name] = method
    return method


def advised(advising: Advising) -> Callable[[Method[Own]], Method[Own]]:
    """Let the doctor advise a method: decorate the method itself."""
    return lambda method: listed(replace(method, advising=advising))


def method_of(
    function: Callable[..., Any], run: Run, reads: str, rectified: bool = False, passes: str = "",
    counted: Forwards | None = None, **more: Any,
) -> Method[Any]:  # fmt: skip
    """The method that `run` carries out: named after `function`, with its keyword-only arguments as parameters.

    Raises BadParameter where nothing tells how many forwards it takes: neither `counted` nor plain words in `passes`.
    """
    parameters = parameters_of(function)
    if rectified:
        parameters = {**parameters_of(Signed.__call__), **parameters}
    doc, _ = split(function.__doc__ or "", parameters)
    name, defaults = function.__name__.strip("_").replace("_", "-"), {key: p.default for key, p in parameters.items()}
    counted = counted or stated(name, passes, defaults, READINGS[reads].asks)
    return listed(Method(name, run, parameters, reads, rectified, doc, passes=passes, counted=counted, **more))


def _of_methods(name: str, value: str, asked: Any) -> str:
    """How a parameter of methods is given: to one of those asked for, where one takes it."""
    several = [asked] if isinstance(asked, str | Method) else asked if isinstance(asked, list | tuple) else []
    chosen = [lookup(each) for each in several if isinstance(each, Method) or str(each).replace("_", "-") in METHODS]
    method = next((each for each in (*chosen, METHODS["grad-cam"], *METHODS.values()) if name in each.parameters), None)
    return "" if method is None else f"{method.name.replace('-', '_')}.using({name}={value})"


HOMES.append(_of_methods)
at_home(_NAMES[2:], "grad_cam(model, images, {})")
at_home(["methods"], "explain(model, images, {})")


@known_names("methods")
def explain(
    model: Model,
    images: Images,
    methods: Sequence[str | Method[Any]] | str | Method[Any] = ("grad-cam",),
    target: Targets = Top(),
    layer: LayerNames = None,
    tile: TileSides = None,
    overlap: TileSides = None,
    on_error: OnError = "raise",
) -> Heatmaps:
    """Several methods on one question; those that read the same evidence share one trace.

    methods: names or methods, with parameters as in `grad_cam.using(signed=True)`; the rest as for a method.
    tile, overlap: pixels; a larger image is explained by such overlapping tiles, which are joined to one map (docs/tiles.md).
    on_error: "raise" ends at the first image of which no map can be made (it cannot be read, what is asked for is not in it,
        memory runs out), with an error whose `partial` has the maps made before; "skip" leaves such images out: the others
        keep their `place`, and `failed` of the result tells which, and why.  Where a method or a target is refused, as it
        cannot be asked of this model, the others are explained first: "raise" then raises, and `partial` has all their maps;
        "skip" returns them, and `refused` tells which, and why.  What is wrong with the whole question is always raised.
    Returns heatmaps in the order image, target, layer, method.
    """
    several = [methods] if isinstance(methods, str | Method) else methods
    if isinstance(several, Mapping) or not isinstance(several, Iterable):
        number = isinstance(methods, int) and not isinstance(methods, bool)
        advice = f"A class is explained by target={methods}." if number else "They are names, or methods as grad_cam.using()."
        raise BadParameter(f"explain: methods={quoted(methods)} are none. {advice}")
    return ask(model, images, [lookup(each) for each in several], target, layer, tile, overlap, on_error)
