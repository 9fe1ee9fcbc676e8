"""Objectives: their values by hand, and their gradients by finite differences in float64."""

import numpy as np
import pytest

from seewhy import AnyOf, Class, Contrast, Region, Top, Unit
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.inside.maximizing.objectives import couples, layers_of, objective_of, read
from seewhy.targets.sums import Direction, Diversity, WholeLayer

RNG = np.random.default_rng(0)
A = {"conv": RNG.normal(size=(3, 4, 2, 3)), "flat": RNG.normal(size=(3, 5)), "scores": RNG.normal(size=(3, 6))}
V = RNG.normal(size=4)
CASES = {
    "max": Unit("conv", 1),
    "sum": Unit("conv", 1, "sum"),
    "cell": Unit("conv", 2, (1, 2)),
    "flat": Unit("flat", 4),
    "class": Class(3),
    "contrast": Contrast(3, 1, 0.5),
    "direction": Direction("conv", V),
    "cosine": Direction("conv", V, cosine=2),
    "direction at a cell": Direction("conv", V, cosine=1, at=(0, 1)),
    "flat direction": Direction("flat", [1, 2, 0, 0, -1]),
    "layer": WholeLayer("conv"),
    "sum of several": 2 * Unit("conv", 1) - 0.5 * Class(3) + WholeLayer("conv") * 3,
}


@pytest.mark.parametrize("name", [*CASES, "diversity"])
def test_cotangents_are_the_slopes_of_the_values(name):
    aim = objective_of(CASES.get(name, Diversity("conv")), None)
    emitted = {layer: A[layer] for layer in layers_of(aim)}
    cotangents = read(aim, emitted).cotangents
    assert [*cotangents] == layers_of(aim)
    for layer, a in emitted.items():
        assert cotangents[layer].shape == a.shape
        rng = np.random.default_rng(1)
        for at in [tuple(rng.integers(side) for side in a.shape) for _ in range(10)]:
            there, here = a.copy(), a.copy()
            there[at] += 1e-6
            here[at] -= 1e-6
            up, down = (read(aim, {**emitted, layer: moved}).values.sum() for moved in (there, here))
            assert cotangents[layer][at] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-8)


def test_values_are_what_they_say():
    values = {name: read(objective_of(each, None), A).values for name, each in CASES.items()}
    conv, scores = A["conv"], A["scores"]
    np.testing.assert_allclose(values["max"], conv[:, 1].max((1, 2)))
    np.testing.assert_allclose(values["sum"], conv[:, 1].sum((1, 2)))
    np.testing.assert_allclose(values["cell"], conv[:, 2, 1, 2])
    np.testing.assert_allclose(values["flat"], A["flat"][:, 4])
    np.testing.assert_allclose(values["contrast"], scores[:, 3] - 0.5 * scores[:, 1])
    np.testing.assert_allclose(values["layer"], (conv**2).mean((1, 2, 3)))
    np.testing.assert_allclose(values["sum of several"], 2 * values["max"] - 0.5 * scores[:, 3] + 3 * values["layer"])
    for i in range(3):
        cells = [conv[i, :, y, x] for y in range(2) for x in range(3)]
        cosines = [max(0.1, cell @ V / np.linalg.norm(cell) / np.linalg.norm(V)) for cell in cells]
        assert values["direction"][i] == pytest.approx(np.mean([cell @ V for cell in cells]))
        assert values["cosine"][i] == pytest.approx(np.mean([c @ V * p**2 for c, p in zip(cells, cosines, strict=True)]))
        assert values["direction at a cell"][i] == pytest.approx(cells[1] @ V * cosines[1])


def test_a_cell_that_is_silent_has_the_least_slope():
    a = np.array(A["conv"], np.float32)
    a[0, :, 1, 2] = 0  # as behind a ReLU
    found = read(objective_of(CASES["cosine"], None), {"conv": a})
    np.testing.assert_allclose(found.cotangents["conv"][0, :, 1, 2], 0.1**2 * np.array(V) / 6, rtol=1e-6)
    assert np.isfinite(found.cotangents["conv"]).all()


def test_diversity_is_minus_the_cosine_between_gram_matrices():
    def gram(a):
        flat = a.reshape(4, 6)
        return (flat @ flat.T).ravel()

    grams = [gram(a) / np.linalg.norm(gram(a)) for a in A["conv"]]
    values = read(objective_of(Diversity("conv"), None), A).values
    for i in range(3):
        assert values[i] == pytest.approx(-np.mean([grams[i] @ grams[j] for j in range(3) if j != i]))
    alike = read(objective_of(Diversity("conv"), None), {"conv": np.repeat(A["conv"][:1], 2, 0)})
    assert alike.values == pytest.approx([-1, -1])
    assert abs(alike.cotangents["conv"]).max() < 1e-12
    assert couples(objective_of(Class(1) + Diversity("conv"), None))
    assert not couples(objective_of(Class(1), None))
    with pytest.raises(BadParameter, match="batch"):
        read(objective_of(Diversity("conv"), None), {"conv": A["conv"][:1]})


def test_labels_are_known():
    assert objective_of("tabby", ["dog", "tabby"]).terms == ((1.0, Class(1)),)
    assert objective_of(2 * Class("tabby"), ["dog", "tabby"]).terms == ((2.0, Class(1)),)
    assert objective_of(Top(), None).terms == ((1.0, Top()),)


@pytest.mark.parametrize(
    ("aim", "error", "why"),
    [
        (Unit("conv", 4), NoSuchName, "0 to 3"),
        (Unit("conv", 0, (2, 0)), NoSuchName, r"\(0, 0\) to \(1, 2\)"),
        (Unit("flat", 0, (0,)), NoSuchName, "no cells"),
        (Class(6), NoSuchName, "0 to 5"),
        (Unit("again", 0), BadParameter, "again#1, again#2"),
        (Direction("conv", [1.0, 2.0]), BadParameter, "2 numbers.*4 channels"),
    ],
    ids=["channel", "cell", "cell of none", "class", "several runs", "vector"],
)
def test_what_does_not_exist_is_said(aim, error, why):
    with pytest.raises(error, match=why):
        read(objective_of(aim, None), {**A, "again#1": A["conv"], "again#2": A["conv"]})


@pytest.mark.parametrize("aim", [Region("cat"), AnyOf([0, 1]), "any:cat", "region:cat"], ids=str)
def test_what_is_no_number_of_a_pass_is_refused(aim):
    with pytest.raises(NotApplicable, match="made for"):
        objective_of(aim, ["cat", "dog"])
