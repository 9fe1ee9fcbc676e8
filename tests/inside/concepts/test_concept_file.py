"""Concepts come back from a file as they were; other files are refused, and nothing in one can run."""

import json
import pickle
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter
from support import planted_patches
from support.planted_patches import amounts, images, model


def same(one, two) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, tuple) and not hasattr(one, "_fields"):
        return len(one) == len(two) and all(map(same, one, two))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, each.name), getattr(two, each.name)) for each in fields(one))
    return one == two


@pytest.fixture(scope="module", name="of_scenes")
def scenes_concepts():
    return planted_patches.of_scenes()


@pytest.mark.parametrize("crops", [None, 0.5], ids=str)
def test_all_of_it_comes_back(crops, tmp_path):
    found = seewhy.concepts(model(), images(amounts(6)), "act", [0, 1], 3, crops, samples=2, every=True)
    back = seewhy.Concepts.load(found.save(tmp_path / "c.npz"))
    assert same(found, back)
    assert back.says == found.says
    x = images(amounts(1, 9))
    assert same(
        np.stack([m.values for m in back.transform(model(), x)]), np.stack([m.values for m in found.transform(model(), x)])
    )


def test_views_and_cells_of_photos_come_back(of_scenes, tmp_path):
    back = seewhy.Concepts.load(of_scenes.save(tmp_path / "c.npz"))
    assert same(of_scenes, back)
    assert back.photos[0].view is not None


def test_the_picture_is_saved_as_png(of_scenes, tmp_path):
    with Image.open(of_scenes.save(tmp_path / "c.png")) as picture:
        assert picture.size == of_scenes.picture().size


def test_another_suffix_is_refused(of_scenes, tmp_path):
    with pytest.raises(BadParameter, match=r"c\.pkl: concepts are saved as \.npz, their picture as \.png"):
        of_scenes.save(tmp_path / "c.pkl")


def damaged(found, path, **changes):
    """The file with some of its arrays changed."""
    with np.load(found.save(path)) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **{**arrays, **changes})
    return path


def test_files_that_hold_no_concepts_are_refused(of_scenes, tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.savez(tmp_path / "object.npz", facts=np.array([{"form": 1}], object))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"form": 1}))
    np.savez(tmp_path / "list.npz", facts=np.array("[1]"))
    whole = of_scenes.save(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "stream.npz").write_bytes(whole[:90] + bytes(200) + whole[290:])
    for name in ("text", "other", "object", "pickle", "list", "stream"):
        with pytest.raises(BadParameter, match="holds no concepts as"):
            seewhy.Concepts.load(tmp_path / f"{name}.npz")
    with pytest.raises(BadParameter, match="cannot be read: No such file"):
        seewhy.Concepts.load(tmp_path / "none.npz")
    with pytest.raises(BadParameter, match="its form is 7, and this seewhy reads 1"):
        seewhy.Concepts.load(damaged(of_scenes, tmp_path / "form.npz", facts=np.array('{"form": 7}')))
    with pytest.raises(BadParameter, match=r"the maps of photo 0 are \(3, 2, 2\), of 2 concepts"):
        seewhy.Concepts.load(damaged(of_scenes, tmp_path / "maps.npz", **{"map 0": np.ones((3, 2, 2))}))
    with np.load(of_scenes.save(tmp_path / "crops.npz")) as file:
        facts = json.loads(str(file["facts"]))
    facts["typical"][0][0][0] = 99  # a photo that is not there
    with pytest.raises(BadParameter, match="crops are of other concepts or photos"):
        seewhy.Concepts.load(damaged(of_scenes, tmp_path / "crops.npz", facts=np.array(json.dumps(facts))))
