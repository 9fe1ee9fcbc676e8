"""The page of a map: what it holds, and that nothing of strangers gets into its markup."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter, NotWritten
from seewhy.inside.embeddings.embedding import Embedding, EmbeddingFacts
from seewhy.inside.embeddings.layout import MapLayout
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, LeftOutPhoto, PhotoRecord
from seewhy.inside.embeddings.projection import Projection
from seewhy.maps.source import ModelFacts
from seewhy.report.embedding_map import page
from seewhy.report.embedding_map.page import save_map

EVIL = '</script><script>alert("1")</script>'
LABELS = ("cat", EVIL)


def embedded(folder, count=24):
    """Photos of two classes in two clouds; each fifth is taken for the other class; the last is not there."""
    rng, known = np.random.default_rng(0), []
    for i in range(count):
        if i < count - 1:
            Image.new("RGB", (60, 40), (10 * (i % 24), 200, 40)).save(folder / f"{i}.png")
        truth = i % 2
        known.append(PhotoRecord(i, str(folder / f"{i}.png"), (truth,), truth if i % 5 else 1 - truth, 1.0, i / count, 0.5))
    features = np.array([[3.0, 0, 0], [0, 3, 0]])[np.arange(count) % 2] + rng.normal(0, 0.3, (count, 3))
    facts = EmbeddingFacts(ModelFacts(f"net {EVIL}", None, {}), "body", labels=LABELS, data="photos", count=count + 1)
    left = (LeftOutPhoto(count, "broken.png", EVIL),)
    one = Embedding(features.astype(np.float32), EmbeddedPhotos.of(known, LABELS), facts, left, ("stopped early",))
    return one, one.project("pca")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    embedding, projection = embedded(folder)
    assert save_map(embedding, projection, folder / "map.html") == [folder / "map.html"]
    return embedding, projection, (folder / "map.html").read_text("utf-8")


def content(text):
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)[1])


def numbers(text, kind):
    return np.frombuffer(b64decode(text), kind)


def test_the_page_holds_places_classes_and_neighbours(saved):
    embedding, projection, text = saved
    held = content(text)
    places = numbers(held["points"], "<u2").reshape(-1, 2) / 65535
    expected = projection.points * (1, -1)
    expected = (expected - (expected.min(0) + expected.max(0)) / 2) / np.ptp(expected, 0).max() + 0.5
    np.testing.assert_allclose(places, expected, atol=1e-4)
    np.testing.assert_array_equal(numbers(held["near"], "<u4").reshape(24, -1), embedding.all_neighbours(10))
    assert [held["classes"][k] for k in numbers(held["truth"], "<u4")] == [LABELS[i % 2] for i in range(24)]
    assert (numbers(held["right"], "u1") - 1).tolist() == embedding.photos.right.tolist()
    np.testing.assert_allclose(numbers(held["sure"], "<u2") / 65534, embedding.photos.probabilities, atol=1e-4)
    assert [held["start"] + name for name in held["names"]] == [*embedding.photos.paths]
    assert held["link"] == "./"
    assert [each["name"] for each in held["colourings"]] == [*projection.colourings]
    sizes = numbers(held["sprites"]["sizes"], "u1").reshape(-1, 2)
    assert sizes[-1].tolist() == [0, 0]
    assert (sizes[:-1] == (60, 40)).all()


def test_what_is_said_of_the_map_stands_on_the_page(saved):
    from html import unescape

    _, projection, text = saved
    for line in (*projection.says, "stopped early"):
        assert line in unescape(text)
    assert "1 photo without features" in text


def test_nothing_of_strangers_gets_into_the_markup(saved):
    _, _, text = saved
    assert EVIL not in text
    assert len(re.findall(r"<script\b", text)) == 2  # the content and the script
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in text
    assert "default-src 'none'; img-src data: file: 'self'" in text
    assert re.findall(r"(?:src|href)=\"(?!#|data:)[^\"]*\"|@import", text) == []


def test_thumbnails_of_many_photos_lie_in_a_folder_beside(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "ROOM", 100)
    embedding, projection = embedded(tmp_path, 12)
    written = save_map(embedding, projection, tmp_path / "map 1.html")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["map 1.html", "map 1-photos/sheet-1.webp"]
    held = content(written[0].read_text("utf-8"))
    assert held["sprites"]["sheets"] == ["map%201-photos/sheet-1.webp"]
    with Image.open(written[1]) as sheet:
        assert sheet.format == "WEBP"
    (tmp_path / "other-photos").write_text("a file where the folder belongs")
    with pytest.raises(NotWritten, match="other-photos"):
        save_map(embedding, projection, tmp_path / "other.html")
    with pytest.raises(BadParameter, match=r"written as \.html"):
        save_map(embedding, projection, tmp_path / "map.txt")


def test_of_images_in_memory_nothing_is_linked(tmp_path):
    known = [PhotoRecord(i, f"image {i}") for i in range(6)]
    points = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    photos = EmbeddedPhotos.of(known, None)
    one = Embedding(points, photos, EmbeddingFacts(ModelFacts("net", None, {}), "body"))
    save_map(one, Projection(MapLayout(points, "pca", {"metric": "cosine"}), photos, "features"), tmp_path / "map.html")
    held = content((tmp_path / "map.html").read_text("utf-8"))
    assert held["link"] is None
    assert [each["name"] for each in held["colourings"]] == ["none"]
