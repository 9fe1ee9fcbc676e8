"""Any of several classes: the logarithm of the sum of their exponentials, in every method and for every kind of model."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import AnyOf, PerImage, Top
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.targets.group import Group, joined, slopes
from seewhy.targets.parse import as_targets
from support import adapters, ask, networks

LABELS = ["tabby, tabby cat", "tiger cat", "dogsled", "hot dog", "catamaran"]
GROUP = [0, 1, 3]
X = networks.images(2, seed=12)


class Joined(nn.Module):
    """A network that gives the log of the sum of exponentials of some classes of another, by torch's own function."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(self.network(x)[:, GROUP], 1, keepdim=True)


SAME = (
    "grad-cam", "grad-cam-pp", "hires-cam", "layer-cam", "shapley-cam", "eigen-grad-cam", "counterfactual", "gradient",
    "input-x-gradient", "guided-backprop", "integrated-gradients", "smooth-grad", "full-grad", "occlusion", "rise", "lime",
    "kernel-shap", "sobol", "score-cam", "ablation-cam", "recipro-cam", "eigen-cam",
)  # fmt: skip
FEW = {
    "rise": {"masks": 30}, "lime": {"segments": "grid:3", "samples": 20}, "kernel-shap": {"segments": "grid:3", "samples": 40},
    "sobol": {"grid": 3, "designs": 4}, "occlusion": {"window": 4, "stride": 4}, "integrated-gradients": {"steps": 8},
    "smooth-grad": {"samples": 4},
}  # fmt: skip


@pytest.mark.parametrize("method", SAME)
def test_a_group_is_explained_as_a_network_that_ends_in_its_log_sum_exp(method):
    """The second derivation: the same function of the image, made by a network of its own, whose one score is explained."""
    network, x = networks.pooled(), X
    settings = {key: value for key, value in FEW.get(method, {}).items() if key in seewhy.METHODS[method].defaults}
    signed = {"signed": True} if "signed" in seewhy.METHODS[method].defaults else {}
    how = seewhy.METHODS[method].using(**settings, **signed)
    layered = how.layered
    mine = how(seewhy.wrap(network, geometry="plain"), x, target=AnyOf(GROUP), **({"layer": "act2"} if layered else {}))
    whole = seewhy.wrap(Joined(network), geometry="plain", task="regression")
    theirs = how(whole, x, target=0, **({"layer": "network.act2"} if layered else {}))
    for one, other in zip(mine, theirs, strict=True):
        assert one.values.any()
        ask.close(one.values, other.values, rel=1e-5)
        assert one.source.score == (None if how.blind else pytest.approx(other.source.score))


def test_grad_cam_of_a_group_by_hand():
    network = networks.pooled()
    for image, heatmap in zip(X, seewhy.grad_cam(seewhy.wrap(network), X, AnyOf(GROUP), "act2", signed=True), strict=True):
        a = network[:4](torch.tensor(image)[None]).detach().requires_grad_()
        score = network[4:](a)[0, GROUP].exp().sum().log()
        (g,) = torch.autograd.grad(score, a)
        ask.close(heatmap.values, (g.mean((2, 3), keepdim=True) * a).sum(1)[0].detach().numpy(), rel=1e-5)
        assert heatmap.source.score == pytest.approx(score.item())


@pytest.mark.parametrize("scores", ["logits", "log-probability", "probability"])
def test_occlusion_of_a_group_by_hand(scores):
    """Hidden pixels change which of the classes is likely: weights fixed on the untouched image would not follow."""
    network = networks.flat_head()

    def explained(image):
        with torch.no_grad():
            y = network(torch.tensor(image)[None])[0].double().numpy()
        p = np.exp(y) / np.exp(y).sum()
        of = {"logits": np.log(np.exp(y[GROUP]).sum()), "probability": p[GROUP].sum()}
        return of.get(scores, np.log(p[GROUP].sum())), p[GROUP].sum()

    model = seewhy.wrap(network, scores=scores)
    maps = seewhy.occlusion(model, X, AnyOf(GROUP), window=4, stride=4, fill=0.0)
    fixed = seewhy.occlusion(model, X, lambda s: np.stack([slopes(s[i : i + 1], [GROUP], False)[0, 0] for i in range(len(s))]),
                             window=4, stride=4, fill=0.0)  # fmt: skip
    for image, heatmap, other in zip(X, maps, fixed, strict=True):
        score, chance = explained(image)
        drops = np.zeros(image.shape[1:])
        for y in range(0, 12, 4):
            for x in range(0, 16, 4):
                hidden = image.copy()
                hidden[:, y : y + 4, x : x + 4] = 0
                drops[y : y + 4, x : x + 4] = score - explained(hidden)[0]
        ask.close(heatmap.values, drops, rel=1e-4)
        ask.far(other.values, drops)
        assert heatmap.source.score == pytest.approx(score)
        assert heatmap.source.probability == pytest.approx(chance)


def test_integrated_gradients_of_a_group_add_up_to_its_score():
    network = networks.flat_head()
    ig = seewhy.integrated_gradients.using(steps=300, reduce="sum")
    (heatmap,) = ig(seewhy.wrap(network), X[:1], AnyOf(GROUP), baseline=0.0)
    with torch.no_grad():
        ends = torch.logsumexp(network(torch.stack([torch.tensor(X[0]), torch.zeros(3, 12, 16).double()]))[:, GROUP], 1)
    assert heatmap.values.sum() == pytest.approx(float(ends[0] - ends[1]), rel=1e-2)


def test_cam_of_a_group_weighs_the_classes_weights_by_their_share():
    network = networks.pooled()
    maps = seewhy.cam(seewhy.wrap(network), X, [0, 1, 3, AnyOf(GROUP)], "act2", signed=True)
    for i, image in enumerate(X):
        with torch.no_grad():
            share = network(torch.tensor(image)[None])[0, GROUP].softmax(0).numpy()
        zero, one, three, group = (m.values for m in maps.where(image=i))
        ask.close(group, share[0] * zero + share[1] * one + share[2] * three, rel=1e-5)


@pytest.mark.parametrize("adapter", adapters.MAKERS)
def test_every_adapter_explains_a_group_alike(adapter):
    made, reference = adapters.MAKERS[adapter](), adapters.in_torch()
    x = adapters.images(2)
    how = seewhy.occlusion.using(window=4, stride=4, fill=0.0)
    for scores, theirs in zip(how(made.model, made.given(x), AnyOf(GROUP)), how(reference.model, x, AnyOf(GROUP)), strict=True):
        ask.close(scores.values, theirs.values, rel=1e-3)
        assert scores.source.score == pytest.approx(theirs.source.score, rel=1e-4)
    if "gradients" in made.model.gives and "layers" in made.model.gives:
        for mine, theirs in zip(
            seewhy.hires_cam(made.model, made.given(x), AnyOf(GROUP), signed=True),
            seewhy.hires_cam(reference.model, x, AnyOf(GROUP), signed=True), strict=True,
        ):  # fmt: skip
            ask.close(mine.values, theirs.values, rel=1e-3)


@pytest.mark.parametrize("scores", [None, "probability", "log-probability"])
def test_of_a_function_that_gives_probabilities_these_are_added(scores):
    def chances(images):
        y = np.stack([images.mean((1, 2, 3)), images[:, 0].std((1, 2)), images[:, 1].mean((1, 2))], 1)
        return np.exp(y) / np.exp(y).sum(1, keepdims=True)

    (heatmap,) = seewhy.occlusion(
        seewhy.wrap(chances, takes="float", scores=scores), X[:1], AnyOf([0, 2]), window=4, stride=4, fill=0.0
    )
    p = chances(X[:1])[0, [0, 2]].sum()
    assert heatmap.source.score == pytest.approx(np.log(p) if scores == "log-probability" else p)
    assert heatmap.source.probability == pytest.approx(p)


def test_a_map_of_a_group_says_which_classes_it_holds():
    model = seewhy.wrap(networks.pooled(), labels=LABELS)
    heatmap, more, plain = seewhy.grad_cam(model, X[:1], target=["any:CAT", AnyOf(["hot dog", 0]), Top()])
    source = heatmap.source
    assert (source.target, source.classes, source.index) == ("any:CAT", (0, 1), None)
    assert source.label == "any CAT: tabby, tiger cat (2 classes)"
    assert source.caption.startswith("grad-cam for any CAT: tabby, tiger cat (2 classes), ")
    assert source.predicted == plain.source.predicted
    p = torch.softmax(networks.pooled()(torch.tensor(X[:1]))[0], 0).detach().numpy()
    assert source.probability == pytest.approx(p[0] + p[1])
    assert (more.source.target, more.source.classes) == ("any:hot dog+0", (3, 0))
    assert more.source.label == "any of hot dog, tabby (2 classes)"
    assert seewhy.Source.from_json(source.to_json()) == source
    maps = seewhy.Heatmaps((heatmap, more, plain))
    assert [*maps.where(target=AnyOf("CAT"))] == [heatmap]
    assert not {*map(id, maps.where(target="tiger cat"))} & {id(heatmap), id(more)}, "a group is no single class"


def test_each_image_may_have_a_group_of_its_own():
    model = seewhy.wrap(networks.pooled(), labels=LABELS)
    own = [AnyOf("cat"), "dogsled"]
    for image, target, mine in zip(X, own, seewhy.grad_cam(model, X, PerImage(own), signed=True), strict=True):
        (alone,) = seewhy.grad_cam(model, image[None], target, signed=True)
        np.testing.assert_allclose(mine.values, alone.values, atol=1e-6)
        assert (mine.source.label, mine.source.classes) == (alone.source.label, alone.source.classes)


def test_units_are_ranked_for_a_group():
    model = seewhy.wrap(networks.pooled())
    (ranking,) = seewhy.top_units(model, X[:1], "act2", AnyOf(GROUP), None)
    (heatmap,) = seewhy.hires_cam(model, X[:1], AnyOf(GROUP), "act2", signed=True)
    assert sum(unit.contribution for unit in ranking) == pytest.approx(heatmap.values.sum(), rel=1e-5)


def test_the_probability_of_several_labels_together_is_not_made_up():
    model = seewhy.wrap(networks.pooled(), task="multi-label")
    several, single = seewhy.grad_cam(model, X[:1], target=[AnyOf(GROUP), AnyOf([3])])
    assert several.source.probability is None
    assert single.source.probability == pytest.approx(seewhy.grad_cam(model, X[:1], target=3)[0].source.probability)


def test_a_group_of_one_is_that_class():
    model = seewhy.wrap(networks.pooled())
    one, other = seewhy.grad_cam(model, X[:1], target=[AnyOf(3), 3], signed=True)
    ask.close(one.values, other.values, rel=1e-6)
    assert one.source.score == pytest.approx(other.source.score)


def test_large_scores_do_not_overflow():
    big = np.array([[1000.0, 1000.0, -1000.0], [-1e4, -1e4, 0.0]])
    np.testing.assert_allclose(joined(big, [(0, 1)], False)[:, 0], big[:, 0] + np.log(2))
    np.testing.assert_allclose(slopes(big, [(0, 2)], False)[:, 0], [[1, 0, 0], [0, 0, 1]])


def test_slopes_are_the_derivatives_by_differences():
    scores = np.random.default_rng(0).normal(size=(2, 5))
    for summed in (False, True):
        found, step = slopes(scores, [(0, 3), (1, 2, 4)], summed), 1e-6
        for k in range(5):
            moved = scores + step * np.eye(5)[k]
            by_step = (joined(moved, [(0, 3), (1, 2, 4)], summed) - joined(scores, [(0, 3), (1, 2, 4)], summed)) / step
            np.testing.assert_allclose(found[:, :, k], by_step, atol=1e-5)


@pytest.mark.parametrize("text", ["any:cat", "any:0+3", "any:tiger cat+dogsled", "any:7"])
def test_its_text_is_read_again(text):
    assert str(AnyOf.parse(text)) == text
    assert AnyOf.parse(str(AnyOf.parse(text))) == AnyOf.parse(text)


@pytest.mark.parametrize("text", ["any:", "any: ", "any:a+", "any:+"])
def test_a_text_of_nothing_is_told_how_to_write_it(text):
    with pytest.raises(BadParameter, match="write any:WORD"):
        as_targets(text, LABELS)


@pytest.mark.parametrize("of", [[], None, 1.5, {"a": 1}, [1.5], [[0, 1]]])
def test_what_is_no_group_is_misuse(of):
    with pytest.raises(BadParameter, match="AnyOf"):
        AnyOf(of)


def test_numpy_indices_and_ranges_are_a_group():
    assert as_targets(AnyOf(np.array([3, 0])), None) == [Group((3, 0), "any:3+0", "any of 3, 0 (2 classes)")]
    assert as_targets(AnyOf(range(2)), LABELS)[0].words == "any of tabby, tiger cat (2 classes)"
    assert as_targets(AnyOf(range(5)), LABELS)[0].words == "any of tabby, tiger cat, dogsled, hot dog, ... (5 classes)"


def test_a_word_of_no_label_names_near_ones():
    with pytest.raises(NoSuchName, match=r"'caat'.*Closest: cat.*model\.labels") as caught:
        as_targets(AnyOf("caat"), LABELS)
    assert "seewhy labels MODEL" in caught.value.typed
    with pytest.raises(BadParameter, match="has none") as unnamed:
        as_targets("any:cat", None)
    assert "--labels FILE" in unnamed.value.typed


def test_a_class_that_the_model_lacks_is_told():
    for target in (AnyOf([0, 99]), "any:0+99"):
        for method in (seewhy.grad_cam, seewhy.occlusion):
            with pytest.raises(NoSuchName, match=r"99.*0 to 4"):
                method(seewhy.wrap(networks.pooled()), X[:1], target)


@pytest.mark.parametrize("method", ["lrp", "excitation-backprop"])
def test_relevance_names_what_to_ask_instead(method):
    with pytest.raises(NotApplicable, match="group of classes"):
        seewhy.METHODS[method](seewhy.wrap(networks.pooled()), X[:1], target=AnyOf(GROUP))
