"""A preprocessing by its numbers: as resolved, the same in every process, and of a bounded length."""

import json

import pytest

from seewhy.prepare.batch import preparer
from seewhy.prepare.clip_fit import ClipFit
from seewhy.prepare.facts import LONGEST, facts_of
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from seewhy.prepare.volume_fit import VolumeFit

PLAIN = {
    "kind": "Fit",
    "size": 256,
    "crop": 224,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "interpolation": "bilinear",
    "bgr": False,
}


def test_a_partial_dict_is_told_in_full():
    assert facts_of(Fit()) == PLAIN
    assert facts_of(preparer({"mean": 0.5, "std": [0.5, 0.5, 0.5]})) == {**PLAIN, "mean": 0.5, "std": [0.5, 0.5, 0.5]}
    assert facts_of(None) == {}


def test_the_same_numbers_are_the_same_facts():
    said = Unscaled().said({"mean": 0, "std": 1, "size": 256, "crop": 224})
    assert facts_of(said) == facts_of(Fit(mean=0.0, std=1.0))
    assert Fit(mean=[0.5] * 3, std=1) == Fit(mean=(0.5, 0.5, 0.5), std=1.0)


def test_volumes_and_clips_tell_all_their_numbers():
    volume = facts_of(VolumeFit(orientation="RAS", window=(-100, 400)))
    assert (volume["kind"], volume["orientation"], volume["window"], volume["mean"]) == ("VolumeFit", "RAS", [-100, 400], 0)
    assert {*volume} == {"kind", *VolumeFit.__dataclass_fields__}
    assert facts_of(ClipFit(Fit(), 8)) == {"kind": "ClipFit", "count": 8, "fit": PLAIN}


class Blur:
    def __init__(self, strength):
        self.strength, self.hook = strength, lambda x: x

    def __call__(self, photo):
        return photo

    def __repr__(self):
        return f"Blur({self.strength}, {self.hook})"


class Numbered(Blur):
    @property
    def facts(self):
        return {"strength": self.strength}


def test_code_tells_its_name_and_what_it_says_of_itself_without_addresses():
    def own(photo):
        return photo

    assert facts_of(preparer(own))["code"].endswith("own")
    said = facts_of(preparer(Blur(3)))
    assert said["code"] == "Blur"
    assert said["says"].startswith("Blur(3, <function Blur.__init__.<locals>.<lambda>")
    assert "0x" not in said["says"]
    assert facts_of(preparer(Blur("x" * 9999)))["says"] == ("Blur(" + "x" * 9999)[:LONGEST]
    assert facts_of(preparer(Numbered(2)))["numbers"] == {"strength": 2}


def test_torchvision_s_transforms_tell_their_numbers():
    transforms = pytest.importorskip("torchvision.transforms")
    facts = facts_of(preparer(transforms.Compose([transforms.Resize(64), transforms.ToTensor()])))
    assert facts["code"] == "Compose"
    assert "Resize(size=64" in facts["says"]
    assert json.loads(json.dumps(facts)) == facts
