"""A run as a data set of FiftyOne: predictions, truth, and each map as a `Heatmap`, its own type of field."""

from os.path import abspath
from typing import Any

from seewhy.dataset.dataset_run import DatasetRun, RunError
from seewhy.errors import BadParameter, NotApplicable

from .shared_photos import SharedPhoto, shared_photos

AT_ONCE = 500  # samples that are added together


def to_fiftyone(run: DatasetRun, name: str, most: int | None = None, module: Any = None) -> Any:
    """A data set of that name, a sample for each photo: `prediction` and `truth` (Classification), `right`, `evidence_border`,
    `evidence_on_object`, and `top_map`, `true_map` (Heatmap, 0 to 1 over the whole photo).  It is persistent.

    module: FiftyOne, by default the one that is installed.  Photos have to be files of this machine; those that are not, and
    those that failed, are left out: the data set's `info["left_out"]` says which.
    Raises NotApplicable where FiftyOne is not installed, BadParameter where there is a data set of that name.
    """
    fo = module or _installed()
    if fo.dataset_exists(name):
        raise BadParameter(f"FiftyOne has a data set {name!r} already: give another name, or delete it there.")
    dataset, waiting, left = fo.Dataset(name), list[Any](), list[str]()
    for photo in shared_photos(run, most):
        if photo.row.error is not None or "://" in photo.row.path:
            left.append(str(RunError(photo.row.item, photo.row.path, photo.row.error or "it is no file of this machine")))
            continue
        waiting.append(_sample(fo, photo))
        if len(waiting) == AT_ONCE:
            dataset.add_samples(waiting)
            waiting = []
    if waiting:
        dataset.add_samples(waiting)
    dataset.info = {"model": run.info.model, "weights_sha256": run.info.weights_sha256, "left_out": left}
    dataset.persistent = True  # which saves it, as the line above does
    return dataset


def _installed() -> Any:
    try:
        # here, for it starts a database
        import fiftyone  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise NotApplicable("FiftyOne is not installed. Install it with: pip install fiftyone") from None
    return fiftyone


def _sample(fo: Any, photo: SharedPhoto) -> Any:
    facts = photo.facts
    sample = fo.Sample(filepath=abspath(photo.row.path))
    if facts["predicted"] is not None:
        sample["prediction"] = fo.Classification(label=facts["predicted"], confidence=facts["probability"])
    if facts["truth"] is not None:
        sample["truth"] = fo.Classification(label=facts["truth"])
    if photo.row.right is not None:
        sample["right"] = photo.row.right
    one = photo.row.map()
    for name in ("border", "on_object"):
        if one is not None and one.evidence.get(name) is not None:
            sample[f"evidence_{name}"] = one.evidence[name]
    for each in photo.maps:
        sample[f"{each.name}_map"] = fo.Heatmap(map=each.values, range=[0.0, 1.0], label=each.label)
    return sample
