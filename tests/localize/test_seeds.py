"""Seeds: by hand, written again in loops, and what the papers' settings give."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.images.resample import resized
from seewhy.objects.refine.crf import IRN, SEC, kernels, mean_field

CAT = np.array([[4.0, 2.0, 1.0, -3.0], [0.8, 0.1, 0.0, -1.0]])
DOG = np.array([[0.0, 1.5, 2.0, 0.0], [0.0, 0.0, 0.5, 0.02]])
MAPS = {"cat": CAT, "dog": DOG}  # of their greatest: cat 1 .5 .25 0 / .2 .025 0 0, dog 0 .75 1 0 / 0 0 .25 .01
DRAW = np.random.default_rng(5)


def photo(shape=(20, 30)):
    pixels = np.full((*shape, 3), 230, np.uint8)
    pixels[5:15, 4:14] = (200, 20, 20)
    pixels[5:15, 18:27] = (20, 20, 200)
    return pixels


def blobs(shape=(20, 30)):
    """Maps that lie askew on the two squares of the photo."""
    y, x = np.indices(shape)
    return {"red": np.exp(-((y - 8) ** 2 + (x - 7) ** 2) / 40), "blue": np.exp(-((y - 11) ** 2 + (x - 23) ** 2) / 40)}


def objects(shape=(20, 30)):
    truth = np.zeros(shape, int)
    truth[5:15, 4:14], truth[5:15, 18:27] = 1, 2
    return truth


def test_one_background_gives_each_pixel_its_strongest():
    assert seewhy.seeds(MAPS, 0.15).label_map.tolist() == [[1, 2, 2, 0], [1, 0, 2, 0]]
    assert seewhy.seeds(MAPS, 0.2).label_map.tolist() == [[1, 2, 2, 0], [0, 0, 2, 0]]  # what is as strong is background


def test_between_two_backgrounds_neither_is_sure():
    found = seewhy.seeds(MAPS)
    assert found.label_map.tolist() == [[1, 2, 2, 0], [255, 0, 255, 0]]
    assert found.label_map.dtype == np.uint8
    assert found.classes == ("cat", "dog")
    assert found.made["background"] == (0.05, 0.30)
    assert seewhy.seeds(MAPS, (0.3, 0.05)).label_map.tolist() == found.label_map.tolist()


def test_the_background_that_fades_with_the_classes_is_psas():
    norm = np.stack([np.maximum(m, 0) / m.max() for m in (CAT, DOG)])
    for alpha in (4, 16):
        behind = (1 - norm.max(0)) ** alpha
        expected = [[int(np.argmax([behind[y, x], *norm[:, y, x]])) for x in range(4)] for y in range(2)]
        assert seewhy.seeds(MAPS, alpha=alpha).label_map.tolist() == expected
    low, high = (seewhy.seeds(MAPS, alpha=alpha).label_map for alpha in (32, 4))
    both = np.where(high > 0, high, np.where(low > 0, 255, 0))
    assert (seewhy.seeds(MAPS, alpha=(4, 32)).label_map == both).all()
    assert (both == 255).any()


def test_of_the_classes_above_the_background_the_smaller_may_win():
    """At 0.2: cat has (0, 0), (0, 1), (0, 2), dog (0, 1), (0, 2), (1, 2) and so as many; at 0.15 cat has one more."""
    assert seewhy.seeds(MAPS, 0.15, conflict="smaller").label_map.tolist() == [[1, 2, 2, 0], [1, 0, 2, 0]]
    wide = {"cat": CAT, "dog": np.full((2, 4), 0.9) + np.eye(2, 4) * 0.1}
    assert seewhy.seeds(wide, 0.15, conflict="smaller").label_map.tolist() == [[1, 1, 1, 2], [1, 2, 2, 2]]
    assert seewhy.seeds(wide, 0.15).label_map.tolist() == [[1, 2, 2, 2], [2, 2, 2, 2]]


def test_sec_takes_background_where_the_saliency_is_lowest():
    saliency = np.arange(20.0).reshape(4, 5)
    peak = np.zeros((4, 5))
    peak[0, 0], peak[3, 4], peak[3, 3] = 1, 0.5, 0.1
    found = seewhy.seeds({"cat": peak}, saliency=saliency, preset="sec").label_map
    expected = np.full((4, 5), 255)
    expected[0, 1] = 0  # of 20 pixels the 2 lowest, of which one is cat
    expected[0, 0] = expected[3, 4] = 1
    assert (found == expected).all()
    flat = seewhy.seeds({"cat": peak}, saliency=np.ones((4, 5)), preset="sec")  # which says nothing of the background
    assert flat.shares == {"background": 0, "cat": 0.1, "ignored": 0.9}
    with pytest.raises(BadParameter, match="seed_saliency"):
        seewhy.seeds({"cat": peak}, preset="sec")


def test_only_the_classes_that_the_image_has():
    assert seewhy.seeds(MAPS, 0.15, labels=["dog"]).label_map.tolist() == [[0, 1, 1, 0], [0, 0, 1, 0]]
    numbered = seewhy.seeds(MAPS, 0.15, labels=["dog"], classes=["cow", "cat", "dog"])
    assert numbered.label_map.tolist() == [[0, 3, 3, 0], [0, 0, 3, 0]]
    assert numbered.classes == ("cow", "cat", "dog")
    by_index = seewhy.seeds({7: CAT, 2: DOG}, 0.15, labels=[2], classes=["cow", "cat", "dog"])
    assert (by_index.label_map == numbered.label_map).all()


def test_maps_with_no_evidence_have_no_seeds_and_say_why():
    found = seewhy.seeds({"cat": -np.ones((2, 4)), "cow": np.ones((2, 4)), "dog": DOG}, 0.15)
    assert found.label_map.tolist() == [[0, 3, 3, 0], [0, 0, 3, 0]]
    assert [note.partition(":")[0] for note in found.notes] == ["cat", "cow"]
    assert "no value" in found.notes[0]
    assert "same everywhere" in found.notes[1]


def test_what_the_network_did_not_see_is_left_out():
    model = seewhy.load("demo/honest")
    image = seewhy.demo.scene(0, 7).image.resize((160, 96))
    maps = seewhy.grad_cam(model, image, target=["bird", "car"])
    found = seewhy.seeds(maps, 0.15)
    seen = maps[0].box
    assert (seen.left, seen.right) == (32, 128)
    assert found.label_map.shape == (96, 160)
    assert (found.label_map[:, :32] == 255).all()
    assert (found.label_map[:, 128:] == 255).all()
    assert (found.label_map[:, 32:128] < 3).all()
    small = seewhy.seeds(maps, 0.15, grid=(12, 20)).label_map
    assert small.shape == (12, 20)
    assert (small[:, :4] == 255).all()
    assert (small[:, 4:16] < 3).all()
    assert (small[:, 16:] == 255).all()
    by_array = seewhy.seeds({m.source.label: m.full()[:, 32:128] for m in maps}, 0.15)
    assert (by_array.label_map == found.label_map[:, 32:128]).all()


def test_a_dense_crf_on_scores_is_mean_field_on_their_logarithms():
    """PSA's way, on a grid so small that nothing is resized."""
    maps, pixels = blobs(), photo()
    scores = np.stack([np.full((20, 30), 0.2), *(m / m.max() for m in maps.values())])
    field = mean_field(-np.log(np.clip(scores, 1e-5, 1)).reshape(3, -1), kernels(pixels, SEC))
    expected = field.reshape(3, 20, 30).argmax(0)
    found = seewhy.seeds(maps, 0.2, refine="crf", image=pixels).label_map
    assert (found == expected).mean() > 0.998  # of float32 and float64


def test_irns_crf_is_on_labels_that_are_seven_tenths_sure_at_each_background():
    maps, pixels = blobs(), photo()
    runs = []
    for background in (0.05, 0.30):
        scores = np.stack([np.full((20, 30), background), *(m / m.max() for m in maps.values())])
        hard = scores.argmax(0).ravel()
        costs = -np.log(np.where(np.arange(3)[:, None] == hard, 0.7, 0.15))
        runs.append(mean_field(costs, kernels(pixels, IRN)).reshape(3, 20, 30).argmax(0))
    low, high = runs
    expected = np.where(high > 0, high, np.where(low > 0, 255, 0))
    found = seewhy.seeds(maps, preset="irn", image=Image.fromarray(pixels)).label_map
    assert (found == expected).mean() > 0.998


def test_on_a_grid_the_crf_reaches_as_far_as_on_the_photo():
    """SEC's grid: places count in pixels of the photo, of which one cell has several."""
    big, maps = np.kron(photo(), np.ones((3, 3, 1), np.uint8)), {n: np.kron(m, np.ones((3, 3))) for n, m in blobs().items()}
    scores = np.stack([np.full((20, 30), 0.2), *(resized(m / m.max(), (20, 30)) for m in maps.values())])
    small = np.moveaxis(resized(np.moveaxis(big, -1, 0).astype(float), (20, 30)), 0, -1)
    field = mean_field(-np.log(np.clip(scores, 1e-5, 1)).reshape(3, -1), kernels(small, SEC, scale=3))
    found = seewhy.seeds(maps, 0.2, refine="crf", image=big, grid=(20, 30)).label_map
    assert (found == field.reshape(3, 20, 30).argmax(0)).mean() > 0.998


@pytest.mark.parametrize("refine", ["walk", "crf", "crf-labels", ("walk", "crf")])
def test_refinement_brings_seeds_to_the_edges(refine):
    maps, truth = blobs(), objects()
    raw = seewhy.seeds(maps, 0.4, image=photo()).label_map
    found = seewhy.seeds(maps, 0.4, image=photo(), refine=refine).label_map
    assert (raw == truth).mean() < 0.9 < 0.97 < (found == truth).mean()
    again = seewhy.seeds(maps, 0.4, image=photo(), refine=refine).label_map
    assert (found == again).all()


def test_a_walk_leaves_a_constant_background_and_carries_psas_along():
    maps = blobs()
    affinity = seewhy.colour_affinity(photo())
    norm = np.stack([m / m.max() for m in maps.values()])
    assert affinity.grid == (20, 30)
    walked = affinity.walk(norm)
    irn = np.concatenate([np.full((1, 20, 30), 0.25), walked / walked.max()]).argmax(0)
    assert (seewhy.seeds(maps, 0.25, refine=affinity).label_map == irn).mean() > 0.998
    psa = affinity.walk(np.concatenate([(1 - norm.max(0, keepdims=True)) ** 16, norm])).argmax(0)
    assert (seewhy.seeds(maps, alpha=16, refine=affinity).label_map == psa).mean() > 0.998
    assert (irn != psa).any()


def test_the_order_of_the_maps_changes_numbers_alone():
    maps = blobs()
    one = seewhy.seeds(maps, refine="walk", image=photo(), classes=["red", "blue"]).label_map
    other = seewhy.seeds(dict(reversed(maps.items())), refine="walk", image=photo(), classes=["red", "blue"]).label_map
    assert (one == other).all()


def test_units_of_a_map_do_not_matter():
    scaled = {"cat": CAT * 1e-9, "dog": DOG * 1e9}
    assert (seewhy.seeds(scaled).label_map == seewhy.seeds(MAPS).label_map).all()


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (BadParameter, {"background": 1.5}, "0 to 1"),
        (BadParameter, {"background": (0.1, 0.2, 0.3)}, "a pair"),
        (BadParameter, {"background": 0.1, "alpha": 4}, "not both"),
        (BadParameter, {"background": (0.1, 0.2), "saliency": CAT}, "one number"),
        (BadParameter, {"saliency": np.ones((3, 3))}, "same size"),
        (BadParameter, {"grid": (4,)}, "rows and columns"),
        (BadParameter, {"image": np.zeros((5, 5, 3))}, "its maps are"),
        (BadParameter, {"image": np.zeros((2, 4))}, "(h, w, 3)"),
        (BadParameter, {"image": "photo.jpg"}, "a photo"),
        (BadParameter, {"labels": []}, "empty"),
        (BadParameter, {"classes": [*map(str, range(300))]}, "254"),
        (BadParameter, {"classes": ["background", "cat", "dog"]}, "is no class"),
        (NoSuchName, {"refine": True}, "walk, crf"),
        (NoSuchName, {"refine": (5,)}, "walk, crf"),
        (NoSuchName, {"labels": ["dig"]}, "dog"),
        (NoSuchName, {"classes": ["cat", "cow"]}, "dog"),
        (NoSuchName, {"preset": "prm"}, "irn"),
        (NoSuchName, {"refine": "crff"}, "crf"),
        (NoSuchName, {"conflict": "larger"}, "smaller"),
        (NotApplicable, {"refine": "crf"}, "image="),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(kind, settings, said):
    with pytest.raises(kind) as error:
        seewhy.seeds(MAPS, **settings)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_scales_and_flips_are_summed_as_in_psa_and_irn_up_to_a_factor_that_seeds_cancel():
    """Each view's map without its negative part is brought back and summed; where cells lie evenly, `augment` has the mean."""
    model, scene = seewhy.load("demo/honest", geometry="plain"), seewhy.demo.scene(0, 8, pair=True)
    x = next(iter(model.batches(scene.image))).x
    targets = [scene.label, scene.other]
    found = seewhy.augment(seewhy.cam)(model, x, target=targets, flips=True, scales=(1, 0.5, 1.5, 2))
    total = np.zeros((2, 24, 24))
    for scale in (1, 0.5, 1.5, 2):
        view = resized(x, (round(96 * scale),) * 2)
        for flip in (1, -1):
            maps = seewhy.cam(model, np.ascontiguousarray(view[..., ::flip]), target=targets)
            total += [resized(np.maximum(m.values, 0)[:, ::flip], (24, 24)) for m in maps]
    for heatmap, summed in zip(found, total, strict=True):
        np.testing.assert_allclose(heatmap.values * 8, summed, rtol=1e-4, atol=1e-4 * summed.max())
    irn = total / (total.max((1, 2), keepdims=True) + 1e-5)
    ours = np.stack([m.values / m.values.max() for m in found])
    np.testing.assert_allclose(ours, irn, atol=1e-4)
