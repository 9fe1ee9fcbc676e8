"""The picture of a class: a row for its maps, and one for each part that was pasted."""

from dataclasses import replace

import numpy as np
from PIL import Image

from seewhy.dataset.auditing import picture
from seewhy.dataset.auditing.picture import audit_picture
from seewhy.dataset.auditing.planting import PlantedPart
from seewhy.dataset.auditing.suspects import Suspicion
from seewhy.metrics.regional.report import EvidenceReport
from seewhy.metrics.regional.search import EvidencePile
from seewhy.truth.accuracy import Portion


def report():
    means = {name: np.full((128, 128), 1 / 128**2) for name in "ab"}
    return EvidenceReport("net", "grad-cam", "top 1", 20, (), (), {"a": 10, "b": 10}, means)


def test_photos_with_the_part_stand_below_the_mean_maps():
    colours = ("red", "lime", "blue")
    shown = tuple((Image.new("RGB", (40, 20), colour), "b") for colour in colours)
    part = PlantedPart("a", 20, Portion(18, 20), Portion(0, 20), None, 1.0, 0.5, 1.5, 0.001, 0.01, shown)
    bare = audit_picture("a", report(), [])
    picture = audit_picture("a", report(), [Suspicion("a", "background", "rim", "why", 0.01, planted=part)])
    assert picture.height > bare.height + 150
    below = np.asarray(picture)[bare.height :]
    for number, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
        columns = np.flatnonzero((below == colour).all(2).sum(0) >= 150)  # 40 x 20 pixels are drawn as 300 x 150
        assert (columns.min(), columns.max()) == (10 + 310 * number, 309 + 310 * number)


def test_the_p_of_a_place_is_that_of_the_text(monkeypatch):
    """Four kinds of checks are asked, so a p that is adjusted within its own kind counts four times."""
    pile = EvidencePile("a", ((0, 0, 0.25, 0.25),), 10, 0.5, 0.4, 0.6, 0.06, 0.05, 0.001, 0.002)
    told, real = [], picture.evidence_picture
    monkeypatch.setattr(picture, "evidence_picture", lambda *of: (told.extend(map(str, of[3])), real(*of))[1])
    audit_picture("a", replace(report(), piles=(pile,)), [])
    (said,) = told
    assert said.endswith("adjusted p 0.008")
