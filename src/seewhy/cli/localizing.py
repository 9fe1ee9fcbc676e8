"""The photos of one run of `seewhy localize`: the boxes that are found on each, where they are written, what is said of them.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import TYPE_CHECKING, NamedTuple

from .box_pictures import BoxPictures
from .effects import Explained
from .failures import Failures
from .finding_options import BoxRule
from .label_file import LabelFile
from .localization_scores import LocalizationScores
from .localized import Localized, Tally, print_json, print_text
from .pipeline import Stages, run_through
from .question import PhotoMaps, Question, explain_photo

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Event


class LocalizeJob(NamedTuple):
    """What is done with each photo."""

    question: Question
    rule: BoxRule
    labels: LabelFile
    explained: Explained
    tally: Tally
    scores: LocalizationScores
    pictures: BoxPictures | None
    as_json: bool

    @property
    def spoken(self) -> bool:
        """Are the lines on photos for people, on stdout?  Else stdout is for machines."""
        return not self.as_json and self.labels.path is not None


def localize_all(job: LocalizeJob, files: list[str], failures: Failures, stop: "Event") -> dict[str, str]:
    """Localize photo by photo, and say of each what was found; the layers that seewhy chose, each with the reason."""
    layers: dict[str, str] = {}
    stages = Stages(
        job.question.model,
        job.question.tile,
        lambda file, photo: explain_photo(job.question, file, photo),
        lambda found: found.image,
        lambda file, found: write_objects(job, file, found),
        lambda file, outcome: tell_objects(job, file, outcome, failures, layers),
    )
    run_through(stages, files, failures, stop, "localizing")
    return layers


def write_objects(job: LocalizeJob, file: str, found: PhotoMaps) -> Localized:
    """Find the objects on one photo, write their labels, score them and draw them, as far as that is asked."""
    from seewhy.localize.labels.labelled import labelled_image
    from seewhy.maps.heatmaps import Heatmaps

    how = {**job.rule.of_map, "suppress": job.rule.suppress}
    (boxes,) = Heatmaps(tuple(found.maps)).boxes(**how)
    image = labelled_image(found.maps, boxes, how)
    job.labels.add(image)
    scored = job.scores.add(file, found)
    picture = None if job.pictures is None else job.pictures.put(found, boxes, scored)
    return Localized(found, boxes, image, scored.said, picture)


def tell_objects(
    job: LocalizeJob, file: str, outcome: "Future[Localized]", failures: Failures, layers: dict[str, str]
) -> None:  # fmt: skip
    """Say what was found on one photo, once its labels are written."""
    result = None
    with failures.of(file):
        result = outcome.result()
    if result is None:
        return
    found = result.found
    layers.update(found.chosen_layers)
    job.explained.add(found.maps)
    failures.well()
    job.question.truth.count_answer(file, found.known)
    job.tally.add(file, result)
    job.labels.print()
    if job.as_json:
        print_json(result, job.labels.where)
    else:
        print_text(result, err=not job.spoken)
    if found.failure is not None:
        with failures.of(file):
            raise found.failure
