"""What a person says of a network when it is wrapped."""

from dataclasses import FrozenInstanceError

import pytest

from seewhy.errors import BadParameter
from seewhy.models.settings import COPIES, Settings


def test_as_many_copies_share_a_pass_as_the_person_says_or_as_usual():
    assert Settings().copies == COPIES
    assert Settings(batch_size=3).copies == 3


def test_nobody_changes_them():
    with pytest.raises(FrozenInstanceError):
        Settings().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(("settings", "words"), [
    ({"geometry": "round"}, "geometry='round': it is one of receptive-field, plain"),
    ({"task": "segmentation"}, "task='segmentation': it is one of single-label, multi-label, regression"),
    ({"task": "regression", "scores": "probability"}, "a regression has no probabilities"),
])  # fmt: skip
def test_what_means_nothing_is_refused(settings, words):
    with pytest.raises(BadParameter, match=words):
        Settings(**settings)
