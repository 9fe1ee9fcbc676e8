"""How boxes are found, as a person types it: the same words as in Python, refused before anything runs where they are wrong."""

import click
import pytest
from click.testing import CliRunner

from seewhy.cli import finding_options
from seewhy.cli.finding_options import BoxRule
from seewhy.errors import NoSuchName
from seewhy.objects.find import COMPONENTS
from seewhy.objects.threshold import PRESETS, USUAL


@pytest.fixture
def typed():
    """What `Heatmap.boxes` is asked for by these words, and how much boxes may overlap; or why not."""

    def ask(*words):
        given = list[BoxRule]()

        @click.command()
        @finding_options.finding_options
        def look(rule):
            given.append(rule)

        done = CliRunner().invoke(look, words)
        assert (done.exit_code == 0) == bool(given)
        return given[0] if given else done.stderr

    return ask


def test_the_command_line_knows_the_words_of_the_library():
    assert (*finding_options.KINDS,) == (*USUAL,)
    assert {*finding_options.PRESETS} == {*PRESETS}
    assert [*finding_options.COMPONENTS] == COMPONENTS


def test_what_nobody_said_is_left_to_the_library(typed, made_heatmap):
    rule = typed()
    assert rule.of_map == {"threshold": 0.15, "of": "max", "components": "largest", "connectivity": 8}
    assert typed("--of", "quantile").of_map["threshold"] == 0.85
    assert "threshold" not in typed("--of", "otsu").of_map
    assert "threshold" not in typed("--preset", "cam").of_map
    assert rule.suppress == 0.5
    heatmap = made_heatmap([[0, 1], [0, 0.5]])
    assert heatmap.boxes(**rule.of_map).boxes == heatmap.boxes().boxes


def test_all_that_is_said_is_handed_on(typed):
    words = "--threshold 0.3 --of quantile --components all --connectivity 4 --least 20 --refine guided --suppress 0.7"
    rule = typed(*words.split())
    assert rule.of_map == {
        "threshold": 0.3, "of": "quantile", "components": "all", "connectivity": 4, "least": 20.0, "refine": "guided",
    }  # fmt: skip
    assert rule.suppress == 0.7
    assert typed("--preset", "cam").of_map["preset"] == "cam"
    assert typed("--refine", "crf:iterations=5, xy=0.1").of_map["refine"] == ("crf", {"iterations": 5, "xy": 0.1})


def test_what_the_library_refuses_is_refused_before_a_model_is_loaded(typed):
    typed("--components", "all", "--least", "1000").check()  # which leaves no box, and is no mistake
    with pytest.raises(NoSuchName, match="No refinement 'gided'"):
        typed("--refine", "gided").check()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--threshold 1", "0 to below 1"),
        ("--threshold 15", "--threshold"),
        ("--threshold nan", "--threshold"),
        ("--threshold -0.1", "--threshold"),
        ("--of mean", "'max', 'quantile', 'otsu'"),
        ("--preset sam", "'cam', 'grad-cam'"),
        ("--connectivity 6", "'8', '4'"),
        ("--least -1", "--least"),
        ("--suppress 2", "--suppress"),
        ("--refine guided:radius", "behind a colon"),
        ("--preset cam --threshold 0.3", "--preset cam says the threshold"),
        ("--preset cam --of quantile", "--preset cam says the threshold"),
        ("--of otsu --threshold 0.3", "--of otsu finds the threshold by itself"),
    ],
)
def test_what_cannot_be_is_refused_in_words(typed, words, why):
    assert why in typed(*words.split())
