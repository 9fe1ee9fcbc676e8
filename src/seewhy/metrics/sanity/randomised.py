"""Do maps change when the network's weights are replaced by random ones?  A map that does not cannot tell what was learned."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.errors import BadParameter, whole_number
from seewhy.explaining.ask import LayerNames
from seewhy.images.inputs import Images
from seewhy.models.model import Model
from seewhy.models.working_copy import WorkingCopy, copyable
from seewhy.printable import quoted
from seewhy.progress import shown
from seewhy.targets.target import Top

from .asking import MapKey, Methods, SameQuestion, by_key
from .records import PicturedMaps, Randomised, SanityRow
from .similarity import NO_SSIM, Averages, Similarity, against_noise, similarity

MODES = ("cascade", "independent", "bottom-up", "head", "all")
STAGES = 10
MOST = 1000  # stages, and draws
StageGroups = list[tuple[str, ...]]


@known_names("method")
def randomised(
    model: Model, images: Images, method: Methods = ("grad-cam",), mode: str = "cascade", target: Any = Top(),
    layer: LayerNames = None, stages: int | None = STAGES, draws: int = 1, seed: int = 0, on_error: str = "raise",
) -> Randomised:  # fmt: skip
    """How alike maps stay when the network's weights are drawn anew, stage by stage, on a copy: the sanity check of maps.

    model: of torch; its own network is not touched.  images, target (one), layer, on_error: as for `seewhy.explain`; each image
        keeps the class that the trained network settled on.
    method: a name, a Method, or several, which share the copies.  Methods that end in a ReLU are compared before it
        (signed=True), unless they say signed=False themselves.  "smooth(grad-cam)" is smooth MPRT: both maps are means over
        noisy copies of the image.
    mode: "cascade" draws the stages anew from the scores down, and what was drawn stays; "bottom-up" the same from the image
        up; "independent" each stage alone, all others as trained; "head" the topmost module alone, which is one stage and the
        cheapest check; "all" all of them at once.
    stages: how many; the topmost module is the first, and the others share out the rest evenly.  None: every module with
        weights is a stage.
    draws: of random weights, from the seeds seed, seed + 1, ...; each image's similarities are averaged over them.
    Random weights of a module depend on its name and the seed alone, so that a cascade ends where "all" begins.  Modules draw
    their weights as when they were made (`reset_parameters`; BatchNorm forgets its statistics, too), and where they cannot,
    from a normal distribution of the same mean and deviation.  The network stays in eval mode.
    Source: Adebayo et al. 2018, Sanity checks for saliency maps; Hedström et al. 2024, A fresh look at sanity checks for
    saliency maps (bottom-up, smooth).
    Raises NotApplicable where the network cannot be copied, as those of other frameworks; BadParameter for an unknown mode.
    """
    if mode not in MODES:
        raise BadParameter(f"mode={quoted(mode)} is none of {', '.join(MODES)}.")
    count = None if stages is None else whole_number(stages, "stages", 1, MOST)
    draws, seed = whole_number(draws, "draws", 1, MOST), whole_number(seed, "seed", 0)
    owner = copyable(model, "metrics.randomised")
    question = SameQuestion(model, images, method, target, layer, on_error)
    copy = owner.working_copy(next(iter(model.batches(question.images))).x[:1])
    groups = _groups(copy.stages, mode, count)
    found: dict[tuple[int, MapKey], list[list[Similarity]]] = {}
    pictured = PicturedMaps.of(question)
    steps = ((draw, *step) for draw in range(draws) for step in enumerate(_drawn(copy, groups, mode, seed + draw)))
    for draw, place, _ in shown(steps, draws * len(groups), "randomising"):
        maps = question.of(copy.model)
        alike = [similarity(a.values, b.values) for a, b in zip(question.maps, maps, strict=True)]
        for key, several in by_key(question.keys, alike).items():
            found.setdefault((place, key), []).append(several)
        if draw == 0:
            pictured.add(maps)
    rows = [
        SanityRow(key[0], key[1], groups[place], Averages.of(several, seed)) for (place, key), several in sorted(
            found.items(), key=lambda item: (question.keys.index(item[0][1]), item[0][0])
        )
    ]  # fmt: skip
    controls = {
        key: Averages.of([some], seed) for key, some in by_key(question.keys, against_noise(question.maps, seed)).items()
    }
    notes = (NO_SSIM,) * all(each.similarity.ssim.mean is None for each in rows)
    return Randomised(
        tuple(rows),
        controls,
        model.name,
        mode,
        seed,
        draws,
        tuple(question.names),
        question.failed,
        question.refused,
        notes,
        pictured,
    )


def _groups(names: Sequence[str], mode: str, count: int | None) -> StageGroups:
    """The modules of each stage, in the order in which the stages are drawn."""
    if mode in ("head", "all"):
        return [tuple(names[:1] if mode == "head" else names)]
    if count is None:
        groups: StageGroups = [(name,) for name in names]
    elif count == 1:
        groups = [tuple(names)]
    else:
        parts = np.array_split(np.arange(1, len(names)), min(count - 1, max(len(names) - 1, 1)))
        groups = [(names[0],), *(tuple(names[int(i)] for i in part) for part in parts if len(part))]
    return groups[::-1] if mode == "bottom-up" else groups


def _drawn(copy: WorkingCopy, groups: StageGroups, mode: str, seed: int) -> Iterator[tuple[str, ...]]:
    """Each stage, once its weights, and where they add up those of the stages before it, are drawn anew."""
    copy.restore()
    for group in groups:
        if mode == "independent":
            copy.restore()
        copy.randomise(group, seed)
        yield group
