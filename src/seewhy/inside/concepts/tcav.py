"""TCAV: does a class's score change along the direction of a concept that a person shows by examples?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.holm import holm
from seewhy.images.inputs import Images
from seewhy.maps.source import ModelFacts
from seewhy.models.model import Differentiable, require
from seewhy.printable import in_percent, printable, quoted
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Target
from seewhy.truth.accuracy import Portion

from .concept_vector import ConceptVector
from .tcav_chance import RandomConcepts, chance_concepts, drawn
from .tcav_classifiers import Runs, Separations, separations, slopes, told_unseen
from .tcav_explained import explained
from .tcav_outcome import LEVEL, ConceptScore, Tcav
from .tcav_reading import Examples, examples_of, inner, slopes_of

LEAST, FEW, MOST = 4, 20, 100  # examples: of fewer nothing is learned; fewer than are usual; as many are used
OVERLAP = 4  # random concepts overlap where the random examples are fewer than so many times theirs


class ConceptSet(NamedTuple):
    """A concept's examples, and the random ones that it is held against, by their places among all."""

    name: str
    own: NDArray[np.intp]
    pool: NDArray[np.intp]
    warnings: tuple[str, ...]


@known_names()
def tcav(
    model: Differentiable, concepts: Mapping[str, Images], photos: Images, target: int | str | Target,
    layers: str | Sequence[str] | None = None, random: Images | None = None, *, runs: int = 10, random_concepts: int = 399,
    flatten: bool = False, ridge: float = 0.1, seed: int = 0,
) -> Tcav:  # fmt: skip
    """Test with concept activation vectors: which concepts, shown by examples, a class's score rises or falls with.

    concepts: a name -> its examples, some 30 to 100: a folder, or any set of images as `explain_dataset` takes it.
    photos: of which the score is explained, usually photos of the class.  target: one class, label or Target.
    layers: a name or several; by default the last that still has space.  random: examples of anything else, best hundreds of
    the same kind of photo; None: each concept is held against the examples of the others (relative vectors).
    runs: how many sets of random examples each concept is held against.  random_concepts: concepts of random examples, by which
    significance is told; p is 2 / (random_concepts + 1) at least.
    flatten: a vector has a number for each channel at each place, as in the paper; by default one for each channel: where in a
    photo a concept is then plays no part, a few examples are enough for large maps, and maps can be drawn of any photo.
    ridge: the classifier is ridge regression on +1 and -1 with an intercept; this is its penalty, in mean squared distances of
    the examples from their mean.  seed: of all that is drawn.

    The order of concepts, examples and photos plays no part.  Raises BadParameter where there are too few examples,
    NotApplicable where the score does not rest on a layer, NeedsGradients for a model of scores alone, KeyboardInterrupt where
    a person ends it before anything is done (`Tcav.interrupted` otherwise).
    Source: Kim et al. 2018, Interpretability beyond feature attribution: quantitative testing with concept activation vectors.
    The test is not the paper's, which takes runs for draws of a concept (see `RandomConcepts.p`).
    """
    require(model, "gradients", "tcav reads how a score changes with a layer", "It needs a network.")
    settings = _settings(runs, random_concepts, flatten, ridge, seed)
    given = _concepts(concepts, random)
    wanted: list[str | None] = [None] if layers is None else [layers] if isinstance(layers, str) else [*layers]
    if not wanted:
        raise BadParameter("The list of layers is empty. Give a name, a list of names, or None for the default.")
    answering, asked, words = explained(model, target, "tcav")
    with model.unchanged():
        read, names, flat = dict[str, Examples](), list[str](), settings["flatten"]
        for name, images in given.items():
            read[name], names = examples_of(model, images, names or wanted, flat, f"examples of {printable(name, 60)}")
        others = examples_of(model, random, names, flat, "random examples")[0] if random is not None else None
        sets = _drawn(read, others)
        every = [*read.values(), *([others] if others else [])]
        at = {layer: np.concatenate([each.at[layer] for each in every]) for layer in names}
        photo = slopes_of(answering, photos, asked, names, flat, at)
        facts = ModelFacts.of(model)
    found, vectors, stopped = list[ConceptScore](), dict[tuple[str, str], ConceptVector](), stop_asked()
    shapes = next(iter(read.values())).shapes
    for place, layer in enumerate(shown(names, len(names), "concepts")):
        if place and stop_asked():
            stopped = True
            break
        here = LayerExamples(layer, shapes[layer], at[layer], photo.products[layer], photo.sizes[layer])
        for score, vector in _at_layer(here, sets, settings, facts):
            found.append(score)
            vectors[score.concept, layer] = vector
    adjusted = holm([each.p for each in found])
    found = [replace(each, p_adjusted=float(p)) for each, p in zip(found, adjusted, strict=True)]
    return Tcav(
        model=facts,
        target=words,
        explains=answering.explains,
        scores=tuple(sorted(found, key=lambda each: [*given].index(each.concept))),
        photos=len(photo.names),
        random=len(others.sha256) if others else 0,
        settings=settings,
        vectors=vectors,
        failed=(*photo.failed, *(left for each in every for left in each.failed)),
        notes=(*_notes(answering.explains, photo.sure, len(photo.names), settings, found), *_repeated(given, every)),
        interrupted=stopped,
    )


class LayerExamples(NamedTuple):
    """All examples at a layer (m, d), of the shape that a vector there has, and the slopes of photos against them."""

    layer: str
    shape: tuple[int, ...]
    a: NDArray[Any]
    products: NDArray[np.float64]  # (photos, m)
    sizes: NDArray[np.float64]  # (photos,)


def _settings(runs: Any, concepts: Any, flatten: Any, ridge: Any, seed: Any) -> dict[str, Any]:
    """The settings, each as it should be; BadParameter for another."""
    if not isinstance(flatten, bool | np.bool_):
        raise BadParameter(f"tcav: flatten={quoted(flatten)} is True or False.")
    if isinstance(ridge, bool) or not isinstance(ridge, int | float) or not 0 < ridge < np.inf:
        raise BadParameter(f"tcav: ridge={quoted(ridge)} is a number above 0.")
    return {
        "runs": whole_number(runs, "tcav: runs", 1, MANY),
        "random_concepts": whole_number(concepts, "tcav: random_concepts", 39, MANY),  # of fewer no p is below 0.05
        "ridge": float(ridge),
        "flatten": bool(flatten),
        "seed": whole_number(seed, "tcav: seed", 0),
    }


def _concepts(concepts: Any, random: Any) -> dict[str, Images]:
    if not isinstance(concepts, Mapping) or not concepts:
        example = "{'striped': 'photos/striped'}"
        raise BadParameter(f"tcav: concepts are a name -> its examples, as in {example}; this is {type(concepts).__name__}.")
    if random is None and len(concepts) == 1:
        raise BadParameter(
            f"The concept {quoted(next(iter(concepts)))} has nothing to be held against. Give random=, a folder of photos of "
            "anything, or a second concept."
        )
    return {str(name): images for name, images in concepts.items()}


def _drawn(read: Mapping[str, Examples], others: Examples | None) -> list[ConceptSet]:
    """Of each concept its examples, and those that it is held against.  BadParameter where there are too few."""
    every = [*read.values(), *([others] if others else [])]
    starts = np.cumsum([0, *(len(each.sha256) for each in every)])
    sha256 = [sha for each in every for sha in each.sha256]
    sets = list[ConceptSet]()
    for k, (name, examples) in enumerate(read.items()):
        own = np.arange(starts[k], starts[k + 1])
        if len(own) < LEAST:
            good = "is 1 image" if len(own) == 1 else f"are {len(own)} images"
            raise BadParameter(
                f"Of the concept {quoted(name)} there {good}, each counted once. A vector takes {LEAST} at least, and {FEW} to "
                f"{MOST} tell it well: give more examples."
            )
        places = np.arange(starts[-2], starts[-1]) if others else np.setdiff1d(np.arange(starts[-1]), own)
        mine = set(examples.sha256)
        beside = {sha256[place]: place for place in places if sha256[place] not in mine}
        pool = np.array([beside[sha] for sha in sorted(beside)], np.intp)
        what = "random" if others else "other"
        if len(pool) < 2 * LEAST:
            raise BadParameter(
                f"The concept {quoted(name)} is held against {len(pool)} {what} images that are not its own. {2 * LEAST} are "
                f"the least, and {OVERLAP} times as many as its examples are good: give more."
            )
        sets.append(_counted(name, own, pool, len({sha256[place] for place in places}) - len(beside), what))
    return sets


def _counted(name: str, own: NDArray[np.intp], pool: NDArray[np.intp], shared: int, what: str) -> ConceptSet:
    """The set, no larger than random concepts can be, with what is to be said of its size."""
    n, warnings = min(len(own), len(pool) // 2, MOST), list[str]()
    if shared:
        warnings.append(f"{shared} of its examples are among the {what} ones, too, where they are left out")
    if n < len(own):
        why = f"{MOST} are the most" if n == MOST else f"random concepts are drawn from {len(pool)} {what} images, half at most"
        warnings.append(f"{n} of {len(own)} examples are used: {why}")
    if n < FEW:
        warnings.append(f"{n} examples are few: a vector of so few changes with each of them; {FEW} or more are usual")
    if len(pool) < OVERLAP * n:
        least = OVERLAP * n
        warnings.append(
            f"random concepts of {n} are drawn from {len(pool)} {what} images, so that they share many: runs look more alike "
            f"than they are, and p is cautious; give {least} or more"
        )
    return ConceptSet(name, own[:n], pool, tuple(warnings))


def _at_layer(
    here: LayerExamples, sets: Sequence[ConceptSet], settings: Mapping[str, Any], facts: ModelFacts
) -> list[tuple[ConceptScore, ConceptVector]]:
    """The score and the vector of each concept at a layer."""
    middle = here.a.mean(0, dtype=np.float64)
    centred = (here.a - middle).astype(here.a.dtype) if here.a.dtype != np.float64 else here.a - middle
    gram = inner(centred, centred)
    products = here.products - np.outer(here.products.mean(1), np.ones(len(gram)))  # weights sum to zero: it changes no slope
    chances = dict[bytes, RandomConcepts]()
    found = list[tuple[ConceptScore, ConceptVector]]()
    how = {name: settings[name] for name in ("runs", "ridge", "seed")}
    for each in sets:
        n = len(each.own)
        key = n.to_bytes(8, "big") + each.pool.tobytes()
        if key not in chances:
            chances[key] = chance_concepts(
                gram, products, here.sizes, each.pool, n, settings["runs"], settings["random_concepts"], settings["ridge"],
                settings["seed"],
            )  # fmt: skip
        random = drawn(each.pool, n, settings["runs"], settings["seed"])
        runs = separations(gram, np.repeat(each.own[None], len(random), axis=0), random, settings["ridge"])
        right = told_unseen(gram, runs.sources, settings["ridge"])
        score = _score(each, here, runs, right, products, chances[key])
        mean = np.zeros(len(gram))
        np.add.at(mean, runs.sources, runs.weights / len(random))
        weights = (mean @ centred).astype(np.float64)
        bias = float(runs.bias.mean() - weights @ middle)
        vector = ConceptVector(
            each.name, here.layer, weights.reshape(here.shape), bias, facts.name, facts.weights_sha256, {**how, "examples": n}
        )
        found.append((score, vector))
    return found


def _score(
    each: ConceptSet, here: LayerExamples, runs: Separations, right: NDArray[np.bool_], products: NDArray[np.float64],
    chance: RandomConcepts,
) -> ConceptScore:  # fmt: skip
    n, along = len(each.own), slopes(runs, products, here.sizes)
    accuracy, interval = _accuracy(runs.sources, right, n)
    alignment = float(along.alignment.mean())
    warnings = [*each.warnings]
    if interval[0] <= 0.5:
        warnings.append(
            f"its vector tells its examples from others no better than chance ({in_percent(accuracy)}, 95 % interval "
            f"{in_percent(interval[0])} to {in_percent(interval[1])}): a slope along it says nothing of the concept"
        )
    return ConceptScore(
        concept=each.name,
        layer=here.layer,
        examples=n,
        accuracy=accuracy,
        accuracy_interval=interval,
        score=float(along.score.mean()),
        score_range=(float(along.score.min()), float(along.score.max())),
        random_scores=chance.usual_scores,
        magnitude=float(along.magnitude.mean()),
        alignment=alignment,
        random_alignments=chance.usual_alignments,
        effect=chance.effect(alignment),
        p=chance.p(alignment),
        p_adjusted=1.0,
        warnings=tuple(warnings),
    )


def _accuracy(sources: Runs, right: NDArray[np.bool_], n: int) -> tuple[float, tuple[float, float]]:
    """The share of examples that classifiers told right unseen, both kinds weighing the same; an interval over the examples,
    of which each counts once, in however many runs it was.
    """
    own = float(right[:, :n].mean())
    others, places = np.unique(sources[:, n:], return_inverse=True)
    shares = np.bincount(places.ravel(), right[:, n:].ravel()) / np.bincount(places.ravel())
    accuracy = (own + float(shares.mean())) / 2
    count = n + len(others)
    return accuracy, Portion(round(accuracy * count), count).interval


def _notes(
    explains: str, sure: int, photos: int, settings: Mapping[str, Any], found: Sequence[ConceptScore]
) -> list[str]:  # fmt: skip
    """What is to be known of all concepts."""
    notes, least, tests = list[str](), 2 / (settings["random_concepts"] + 1), len(found)
    everywhere = [each.layer for each in found if each.random_scores[0] <= 0.05 and each.random_scores[1] >= 0.95]
    if everywhere:
        notes.append(
            f"at {', '.join(dict.fromkeys(everywhere))} the gradient is much the same in all photos, so that random concepts "
            "have TCAV scores near 0 or 1, too: a count of signs tells little there; the alignment and its p tell more"
        )
    if explains in ("probability", "log-probability"):
        notes.append(
            f"the {explains} is explained, whose slope fades where the network is sure (beyond 99 % in {sure} of {photos} "
            'photos): its logit does not, wrap(network, scores="logits")'
        )
    if least * tests > LEVEL:
        needed = int(np.ceil(2 * tests / LEVEL))
        notes.append(
            f"of {settings['random_concepts']} random concepts no p is below {least:.2g}, so that over {tests} tests "
            f"none can be significant: give random_concepts={needed} or more"
        )
    return notes


def _repeated(given: Mapping[str, Any], every: Sequence[Examples]) -> list[str]:
    """Of which sets images came more than once."""
    names = [*given, "the random set"]
    return [
        f"{each.repeated} images of {printable(names[k], 60)} were there before: each counts once"
        for k, each in enumerate(every) if each.repeated
    ]  # fmt: skip
