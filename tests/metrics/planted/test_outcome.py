"""What is said of what was planted, from numbers that leave no doubt."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seewhy.metrics.planted.outcome import PlantedTruth
from seewhy.truth.accuracy import Portion

NOISE = np.tile([0.01, -0.01], 5)
MASS = {
    "finder": 0.7 + NOISE,
    "twin": 0.7 - NOISE,
    "blind": 0.4 + NOISE[::-1] * 3,
    "astray": 0.1 + NOISE,
    "random-map": 0.4 - NOISE,
}


def outcome(right=19):
    values = {
        "mass": MASS,
        "beyond": {method: each - 0.4 for method, each in MASS.items()},
        "pointing": {method: np.round(each) for method, each in MASS.items()},
    }
    return PlantedTruth(
        "net", "backgrounds", "layer4", 10, tuple(map(str, range(10))), Portion(right, 20), Portion(10, 20), 0.4,
        values if right >= 18 else {}, 0,
    )  # fmt: skip


def test_the_proof_and_each_method():
    proof, *lines = outcome().says
    assert proof.startswith("Backgrounds planted in net: a head fitted to 10 photos, each with either background in turn")
    assert "95.0 % (19 of 20;" in proof
    assert "and without one 50 %, which is chance. A background takes 40.0 % of the area." in proof
    of = {line.split()[0]: line for line in lines}
    assert [*of] == [row.method for row in outcome().rankings["beyond"] if row.method != "random-map"]
    assert "finds it, the best: 70.0 % of its evidence lies on the background (69." in lines[0]
    assert "finds it, tied with the best" in lines[1]
    assert {*list(of)[:2]} == {"finder", "twin"}
    assert of["blind"].startswith("blind cannot be told from a random map: 40.0 % of its evidence")
    assert of["astray"].startswith("astray has less there than a random map: 10.0 % of its evidence")
    assert of["finder"].endswith("and it points at it in 100 %.")


def test_of_few_photos_it_is_not_said_that_a_method_misses_what_was_planted():
    """Five photos have no p below 2 / 2^5, which is more than a twentieth."""
    whole = outcome()
    few = replace(
        whole,
        photos=whole.photos[:5],
        values={name: {method: each[:5] for method, each in of.items()} for name, of in whole.values.items()},
    )
    lines = few.says[1:]
    assert len(lines) == 4
    assert all(
        "is not judged, for 5 held-out photos are too few to tell 4 methods from a random map: " in line for line in lines
    )


@pytest.mark.parametrize(("right", "planted"), [(18, True), (17, False)])
def test_nine_of_ten_are_the_proof(right, planted):
    found = outcome(right)
    assert found.planted == planted
    assert bool(found.rankings) == planted
    assert found.says[0].startswith("Backgrounds planted" if planted else "No backgrounds could be planted in net")


def test_as_json():
    facts = json.loads(outcome().to_json())
    assert (facts["what"], facts["planted"], facts["held_out"], facts["right_with_mark"]) == ("backgrounds", True, 10, 0.95)
    assert {row["method"] for row in facts["measures"]["mass"]} == {*MASS}
    assert facts["says"] == [*outcome().says]
