"""A run of a model over a set, in this process or on a cluster."""

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from seewhy.atomic import swept
from seewhy.errors import BadParameter, NotApplicable, whole_number
from seewhy.explaining.ask import readable
from seewhy.maps.source import ModelFacts, stored
from seewhy.methods.making.method import Method, lookup
from seewhy.models.model import Model, require
from seewhy.photo_sets.items import Listing
from seewhy.photo_sets.listing import list_items
from seewhy.prepare.callable_fit import CallableFit
from seewhy.prepare.facts import facts_of
from seewhy.prepare.fit import Fit
from seewhy.printable import printable, quoted
from seewhy.progress import shown, stop_asked

from .chunks import RunSettings
from .dataset_run import DatasetRun, open_run
from .first_pass import check_takes_photos
from .full_maps import zarr
from .held import held
from .info import FILE, RunInfo, chunk_for, read_info, write_info
from .photo_rows import TOP, TRUE
from .ray_job import job_of, loadable, stored_on_ray
from .schema import arrow
from .store import ROWS, Gap, forget_failed, gaps, parts
from .storing import stored_parts, works_of

MOST_WORKERS = 16


def explain_dataset(
    model: Model,
    data: str | Path | Listing,
    to: str | Path,
    methods: Sequence[str | Method[Any]] | str | Method[Any] = ("grad-cam",),
    target: str | Sequence[str] = (TOP, TRUE),
    layer: str | None = None,
    truth: str | Path | None = None,
    boxes: str | Path | None = None,
    masks: str | Path | None = None,
    root: str | Path | None = None,
    workers: int | None = None,
    ray: str | None = None,
    full_maps: bool = False,
    retry: bool = False,
) -> DatasetRun:
    """Explain all photos of a set and store the maps, with what the model said, as a run; docs/run.md tells of it.

    What is stored already is not done again: the same call goes on with a run that was stopped, or killed.  Ctrl-C ends it
    with what is done.  A photo that cannot be read or explained is a row with an error.

    data: a folder, a table of paths and labels, COCO's JSON, a ZIP archive, a pattern, an address; or what `list_items` gave.
    to: the folder of the run.
    methods: names or methods, as `explain` takes them.
    target: "top", what it saw for its answer; "true", what it saw for the right one, where it is known; or both.
    truth: what the photos show, where the data does not say it: a table, or "folders".  boxes, masks: where the objects are.
    root: where the paths in a table begin, by default in the folder that it lies in.
    workers: threads that read and decode photos, by default as many as there are processors; on Ray, processes, by default one
        for each GPU or, without any, for each CPU.
    ray: the address of a Ray cluster to run on: "auto", HOST:PORT, or "local" for all processors of this machine; the model
        then has to come from `load`.
    full_maps: also store the maps of more than 4096 values as they are, in maps.zarr.
    retry: also do again the photos that failed before, as after an outage of the network that they come over.
    Raises Misuse where the question cannot be asked of this model, or the folder has a run of other settings;
    BadNetwork, before any photo is read, where the network takes none as they are prepared; NotWritten where the disk is full:
    what was stored stays, and the same call goes on.
    """
    arrow()
    settings = run_settings(model if ray is None else loadable(model), methods, target, layer, workers)
    listing = (
        data if isinstance(data, Listing) else list_items(data, model.labels, truth=truth, boxes=boxes, masks=masks, root=root)
    )
    if settings.targets == (TRUE,) and not any(listing.classes):
        why = "what the photos show is not known, so there is no true class to explain"
        raise BadParameter(
            f'target="true": {why}. Give truth=, a table of labels, or ask for "top" as well.',
            typed=f"--target true: {why}. Give --truth, a table of labels, or ask for top as well.",
        )
    folder = Path(to)
    if not parts(folder):
        check_takes_photos(model)
    if full_maps:
        zarr()
        settings = replace(settings, full_maps=str(folder.absolute()))
    with held(folder):
        info = begun(folder, info_of(model, listing, settings))
        if retry:
            forget_failed(folder)
        missing = [*gaps(folder, info.count, info.chunk)]
        counts = _stored(model, listing, settings, folder, missing, ray, workers)
        with closing(counts):  # what is done of a part is stored
            for _ in shown(counts, sum(len(gap.items) for gap in missing), "explaining", size=int):
                if stop_asked() and ray is None:  # which ends by itself
                    break
    return open_run(folder)


def run_settings(model: Model, methods: Any, target: Any, layer: Any, workers: int | None) -> RunSettings:
    """The settings, checked.  Raises Misuse where they cannot be, or not for this model."""
    require(model, "scores")
    if not isinstance(model.prepare, Fit | CallableFit):
        takes = "prepared arrays" if model.prepare is None else "volumes or clips"
        over = f"{model.name} takes {takes}, and a run is over photos:"
        raise NotApplicable(
            f"{over} wrap(network, prepare={{'size': 256, ...}}).",
            typed=f"{over} say how they are prepared, as by --prepare size=256 --prepare mean=0.5 --prepare std=0.5.",
        )
    model.fit(1)
    chosen = [lookup(each) for each in ([methods] if isinstance(methods, str | Method) else methods)]
    for refused in readable(model, chosen)[1] if chosen else ():
        raise refused.error
    names = [method.name for method in chosen]
    if not names or len({*names}) < len(names):
        raise BadParameter(f"methods={quoted(names)}: name one method or several, each once.")
    targets = (target,) if isinstance(target, str) else tuple(target)
    if not targets or {*targets} - {TOP, TRUE}:
        raise BadParameter(
            f"target={quoted(target)}: a run explains 'top', the class each photo is taken for, 'true', or both."
        )
    if layer is not None and not isinstance(layer, str):
        raise BadParameter(f"layer={quoted(layer)}: a run has maps of one layer, by its name.")
    ordered = tuple(each for each in (TOP, TRUE) if each in targets)
    return RunSettings(tuple(chosen), ordered, layer, _workers(workers))


def _workers(workers: int | None) -> int:
    if workers is not None:
        return whole_number(workers, "workers", 1, 1024)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, MOST_WORKERS)


def info_of(model: Model, listing: Listing, settings: RunSettings) -> RunInfo:
    """What a run of these settings over these photos is."""
    facts = ModelFacts.of(model)
    return RunInfo(
        model=facts.name,
        weights=facts.weights,
        weights_sha256=facts.weights_sha256,
        labels=None if model.labels is None else tuple(map(str, model.labels)),
        methods=tuple({"name": method.name, "params": stored(method.described)} for method in settings.methods),
        targets=settings.targets,
        data=listing.data,
        count=len(listing),
        digest=listing.digest,
        chunk=chunk_for(len(listing)),
        layer=settings.layer,
        full_maps=bool(settings.full_maps),
        prepare=stored(facts_of(model.prepare)),
        recipe=stored(facts.recipe),
        conditions=stored(facts.conditions),
        versions=dict(facts.versions),
        remarks=listing.remarks,
    )


def begun(folder: Path, info: RunInfo) -> RunInfo:
    """The run in the folder, which is begun where there is none.

    Raises BadParameter where there is a run of other settings, or something else has the place of its rows.
    """
    if (folder / FILE).exists():
        there = read_info(folder)
        if differing := there.differences(info):
            raise BadParameter(
                f"{printable(folder)} has a run that differs in {'; '.join(differing)}. Give another folder, or the settings "
                "of that run, or delete it."
            )
        swept(folder / ROWS)
        return there
    if (folder / ROWS).exists():
        raise BadParameter(f"{printable(folder)} has a folder {ROWS}, and no {FILE}: it is no run. Give another folder.")
    write_info(folder, info)
    return info


def _stored(
    model: Model,
    listing: Listing,
    settings: RunSettings,
    folder: Path,
    missing: Sequence[Gap],
    ray: str | None,
    workers: int | None,
) -> Generator[int, None, None]:
    """Explain and store what is missing, and give the number of photos each time when some are done."""
    works, fresh = works_of(listing, missing), not parts(folder)
    if ray is None or not missing:
        return stored_parts(model, works, settings, fresh)
    job = job_of(model, settings, folder, listing, fresh)
    return stored_on_ray(job, works, sum(len(gap.items) for gap in missing), ray, workers)
