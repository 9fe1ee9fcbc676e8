"""What methods made of methods take over from their parts."""

import pytest

import seewhy
from seewhy.explaining.recipe import Parameter
from seewhy.methods.making.composing import composed, fitting, of_any, repeated, unused
from seewhy.methods.making.conditions import Conditions
from seewhy.methods.making.method import lookup


def test_every_part_is_given_credit_and_its_caveat_stays():
    doc = composed("The mean", "A paper.", seewhy.grad_cam, seewhy.cam)
    said, source, caveat = doc.split("\n\n")
    assert said == "The mean."
    assert source.startswith("Source: A paper. grad-cam: Selvaraju et al. 2017")
    assert "cam: Zhou et al. 2016" in source
    assert caveat.startswith("Caveat: grad-cam: averaging the gradient")
    assert "cam: exists only" in caveat
    assert composed("x", "", seewhy.cam, caveat="Mine.").split("\n\n")[2].startswith("Caveat: Mine. cam: exists only")
    assert composed("x", "", seewhy.cam).split("\n\n")[1].startswith("Source: cam: Zhou")


def test_a_part_gets_those_parameters_that_it_takes():
    params = {"signed": True, "samples": 9}
    assert fitting(seewhy.grad_cam, params).params == {"signed": True}
    assert fitting(seewhy.gradient, params).params == {}


def test_a_parameter_of_the_part_is_in_the_way_of_one_of_the_same_name():
    unused(seewhy.grad_cam, "samples", "sigma")
    with pytest.raises(seewhy.BadParameter, match="lime has samples of its own already"):
        unused(seewhy.lime, "samples", "sigma")


def test_what_is_repeated_costs_its_part_so_often_and_declares_the_same():
    forwards = lambda settings, _conditions: settings["times"]  # noqa: E731
    times = {"times": Parameter(2, int, "how often")}
    method = repeated(seewhy.guided_grad_cam, "twice", None, times, "said", "", "{times}", forwards)
    assert (method.name, method.reads, method.pixels, method.layered) == ("twice(guided-grad-cam)", "pixels", True, True)
    assert method.defaults["times"] == 2
    assert method.forwards(Conditions((8, 8))) == 2
    assert method.using(times=5).forwards(Conditions((8, 8))) == 5
    assert method.cost.startswith("2 x (")
    assert method.requires == seewhy.guided_grad_cam.requires
    assert method.averages


def test_the_first_obstacle_of_any_part_is_told():
    small = Conditions((1, 1))
    parts = [seewhy.grad_cam, lookup("sobol").using(segments="grid:9"), lookup("sobol")]
    first = of_any(parts)({}, small)
    assert "grid:9" in first
    assert of_any([seewhy.grad_cam, seewhy.cam])({}, small) == ""
