"""What a file tells of itself."""

import json
from dataclasses import asdict

import numpy as np

import seewhy
from seewhy.exporting.facts import facts_of
from support import networks


def told(model, images, method=seewhy.grad_cam, fixed=False, single=False):
    (heatmap,) = method(model, images)
    return json.loads(facts_of(model, method, heatmap, (3, 12, 16), fixed, single))


def test_it_holds_what_is_needed_to_use_the_file_and_to_make_it_again():
    fit = {"size": 16, "crop": (12, 16), "mean": 0.5, "std": 0.25}
    model = seewhy.wrap(networks.pooled(), prepare=fit, labels=list("abcde"), name="net", weights="w.safetensors")
    facts = told(model, networks.images(1), seewhy.grad_cam.using(signed=True))
    assert facts["prepare"] == {"kind": "Fit", **json.loads(json.dumps(asdict(model.prepare)))}
    assert (facts["model"], facts["weights"], facts["method"], facts["params"]) == (
        "net",
        "w.safetensors",
        "grad-cam",
        {"signed": True},
    )
    assert (facts["layer"], facts["target"], facts["class"], facts["class_label"]) == ("act2", "top 1", None, None)
    assert (facts["labels"], facts["scores"], facts["seewhy"]) == (list("abcde"), "logits", seewhy.__version__)
    assert facts["images"] == {"shape": ["n", 3, 12, 16], "dtype": "float32"}
    assert facts["maps"]["shape"] == ["n", 6, 8]
    assert facts["formula"].startswith("relu(sum_c mean(g) a)")
    assert facts["source"].startswith("Selvaraju et al. 2017")
    assert {"torch", "numpy", "python"} <= {*facts["versions"]}


def test_the_cells_lie_where_the_library_s_maps_have_them():
    facts = told(seewhy.wrap(networks.pooled()), networks.images(1))
    (heatmap,) = seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1))
    for axis, centres in enumerate(facts["maps"]["centres"]):
        np.testing.assert_allclose(centres, heatmap.cells.centres(axis, heatmap.values.shape[axis]))
    plain = told(seewhy.wrap(networks.pooled(), geometry="plain"), networks.images(1))["maps"]
    assert (plain["geometry"], plain["centres"][0]) == ("plain", [0.5, 2.5, 4.5, 6.5, 8.5, 10.5])


def test_code_that_prepares_photos_is_named_and_one_image_at_a_time_said():
    def prepared(photo):
        return np.zeros((3, 12, 16), np.float32) + photo.width

    facts = told(seewhy.wrap(networks.pooled(), prepare=prepared), networks.images(1), fixed=True, single=True)
    assert facts["prepare"]["kind"] == "code"
    assert facts["prepare"]["code"].endswith("prepared")
    assert facts["images"]["shape"] == [1, 3, 12, 16]
    assert facts["class"] is not None
    assert told(seewhy.wrap(networks.pooled()), networks.images(1))["prepare"] is None
