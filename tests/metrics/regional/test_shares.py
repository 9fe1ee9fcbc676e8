"""The share of evidence in a region, class by class and cell by cell."""

import numpy as np
import pytest

from seewhy.holm import holm
from seewhy.metrics.regional.chance import sign_flips
from seewhy.metrics.regional.photos import PhotoEvidence
from seewhy.metrics.regional.shares import region_shares
from seewhy.truth.evidence import EvidenceShare

LABELS = ["cat", "dog"]


def photo(place, explained, share, area=0.25, truth=(), region="corner"):
    shares = {} if share is ... else {region: EvidenceShare(share, area, None, 1.0)}
    return PhotoEvidence(f"{place}.png", place, explained, LABELS.index(explained), truth, shares, None)


def rows_of(photos, regions=("corner",)):
    return {(row.within, row.who): row for row in region_shares(photos, regions, LABELS)}


def test_means_intervals_and_p_by_hand():
    shares = [0.5, 0.6, 0.7, 0.8, 0.6, 0.7, 0.9, 0.5]
    photos = [photo(place, "cat", share) for place, share in enumerate(shares)]
    photos += [photo(8 + place, "dog", 0.1 * place, 0.2) for place in range(5)]
    rows = rows_of(photos)
    cat, dog = rows["corner", "cat"], rows["corner", "dog"]
    assert (cat.photos, cat.share, cat.area, cat.others) == (8, pytest.approx(np.mean(shares)), 0.25, pytest.approx(0.2))
    assert (dog.share, dog.area, dog.others) == (pytest.approx(0.2), pytest.approx(0.2), pytest.approx(np.mean(shares)))
    assert cat.times == pytest.approx(np.mean(shares) / 0.25)
    error = np.std(shares, ddof=1) / np.sqrt(8)  # by Student's distribution of seven degrees of freedom
    assert cat.low == pytest.approx(np.mean(shares) - 2.36 * error, abs=0.3 * error)
    assert cat.high == pytest.approx(np.mean(shares) + 2.36 * error, abs=0.3 * error)
    assert cat.p == sign_flips(np.array(shares) - 0.25) == 2 / 2**8
    assert (cat.verdict, dog.p, dog.verdict) == ("more", None, "few")
    every = rows["corner", "all classes"]  # the second test; five dogs are too few to be one
    assert [cat.adjusted, every.adjusted] == holm([cat.p, every.p]).tolist()
    assert (every.photos, every.others) == (13, None)
    assert every.share == pytest.approx((8 * cat.share + 5 * dog.share) / 13)


def test_cells_of_the_confusion_matrix_tell_mistakes_apart():
    photos = [photo(place, "dog", 0.9, truth=(0,)) for place in range(3)]  # cats taken for dogs
    photos += [photo(3 + place, "dog", 0.1, truth=(1,)) for place in range(4)]
    photos += [photo(7 + place, "cat", 0.2, truth=(0, 1)) for place in range(2)]
    rows = rows_of(photos)
    assert {who: row.photos for (_, who), row in rows.items()} == {
        "all classes": 9, "dog": 7, "cat (0) taken for dog (1)": 3, "dog (1), right": 4,
        "cat": 2,  # where all are right the class says it
    }  # fmt: skip
    assert rows["corner", "cat (0) taken for dog (1)"].share == pytest.approx(0.9)
    assert rows["corner", "dog (1), right"].share == pytest.approx(0.1)
    assert rows["corner", "dog"].share == pytest.approx((3 * 0.9 + 4 * 0.1) / 7)


def test_all_classes_and_regions_are_one_family_of_tests():
    rng = np.random.default_rng(0)
    photos = []
    for place in range(24):
        explained = LABELS[place % 2]
        shares = {name: EvidenceShare(float(rng.random()), 0.4, None, 1.0) for name in ("a", "b")}
        photos.append(PhotoEvidence(f"{place}", place, explained, place % 2, (), shares, None))
    rows = region_shares(photos, ("a", "b"), LABELS)
    assert len(rows) == 6
    np.testing.assert_allclose([row.adjusted for row in rows], holm([row.p for row in rows]))


def test_photos_without_evidence_or_without_the_region_are_left_out():
    photos = [photo(0, "cat", 0.5), photo(1, "cat", None), photo(2, "cat", ...), photo(3, "cat", 0.7)]
    assert rows_of(photos)["corner", "cat"].photos == 2
    assert rows_of([photo(0, "cat", None)]) == {}


def test_of_a_single_photo_there_is_no_interval_and_no_others():
    (row,) = rows_of([photo(0, "cat", 0.5)]).values()
    assert (row.low, row.high, row.others, row.p) == (None, None, None, None)
    assert str(row) == "cat: 50.0 % of the evidence in corner, 25.0 % of the area, 1 photo"
    assert row.facts["verdict"] == "few"


def test_what_stands_out_comes_first_and_what_cannot_be_told_last():
    photos = [photo(place, "cat", 0.01 + place / 1000) for place in range(8)]
    photos += [photo(8 + place, "dog", 0.5 + place / 1000) for place in range(8)]
    photos += [photo(16, "dog", 0.9, truth=(0,))]
    rows = region_shares(photos, ("corner",), LABELS)
    assert [(row.who, row.verdict) for row in rows] == [
        ("all classes", "unsure"), ("dog", "more"), ("cat", "less"), ("cat (0) taken for dog (1)", "few"),
    ]  # fmt: skip
