"""The method asked again: of the same image a little changed, of another class."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.comparison.measures import flat, spearman
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.ask import ask
from seewhy.images.inputs import PreparedBatch
from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.given import as_a_photo, as_given
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject
from seewhy.objects.scikit import skimage
from seewhy.remaking.question import FUSED, method_again
from seewhy.targets.target import Class, Unit


def maps_again(subject: Subject, shown: Heatmap, x: NDArray[Any], target: Any) -> list[NDArray[np.float64]]:
    """The maps (*cells) that the method of a heatmap gives for prepared images (m, c, *space), with its settings, at its layer.

    Raises NotApplicable where maps of several layers were joined, or the method has settings of code.
    """
    if FUSED in shown.source.layer:
        raise NotApplicable(f"{shown.source.method}: maps of several layers were joined, and are not made again here.")
    method = method_again(shown.source, {})
    layer = shown.source.layer if method.layered else None
    found = ask(subject.model, PreparedBatch(as_given(subject.model, x)), [method], target, layer)
    return [each.values.astype(np.float64) for each in found]


@metric(better="lower", forwards="{draws} runs of the method, and one of the untouched image", takes="heatmap")
def sensitivity_max(subject: Subject, shown: Heatmap, *, radius: float = 0.02, draws: int = 10) -> float:
    """How far the map can move when the image is changed a little, as a share of itself: the most, over draws of d, of
    |map(x + d) - map(x)| / |map(x)|, each number of d between -r and r, in Euclidean norms.  Photos stay between black and
    white.

    Source: Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, def. 2.2; as captum's sensitivity_max.

    Weakness: a map that is the same for all images is best; and of few draws the most is far below the true one.

    radius: r, as a share of the range of the prepared image's values.
    draws: changed images.
    """
    if draws < 1 or radius <= 0:
        raise BadParameter(f"draws={draws}, radius={radius}: give one draw or more, and a radius above 0.")
    reach, rng = radius * float(np.ptp(subject.x)), subject.rng("sensitivity")
    moved = [subject.x + reach * rng.uniform(-1, 1, subject.x.shape) for _ in range(draws)]
    photos = [as_a_photo(subject.model, subject.x, each).astype(subject.x.dtype) for each in moved]
    still, *others = maps_again(subject, shown, np.stack([subject.x, *photos]), subject.pinned)
    size = float(np.linalg.norm(still))
    return np.nan if not size else max(float(np.linalg.norm(other - still)) for other in others) / size


@metric(better="lower", forwards="one run of the method", takes="heatmap")
def random_logit(subject: Subject, shown: Heatmap, *, similarity: Literal["ssim", "spearman"] = "ssim") -> float:
    """How alike the map is to that of another class, which the seed draws: 1 where the class plays no part in it.

    Source: Sixt et al. 2020, When explanations lie, sec. 4.

    Weakness: two classes may rest on the same places, and a method is not wrong then; maps of one object are alike by shape.

    similarity: "ssim", of both maps stretched to [0, 1], with the field's window of 7 cells or as many as there are, from 3 on;
        or "spearman", of their ranks.
    """
    classes = subject.classes
    if subject.index is None or classes < 2 or isinstance(subject.pinned, Unit):
        raise NotApplicable(
            f"random-logit compares the maps of two classes of an image, and {subject.target} is not one of several such."
        )
    other = int(subject.rng("class").integers(0, classes - 1))
    other += other >= subject.index
    own, of_other = maps_again(subject, shown, subject.x[None], [Class(subject.index), Class(other)])
    if flat(own) or flat(of_other):
        return np.nan
    return spearman(own, of_other) or 0.0 if similarity == "spearman" else structural_similarity(own, of_other)


def structural_similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """SSIM of two maps of one shape, each stretched to [0, 1]; NaN of less than three cells a side, which make no window.

    Source: Wang et al. 2004, Image quality assessment: from error visibility to structural similarity.  Raises MissingExtra.
    """
    a, b = ((each - each.min()) / np.ptp(each) for each in (a, b))
    window = min(7, *(side - 1 + side % 2 for side in a.shape))
    if window < 3:
        return np.nan
    return float(skimage("metrics").structural_similarity(a, b, win_size=window, data_range=1.0))
