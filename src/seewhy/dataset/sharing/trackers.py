"""Maps as pictures in experiment trackers, by their own logging calls: TensorBoard, MLflow, Weights & Biases."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.shrinking import shrunk
from seewhy.printable import in_percent, printable, quoted

SIDE = 512  # pixels of the longer side of a picture that is logged
Logger = Callable[[str, Image.Image, str, int], Any]  # name, picture, caption, step
THERE_ARE = (
    "There are: TensorBoard's SummaryWriter, the module mlflow or an MlflowClient (with run_id=), a run of wandb, Lightning's "
    "loggers of these, or a function of name, picture, caption and step."
)


def log_maps(heatmaps: Iterable[Heatmap], to: Any, step: int = 0, name: str = "seewhy", run_id: str | None = None) -> list[str]:
    """Log each map over its photo as a picture under "name/photo/method", which stays the same from step to step.

    to: TensorBoard's SummaryWriter, the module mlflow or an MlflowClient (with run_id), a run of wandb, or a function of name,
        picture (PIL), caption and step; or several of these.
    Gives the names that were logged.  Raises BadParameter where `to` is none of these.
    """
    loggers = [logger_of(each, run_id) for each in (to if isinstance(to, list | tuple) else [to])]
    names = list[str]()
    for heatmap in heatmaps:
        key = _key(name, heatmap, names)
        small = shrunk(heatmap, SIDE) if max(heatmap.size) > SIDE else heatmap
        picture = small.overlay()
        for log in loggers:
            log(key, picture, _caption(heatmap), step)
        names.append(key)
    return names


def logger_of(to: Any, run_id: str | None = None) -> Logger:
    """What logs pictures to a tracker, told by what it can do.  Raises BadParameter where it can do nothing of it."""
    if hasattr(to, "experiment"):  # a logger of Lightning
        return logger_of(to.experiment, getattr(to, "run_id", run_id))
    if hasattr(to, "add_image"):
        return lambda key, picture, _, step: to.add_image(key, np.asarray(picture), step, dataformats="HWC")
    if hasattr(to, "log_image") and hasattr(to, "create_run"):  # a client of MLflow
        if run_id is None:
            raise BadParameter("An MlflowClient logs to a run that is named: give run_id=.")
        return lambda key, picture, _, step: to.log_image(run_id, picture, key=key, step=step)
    if hasattr(to, "log_image"):
        return lambda key, picture, _, step: to.log_image(picture, key=key, step=step)
    if type(to).__module__.partition(".")[0] == "wandb" and hasattr(to, "log"):
        return _wandb(to)
    if callable(to):
        return to
    raise BadParameter(f"to={quoted(to, 80)} logs no pictures. {THERE_ARE}")


def _wandb(run: Any) -> Logger:
    # here, for only who gives a run of it has it
    import wandb  # pyright: ignore[reportMissingImports]

    return lambda key, picture, caption, step: run.log({key: wandb.Image(picture, caption=caption)}, step=step)


def _key(name: str, heatmap: Heatmap, taken: Sequence[str]) -> str:
    """A name that all trackers take: letters, digits, and - _ . between slashes."""
    parts = [name, PurePath(heatmap.source.image).stem or f"photo {heatmap.place}", heatmap.source.method]
    key = "/".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-")[:80] or "map" for part in parts)
    number, free = 2, key
    while free in taken:
        free, number = f"{key}-{number}", number + 1
    return free


def _caption(heatmap: Heatmap) -> str:
    source = heatmap.source
    chance = "" if source.probability is None else f", {in_percent(source.probability)}"
    return printable(f"{source.method} for {source.label or source.target}{chance}", 200)
