"""The demo's networks by name, `demo/honest`: their weights come with the package, so that nothing is fetched."""

from seewhy.demo import KINDS, SEGMENTER
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.untrained import RANDOM, drawn_text

from .drawing import drawing_torch, seeded
from .sources import Loaded, Request, need


def demo_network(request: Request) -> Loaded:
    """One of the demo's networks, with its own weights, those of a file, or untrained."""
    need("torch")
    need("safetensors")
    from seewhy.demo.networks import NETWORKS, PREPARE, blank, build  # need both, whose absence is said above

    from .segmenter import segmenter_folder  # here, for they stand on torch
    from .weights import fill

    name, weights = request.name, request.weights
    if name == SEGMENTER.name:
        return segmenter_folder(request._replace(spec=str(SEGMENTER)))
    every = [*NETWORKS, SEGMENTER.name]
    if name not in NETWORKS:
        raise NoSuchName("model", f"demo/{name}", closest(name, every), f"There are: {', '.join(every)}.")
    draws = seeded(request)
    if draws.request.options:
        raise BadParameter(f"demo/{name} takes no options, not {', '.join(draws.request.options)}.")
    if weights == RANDOM:
        with drawing_torch(draws.seed):
            return Loaded(blank(name), PREPARE, list(KINDS), drawn_text(draws.seed))
    draws.unused()
    if weights is None:
        return Loaded(build(name), PREPARE, list(KINDS), "embedded")
    network = blank(name)
    return Loaded(network, PREPARE, list(KINDS), fill(network, weights, request.trust)[0])
