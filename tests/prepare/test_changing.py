"""One meaning of `prepare=` and of `--prepare`: a dict changes what it names of what the weights bring, and nothing else."""

import pytest

from seewhy.errors import BadParameter
from seewhy.prepare.batch import preparer
from seewhy.prepare.changing import prepared_with
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from seewhy.prepare.volume_fit import VolumeFit

OWN = Fit(235, 224, (0.1, 0.2, 0.3), 0.25, "bicubic", bgr=True)


def code(photo):
    return photo


CASES = {
    "nothing": (OWN, None, OWN),
    "an empty dict": (OWN, {}, OWN),
    "two numbers": (OWN, {"mean": 0.5, "std": 0.5}, Fit(235, 224, 0.5, 0.5, "bicubic", bgr=True)),
    "a list": (OWN, {"mean": [0.5, 0.5, 0.5]}, Fit(235, 224, (0.5, 0.5, 0.5), 0.25, "bicubic", bgr=True)),
    "another interpolation": (OWN, {"interpolation": "box"}, Fit(235, 224, (0.1, 0.2, 0.3), 0.25, "box", bgr=True)),
    "a Fit": (OWN, Fit(), Fit()),
    "a callable": (OWN, code, code),
    "no preprocessing, and a dict": (None, {"mean": 0.5}, {"mean": 0.5}),
    "no preprocessing, and nothing": (None, None, None),
    "the scale": (Unscaled((4, 5)), {"mean": 0.0, "std": 1.0}, Unscaled((4, 5), None, 0.0, 1.0)),
    "a volume's window": (VolumeFit("RAS", spacing=2), {"window": (0, 1)}, VolumeFit("RAS", spacing=2, window=(0, 1))),
    "a volume's size": (VolumeFit("RAS"), {"size": 8}, VolumeFit("RAS", size=8)),
    "volumes for photos": (OWN, {"spacing": 1}, {"spacing": 1}),
    "a clip's count": (ClipFit(OWN, 16), {"count": 4}, ClipFit(OWN, 4)),
    "a clip's numbers": (ClipFit(OWN, 8), {"bgr": False}, ClipFit(Fit(235, 224, (0.1, 0.2, 0.3), 0.25, "bicubic"), 8)),
    "clips for photos": (OWN, {"count": 4}, ClipFit(OWN, 4)),
    "pixels of a function": ({"size": (8, 9)}, {"interpolation": "box"}, {"size": (8, 9), "interpolation": "box"}),
    "all numbers in place of code": (
        code,
        {"size": 9, "crop": None, "mean": 0, "std": 1, "interpolation": "box"},
        {"size": 9, "crop": None, "mean": 0, "std": 1, "interpolation": "box"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_dict_changes_what_it_names(name):
    own, given, expected = CASES[name]
    assert prepared_with(own, given) == expected
    assert preparer(prepared_with(own, given)) == preparer(expected)


UNKNOWN = {
    "of a photo": (OWN, {"croup": 3}, "`prepare` has no croup. It takes: size, crop, mean, std, interpolation, bgr"),
    "of a volume": (VolumeFit(), {"bgr": True}, "`prepare` has no bgr. It takes: orientation, axes"),
    "of no scale": (Unscaled(), {"croup": 3}, "`prepare` has no croup. It takes: size"),
    "of code": (code, {"mean": 0.5, "std": 0.5}, "code to prepare photos, code, whose numbers .* Say all of size, crop, mean"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_changed_is_refused_with_what_can(name):
    own, given, said = UNKNOWN[name]
    with pytest.raises(BadParameter, match=said):
        prepared_with(own, given)
