"""What workers on Ray are told of a run, and how each makes sure that it does the same as the others.

The model goes to them as what `load` was given, never as a pickle; each loads it anew, and compares its weights.
"""

import os
import socket
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from PIL import Image

from seewhy import __version__
from seewhy.errors import BadParameter, BadWeights
from seewhy.memory import keep_freed
from seewhy.models.load import load
from seewhy.models.model import Model
from seewhy.photo_sets.addresses import is_address
from seewhy.photo_sets.items import Listing
from seewhy.printable import printable
from seewhy.progress import noted

from .chunks import RunSettings
from .info import FILE
from .ray_cluster import cluster, shape_of
from .ray_run import RayRun, workers_for
from .ray_worker import Storing
from .store import PartWork
from .storing import stored_parts

LOOKED_FOR = 3  # photos that a worker looks whether it sees them


@dataclass(frozen=True)
class RunJob:
    """A run as a worker takes it up; calling it loads the model, and gives what stores parts.

    recipe: the arguments of `load`; trusted: code that comes with the weights may run; weights_sha256: of the weights as the
        others have them.
    folder, info_sha256: of the run, and of its run.json; photos: paths of some, which are there; fresh: nothing is stored yet.
    cwd: in which relative paths of the recipe begin; pixels: the most that an image may have.
    """

    recipe: Mapping[str, Any]
    trusted: bool
    weights_sha256: str
    settings: RunSettings
    folder: str
    info_sha256: str
    photos: Sequence[str]
    fresh: bool
    cwd: str
    pixels: int | None
    gpu: bool = False
    version: str = __version__

    def __call__(self) -> Storing:
        """Raises BadParameter where this machine has another seewhy, or does not see the run or the photos; BadWeights where
        the weights that are loaded here are others; and whatever `load` raises.
        """
        host = socket.gethostname()
        if __version__ != self.version:
            raise BadParameter(
                f"{host} has seewhy {__version__}, and the run is of {self.version}: install the same everywhere."
            )
        self._look(host)
        if os.path.isdir(self.cwd):
            os.chdir(self.cwd)
        Image.MAX_IMAGE_PIXELS = self.pixels
        recipe = {"device": "cuda", **self.recipe} if self.gpu else self.recipe
        keep_freed()
        model: Any = load(**recipe, trust=self.trusted)
        if model.weights_sha256() != self.weights_sha256:
            raise BadWeights(
                f"{host} loads other weights by {printable(dict(self.recipe), 200)} than the run has. Were they changed since "
                "they were loaded, or has it another file of that name?"
            )
        fresh = [self.fresh]

        def storing(works: Sequence[PartWork]) -> Generator[int, None, None]:
            yield from stored_parts(model, works, self.settings, fresh.pop() if fresh else False)

        return storing

    def _look(self, host: str) -> None:
        """Raises BadParameter where the run's folder, or the photos, are not seen from here."""
        try:
            with open(os.path.join(self.folder, FILE), "rb") as file:
                same = sha256(file.read()).hexdigest() == self.info_sha256
        except OSError:
            same = False
        if not same:
            raise BadParameter(
                f"{host} does not see the run in {printable(self.folder)}: on several machines it has to lie on a file "
                "system that all of them share, under the same path."
            )
        if unseen := [path for path in self.photos if not os.path.exists(path)]:
            raise BadParameter(
                f"{host} does not see {printable(unseen[0], 200)}: on several machines photos have to lie on a file "
                "system that all of them share, under the same path, or at an address such as s3://bucket/photos."
            )


def job_of(model: Model, settings: RunSettings, folder: str | os.PathLike[str], listing: Listing, fresh: bool) -> RunJob:
    """The run that a folder has as workers take it up.  Raises BadParameter where the model cannot be loaded anew."""
    origin = loadable(model).origin
    folder = os.path.abspath(folder)
    with open(os.path.join(folder, FILE), "rb") as file:
        info = sha256(file.read()).hexdigest()
    photos = [path for path in (item.path for item in listing[:LOOKED_FOR]) if not is_address(path) and os.path.exists(path)]
    pixels = Image.MAX_IMAGE_PIXELS
    return RunJob(
        origin.recipe, origin.trusted, model.weights_sha256(), settings, folder, info, photos, fresh, os.getcwd(), pixels
    )  # fmt: skip


def loadable(model: Model) -> Model:
    """The model.  Raises BadParameter where it is not known how it could be loaded anew."""
    if not model.origin.recipe:
        raise BadParameter(
            f"On Ray each process loads the model anew, and of {model.name} it is not known how: give what seewhy.load made, "
            "not what was wrapped; code of your own as load('path/to/file.py:function')."
        )
    return model


def stored_on_ray(
    job: RunJob, works: Iterable[PartWork], photos: int, address: str, wanted: int | None
) -> Generator[int, None, None]:
    """Explain and store part by part on a cluster, and give the number of photos each time when some are done.

    photos: of all works; address: as `cluster` takes it; wanted: the number of workers, by default one for each GPU, else for
    each CPU.  Who asks for an end (`stop_asked`) is heard.  Raises as `cluster`, `RunJob` and `RayRun`.
    """
    with cluster(address) as ray:
        workers = workers_for(shape_of(ray), wanted)
        job = replace(job, gpu=workers.gpus > 0, settings=replace(job.settings, workers=workers.cpus))
        yield from RayRun(ray, job, workers, noted)(works, photos)
