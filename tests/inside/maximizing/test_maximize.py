"""Images that excite units and classes most: of the demo, of tokens, of signals and volumes, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NoSuchName, NotApplicable
from seewhy.inside.maximizing.maximize import maximize
from seewhy.targets.sums import Direction, Diversity, WholeLayer
from support import networks
from support.numpy_backend import NumpyNetwork, torch_twin


@pytest.fixture(scope="module")
def demo():
    return seewhy.load("demo/honest")


@pytest.fixture(scope="module")
def small():
    prepare = {"size": (16, 20), "crop": None, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    return seewhy.wrap(networks.signed_features(), prepare=prepare, name="small")


@pytest.mark.parametrize(("way", "rate"), [("fourier", 0.2), ("pixels", 0.3), ("maco", None)])
def test_a_class_of_the_demo_is_found(demo, way, rate):
    result = maximize(demo, demo.labels[0], parametrisation=way, rate=rate, steps=20, size=64)
    assert result.values[0] > result.before[0] + 5
    assert result.trajectory[-4:].mean() > result.trajectory[:4].mean() + 3
    assert result.images.shape == (1, 3, 64, 64)


def test_the_value_is_that_of_the_saved_picture(demo, tmp_path):
    result = maximize(demo, 3, steps=12)
    result.save(tmp_path / "made.png")
    (batch,) = demo.batches(str(tmp_path / "made.png"))
    assert demo.answer(batch.x).scores[0, 3] == pytest.approx(result.values[0], rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    "aim",
    [
        seewhy.Unit("act1", 2, "sum"),
        seewhy.Unit("conv2", 1, (3, 4)),
        WholeLayer("act2"),
        Direction("act2", np.eye(8)[1] - np.eye(8)[2], cosine=1),
        seewhy.Unit("fc", 1),
        "1-vs-2",
        "unit:conv1:0 + 0.5*unit:conv2:1:sum - 0.1*layer:act2",
    ],
    ids=["channel", "cell", "layer", "direction", "flat layer", "contrast", "sum"],
)
def test_every_kind_of_objective_grows(small, aim):
    result = maximize(small, aim, steps=12, seed=1)
    assert result.values[0] > result.before[0]


def test_diversity_makes_the_images_of_a_batch_differ(small):
    def likeness(weight):
        aim = seewhy.Unit("act2", 1, "sum") + weight * Diversity("act1") if weight else seewhy.Unit("act2", 1, "sum")
        a = small.pulled(2 * (maximize(small, aim, steps=30, batch=3).images * 2 - 1), ["act1"]).a["act1"]
        flat = a.reshape(3, 6, -1)
        grams = np.einsum("ncj,ndj->ncd", flat, flat).reshape(3, -1)
        grams /= np.linalg.norm(grams, axis=1, keepdims=True)
        return (grams @ grams.T)[np.triu_indices(3, 1)].mean()

    assert likeness(1000.0) < likeness(0) - 0.05


def test_tokens_signals_and_volumes_are_maximised():
    tokens = seewhy.wrap(networks.tokens())
    result = maximize(tokens, seewhy.Unit("block1", 3, "sum"), steps=10, values=(-2, 2), size=(3, 12, 16))
    assert result.values[0] > result.before[0]
    torch.manual_seed(0)
    for conv, pool, shape in ((nn.Conv1d, nn.AdaptiveAvgPool1d, (2, 30)), (nn.Conv3d, nn.AdaptiveAvgPool3d, (1, 5, 6, 7))):
        model = seewhy.wrap(nn.Sequential(conv(shape[0], 4, 3), nn.Tanh(), pool(1), nn.Flatten(), nn.Linear(4, 3)))
        for way in ("pixels", "fourier", "maco"):
            result = maximize(model, 1, parametrisation=way, steps=10, values=(-1, 1), size=shape)
            assert result.images.shape == (1, *shape)
            assert result.values[0] > result.before[0]


def test_scores_of_other_frameworks_are_maximised():
    from seewhy.models.backend.model import BackendModel  # here, with the next: the rest needs no backend
    from seewhy.models.settings import Settings

    model = BackendModel(NumpyNetwork(torch_twin()), Settings("by hand"))
    result = maximize(model, 1, steps=8, values=(-1, 1), size=(3, 12, 12))
    assert result.values[0] > result.before[0]
    with pytest.raises(NotApplicable, match="conv1"):
        maximize(model, seewhy.Unit("conv1", 1), steps=8, values=(-1, 1), size=(3, 12, 12))


def test_the_spectrum_of_photos_is_kept(small, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(60, 200, (16, 20, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    result = maximize(small, 0, parametrisation="maco", photos=str(tmp_path), steps=4)
    assert result.notes == ("1 photos could not be read; the spectrum is that of 3",)
    rough = lambda r: abs(np.diff(r.images, axis=-1)).mean() / r.images.std()  # noqa: E731
    assert rough(result) > 1.5 * rough(maximize(small, 0, parametrisation="maco", steps=4))  # noise is rougher than photos
    with pytest.raises(BadParameter, match="leave size= out"):
        maximize(small, 0, parametrisation="maco", photos=str(tmp_path), steps=4, size=12)


def test_each_step_is_told(small):
    told = []
    result = maximize(small, 0, steps=5, batch=2, on_step=lambda *step: told.append(step))
    assert [step for step, _, _ in told] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal([values for _, _, values in told], result.trajectory)
    assert {images.shape for _, images, _ in told} == {(2, 3, 16, 20)}
    assert result.settings["layers"] == ("scores",)
    assert (result.facts["settings"]["seed"], result.facts["model"], result.stopped) == (0, "small", False)


def test_regularisers_do_what_they_say(small):
    free, held = (maximize(small, 0, steps=20, **more) for more in ({}, {"tv": 300.0, "l2": 100.0, "blur": 300.0}))
    rough = lambda r: abs(np.diff(r.images, axis=-1)).mean()  # noqa: E731
    assert rough(held) < 0.7 * rough(free)


class Constant(nn.Module):
    """Its one score only ever falls, whatever is done: minus the number of the pass."""

    passes = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        Constant.passes += 1
        return (self.weight * x).flatten(1).sum(1, keepdim=True) * 1e-9 - Constant.passes


def test_an_objective_that_does_not_grow_is_said():
    model = seewhy.wrap(Constant())
    with pytest.raises(NotApplicable, match="did not grow in 5 steps"):
        maximize(model, 0, steps=5, values=(0, 1), size=(1, 4, 4))


@pytest.mark.parametrize(
    ("aim", "more", "error", "why"),
    [
        (seewhy.Unit("conv9", 1), {}, NoSuchName, "conv1"),
        (seewhy.Unit("conv1", 99), {}, NoSuchName, "0 to 5"),
        (99, {}, NoSuchName, "0 to 4"),
        (0, {"parametrisation": "gan"}, BadParameter, "fourier, pixels, maco"),
        (0, {"steps": 0}, BadParameter, "steps"),
        (0, {"batch": 1.5}, BadParameter, "batch"),
        (0, {"seed": -1}, BadParameter, "seed"),
        (0, {"transformations": "none"}, BadParameter, "give seewhy.Transformations"),
        (0, {"on_step": 5}, BadParameter, "on_step=5 is no function"),
        (0, {"tv": -1}, BadParameter, "tv"),
        (0, {"rate": 0}, BadParameter, "rate"),
        (0, {"photos": "."}, BadParameter, "maco"),
        (0, {"epochs": 3}, BadParameter, "epochs"),
        (Diversity("conv1"), {}, BadParameter, "batch=4"),
    ],
    ids=[
        "layer",
        "channel",
        "class",
        "way",
        "steps",
        "batch",
        "seed",
        "views",
        "called",
        "weight",
        "rate",
        "photos",
        "name",
        "one image",
    ],
)
def test_what_makes_no_sense_is_refused(small, aim, more, error, why):
    with pytest.raises(error, match=why):
        maximize(small, aim, **{"steps": 3, **more})


def test_models_without_gradients_or_a_known_range_are_refused():
    with pytest.raises(NeedsGradients, match="maximize goes up the gradient"):
        maximize(seewhy.wrap(lambda x: x.mean((2, 3))), 0)
    with pytest.raises(NotApplicable, match=r"values=\(-1, 1\)"):
        maximize(seewhy.wrap(networks.pooled()), 0)
