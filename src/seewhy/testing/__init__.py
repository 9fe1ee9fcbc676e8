"""For the tests of your own models: explanations that stay as they are, or the test fails and says what moved.

    from seewhy.testing import assert_explanations_close

    def test_int8_looks_where_float32_looks():
        assert_explanations_close(float32, int8, photos, min_spearman=0.9)

and, by the fixture `golden_maps` of the pytest plugin, maps kept as files beside the tests.  See docs/drift.md.
Importing this imports nothing else, and never pytest: pytest imports the plugin in here whenever it starts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .close import assert_explanations_close as assert_explanations_close
    from .golden import GoldenMaps as GoldenMaps
    from .golden import assert_explanation_golden as assert_explanation_golden

_LATE = {"assert_explanations_close": ".close", "assert_explanation_golden": ".golden", "GoldenMaps": ".golden"}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return globals().setdefault(name, getattr(import_module(_LATE[name], __name__), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. It has {', '.join(sorted(_LATE))}.")


def __dir__() -> list[str]:
    return sorted(_LATE)
