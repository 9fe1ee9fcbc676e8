"""Similar and Text: on networks whose embedding is the mean colour of an image, where every answer is known."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NotApplicable, NotHere
from seewhy.targets.embedding import Similar, Text, embedding
from seewhy.targets.parse import as_targets
from support.ask import close
from support.embedders import FIT, Mean, Towers, angles, ids, plain, squares, towers


@pytest.mark.parametrize("method", [seewhy.occlusion.using(window=3, stride=2), seewhy.rise.using(masks=40), seewhy.score_cam])
def test_what_hides_parts_asks_for_the_same_number(method):
    x = squares()
    layer = {"layer": "act"} if method.layered else {}
    twin = {"layer": "mean.act"} if method.layered else {}
    (ours,) = method(towers(), x, target=Text("red", "green"), **layer)
    (theirs,) = method(plain(0, 1), x, target=0, **twin)
    close(ours.values, theirs.values, 1e-5)
    assert np.ptp(ours.values) > 0


def test_similar_to_a_vector_is_its_cosine():
    x = squares()
    v = np.array([1.0, -2.0, 0.5])
    unit = v / np.linalg.norm(v)
    _, _, c, slope = angles(x)
    for model in (seewhy.wrap(Mean().double().eval()), towers()):
        (heatmap,) = seewhy.grad_cam.using(signed=True)(model, x, target=Similar(v), layer="act")
        close(heatmap.values, np.einsum("c,chw->hw", unit @ slope / 64, x[0]), 1e-6)
        assert heatmap.source.score == pytest.approx(c @ unit, rel=1e-12)
        assert heatmap.source.scores == "similarity"
        assert heatmap.source.target.startswith("similar:array (3,) sha256:")
    for same in (torch.tensor(v, requires_grad=True), [1, -2, 0.5], 7 * v):
        assert seewhy.gradient(model, x, target=Similar(same))[0].source.score == pytest.approx(c @ unit, rel=1e-12)


def test_an_image_is_most_like_itself_and_no_gradient_can_say_why():
    x = squares()
    model = seewhy.wrap(Mean().double().eval())
    for same in (x, x[0], 3 * x):
        (heatmap,) = seewhy.gradient(model, x, target=Similar(same))
        assert heatmap.source.score == pytest.approx(1, abs=1e-12)
        assert np.abs(heatmap.values).max() < 1e-12
    (drop,) = seewhy.occlusion.using(window=4, stride=4, fill="zero")(model, x, target=Similar(x))
    hidden = x.copy()
    hidden[:, :, :4, :4] = 0
    c, other = (one[0].mean((1, 2)) / np.linalg.norm(one[0].mean((1, 2))) for one in (x, hidden))
    assert drop.values[0, 0] == pytest.approx(1 - c @ other, rel=1e-6)
    assert drop.values.min() >= 0  # whatever is hidden, it is less like itself


def test_the_other_photo_is_prepared_as_the_model_does_it(tmp_path, noise):
    model = seewhy.wrap(Mean().eval(), prepare=FIT)
    one, other = noise((30, 20), 1), noise((50, 40), 2)
    other.save(tmp_path / "other.png")
    e, t = (np.asarray(photo.resize((8, 8), Image.Resampling.BILINEAR), float).mean((0, 1)) for photo in (one, other))
    expected = e @ t / np.linalg.norm(e) / np.linalg.norm(t)
    for to in (other, tmp_path / "other.png", str(tmp_path / "other.png"), np.asarray(other), seewhy.read(other, "other")):
        (heatmap,) = seewhy.gradient(model, one, target=Similar(to))
        assert heatmap.source.score == pytest.approx(expected, abs=1e-5)
    (again,) = seewhy.gradient(model, one, target=f"similar:{tmp_path / 'other.png'}")
    assert again.source.target == f"similar:{tmp_path / 'other.png'}"
    assert again.source.score == pytest.approx(expected, abs=1e-5)
    with pytest.raises(BadParameter, match="wrapped without `prepare`"):
        seewhy.gradient(seewhy.wrap(Mean().double()), squares(), target=Similar(other))


def test_a_plain_function_has_embeddings_too(noise):
    x, v = squares(), [1.0, 0, 1]
    numpy = seewhy.wrap(lambda x: np.maximum(x, 0).mean((2, 3)), takes="float", batch_size=5)
    network = seewhy.wrap(Mean().double().eval())
    for to in (v, x[0, ::-1]):
        maps = [seewhy.occlusion.using(window=3, stride=2)(m, x, target=Similar(to))[0] for m in (numpy, network)]
        close(maps[0].values, maps[1].values, 1e-6)
    photos = seewhy.wrap(lambda photos: {"pooler_output": photos.mean((1, 2)), "rest": photos})
    one = noise((16, 16))
    (heatmap,) = seewhy.occlusion.using(window=8, stride=8)(photos, one, target=Similar(one))
    assert heatmap.source.score == pytest.approx(1)
    with pytest.raises(NotApplicable, match=r"no text tower.*clip-vit-base-patch32"):
        seewhy.occlusion(numpy, x, target=Text("red"))


def test_where_the_embedding_lies_in_what_a_network_gives():
    e, tokens = torch.rand(2, 5), torch.rand(2, 7, 5)
    for output in (e, e[:, :, None, None], (tokens, e), [e.long(), e], {"last_hidden_state": tokens, "pooler_output": e},
                   {"logits": torch.rand(2, 9), "image_embeds": e}, {"mask": torch.ones(2, 7).long(), "x": e}):  # fmt: skip
        torch.testing.assert_close(embedding(output), e, rtol=0, atol=0)
    assert embedding(e.bfloat16()).dtype == torch.float32
    for output in (tokens, {}, {"a": tokens, "b": None}, None):
        with pytest.raises(NotApplicable, match=r"an embedding \(n, d\).*wrap\(output="):
            embedding(output)


def test_an_image_tower_may_give_other_things_beside():
    class More(Towers):
        def encode_image(self, x):
            return self.see(x), super().encode_image(x)

    x = squares()
    model = seewhy.wrap(More().double(), tokenizer=ids)
    close(model.answer(x).scores, towers().answer(x).scores)
    (unit,) = seewhy.gradient(model, x, target=seewhy.Unit("act", 0))
    assert unit.values.any()
    assert seewhy.gradient(model, x, target=Text("red"))[0].source.score == pytest.approx(10 * angles(x)[2][0])


def test_methods_look_at_the_last_layer_and_not_at_the_widest():
    class Narrowing(Mean):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.small, self.narrow = nn.Conv2d(3, 9, 1), nn.AvgPool2d(2), nn.Conv2d(9, 3, 1)
            for p in (*self.wide.parameters(), *self.narrow.parameters()):
                p.data.abs_()  # so that something gets past the ReLU

        def forward(self, x):
            return self.act(self.narrow(self.small(self.wide(x)))).mean((2, 3))

    (heatmap,) = seewhy.grad_cam(seewhy.wrap(Narrowing().double()), squares(), target=Similar([1.0, 2, -3]))
    assert heatmap.source.layer == "act"


def test_output_says_which_part_is_the_embedding():
    class Two(Mean):
        def forward(self, x):
            return {"a": x.amax((2, 3)), "b": super().forward(x)}

    x, v = squares(), [1.0, 2, 3]
    (ours,) = seewhy.gradient(seewhy.wrap(Two().double(), output="b"), x, target=Similar(v))
    (theirs,) = seewhy.gradient(seewhy.wrap(Mean().double()), x, target=Similar(v))
    close(ours.values, theirs.values)


def test_a_variant_without_any_direction_counts_as_unlike():
    (heatmap,) = seewhy.occlusion.using(window=8, stride=8, fill="zero")(towers(), squares(), target=Text("red"))
    assert heatmap.values[0, 0] == pytest.approx(10 * angles(squares())[2][0], rel=1e-6)  # all hidden: zero, and no NaN


BAD = [
    ([1.0, 2], "2 numbers, and there are 3"),
    (np.zeros(3), "all zero"),
    ([1.0, np.nan, 2], "NaN"),
    (np.zeros((1, 3, 8, 8)), "all zero"),
    (np.ones((2, 3, 8, 8)), "neither an embedding"),
    (np.ones((3, 8)), "neither an embedding"),
    (["dog"], "neither a photo nor an embedding"),
    (np.zeros((2, 8, 8, 3), np.uint8), "these are 2 images"),
]


@pytest.mark.parametrize(("to", "said"), BAD, ids=[said for _, said in BAD])
def test_what_nothing_can_be_like_is_said(to, said):
    with pytest.raises(BadParameter, match=said):
        seewhy.gradient(towers(prepare=FIT), squares(), target=Similar(to))


def test_an_image_without_a_direction_is_said():
    for target in (Text("red"), Similar([1.0, 0, 0])):
        with pytest.raises(NotHere, match="of the image explained: the embedding is all zero"):
            seewhy.gradient(towers(), 0 * squares(), target=target)


def test_targets_are_read_from_words_and_say_themselves():
    assert as_targets("text: a dog | a cat|a car", None) == [Text("a dog", ("a cat", "a car"))]
    assert as_targets("similar:a:b.jpg", None) == [Similar("a:b.jpg")]
    assert as_targets("text:a dog", ["text:a dog", "x"]) == [seewhy.Class(0)]  # a label of the model comes first
    for one in (Text("a dog", ["a cat"], "a photo of {}"), Similar("dog.jpg"), Similar([1.0, 2.0])):
        again = pickle.loads(pickle.dumps(one))
        assert again == one
        assert hash(again) == hash(one)
    assert as_targets(str(Text("a", ["b"], "x {}")), None) == [Text("x a", ["x b"])]
    assert Similar([1.0, 2.0]) != Similar([1.0, 3.0])


def test_a_network_of_two_towers_has_no_classes():
    model = towers()
    for target in (seewhy.Top(), 2, seewhy.Contrast(0, 1), seewhy.PerImage([1])):
        with pytest.raises(NotApplicable, match=r"Text\(.*Similar\(.*inputs="):
            seewhy.grad_cam(model, squares(), target=target)
    assert seewhy.eigen_cam(model, squares(), layer="act")[0].values.any()  # which looks at no class
    (unit,) = seewhy.gradient(model, squares(), target=seewhy.Unit("act", 1, at="sum"))
    assert unit.values.any()
    np.testing.assert_allclose(model.answer(squares()).scores[0], angles(squares())[0])
    assert model.answer(squares()).probabilities is None
    assert repr(model) == "<Towers: embeddings of images and texts, with its tokenizer>"
    again = pickle.loads(pickle.dumps(model))
    maps = [seewhy.gradient(one, squares(), target=Text("red"))[0].values for one in (model, again)]
    close(*maps)


def test_a_map_that_knows_no_target_carries_the_label_of_none():
    seewhy.eigen_cam(towers(), squares(), target=Text("red"), layer="act")
    (later,) = seewhy.eigen_cam(seewhy.wrap(Mean().double()), squares(), layer="act")
    assert (later.source.label, later.source.score) == (None, None)


def test_inputs_of_ones_own_ask_the_network_itself():
    class Zero(Towers):
        def forward(self, x):
            return 10 * nn.functional.normalize(self.encode_image(x), dim=1)

    x = squares()
    (ours,) = seewhy.gradient(seewhy.wrap(Zero().double().eval(), inputs=(seewhy.IMAGE,)), x, target=1)
    close(ours.values, seewhy.gradient(towers(), x, target=Text("green"))[0].values, 1e-6)


def test_half_precision_is_compared_in_whole():
    x = squares().astype(np.float32)
    model = seewhy.wrap(Towers().eval(), tokenizer=ids, dtype="bfloat16")
    (heatmap,) = seewhy.occlusion.using(window=4, stride=4)(model, x, target=Text("red", "green"))
    (exact,) = seewhy.occlusion.using(window=4, stride=4)(towers(), squares(), target=Text("red", "green"))
    close(heatmap.values, exact.values, 0.05)
    fast = seewhy.occlusion.using(window=4, stride=4, fast=True, dtype="bfloat16")
    close(fast(towers(), x, target=Text("red", "green"))[0].values, exact.values, 0.05)
