"""Images among other inputs: metadata, text, masks, which every method leaves as they are."""

import pickle
from collections import OrderedDict, UserDict, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import IMAGE, Fixed, PerImage, Unit
from seewhy.methods.making.method import lookup
from support import networks
from support.ask import ANYWHERE, asked, values

X = networks.images(3, *networks.SIDES, seed=1)
ROWS = np.random.default_rng(0).normal(0, 2, (3, 2))  # one for each image
MADE = ("smooth(grad-cam)", "augment(layer-cam)", "augment(occlusion)", "product(guided-backprop, smooth(grad-cam))")
NAMES = [name for name in (*ANYWHERE, *MADE) if name != "cam"]  # of which the head is no single linear layer


class Joined(nn.Module):
    """An image and two numbers, which join it as planes before the first layer, as features behind the last, or both."""

    def __init__(self, early: bool, late: bool) -> None:
        super().__init__()
        self.early, self.late = early, late
        for name, layer in networks.convs(nn.ReLU(), nn.ReLU()):
            self.add_module(name, layer)
        if early:
            self.conv1 = nn.Conv2d(5, 6, 3, padding=1)
        self.fc1, self.act3, self.fc = nn.Linear(8 + 2 * late, 9), nn.ReLU(), nn.Linear(9, networks.CLASSES)

    def forward(self, x, meta):
        if self.early:
            x = torch.cat([x, meta[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        a = self.act2(self.conv2(self.act1(self.conv1(x)))).mean((2, 3))
        return self.fc(self.act3(self.fc1(torch.cat([a, meta], 1) if self.late else a)))


class Baked(nn.Module):
    """The second derivation: the same network with one image's numbers inside it, so that the image is its only input."""

    def __init__(self, network: nn.Module, row: Any) -> None:
        super().__init__()
        self.network = network
        self.row = torch.as_tensor(np.asarray(row))[None]

    def forward(self, x):
        return self.network(x, self.row.expand(len(x), -1).to(x.dtype))


def joined(early: bool = True, late: bool = True) -> nn.Module:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = Joined(early, late).double().eval()
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
        return network


@pytest.fixture(scope="module", params=[(True, False), (False, True), (True, True)], ids=["early", "late", "both"])
def network(request):
    return joined(*request.param)


def baked(network: nn.Module, name: str, rows: Any = ROWS, **more: Any) -> np.ndarray:
    """The maps (n, *space), each from a network with that image's row inside."""
    method = asked(name)
    layer = "network.act2" if method.layered else None
    return np.concatenate(
        [values(method(seewhy.wrap(Baked(network, row)), X[i : i + 1], layer=layer, **more)) for i, row in enumerate(rows)]
    )


def same(got: Any, expected: np.ndarray, rtol: float = 1e-5) -> None:
    np.testing.assert_allclose(values(got), expected, rtol=rtol, atol=1e-6 * abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_every_method_keeps_each_images_own_row(name, network):
    method = asked(name)
    got = method(
        seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS))), X, target=[1, 0], layer="act2" if method.layered else None
    )
    expected = baked(network, name, target=[1, 0])
    assert expected.any()
    same(got, expected)
    if method.reads not in ("activations", "nothing"):
        with torch.no_grad():
            scores = network(torch.as_tensor(X), torch.as_tensor(ROWS))[:, [1, 0]].ravel().numpy()
        np.testing.assert_allclose([m.source.score for m in got], scores, rtol=1e-9)


@pytest.mark.parametrize("name", ["grad-cam", "gradient", "occlusion", "rise", "ablation-cam", "integrated-gradients"])
def test_the_rows_matter(name):
    """Else the test above would show nothing."""
    network, swapped = joined(), np.roll(ROWS, 1, 0)
    one, other = (baked(network, name, rows, target=1) for rows in (ROWS, swapped))
    assert not np.allclose(one, other, rtol=1e-2, atol=1e-2 * abs(one).max())


@pytest.mark.parametrize("name", ["grad-cam", "smooth-grad", "score-cam", "integrated-gradients"])
@pytest.mark.parametrize("most", [1, 2])
def test_splitting_into_batches_keeps_the_rows(name, most):
    network = joined()
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS)), batch_size=most)
    same(asked(name)(model, X, target=1, layer=None if name in ("smooth-grad", "integrated-gradients") else "act2"),
         baked(network, name, target=1))  # fmt: skip


@pytest.mark.parametrize("name", ["grad-cam", "gradient", "lime", "smooth-grad"])
def test_units_keep_the_rows(name):
    """Of an early layer, where the numbers came in before."""
    network, method = joined(), asked(name)
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS)))
    got = method(model, X, target=Unit("act2", 3), layer="act1" if method.layered else None)
    layer = "network.act1" if method.layered else None
    expected = [method(seewhy.wrap(Baked(network, row)), X[i : i + 1], Unit("network.act2", 3), layer)[0]
                for i, row in enumerate(ROWS)]  # fmt: skip
    same(got, values(expected))


def test_a_model_with_rows_travels():
    network = joined()
    model = pickle.loads(pickle.dumps(seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS)))))
    same(seewhy.grad_cam(model, X, target=1, layer="act2"), baked(network, "grad-cam", target=1))


class Pair(NamedTuple):
    image: Any
    meta: Any


@dataclass
class Bundle:
    image: Any
    meta: Any
    size: int = field(init=False, default=2)


class Takes(nn.Module):
    """What it is given is anything, from which `unpack` gets the image and the numbers."""

    def __init__(self, unpack) -> None:
        super().__init__()
        self.network, self.unpack = joined(), unpack

    def forward(self, *args, **options):
        x, meta = self.unpack(*args, **options)
        return self.network(x, meta)


META = ROWS[:1]
WAYS = {
    "two positional": ((IMAGE, META), lambda x, meta: (x, meta)),
    "the image last": ((META, IMAGE), lambda meta, x: (x, meta)),
    "a list": ([IMAGE, META], lambda x, meta: (x, meta)),
    "keywords": ({"meta": META, "pixel_values": IMAGE}, lambda *, pixel_values, meta: (pixel_values, meta)),
    "a keyword alone": ("image", lambda *, image: (image, torch.tensor(META).expand(len(image), -1))),
    "one dict": (({"image": IMAGE, "meta": META},), lambda batch: (batch["image"], batch["meta"])),
    "numbered keys": ({0: IMAGE, 1: META}, lambda batch: (batch[0], batch[1])),
    "nested": (({"a": [IMAGE, {"b": (META, 7)}]},), lambda batch: (batch["a"][0], batch["a"][1]["b"][0])),
    "a named tuple": ((Pair(IMAGE, META),), lambda pair: (pair.image, pair.meta)),
    "a dataclass": ((Bundle(IMAGE, META),), lambda bundle: (bundle.image, bundle.meta)),
    "an ordered dict": ((OrderedDict(image=IMAGE, meta=META),), lambda batch: [*batch.values()]),
    "a defaultdict": ((defaultdict(list, image=IMAGE, meta=META),), lambda b: (b["image"], b["none"] or b["meta"])),
    "keywords of a batch": (UserDict(x=IMAGE, meta=META), lambda *, x, meta: (x, meta)),
    "a function": (lambda x: {"x": x, "meta": torch.as_tensor(META).expand(len(x), -1)}, lambda *, x, meta: (x, meta)),
    "a function that gives a pair": (lambda x: (x, torch.as_tensor(META).expand(len(x), -1)), lambda x, meta: (x, meta)),
    "a function that gives one argument": (lambda x: {1: x}, lambda d: (d[1], torch.as_tensor(META).expand(len(d[1]), -1))),
    "a tensor": ((IMAGE, torch.as_tensor(META)), lambda x, meta: (x, meta)),
    "a row in Fixed": ((IMAGE, Fixed(ROWS[0])), lambda x, row: (x, row.expand(len(x), -1))),
    "the image twice": ((IMAGE, META, IMAGE), lambda x, meta, again: ((x + again) / 2, meta)),
    "text and numbers": ((IMAGE, META, "words", 3, None), lambda x, meta, *rest: (x, meta * (rest == ("words", 3, None)))),
}  # fmt: skip


@pytest.mark.parametrize("name", ["grad-cam", "occlusion"])
@pytest.mark.parametrize("way", WAYS)
def test_every_structure(way, name):
    inputs, unpack = WAYS[way]
    network, method = Takes(unpack), asked(name)
    got = method(seewhy.wrap(network, inputs=inputs), X, target=1, layer="network.act2" if method.layered else None)
    same(got, baked(network.network, name, [META[0]] * 3, target=1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_hugging_face_processor_gives():
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    batch = transformers.BatchEncoding({"meta": META, "pixel_values": IMAGE})
    network = Takes(lambda *, pixel_values, meta: (pixel_values, meta))
    expected = baked(network.network, "grad-cam", [META[0]] * 3, target=1)
    same(seewhy.grad_cam(seewhy.wrap(network, inputs=batch), X, target=1, layer="network.act2"), expected)
    packed = BaseModelOutput(last_hidden_state=IMAGE, hidden_states=(META,))  # type: ignore[arg-type]
    network = Takes(lambda out: (out.last_hidden_state, out.hidden_states[0]))
    same(seewhy.grad_cam(seewhy.wrap(network, inputs=(packed,)), X, target=1, layer="network.act2"), expected)


KINDS_TAKEN: list[Any] = []  # no attribute of the network: each thread that explains it has attributes of its own


class Asks(nn.Module):
    """Token ids choose a row of an embedding, which scales the channels; a mask (h, w) hides pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.words = networks.pooled(), nn.Embedding(10, 3).double()

    def forward(self, x, ids, mask):
        KINDS_TAKEN.append((ids.dtype, tuple(ids.shape), mask.dtype, tuple(mask.shape)))
        return self.body(x * self.words(ids).mean(1)[:, :, None, None] * mask)


def test_token_ids_stay_whole_numbers_and_fixed_masks_stay_single():
    torch.manual_seed(1)
    network, mask = Asks(), torch.ones(networks.SIDES, dtype=torch.bool)
    mask[:, 8:] = False
    ids = torch.tensor([[1, 2, 3], [4, 4, 4], [0, 9, 9]])
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(ids), Fixed(mask)))
    for name in ("gradient", "occlusion", "smooth-grad"):
        got = asked(name)(model, X, target=1)
        for i, m in enumerate(got):
            own = seewhy.wrap(network, inputs=lambda x, i=i: (x, ids[i : i + 1].expand(len(x), -1), mask))
            np.testing.assert_allclose(m.values, asked(name)(own, X[i : i + 1], target=1)[0].values, rtol=1e-6, atol=1e-12)
    assert {kind[0] for kind in KINDS_TAKEN} == {torch.int64}
    assert {kind[2:] for kind in KINDS_TAKEN} == {(torch.bool, networks.SIDES)}
    assert not seewhy.gradient(model, X, target=1)[0].values[:, 8:].any()


@pytest.mark.parametrize("name", NAMES)
def test_side_inputs_are_never_changed(name):
    """Although the network writes into them, and they ask for a gradient."""

    class Writes(Joined):
        def forward(self, x, meta, one, fixed):
            meta.mul_(0.5), one.add_(1), fixed.zero_()
            return super().forward(x, meta * 2)

    network = Writes(True, True).double()
    rows = [torch.tensor(row, requires_grad=True) for row in ROWS]
    one, fixed = torch.ones(1, 2, dtype=torch.float64, requires_grad=True), np.ones(4)
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(rows), one, Fixed(fixed)))
    asked(name)(model, X, target=1, layer="act2" if lookup(name).layered else None)
    assert [row.tolist() for row in rows] == ROWS.tolist()
    assert one.tolist() == [[1, 1]]
    assert (fixed == 1).all()
    assert all(tensor.grad is None and tensor.requires_grad for tensor in (*rows, one))


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("of", [np.float32, np.float64, np.float16, list])
def test_side_inputs_take_the_precision_of_the_network(kind, of):
    network = joined().to(kind)
    rows = np.round(ROWS * 8) / 8  # exact in every precision
    given = rows.tolist() if of is list else rows.astype(of)
    got = seewhy.grad_cam(seewhy.wrap(network, inputs=(IMAGE, PerImage(given))), X, target=1, layer="act2", signed=True)
    same(got, baked(network, "grad-cam", rows, target=1, signed=True))


def test_rows_written_as_numbers_keep_every_digit():
    rows = (ROWS / 3).tolist()
    (m,) = seewhy.grad_cam(seewhy.wrap(joined(), inputs=(IMAGE, PerImage(rows[:1]))), X[:1], target=1, layer="act2")
    with torch.no_grad():
        assert m.source.score == joined()(torch.as_tensor(X[:1]), torch.tensor(rows[:1], dtype=torch.float64))[0, 1].item()


def test_the_short_cut_of_occlusion_takes_side_inputs(network):
    """Boxes by recomputing only what they change: equal to plain passes; what joins the pixels themselves makes them plain."""
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS))).beside(2, 1)
    x, at = X[2:], np.array([[0, 0], [3, 5], [8, 12]])
    with model.scoring(x, model.answer(x)) as scorer:
        short = scorer.boxed(scorer.array(x[0])).short
        patches = scorer.array(np.random.default_rng(0).normal(0, 1, (3, 3, 4, 4)))
        found = short(patches, scorer.array(at)).numpy()
        assert bool(short.memo.steps) == (not network.early), "what was kept of the image"
    whole = np.repeat(x, 3, 0)
    for image, (top, left), patch in zip(whole, at, patches, strict=True):
        image[:, top : top + 4, left : left + 4] = patch
    with torch.no_grad():
        expected = Baked(network, ROWS[2])(torch.as_tensor(whole)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_tail_behind_a_layer_takes_side_inputs(network):
    """Edits of an activation without running what lies before it: equal to a hand-made tail."""
    model = seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS))).beside(1, 1)
    x = X[1:2]
    with model.scoring(x, model.answer(x)) as scorer:
        tail = scorer.tail(scorer.array(x[0]), "act2")
        assert tail.behind.replays
        edits = torch.cat([tail.a[None] * keep for keep in (0, 0.5, 1, -1)])
        found = tail(edits)
    with torch.no_grad():
        features = edits.mean((2, 3))
        meta = torch.as_tensor(ROWS[1:2]).expand(4, -1)
        expected = network.fc(network.fc1(torch.cat([features, meta], 1) if network.late else features).relu())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9)


WRONG = {
    "no image": ((ROWS,), "holds no seewhy.IMAGE"),
    "a number": (3, "a keyword's name, a tuple, a dict"),
    "the image bare": (IMAGE, "for example"),
    "unequal": ((IMAGE, PerImage(ROWS), PerImage(ROWS[:2])), "different lengths"),
    "ragged": ((IMAGE, PerImage([[1.0, 2.0], [1.0], [3.0]])), "all of one shape"),
    "words": ((IMAGE, PerImage(["a cat", "a dog", "an ox"])), "token ids"),
    "none": ((IMAGE, PerImage([])), "all of one shape"),
}


@pytest.mark.parametrize("way", WRONG)
def test_inputs_that_cannot_be(way):
    inputs, words = WRONG[way]
    with pytest.raises(seewhy.BadParameter, match=f"(?i){words}"):
        seewhy.wrap(joined(), inputs=inputs)


@pytest.mark.parametrize("count", [1, 2, 4, 6])
@pytest.mark.parametrize("name", ["grad-cam", "occlusion"])
def test_as_many_rows_as_images(name, count):
    """Never some other image's row: also six images for three rows are no two images each."""
    model, seen = seewhy.wrap(joined(), inputs=(IMAGE, PerImage(ROWS))), []
    model.network.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(seewhy.BadParameter, match=rf"PerImage of 3 rows.*{count} image"):
        asked(name)(model, np.concatenate([X, X])[:count], target=1, layer="act2" if name == "grad-cam" else None)
    assert not seen, "told only after work was done"


def test_a_whole_batch_beside_the_images_is_answered_with_advice():
    """Rows given as they are: no variant of an image would know which is its own."""
    with pytest.raises(seewhy.BadNetwork, match="PerImage"):
        seewhy.grad_cam(seewhy.wrap(joined(), inputs=(IMAGE, ROWS)), X)


def test_what_is_broken_by_one_images_row_is_named_where_it_breaks():
    rows = ROWS.copy()
    rows[1] = np.nan
    model = seewhy.wrap(joined(), inputs=(IMAGE, PerImage(rows)))
    maps = seewhy.grad_cam(model, X, target=1, layer="act2", on_error="skip")
    assert [m.place for m in maps] == [0, 2]
    assert not any("NaN" in w for m in maps for w in m.warnings)
    ((place, _, error),) = maps.failed
    assert place == 1
    assert "first arise at layer conv1" in str(error)


def test_the_layers_of_a_network_with_rows_are_listed_alike():
    network = joined()
    listed = seewhy.wrap(network, inputs=(IMAGE, PerImage(ROWS))).layers(X)
    plain = seewhy.wrap(Baked(network, ROWS[0])).layers(X)
    assert {f"network.{name}": layer for name, layer in listed.items()} == {
        name: layer for name, layer in plain.items() if name != "network"
    }


def test_functions_take_no_inputs():
    with pytest.raises(seewhy.BadParameter, match="let the function itself"):
        seewhy.wrap(lambda x: x, inputs=(IMAGE, META))
