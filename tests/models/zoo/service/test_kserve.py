"""KServe's second protocol: tensors as the metadata say, in JSON or as bytes, and answers as it writes them."""

import json

import numpy as np
import pytest

from seewhy.errors import BadNetwork, BadParameter
from seewhy.models.zoo.service.kserve import KServeExchange
from seewhy.models.zoo.service.options import options_of
from support.services import photo

SHOWN = "http://host/v2/models/net"


def facts(datatype="FP32", shape=(-1, 3, 4, 5), outputs=("y",)) -> dict:
    return {
        "name": "net",
        "inputs": [{"name": "x", "datatype": datatype, "shape": [*shape]}],
        "outputs": [{"name": name, "datatype": "FP32", "shape": [-1, 2]} for name in outputs],
    }


def exchange(metadata=None, output=None, **options) -> KServeExchange:
    return KServeExchange.of(facts() if metadata is None else metadata, options_of(options, SHOWN), output, SHOWN)


def read(made, images, *outputs):
    return made.rows(json.dumps({"model_name": "net", "outputs": outputs}).encode(), images)


def tensor(shape, data, name="y", datatype="FP32"):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


Y = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(("shape", "order"), [((-1, 3, 4, 5), (0, 1, 2, 3)), ((-1, 4, 5, 3), (0, 2, 3, 1))])
def test_prepared_images_go_in_the_order_of_the_tensor(shape, order):
    made = exchange(facts(shape=shape))
    assert (made.takes, made.shape.size, made.together, made.only) == ("float", (4, 5), 8, None)
    question = json.loads(made.post(Y).content)
    (one,) = question["inputs"]
    assert (one["name"], one["datatype"], one["shape"]) == ("x", "FP32", [*Y.transpose(order).shape])
    np.testing.assert_array_equal(np.array(one["data"], np.float32), Y.transpose(order).ravel())
    assert "outputs" not in question


def test_photos_go_as_bytes_of_uint8():
    made = exchange(facts("UINT8", (1, 24, 32, 3)))
    assert (made.takes, made.only, made.together) == ("uint8", 1, 1)
    (one,) = json.loads(made.post(photo()[None]).content)["inputs"]
    np.testing.assert_array_equal(np.array(one["data"]), photo().ravel())


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "UINT8", "INT32"])
def test_the_binary_extension_puts_the_numbers_behind_the_json(datatype):
    made = exchange(facts(datatype, (-1, 3, 24, 32)), binary=True)
    x = photo()[None] if made.takes == "uint8" else np.moveaxis(photo()[None], -1, 1) / 255.0
    post = made.post(x)
    length = int(dict(post.headers)["Inference-Header-Content-Length"])
    (one,) = json.loads(post.content[:length])["inputs"]
    data = post.content[length:]
    assert one["parameters"] == {"binary_data_size": len(data)}
    assert "data" not in one
    kind = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "UINT8": "u1", "INT32": "<i4"}[datatype]
    expected = np.moveaxis(photo()[None], -1, 1) / (1.0 if made.takes == "uint8" else 255.0)
    np.testing.assert_allclose(np.frombuffer(data, kind).reshape(one["shape"]), expected, atol=1e-3)


def test_one_image_without_a_batch():
    made = exchange(facts(shape=(3, 4, 5)))
    assert (made.only, made.together) == (1, 1)
    assert json.loads(made.post(Y[:1]).content)["inputs"][0]["shape"] == [3, 4, 5]
    assert read(made, 1, tensor([2], [1, 2])) == [[1, 2]]
    assert read(made, 1, tensor([1, 2], [1, 2])) == [[1, 2]]


def test_scores_are_flat_or_nested_and_of_the_output_that_is_asked_for():
    made = exchange()
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        assert read(made, 2, tensor([2, 2], data)) == [[1, 2], [3, 4]]
    assert read(made, 2, tensor([2, 2, 1, 1], [1, 2, 3, 4])) == [[1, 2], [3, 4]]
    named = exchange(facts(outputs=("y", "z")), output="z")
    assert json.loads(named.post(Y).content)["outputs"] == [{"name": "z"}]
    assert read(named, 1, tensor([1, 1], [9]), tensor([1, 2], [1, 2], "z")) == [[1, 2]]


@pytest.mark.parametrize(
    "outputs",
    [(), (tensor([1, 2], [1, 2]), tensor([1, 2], [1, 2], "z")), (tensor([1, 3], [1, 2]),), (tensor([2, 1], [1, 2]),),
     (tensor([1, 2, 2], [1, 2, 3, 4]),), (tensor([1, 2], ["a", "b"], datatype="BYTES"),), ({"name": "y"},), (3,),
     (tensor(["1", 2], [1, 2]),), (tensor([], [1]),)],
)  # fmt: skip
def test_what_is_no_table_of_scores_is_told(outputs):
    with pytest.raises(BadNetwork, match=r"^http://host/v2/models/net answers with"):
        read(exchange(), 1, *outputs)


def test_an_answer_that_is_no_object_is_told():
    for body in (b"[]", b"3", b'{"outputs": 3}', b'{"error": "no"}'):
        with pytest.raises(BadNetwork, match="no output"):
            exchange().rows(body, 1)


@pytest.mark.parametrize(
    ("metadata", "options"),
    [({}, {}), ([], {}), (facts("BYTES"), {}), (facts("FP16"), {}), (facts(shape=(-1, 10)), {}),
     (facts(shape=(-1, -1, -1, -1)), {}), (facts(outputs=("y", "z")), {}), (facts(), {"output": "w"}),
     (facts(), {"input": "w"}), (facts(shape=(1, 3, 224, 3)), {})],
)  # fmt: skip
def test_metadata_that_tell_no_image_or_no_scores_are_refused(metadata, options):
    with pytest.raises(BadParameter):
        exchange(metadata, **options)


def test_a_layout_that_is_not_clear_can_be_said():
    assert exchange(facts(shape=(1, 3, 224, 3)), layout="nchw").shape.size == (224, 3)
    assert exchange(facts(shape=(1, 3, 224, 3)), layout="nhwc").shape.size == (3, 224)
    assert exchange(facts(shape=(-1, 1, -1, -1))).shape.grey
