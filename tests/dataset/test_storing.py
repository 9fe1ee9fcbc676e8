"""What is missing of a run is stored part by part, and whatever ends it early stores what is done of the part under way."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.dataset.chunks import RunSettings
from seewhy.dataset.store import Gap, PartWork, part_path, parts, read_part
from seewhy.dataset.storing import stored_parts, works_of
from seewhy.errors import BadNetwork, NotApplicable
from seewhy.photo_sets.items import Listing, PhotoPlace
from seewhy.truth.given import GroundTruth
from seewhy.truth.marked import MarkedBox, PhotoBoxes

pytest.importorskip("pyarrow")
SETTINGS = RunSettings((seewhy.occlusion.using(window=4, stride=4),), ("top",))


def model(scores=lambda x: np.stack([x.mean((1, 2, 3)), 255 - x.mean((1, 2, 3))], 1) / 255):
    return seewhy.wrap(
        scores, prepare={"size": 8, "crop": 8}, takes="uint8", labels=["light", "dark"], name="light", batch_size=1
    )


@pytest.fixture
def listing(tmp_path):
    """Five photos, of which the fourth has a box."""
    for i in range(5):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (12, 12, 3), np.uint8)).save(tmp_path / f"{i}.png")
    marks = GroundTruth(boxes={str(tmp_path / "3.png"): PhotoBoxes((MarkedBox((0.0, 0.0, 6.0, 12.0), None),))})
    return Listing("set", PhotoPlace(f"{tmp_path}/"), [f"{i}.png" for i in range(5)], [()] * 5, marks)


@pytest.fixture
def works(listing, tmp_path):
    """Two parts: of three photos, and of two."""
    return [*works_of(listing, [Gap(part_path(tmp_path, 0), (0, 1, 2)), Gap(part_path(tmp_path, 1), (3, 4))])]


def rows(folder):
    return [row for part in parts(folder) for row in read_part(part.path).to_pylist()]


def test_works_have_what_is_known_of_their_own_photos(listing, works, tmp_path):
    assert [[item.number for item in work.items] for work in works] == [[0, 1, 2], [3, 4]]
    assert [[*work.marks.boxes] for work in works] == [[], [str(tmp_path / "3.png")]]


def test_parts_are_stored_and_photos_are_counted(works, tmp_path):
    assert sum(stored_parts(model(), works, SETTINGS)) == 5
    assert [part[:2] for part in parts(tmp_path)] == [(0, 0), (1, 0)]
    found = rows(tmp_path)
    assert [row["item"] for row in found] == [0, 1, 2, 3, 4]
    on_object = [row["evidence"]["on_object"] for row in found]
    assert [share is not None for share in on_object] == [False, False, False, True, False]


def test_closed_early_it_stores_what_is_done(works, tmp_path):
    counts = stored_parts(model(), works, SETTINGS)
    done = next(counts)
    counts.close()
    assert [row["item"] for row in rows(tmp_path)] == [0, 1, 2][:done]
    assert done < 3


def test_photos_that_are_not_to_be_explained_are_rows_with_the_error(works, tmp_path):
    works[0] = works[0]._replace(error="it ends the process")
    assert sum(stored_parts(model(), works, SETTINGS)) == 5
    assert [row["error"] for row in rows(tmp_path)] == ["BadImage: it ends the process"] * 3 + [None] * 2


def test_a_network_without_scores_of_whole_photos_ends_a_fresh_run_at_its_first(listing, tmp_path):
    torch = pytest.importorskip("torch")
    seen = []

    class Segmenter(torch.nn.Conv2d):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    network = torch.nn.Sequential(Segmenter(3, 4, 3, padding=1), torch.nn.ReLU()).eval()
    wrapped = seewhy.wrap(network, prepare={"size": 8, "crop": 8}, name="segmenter", batch_size=1)
    work = PartWork(part_path(tmp_path, 0), [listing[i % 5] for i in range(40)])
    with pytest.raises(NotApplicable, match="segmenter answers with boxes, or with a map of each class, and a run asks for"):
        list(stored_parts(wrapped, [work], RunSettings((seewhy.grad_cam,), ("top",)), fresh=True))
    assert parts(tmp_path) == []
    assert sum(seen) < 20  # not one of each of the 40


def test_a_network_that_cannot_run_on_the_first_photos_is_not_asked_for_all(listing, tmp_path):
    asked = []

    def broken(x):
        asked.append(len(x))
        raise RuntimeError("no such thing")

    work = PartWork(part_path(tmp_path, 0), [listing[i % 5] for i in range(40)])
    with pytest.raises(BadNetwork, match="failed on each of the first 8 photos"):
        list(stored_parts(model(broken), [work], SETTINGS, fresh=True))
    assert parts(tmp_path) == []
    assert len(asked) < 35


def test_a_network_that_always_fails_ends_a_fresh_run_alone(listing, tmp_path):
    def broken(x):
        raise RuntimeError("no such thing")

    work = PartWork(part_path(tmp_path, 0), [listing[i % 5] for i in range(8)])
    with pytest.raises(BadNetwork, match="failed on each of the first 8 photos"):
        list(stored_parts(model(broken), [work], SETTINGS, fresh=True))
    assert parts(tmp_path) == []
    assert sum(stored_parts(model(broken), [work], SETTINGS)) >= 5
    assert "no such thing" in rows(tmp_path)[0]["error"]
