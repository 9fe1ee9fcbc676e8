"""A map of photos, as a picture and in sentences."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.inside.embeddings.layout import MapLayout
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, PhotoRecord
from seewhy.inside.embeddings.projection import Projection
from seewhy.pictures.scatter import OTHER, PALETTE


def projection(**layout):
    rng = np.random.default_rng(0)
    known = [PhotoRecord(i, f"{i}.png", (i % 2,), i % 2 if i % 5 else 1 - i % 2, 1.0, 0.5 + i / 100) for i in range(40)]
    points = rng.normal(0, 0.3, (40, 2)).astype(np.float32) + np.arange(40)[:, None] % 2 * np.float32(5)
    made = {"how": "t-sne", "params": {"perplexity": 13.0}, "trustworthiness": 0.9, "of_pca": 0.8, "judged": 40, **layout}
    return Projection(MapLayout(points, **made), EmbeddedPhotos.of(known, ["cat", "dog"]), "features of net at body", ("odd",))


def test_it_says_how_far_it_is_to_be_trusted():
    one = projection()
    said = " ".join(one.says)
    assert "Trustworthiness 0.900; of two principal components 0.800" in said
    assert "100 % have its true class; by chance 48.7 %" in said  # 19 of the other 39
    assert "80 % have its prediction" not in said  # each fifth is wrong: of its neighbours fewer agree
    assert "Note: odd." in said
    assert "(of 10 photos, drawn)" in projection(judged=10).says[0]
    assert one.facts["purity"]["truth"] == {"share": 1.0, "chance": pytest.approx(19 / 39)}
    assert repr(one) == "<Projection 40 photos, t-SNE, perplexity 13: features of net at body>"
    assert one.colourings == ("truth", "prediction", "error", "confidence")


def test_the_picture_has_the_colours_and_the_words_of_its_kinds(written):
    picture = np.asarray(projection().picture(side=300))
    for colour in PALETTE[:2]:
        assert (picture == colour).all(2).sum() > 200
    assert not (picture == OTHER).all(2).any()
    words = [text for text, *_ in written]
    assert words.count("cat") >= 2  # in the legend and beside its points
    assert {"true class", "20"} <= {*words}
    wrong = np.asarray(projection().picture("error", 300))
    assert (wrong == PALETTE[5]).all(2).sum() > 50


def test_a_picture_is_saved_as_png_alone(tmp_path):
    path = projection().save(tmp_path / "map.png", "confidence")
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(BadParameter, match=r"saved as \.png, not as \.html.*seewhy embed"):
        projection().save(tmp_path / "map.html")
    with pytest.raises(NoSuchName, match="No colouring 'size'"):
        projection().save(tmp_path / "x.png", "size")
