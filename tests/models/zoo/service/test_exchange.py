"""How photos are put to a service, and tensors to TensorFlow Serving."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.models.zoo.service.exchange import PhotoExchange, TensorFlowExchange, chosen
from seewhy.models.zoo.service.options import options_of
from support.services import Asked, photo, pixels_in, pixels_of

SHOWN = "http://host/x"


def exchange(kind: str, **options) -> PhotoExchange:
    return PhotoExchange.of(kind, options_of(options, SHOWN), None, SHOWN)


def asked(post) -> Asked:
    return Asked("POST", "/", dict(post.headers), post.content)


def test_a_photo_is_sent_as_a_png_in_json():
    made = exchange("json")
    assert (made.together, made.only, made.takes, made.lossy) == (1, None, "uint8", False)
    question = asked(made.post(photo()[None]))
    np.testing.assert_array_equal(pixels_in(question), photo())
    assert question.headers == {"Content-Type": "application/json"}


def test_several_photos_go_into_one_request_where_the_template_says_so():
    made = exchange("json", template={"instances": [{"image": "<base64 png>"}, "..."]}, batch=3)
    assert made.together == 3
    instances = asked(made.post(np.stack([photo(0), photo(1)]))).json["instances"]
    assert len(instances) == 2
    assert exchange("json", template={"x": ["<pixels>", "..."]}).together == 8


def test_the_body_is_the_photo():
    post = exchange("image").post(photo()[None])
    np.testing.assert_array_equal(pixels_of(post.content), photo())
    assert dict(post.headers) == {"Content-Type": "image/png"}
    post = exchange("torchserve", encoding="jpeg").post(photo()[None])
    assert dict(post.headers) == {"Content-Type": "image/jpeg"}


def test_a_form_has_the_photo_in_its_field():
    post = exchange("multipart", field="picture").post(photo()[None])
    ((name, (filename, content, kind)),) = post.files.items()
    assert (name, filename, kind) == ("picture", "image.png", "image/png")
    np.testing.assert_array_equal(pixels_of(content), photo())


@pytest.mark.parametrize(("options", "lossy"), [({"encoding": "jpeg"}, True), ({"template": {"x": "<base64 jpeg>"}}, True),
                                                ({"template": ["<base64 png>"], "encoding": "jpeg"}, False)])  # fmt: skip
def test_jpeg_changes_what_is_sent(options, lossy):
    assert exchange("json", **options).lossy is lossy


def test_numbers_stand_in_the_layout_that_is_asked_for():
    x = photo()
    for layout, expected in ((None, x), ("nhwc", x), ("nchw", np.moveaxis(x, -1, 0))):
        options = {"layout": layout} if layout else {}
        np.testing.assert_array_equal(asked(exchange("json", template=["<pixels>"], **options).post(x[None])).json[0], expected)
    y = np.random.default_rng(0).normal(size=(1, 3, 4, 5))
    for layout, expected in ((None, y[0]), ("nchw", y[0]), ("nhwc", np.moveaxis(y[0], 0, -1))):
        options = {"layout": layout} if layout else {}
        made = exchange("json", template=["<pixels>"], takes="float", **options)
        assert made.takes == "float"
        np.testing.assert_array_equal(asked(made.post(y)).json[0], expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("image", {"template": {"x": "<base64 png>"}}), ("multipart", {"takes": "float"}), ("json", {"takes": "float"}),
     ("image", {"batch": 2}), ("json", {"batch": 2}), ("json", {"template": {"x": 1}})],
)  # fmt: skip
def test_options_that_do_not_belong_together_are_refused(kind, options):
    with pytest.raises(BadParameter):
        exchange(kind, **options)


def metadata(dtype: str, *sides: int, **more) -> dict:
    tensor = {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(side)} for side in sides]}, "name": "x:0"}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": {"x": tensor, **more}}}}}}


def serving(facts: dict, **options) -> TensorFlowExchange:
    return TensorFlowExchange.of(facts, options_of(options, SHOWN), None, SHOWN)


def test_the_metadata_of_tensorflow_serving_tell_the_tensor():
    x, y = photo()[None], np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    made = serving(metadata("DT_FLOAT", -1, 4, 5, 3))
    assert (made.takes, made.shape.size, made.together, made.only) == ("float", (4, 5), 8, None)
    np.testing.assert_array_equal(asked(made.post(y)).json["instances"], np.moveaxis(y, 1, -1))
    made = serving(metadata("DT_UINT8", 1, 24, 32, 3), input="x")
    assert (made.takes, made.together, made.only) == ("uint8", 1, 1)
    np.testing.assert_array_equal(asked(made.post(x)).json["instances"][0]["x"], x[0])
    made = serving(metadata("DT_STRING", -1), encoding="jpeg")
    assert (made.takes, made.shape, made.lossy) == ("uint8", None, True)
    assert [*asked(made.post(x)).json["instances"][0]] == ["b64"]


def test_metadata_that_tell_no_image_are_refused():
    for facts, words in [({}, "serving_default"), (None, "serving_default"), (metadata("DT_INT64", -1, 5), "takes"),
                         (metadata("DT_BOOL", -1, 4, 4, 3), "DT_BOOL")]:  # fmt: skip
        with pytest.raises(BadParameter, match=words):
            serving(facts)


def test_one_input_is_chosen_or_said():
    assert chosen({"a": 1}, None, SHOWN) == ("a", 1)
    assert chosen({"a": 1, "b": 2}, "b", SHOWN) == ("b", 2)
    for facts, name in (({"a": 1, "b": 2}, None), ({"a": 1}, "c"), ({}, None)):
        with pytest.raises(BadParameter, match="options="):
            chosen(facts, name, SHOWN)
