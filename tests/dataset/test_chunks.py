"""Some photos explained: their rows are what each photo alone gives."""

import pickle

import numpy as np
import pytest
import torch

import seewhy
from seewhy.dataset.chunks import RunSettings, explain_chunk
from seewhy.dataset.restoring import source_of_row, values_of
from seewhy.methods.making.method import lookup
from seewhy.photo_sets.items import Item

pytest.importorskip("pyarrow")
ROUNDED = ("map", "map_scale", "source", "made_by", "embedding", "seen", "score", "probability", "predicted_probability",
           "true_probability", "top", "evidence")  # fmt: skip


def settings(*methods: str, **other) -> RunSettings:
    return RunSettings(tuple(map(lookup, methods or ("grad-cam",))), **{"targets": ("top", "true"), **other})


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """Six photos of noise and a broken one; of two the truth is not known, of one it is two classes."""
    folder = tmp_path_factory.mktemp("photos")
    found = []
    for i, truth in enumerate([(0,), (3,), (), (1, 2), (9,), (4,), ()]):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 12, 3), np.uint8)
        path = folder / f"{i}.png"
        seewhy.read(np.kron(pixels, np.ones((12, 12, 1), np.uint8))).pixels.save(path)
        found.append(Item(i, str(path), truth))
    (folder / "5.png").write_bytes(b"no photo")
    return found


@pytest.fixture(scope="module")
def model():
    return seewhy.load("demo/honest")


@pytest.mark.parametrize("method", ["grad-cam", "eigen-cam", "gradient"])
def test_rows_are_what_explain_gives_of_each_photo_alone(model, items, method):
    table = explain_chunk(model, items, settings(method)).to_pylist()
    assert [*dict.fromkeys(row["item"] for row in table)] == list(range(7))
    for item in items:
        rows = [row for row in table if row["item"] == item.number]
        if item.number == 5:
            assert rows[0]["error"].startswith(f"BadImage: {item.path} is not an image")
            assert rows[0]["map"] is None
            continue
        (top,) = seewhy.explain(model, item.path, [method])
        answer = model.answer(next(iter(model.batches(item.path))).x)
        predicted = int(answer.scores[0].argmax())
        assert (rows[0]["predicted"], rows[0]["target"]) == (predicted, "top")
        known = max(item.truth, key=lambda index: answer.scores[0][index]) if item.truth else None
        expected = [top]
        if known not in (None, predicted) and method != "eigen-cam":
            expected += seewhy.explain(model, item.path, [method], target=known)
        assert len(rows) == len(expected)
        for row, heatmap in zip(rows, expected, strict=True):
            source, largest = source_of_row(row), abs(heatmap.values).max()
            if not row["map_coarse"]:
                assert abs(values_of(row) - heatmap.values).max() <= largest * 2**-10
            mine = {name: value for name, value in heatmap.source.comparable.items() if name not in ("values", "score")}
            told = {name: value for name, value in source.comparable.items() if name not in ("values", "score")}
            for each in (mine, told):
                each["probability"] = each["probability"] and round(each["probability"], 5)
                each["predicted"] = each["predicted"] and each["predicted"] | {"probability": 0}
            assert told == mine
            assert row["score"] == (None if heatmap.source.score is None else pytest.approx(heatmap.source.score, rel=1e-5))
            assert row["warnings"] == [*heatmap.warnings]


def test_how_many_share_a_pass_and_how_many_read_does_not_matter(model, items):
    whole = explain_chunk(model, items, settings(workers=3)).to_pylist()
    single = [row for item in items for row in explain_chunk(model, [item], settings(workers=1)).to_pylist()]
    assert len(whole) == len(single)
    for row, alone in zip(whole, single, strict=True):
        assert {k: v for k, v in row.items() if k not in ROUNDED} == {k: v for k, v in alone.items() if k not in ROUNDED}
        for name in ("score", "probability", "predicted_probability", "true_probability", "map_scale"):
            assert row[name] == (None if alone[name] is None else pytest.approx(alone[name], rel=1e-4))
        if row["map"] is not None:
            assert np.allclose(values_of(row), values_of(alone), atol=row["map_scale"] * 2**-10)
            for name in ("embedding", "seen"):
                assert np.allclose(*(np.frombuffer(each[name], "<f2") for each in (row, alone)), rtol=1e-2, atol=1e-3)


def test_the_order_of_the_photos_is_kept_and_nothing_else_depends_on_it(model, items):
    turned = explain_chunk(model, items[::-1], settings()).to_pylist()
    straight = explain_chunk(model, items, settings()).to_pylist()
    assert [*dict.fromkeys(row["item"] for row in turned)] == list(range(7))[::-1]
    key = [(row["item"], row["target"], row["index"]) for row in straight]
    assert sorted(key, key=str) == sorted(((row["item"], row["target"], row["index"]) for row in turned), key=str)


def test_the_model_is_as_it_was(model, items):
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    training = model.network.training
    explain_chunk(model, items, settings("grad-cam", "guided-backprop"))
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())
    assert model.network.training == training
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_several_methods_share_the_photos_rows(model, items):
    table = explain_chunk(model, items[:2], settings("layer-cam", "grad-cam")).to_pylist()
    assert [row["method"] for row in table if row["item"] == 0 and row["target"] == "top"] == ["layer-cam", "grad-cam"]
    assert len({row["embedding"] for row in table if row["item"] == 0}) == 1


def test_a_function_that_gives_scores_alone_has_rows_without_an_embedding(items):
    def dark(x):
        grey = x.mean((1, 2, 3)) / 255
        return np.stack([grey, 1 - grey], 1)

    model = seewhy.wrap(dark, prepare={"size": 24, "crop": 24}, takes="uint8", labels=["light", "dark"])
    several = RunSettings((seewhy.occlusion.using(window=12, stride=12),), ("top", "true"))
    known = [item._replace(truth=(1,)) for item in items]
    table = explain_chunk(model, known, several).to_pylist()
    assert {row["embedding"] for row in table} == {None}
    assert [row["item"] for row in table if row["error"]] == [5]
    for row in (row for row in table if row["map"] is not None):
        heatmap = several.methods[0](model, row["path"], target=row["index"])[0]
        assert abs(values_of(row) - heatmap.values).max() <= abs(heatmap.values).max() * 2**-10


def test_what_cannot_be_asked_of_the_model_ends_the_work(model, items):
    with pytest.raises(seewhy.NoSuchName, match="layr"):
        explain_chunk(model, items, settings(layer="layr"))
    with pytest.raises(seewhy.NoSuchName, match="classes are 0 to"):
        explain_chunk(model, [items[0]._replace(truth=(5000,))], settings())


def test_settings_can_be_sent_to_a_worker(model, items):
    back = pickle.loads(pickle.dumps(settings("layer-cam", workers=2)))
    assert back == settings("layer-cam", workers=2)
    assert explain_chunk(pickle.loads(pickle.dumps(model)), items[:1], back).num_rows > 0
