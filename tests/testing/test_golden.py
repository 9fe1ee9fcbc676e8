"""Golden maps: kept whole, compared by what they say, and never passed over."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import Heatmap
from seewhy.errors import BadImage, BadParameter
from seewhy.images.places import Cells, Grid
from seewhy.images.sight import Sight
from seewhy.testing import GoldenMaps, assert_explanation_golden
from seewhy.testing.golden import read_golden, write_golden

SLOPE = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "golden" / "cat.npz"


@pytest.fixture
def kept(path, made_heatmap):
    heatmap = made_heatmap(SLOPE)
    assert_explanation_golden(heatmap, path, update=True)
    return heatmap


def test_a_map_is_that_of_its_file(kept, path):
    assert_explanation_golden(kept, path, 1, 0, 0)
    golden = read_golden(path)
    np.testing.assert_array_equal(golden.values, kept.values)
    assert Heatmap.source_of(path).method == "grad-cam"


def test_a_file_that_is_not_there_fails_with_the_way_to_make_it(path, made_heatmap, tmp_path):
    with pytest.raises(AssertionError, match=r"There is no golden map .*cat.npz. If the map is right, keep it: .*update=True"):
        assert_explanation_golden(made_heatmap(SLOPE), path)
    with pytest.raises(AssertionError, match=r"It is drawn in .*now.png. If the map is right, keep it: do this"):
        assert_explanation_golden(made_heatmap(SLOPE), path, picture=tmp_path / "now.png", command="do this")
    assert (tmp_path / "now.png").is_file()


def test_a_map_that_moved_fails_with_numbers_and_a_picture(kept, path, made_heatmap, tmp_path):
    moved = made_heatmap(SLOPE[:, ::-1])
    with pytest.raises(AssertionError) as caught:
        assert_explanation_golden(moved, path, max_centre_shift=1, picture=tmp_path / "both.png")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"The map of cat.jpg is not the golden one of {path}:"
    assert lines[1].startswith("  Spearman ")
    assert lines[1].endswith("< 0.95")
    assert "energy shift" in lines[2]
    assert "centre moved" in lines[3]
    assert lines[-2] == f"Both are drawn in {tmp_path / 'both.png'}"
    with Image.open(tmp_path / "both.png") as picture:
        assert picture.width > 1000


def test_small_changes_keep_the_bounds(kept, path, made_heatmap):
    noise = np.random.default_rng(0).normal(scale=0.05, size=SLOPE.shape)
    assert_explanation_golden(made_heatmap(SLOPE * 3 + noise), path)
    with pytest.raises(AssertionError):
        assert_explanation_golden(made_heatmap(SLOPE * 3 + noise), path, min_spearman=1, max_energy_shift=0)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"method": "layer-cam"}, "  method: 'grad-cam', now 'layer-cam'"),
        ({"layer": "layer3"}, "  layer: 'layer4', now 'layer3'"),
        ({"target": "top 2"}, "  target: 'top 1', now 'top 2'"),
        ({"params": {"signed": True}}, "  params: {'signed': False}, now {'signed': True}"),
        ({"scores": "probability"}, "  scores: 'logits', now 'probability'"),
        ({"index": 3, "label": "shark"}, "  the class explained: tabby, tabby cat (281), now shark (3)"),
        ({"photo": "red"}, "  the photo: another one than 'cat.jpg' of 40x30 pixels"),
        ({"size": (80, 60)}, "  the photo: another one than 'cat.jpg' of 40x30 pixels"),
        (
            {"box": (5, 0, 35, 30)},
            "  the part of the photo that the network sees: [0.0, 0.0, 40.0, 30.0], now [5.0, 0.0, 35.0, 30.0]",
        ),
    ],
)
def test_a_golden_of_another_question_is_an_error(other, words, kept, path, made_heatmap):
    with pytest.raises(AssertionError) as caught:
        assert_explanation_golden(made_heatmap(SLOPE, **other), path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path} is the golden map of another question:"
    assert words in lines


def test_other_weights_are_what_is_tested_not_another_question(kept, path, made_heatmap):
    later = {"model": "timm/v2", "weights": "v2", "score": 1.0, "probability": 0.1, "seconds": 9.0, "versions": {"torch": "9"}}
    assert_explanation_golden(made_heatmap(SLOPE, **later), path)
    assert_explanation_golden(made_heatmap(SLOPE, image="/elsewhere/dog.jpg"), path)


def test_cells_that_moved_on_the_photo_are_noticed(path, made_heatmap):
    """The same values; but the network's cells now lie elsewhere."""
    cells = Cells((5.0, 5.0), (10.0, 10.0), (30, 40), (Sight(2.0, 5.0), Sight(2.0, 5.0)))
    heatmap = replace(made_heatmap(np.eye(3, 4)), cells=cells)
    assert_explanation_golden(heatmap, path, update=True)
    assert read_golden(path).cells == cells
    assert_explanation_golden(heatmap, path, 1, 0, 0)
    with pytest.raises(AssertionError, match="centre moved"):
        assert_explanation_golden(replace(heatmap, cells=cells._replace(first=(10.0, 5.0))), path, None, None, 1)


def test_nothing_of_this_machine_is_kept_and_equal_maps_are_not_written_again(path, made_heatmap):
    here = {"recipe": {"spec": "/home/me/net.pt2"}, "host": {"threads": 64}, "conditions": {"mkldnn": True}}
    heatmap = made_heatmap(SLOPE, image="/home/me/photos/cat.jpg", seconds=3.0, **here)
    assert write_golden(heatmap, path)
    source = Heatmap.source_of(path)
    assert (source.image, source.seconds) == ("cat.jpg", None)
    assert (source.recipe, source.host, source.conditions) == ({}, {}, {})
    first = path.read_bytes()
    assert not write_golden(replace(heatmap, source=replace(heatmap.source, seconds=4.0)), path)
    assert path.read_bytes() == first
    assert write_golden(replace(heatmap, values=heatmap.values * 2), path)
    assert len(first) < 6000


def test_a_broken_file_is_told_and_can_be_replaced(kept, path):
    for content in (b"no zip", path.read_bytes()[:-50]):
        path.write_bytes(content)
        with pytest.raises(BadImage, match=r"cat\.npz"):
            assert_explanation_golden(kept, path)
        assert_explanation_golden(kept, path, update=True)
        assert_explanation_golden(kept, path, 1, 0)


def test_a_plain_saved_map_is_no_golden_file(kept, path):
    kept.save(path)
    with pytest.raises(BadImage, match="it lacks 'size is not a file in the archive'"):
        assert_explanation_golden(kept, path)


def test_a_file_of_other_kinds_is_refused(kept, tmp_path):
    with pytest.raises(BadParameter, match=r"is an \.npz file, not '.*cat\.png'"):
        assert_explanation_golden(kept, tmp_path / "cat.png")


def test_photos_as_another_decoder_reads_them_are_the_same(made_heatmap, path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(int)
    near = np.clip(pixels + np.random.default_rng(1).integers(-2, 3, pixels.shape), 0, 255)
    photos = [Image.fromarray(each.astype(np.uint8)) for each in (pixels, near, pixels[::-1])]
    assert_explanation_golden(made_heatmap(SLOPE, photo=photos[0]), path, update=True)
    assert_explanation_golden(made_heatmap(SLOPE, photo=photos[1]), path)
    with pytest.raises(AssertionError, match="the photo: another one"):
        assert_explanation_golden(made_heatmap(SLOPE, photo=photos[2]), path)


def test_volumes_signals_and_prepared_arrays_are_kept_too(path, made_heatmap):
    rng = np.random.default_rng(0)
    volume = seewhy.Volume(rng.random((5, 6, 7), np.float32), np.eye(4))
    for image, shape in ((volume, (5, 6, 7)), (rng.random((2, 20), np.float32), (20,)), (None, (5, 6, 7))):
        heatmap = replace(made_heatmap(SLOPE), values=rng.random(shape, np.float32), image=image, box=Grid.whole(shape))
        assert_explanation_golden(heatmap, path, update=True)
        assert_explanation_golden(heatmap, path, 1, 0, 0)
        with pytest.raises(AssertionError):
            assert_explanation_golden(replace(heatmap, values=heatmap.values[::-1]), path)
    with pytest.raises(AssertionError, match="the photo: another one"):
        assert_explanation_golden(replace(heatmap, image=volume), path)


@pytest.fixture
def folder(tmp_path):
    def make(update=False):
        wrote = []
        return GoldenMaps(tmp_path / "golden", update, tmp_path, "pytest --golden-update", wrote.append), wrote

    return make


def test_one_map_has_the_name_and_several_are_numbered(folder, made_heatmap, tmp_path):
    maps = seewhy.Heatmaps((made_heatmap(SLOPE), made_heatmap(SLOPE[::-1])))
    write, wrote = folder(update=True)
    write(maps[0], "one")
    write(maps, "two")
    assert [file.name for file in wrote] == ["one.npz", "two.1.npz", "two.2.npz"]
    check, wrote = folder()
    check(maps[:1], "one", 1, 0)
    check(maps, "two", 1, 0)
    assert wrote == []
    with pytest.raises(AssertionError, match=r"two\.1\.png"):
        folder()[0](maps[::-1], "two")


def test_maps_that_are_missing_never_pass(folder, made_heatmap):
    maps = seewhy.Heatmaps((made_heatmap(SLOPE), made_heatmap(SLOPE[::-1])))
    folder(update=True)[0](maps, "two")
    with pytest.raises(AssertionError, match=r"two\.1\.npz is of no map: there are 1"):
        folder()[0](maps[:1], "two")
    with pytest.raises(AssertionError, match="There are no maps"):
        folder()[0](maps[:0], "two")
    with pytest.raises(AssertionError, match=r"There is no golden map .*two\.3\.npz"):
        folder()[0]([*maps, maps[0]], "two")


@pytest.mark.parametrize("name", ["", "../cat", "a/b", "a.b", "-a"])
def test_names_that_are_paths_are_refused(name, folder, made_heatmap):
    with pytest.raises(BadParameter, match="is no name"):
        folder()[0](made_heatmap(SLOPE), name)


def test_a_name_stands_once_in_a_test(folder, made_heatmap):
    write, _ = folder(update=True)
    write(made_heatmap(SLOPE), "cat")
    with pytest.raises(BadParameter, match="'Cat' stands twice in this test"):
        write(made_heatmap(SLOPE), "Cat")
