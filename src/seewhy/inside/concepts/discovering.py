"""concepts(): what a layer's activations on a set of photos are made of, and how much answers rest on each part."""

from collections.abc import Sequence
from itertools import product
from math import sqrt
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.explaining.blank import not_resting
from seewhy.explaining.case import Case
from seewhy.maps.source import ModelFacts
from seewhy.models.model import INSIDES, Differentiable, require
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import name_of

from .asked_classes import AskedClass, asked_classes
from .crops import around_cell
from .discovered import Concepts
from .factors import ConceptBank, cells_of, coefficients, concepts_in, factorised
from .findings import ConceptPhoto, FoundSettings, most_typical
from .gathering import FEWEST, GatheredPhoto, GatheredPhotos, Gathering
from .importance import ConceptImportance, MeasuredPhoto, measured_photo

TYPICAL = 8  # crops of each concept
MOST_CONCEPTS, MOST_PHOTOS, MOST_SAMPLES = 1000, 100_000, 100_000


@known_names()
def concepts(
    model: Differentiable, photos: Any, layer: str | None = None, target: Any = None, count: int = 10,
    crops: float | None = None, *, samples: int = 32, most: int = 300, every: bool = False, seed: int = 0,
) -> Concepts:  # fmt: skip
    """What a layer's activations are made of on a set of photos, where that lies, and how much answers rest on each part.

    photos: images, or a set as for `explain_dataset`: a folder, a table, a ZIP.  layer: by default the last that has space.
    target: the class that concepts are to be important for; a label, an index, AnyOf, Contrast, or a list of these; photos
        taken for other classes are left out.  None: all photos, and the class that each is taken for.
    count: of concepts.  crops: None factorises the cells of the photos (deep feature factorization); a share of each side such
        as 0.3 the means over crops of that size, enlarged, which overlap and cover the photo (CRAFT).
    samples: rows of the design of Sobol indices, each of (count + 2) passes of what lies behind the layer, for each photo.
    most: photos that are used, drawn from a larger set of files, the first of images in memory.
    every: all photos count, whatever they are taken for.
    Raises NotApplicable where fewer than 5 photos are taken for the class, where the layer is zero on all photos or no score
    rests on it; BadParameter; NeedsGradients of a model without layers; MissingExtra without scikit-learn.
    Source: Collins, Achanta & Süsstrunk 2018, Deep Feature Factorization for Concept Discovery; Fel et al. 2023, CRAFT: Concept
    Recursive Activation FacTorization for Explainability.
    """
    require(model, INSIDES, "concepts reads the inside of a network")
    settings = FoundSettings(
        whole_number(count, "concepts: count", 1, MOST_CONCEPTS), _share(crops),
        whole_number(samples, "concepts: samples", 2, MOST_SAMPLES), whole_number(most, "concepts: most", FEWEST, MOST_PHOTOS),
        bool(every), whole_number(seed, "concepts: seed", 0),
    )  # fmt: skip
    if layer is not None and not isinstance(layer, str):
        raise BadParameter("concepts: layer= is the name of one layer, or None for the last that has space.")
    asked = asked_classes(model, target, settings.every)
    read = Gathering(model, layer, asked, settings.crops, settings.most, settings.seed).gathered(photos)
    asked, notes = told_of(asked, read)
    rests(model, asked, read)
    rows = [each.crops if each.crops is not None else cells_of(each.a) for each in read.photos]
    bank = factorised(np.concatenate(rows), settings.count, settings.seed)
    measured, early = _measured(model, asked, read, bank, settings)
    return put_together(model, asked, read, bank, measured, settings, (*read.notes, *bank.notes, *notes, *early))


def _share(crops: float | None) -> float | None:
    if crops is None:
        return None
    try:
        if 0.05 <= float(crops) <= 1 and not isinstance(crops, bool):
            return float(crops)
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"concepts: crops={crops!r} is a share of each side from 0.05 to 1, such as 0.3, or None for cells.")


def told_of(asked: Sequence[AskedClass], read: GatheredPhotos) -> tuple[list[AskedClass], list[str]]:
    """The scores of which the photos tell, and a note on each of the others.  Raises NotApplicable where there is none."""
    counts = [sum(each.tells(photo.taken) for photo in read.photos) for each in asked]
    notes = [
        f"{count} of the photos {'is' if count == 1 else 'are'} taken for {each.words}, and {FEWEST} could tell: it is left out"
        for each, count in zip(asked, counts, strict=True)
        if count < FEWEST
    ]
    kept = [each for each, count in zip(asked, counts, strict=True) if count >= FEWEST]
    if not kept:
        raise NotApplicable(f"{'; '.join(notes)}. Give more photos of them, a group (AnyOf), or every=True for all photos.")
    return kept, notes


def rests(model: Differentiable, asked: Sequence[AskedClass], read: GatheredPhotos) -> None:
    """Raise NotApplicable, with what the scores rest on instead, where no score of the first photo rests on the layer."""
    x, model = read.photos[0].x[None], model.beside(read.photos[0].number, 1)
    targets = [each.traced(model, model.answer(x)) for each in asked]
    case = Case(model, x, targets, [read.layer], shared=())
    whys = [not_resting(case, read.layer, t, 0) for t in range(len(targets))]
    if all(whys):
        raise NotApplicable(f"{whys[0]}.")


def _measured(
    model: Differentiable, asked: Sequence[AskedClass], read: GatheredPhotos, bank: ConceptBank, settings: FoundSettings
) -> tuple[list[MeasuredPhoto], list[str]]:
    """What was measured of each photo, in their order, until a person asks to end."""
    done = list[MeasuredPhoto]()
    for i, photo in enumerate(shown(read.photos, len(read.photos), "what rests on concepts")):
        if stop_asked():
            return done, [f"stopped early: importance was measured in {i} of {len(read.photos)} photos"]
        draws = np.random.default_rng((settings.seed, photo.number))  # of its own, whatever photos stand beside it
        done.append(
            measured_photo(
                model.beside(photo.number, 1), photo.x[None], read.layer, bank.directions, asked, settings.samples, draws
            )
        )
    return done, []


def put_together(
    model: Differentiable, asked: Sequence[AskedClass], read: GatheredPhotos, bank: ConceptBank,
    measured: Sequence[MeasuredPhoto], settings: FoundSettings, notes: Sequence[str],
) -> Concepts:  # fmt: skip
    """The result: concepts in the order of their importance for the scores, or of their share where none was measured."""
    amounts = [concepts_in(photo.a, bank.directions) for photo in read.photos]
    sums = np.sum([each.reshape(len(each), -1).sum(1) for each in amounts], 0)
    importances = [found for t, each in enumerate(asked) if (found := _importance(t, each, read, measured)) is not None]
    first = np.mean([each.mean().mean for each in importances], 0) if importances else sums
    order = np.argsort(-first, kind="stable")
    error, negative = _left_out(read.photos, amounts, bank)
    notes = (*notes, *of_single_photos(amounts))
    crops = [None if each.crops is None else coefficients(each.crops, bank.directions) for each in read.photos]
    grids = {each.a.shape[1:]: [*product(*map(range, each.a.shape[1:]))] for each in read.photos}
    places = [
        read.places or [around_cell(cell, each.a.shape[1:], each.cells) for cell in grids[each.a.shape[1:]]]
        for each in read.photos
    ]
    of_places = [a.reshape(len(a), -1).T if c is None else c for a, c in zip(amounts, crops, strict=True)]
    taken = {int(c) for m in measured for c in (m.taken, m.taken_rebuilt, *m.taken_without)}
    return Concepts(
        ModelFacts.of(model),
        read.layer,
        settings,
        bank.directions[order],
        tuple(
            ConceptPhoto(
                each.number, each.name, each.predicted, each.view, a[order].astype(np.float32), each.x.shape[1:], each.cells
            )
            for each, a in zip(read.photos, amounts, strict=True)
        ),
        tuple(most_typical([each[:, k] for each in of_places], places, TYPICAL) for k in order),
        tuple(each.ordered(order) for each in importances),
        sums[order] / sums.sum(),
        error,
        negative,
        tuple((each.name, str(each.error)) for each in read.broken),
        tuple(dict.fromkeys(notes)),
        {c: name for c in sorted(taken) if (name := name_of(model.labels, c)) is not None},
    )


def _importance(t: int, asked: AskedClass, read: GatheredPhotos, measured: Sequence[MeasuredPhoto]) -> ConceptImportance | None:
    """The importance of concepts for one score, in those photos that tell of it; None where none was measured."""
    places = [i for i, each in enumerate(measured) if asked.tells(read.photos[i].taken)]
    if not places:
        return None
    rows = [measured[i] for i in places]
    gradients = [each.gradient[t] for each in rows if each.gradient is not None]
    return ConceptImportance(
        asked.text,
        asked.words,
        np.array(places, np.intp),
        np.stack([each.sobol[t] for each in rows]),
        np.stack(gradients) if len(gradients) == len(rows) else None,
        np.stack([each.loss[t] for each in rows]),
        np.array([each.score[t] for each in rows]),
        np.array([each.rebuilt[t] for each in rows]),
        np.array([each.taken for each in rows], np.intp),
        np.array([each.taken_rebuilt for each in rows], np.intp),
        np.stack([each.taken_without for each in rows]),
    )


def of_single_photos(amounts: Sequence[Floats]) -> list[str]:
    """A note, where much of the concepts is each in one photo alone.  amounts: (k, *grid), of each photo."""
    of_photo = np.stack([each.reshape(len(each), -1).sum(1) for each in amounts])  # (photos, k)
    single = int((of_photo.max(0) > of_photo.sum(0) / 2).sum())
    if 2 * single <= of_photo.shape[1]:
        return []
    return [
        f"{single} of {of_photo.shape[1]} concepts have more than half of their amount in a single photo: they tell photos "
        "apart, and nothing that photos share; ask for fewer concepts, or give more photos"
    ]


def _left_out(photos: Sequence[GatheredPhoto], amounts: Sequence[Floats], bank: ConceptBank) -> tuple[float, float]:
    """|A - U W| / |A| over all cells, and the part of |A|² that is of values below zero."""
    missed = total = below = 0.0
    for photo, u in zip(photos, amounts, strict=True):
        a = cells_of(photo.a).astype(np.float64)
        missed += float(((a - u.reshape(len(u), -1).T @ bank.directions) ** 2).sum())
        total += float((a**2).sum())
        below += float((a.clip(max=0) ** 2).sum())
    return sqrt(missed / total), below / total
