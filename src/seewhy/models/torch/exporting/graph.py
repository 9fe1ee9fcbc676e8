"""A traced network that gives scores and maps; made of a model, written to a file and opened again."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from seewhy.arrays import Array
from seewhy.errors import NotApplicable
from seewhy.models.graph import MapForm
from seewhy.models.torch.passes.process import Alone
from seewhy.models.torch.passes.taps import offloaded, recorded
from seewhy.models.torch.runner import Runner
from seewhy.targets.target import Top

from .files import onnx_file, opened_onnx, opened_pt2, pt2_file
from .forms import pooled_head
from .network import COPIES, MASKS, LayerPlace, SelfExplaining
from .reuse import reuse
from .tracing import quiet, traced

EXPORTING = Alone()  # torch.export changes how every module of the process is called
WRITERS = {".onnx": onnx_file, ".pt2": pt2_file}
READERS = {".onnx": opened_onnx, ".pt2": opened_pt2}


class TorchGraph:
    """A program of torch.export that gives scores (n, k) and maps (n, *space) of images (n, c, *space), in float32.

    single: it takes one image at a time, as the network fixes that number when it is traced; reused: how many values, of those
    that an edited layer does not change, are taken of the first run.
    """

    def __init__(self, program: ExportedProgram, single: str, reused: int) -> None:
        self.program, self.single, self.reused = program, single, reused

    def write(self, path: Path, facts: str) -> Mapping[str, Any]:
        """Write it, as the ending of the path says; facts: JSON that travels with it.  What is to be said of the file."""
        with quiet():
            return WRITERS[path.suffix.lower()](self.program, path, facts)

    def opened(self, path: Path) -> Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
        """What gives scores and maps of images, by the file alone."""
        with quiet():
            return READERS[path.suffix.lower()](path)


def single_precision(runner: Runner) -> Runner:
    """A runner of a copy of the network, in float32 on the CPU."""
    if offloaded(runner.network):
        raise NotApplicable(
            f"{runner.name} keeps weights elsewhere than in its modules (accelerate). Load it whole to export it."
        )
    return runner.of_network(deepcopy(runner.network).to("cpu", torch.float32).eval().requires_grad_(False))


def graph_of(runner: Runner, x: Array, layer: str, form: MapForm, target: Top | Array) -> TorchGraph:
    """The graph of a network, as `single_precision` copies it, at a layer that images like x (n, c, *space) run through."""
    call = runner.call
    if runner.end is not None or runner.aims or call.towers or call.inputs.rows:
        raise NotApplicable(
            f"{runner.name} answers with more than scores of images alone (units, boxes, texts, inputs of their own): that "
            "cannot be put into a graph of images. Export a model of classes."
        )
    with runner.ready(x[:1]) as image, torch.no_grad():
        if call.channels(image) != 1:
            raise NotApplicable(f"{runner.name} takes frames before channels; a graph takes images (n, c, ...) alone.")
        place = place_of(runner, image, layer, form)
        image = image.clone()
    with EXPORTING, quiet(), torch.no_grad():
        network = SelfExplaining(runner, place, form, target).eval()
        program, single = traced(network, image, runner.name)
        reused = reuse(program, "images", COPIES, MASKS, network.cells + 1) if network.cells else 0
    return TorchGraph(program, single, reused)


def place_of(runner: Runner, image: Tensor, layer: str, form: MapForm) -> LayerPlace:
    """What a pass of one image (1, c, *space), made ready, shows."""
    tap = runner.taps([layer], image)[layer]
    with recorded([tap], grad=False):
        raw, scores = runner.run(image.clone())
    emission = tap.check()
    layout = runner.layout(layer, emission, image)
    runner.look_for_sigmoid(image, raw)
    head = None
    if form.reads in ("gradients", "head"):
        if runner.settings.scores != "logits":
            raise NotApplicable(
                f"In closed form gradients are those of logits; {runner.name} explains {runner.settings.scores}. recipro-cam "
                "takes any scores."
            )
        run = lambda: runner.run(image.clone())  # noqa: E731
        head = pooled_head(runner.network, run, layout.turn(emission), layer, runner.name)
    return LayerPlace(layer, tap.call or tap.calls, layout, emission, head, runner.answer(raw, scores).normalised)
