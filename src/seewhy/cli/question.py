"""What is asked of one model about each photo of a run, and what it answers: the maps, before anything is made of them.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .truth import KnownPhoto, TruthAsked

if TYPE_CHECKING:
    from seewhy.errors import SeewhyError
    from seewhy.maps.heatmap import Heatmap
    from seewhy.maps.heatmaps import Refused
    from seewhy.remaking.checks import Check


class Question(NamedTuple):
    """What is asked about each photo."""

    model: Any
    methods: list[Any]
    targets: list[Any]
    layers: list[str] | None
    tile: int | None
    overlap: int | None
    truth: TruthAsked
    check: bool = False  # do contrasts hold?


class PhotoMaps(NamedTuple):
    """What was found out of one photo, before anything is written."""

    name: str
    predicted: Any
    maps: "list[Heatmap]"
    failure: "SeewhyError | None"  # the error that ended it early, where a part was done before
    known: KnownPhoto
    refused: "tuple[Refused, ...]" = ()  # methods and targets that cannot be asked of the model
    checks: "Sequence[Check | None]" = ()  # of each map, whether its contrast holds; empty where nobody asked

    @property
    def image(self) -> Any:
        """What the maps lie over."""
        return self.maps[0].image

    @property
    def chosen_layers(self) -> dict[str, str]:
        """The layers that seewhy chose, each with the reason."""
        return {heatmap.source.layer: heatmap.source.layer_why for heatmap in self.maps if heatmap.source.layer_why}


def explain_photo(question: Question, file: str, photo: Any) -> PhotoMaps:
    """Explain one photo; where its answer is wrong, also for the truth."""
    from seewhy.errors import NotFinite
    from seewhy.images.photo import Underlay

    model, truth = question.model, question.truth
    image = photo.pixels if isinstance(photo, Underlay) else photo
    maps, failure, refused = _maps(question, image, truth.targets(file, question.targets))
    if failure is not None and not maps:
        raise failure
    predicted = maps[0].source.predicted
    if predicted is None and not maps[0].source.written:  # a network that writes takes a photo for nothing
        try:
            predicted = predict(model, image)
        except NotFinite as error:  # the maps of methods that are blind to the class stay
            failure = failure or error
    known = truth.judge(file, predicted, lambda classes: None if question.tile else rank(model, image, classes))
    if failure is None and (classes := truth.further(known)):
        more, failure, _ = _maps(question, image, classes)
        maps += more
    checks = [_check(model, image, heatmap) for heatmap in maps] if question.check else []
    return PhotoMaps(photo.name, predicted, maps, failure, known, refused, checks)


def _check(model: Any, image: Any, heatmap: "Heatmap") -> "Check | None":
    """Whether a map's contrast holds, or why that cannot be found out; None of a map of anything else."""
    from seewhy.errors import Misuse
    from seewhy.metrics.contrast import NAME, contrast_check, contrast_of_map
    from seewhy.remaking.checks import Check

    if contrast_of_map(heatmap, model.labels) is None:
        return None
    try:
        return contrast_check(model, image, heatmap)
    except Misuse as error:  # such as of a map that was joined from tiles
        return Check(NAME, "grey", str(error))


def _maps(
    question: Question, image: Any, targets: Sequence[Any]
) -> "tuple[list[Heatmap], SeewhyError | None, tuple[Refused, ...]]":
    """The maps of one image for some targets, the error that ended them early, and what was refused."""
    from seewhy.api import explain
    from seewhy.errors import SeewhyError

    model, methods, _, layers, tile, overlap, *_ = question
    try:
        return [*explain(model, image, methods, targets, layers, tile, overlap)], None, ()
    except SeewhyError as error:
        refused = getattr(error.partial, "refused", ())
        return [*(error.partial or ())], None if refused else error, refused


def predict(model: Any, photo: Any) -> Any:
    """What the model takes a photo for; None where it knows no classes of the whole image.  Raises NotFinite."""
    from numpy import isnan

    from seewhy.errors import InSpace
    from seewhy.explaining.not_finite import not_finite
    from seewhy.maps.source import Predicted

    (batch,) = model.batches(photo)
    try:
        probabilities = model.answer(batch.x).probabilities
    except InSpace:
        return None
    if probabilities is not None and isnan(probabilities[0]).any():
        raise not_finite(model, batch.x)
    return None if probabilities is None else Predicted.of(probabilities[0], model.labels)  # None of a regression, or units


def rank(model: Any, photo: Any, classes: Sequence[int]) -> int:
    """The rank of the likeliest of some classes, none of which is the answer: 2 where it is the runner-up."""
    from seewhy.arrays import numbers
    from seewhy.errors import NoSuchName

    (batch,) = model.batches(photo)
    scores = numbers(model.answer(batch.x).scores)[0]
    if beyond := [index for index in classes if index >= len(scores)]:
        raise NoSuchName("class", beyond[0], [], f"The model's classes are 0 to {len(scores) - 1}, which --truth goes beyond.")
    return max(2, 1 + int((scores > scores[[*classes]].max()).sum()))


def configured(names: tuple[str, ...], settings: dict[str, Any], budget: str | None = None) -> list[Any]:
    """The methods, each with those of the settings that it takes; one that none of them takes is misuse.

    budget: of those that take one.
    """
    from seewhy.methods.making.method import lookup

    methods = [lookup(name) for name in names]
    taken = {key for method in methods for key in method.defaults}
    settings = {**settings, **({"budget": budget} if budget and "budget" in taken else {})}
    stray = {key: value for key, value in settings.items() if key not in taken}
    return [m.using(**stray, **{k: v for k, v in settings.items() if k in m.defaults}) for m in methods]
