"""Which methods can be put into a graph, and how."""

from seewhy.errors import NotApplicable
from seewhy.methods.making.method import METHODS, Method
from seewhy.models.graph import MapForm

OTHERS = {"recipro-cam": "tail", "eigen-cam": "activations"}  # methods that a graph computes in a way of its own, and what of
COMPONENTS = {  # methods that find the first principal component, and what of: (a, g) -> (n, c, *space)
    "eigen-grad-cam": lambda a, g: g * a,
    "seg-eigen-cam": lambda a, g: abs(g) * a,
}


def form_of(method: Method) -> MapForm:
    """How the method's map is computed inside of a graph.

    Raises NotApplicable for one that no graph can hold: it asks for many changed images, goes back through all of the network,
    or is computed by what graphs do not know.
    """
    settings = {key: value for key, value in method.settings.items() if not (method.rectified and key == "signed")}
    rectified = method.rectified and not method.settings["signed"]
    if method.name in OTHERS:
        read = {} if OTHERS[method.name] == "tail" else settings  # budgets and the like change no map
        return MapForm(OTHERS[method.name], None, read, rectified)
    if method.name in COMPONENTS:
        return MapForm(method.reads, COMPONENTS[method.name], settings, rectified, component=True)
    if method.formula_of is None:
        raise NotApplicable(f"{method.name} has no form as a graph. Methods that have one: {', '.join(exportable())}.")
    return MapForm(method.reads, method.formula_of, settings, rectified)


def exportable() -> list[str]:
    """The names of the methods that can be put into a graph."""
    return [name for name, method in METHODS.items() if name in OTHERS or method.formula_of is not None]
