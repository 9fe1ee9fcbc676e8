"""The pictures of a report: each photo and map once, within the room there is."""

import hashlib
import io
import re
from base64 import b64decode
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from seewhy.images.places import Extent
from seewhy.pictures.tiles import APART, OPAQUE
from seewhy.report.failures.pictures import CHANGED, GONE, thumbnail, upright, views
from support.answered import answered, shown


@pytest.fixture
def photo(tmp_path):
    """A photo that was answered wrong, with two maps."""
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)).save(path)

    def make(top=((0, 0), (0, 4)), true=((2, 0), (0, 0)), box=(0, 0, 400, 300), **given):
        maps = [shown(top, box=Extent(*box)), shown(true, "true", box=Extent(*box))]
        return answered(3, 0, 1, **{"maps": maps, "path": str(path), "size": (400, 300), **given})

    return make


def picture(rules, name):
    found = re.search(rf"\.{name}{{background-image:url\(data:image/\w+;base64,([^)]*)\)}}", rules)
    assert found is not None, f"no rule of {name}"
    with Image.open(io.BytesIO(b64decode(found[1]))) as image:
        return np.asarray(image.convert("RGBA"), int)


def test_the_two_maps_share_a_scale_and_the_contrast_is_their_difference(photo):
    view = views([photo()], ["grad-cam"], 100_000)[3]
    top, true, apart = (picture(view.rules, f"{kind}3-0") for kind in "tud")
    assert view.kinds == ("t", "u", "d")
    assert top[-1, -1, 3] == round(255 * OPAQUE)
    assert 0 < true[0, 0, 3] < top[-1, -1, 3]  # half of the scale
    assert apart[-1, -1, 0] > apart[-1, -1, 2]  # red: more for its answer
    assert apart[0, 0, 2] > apart[0, 0, 0]  # blue: more for the right one
    assert apart[0, 0, 3] == round(255 * APART)  # the full colour at half of the scale
    assert ".b3" not in view.rules
    assert view.ratio == pytest.approx(4 / 3)


def test_maps_lie_where_the_network_saw_the_photo(photo):
    view = views([photo(box=(50, 0, 350, 300))], ["grad-cam"], 100_000)[3]
    assert ".b3{left:12.5%;top:0.0%;width:75.0%;height:100.0%}" in view.rules


def test_the_maps_of_further_methods_are_there_too(photo):
    both = photo(maps=[shown(method="grad-cam"), shown(method="rise")])
    assert re.findall(r"\.t3-(\d)", views([both], ["grad-cam", "rise"], 100_000)[3].rules) == ["0", "1"]


@pytest.mark.parametrize("room", [2000, 9000])
def test_photos_take_no_more_room_than_there_is(photo, room):
    view = views([photo()], ["grad-cam"], room)[3]
    assert len(view.rules) <= room
    small = picture(view.rules, "p3")
    assert max(small.shape[:2]) >= 64


def test_a_photo_that_is_gone_or_another_one_now_is_said(photo, tmp_path):
    found = views([photo(path=str(tmp_path / "gone.png"))], ["grad-cam"], 9000)[3]
    assert (found.fault, found.kinds) == (GONE, ("t", "u", "d"))
    assert ".p3" not in found.rules
    digest = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert views([photo(sha256=digest)], [], 9000)[3].fault == ""
    changed = views([photo(sha256="0" * 64)], [], 9000)[3]
    assert changed.fault == CHANGED
    assert ".p3{" in changed.rules


def test_a_photo_in_an_archive_is_shown_too(photo, tmp_path):
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "cats/a.png")
    view = views([photo(path=f"zip://cats/a.png::{tmp_path / 'photos.zip'}")], ["grad-cam"], 9000)[3]
    assert (view.fault, picture(view.rules, "p3").shape[2]) == ("", 4)


def test_a_photo_without_maps_is_shown_alone(photo):
    view = views([photo(maps=[])], ["grad-cam"], 9000)[3]
    assert (view.kinds, view.rules.count("{")) == ((), 1)


def test_a_mirrored_map_is_turned_back():
    values = np.array([[1, 2], [3, 4]], np.float32)
    assert upright(values, Extent(4, 0, 0, 4)).tolist() == [[2, 1], [4, 3]]
    assert upright(values, Extent(0, 4, 4, 0)).tolist() == [[3, 4], [1, 2]]
    assert upright(values, None).tolist() == values.tolist()


def test_a_small_photo_is_not_enlarged():
    assert thumbnail(Image.new("RGB", (30, 20)), 9000).size == (30, 20)
