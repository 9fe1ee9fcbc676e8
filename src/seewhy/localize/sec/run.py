"""From a folder of photos with their classes to a trained segmenter in another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seewhy.atomic import swept
from seewhy.errors import BadImage, NotWritten
from seewhy.models.load import segmenter_over

from .keeping import has_segmenter, write_halved
from .photos import LabelledFiles, labelled_files, training_photos
from .trainer import Epoch, Trained, Trainer, Training, losses_grid

SEEDS = "seeds.npz"
BACKGROUND = "background"


def train_segmenter(
    model: Any,
    data: Path,
    out: Path,
    training: Training | None = None,
    half: bool = False,
    failed: Callable[[str, Exception], None] = lambda _file, _error: None,
    say: Callable[[int, Epoch], None] = lambda _place, _epoch: None,
) -> tuple[Trained, LabelledFiles]:
    """Train a segmenter on the photos of a folder, of which labels.csv says the classes, and keep it in the folder `out`.

    model: a classifier that `load` gave, which knows these classes; seeds are its Grad-CAM maps, and the segmenter begins with
        its body.  failed: told of photos that cannot be read; say: of each pass.
    half: keep the weights in half precision.
    The folder is then a model: load(out).  A run that was stopped goes on where it was.
    """
    training = training or Training()
    known = labelled_files(data, model.labels)
    network, settings = segmenter_over(model, [BACKGROUND, *known.names], training.seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(f"The folder {out} cannot be made: {error.strerror or error}. Give another: --out FOLDER.") from None
    swept(out)
    grid = _grid(model, network, known.files)
    photos = training_photos(model, known, grid, training.foreground, training.background, out / SEEDS, failed)
    done = Trainer(network, settings, photos, training, out).train(say)
    if half and has_segmenter(out):
        write_halved(out)
    return done, known


def _grid(model: Any, network: Any, files: list[str]) -> tuple[int, int]:
    """The grid that the losses are taken on, of the first photo that can be read."""
    for file in files:
        try:
            x = next(iter(model.batches([file]))).x
        except BadImage:
            continue
        with torch.no_grad():
            rows, columns = network.eval().cells(torch.as_tensor(np.asarray(x))).shape[2:]
        return losses_grid((rows, columns))
    return 1, 1  # `training_photos` says that none can be read
