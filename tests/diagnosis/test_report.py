"""What the doctor reports: what follows from it, and that it survives as JSON."""

import json

from seewhy.diagnosis.report import Report, Verdict
from seewhy.images.places import Place
from seewhy.maps.source import Predicted
from seewhy.models.hazard import ERROR, NOTE, WARNING, Hazard
from seewhy.models.model import Layer

CELLS = Place((2.0, 4.0), (1.5, 0.5), (float("inf"), 5.0))
LAYERS = {"act": Layer("ReLU", (6, 4, 3), 1, True, True, "the last", (1,), 0, CELLS), "fc": Layer("Linear", (5,), 1, True)}


def report(*severities, method=None, layer="act"):
    hazards = tuple(Hazard(f"h{i}", severity, "words") for i, severity in enumerate(severities))
    verdicts = (Verdict("grad-cam", True, "", 1, "1 forward"), Verdict("cam", False, "no head", None, "1 forward"))
    return Report("net", None, "cat.png", Predicted(3, "cat", 0.75), LAYERS, hazards, verdicts, layer, "the last", method)


def test_only_an_error_leaves_no_hope():
    assert not report().hopeless
    assert not report(NOTE, WARNING).hopeless
    assert report(NOTE, ERROR).hopeless


def test_a_layer_is_named_with_a_method_that_takes_one():
    assert report(method="grad-cam").at == "act"
    assert report(method="occlusion").at is None
    assert report(method="rise").at is None
    assert report().at is None
    assert report(method="grad-cam", layer=None).at is None


def test_as_json_everything_has_its_name_and_infinity_is_null():
    facts = json.loads(report(WARNING, method="grad-cam").as_json())
    assert facts["hazards"] == [{"name": "h0", "severity": WARNING, "words": "words", "where": [], "advice": ""}]
    assert facts["methods"][1] == {"method": "cam", "works": False, "why": "no head", "forwards": None, "cost": "1 forward"}
    assert facts["layers"]["act"]["cells"] == {"stride": [2.0, 4.0], "first": [1.5, 0.5], "field": [None, 5.0]}
    assert facts["layers"]["fc"]["cells"] is None
    assert facts["predicted"] == {"index": 3, "label": "cat", "probability": 0.75}
    assert facts["hopeless"] is False
    assert "at" not in facts
