"""What a Source keeps of a map's values: small maps whole, of large ones what tells how far another map lies from them."""

import json
from hashlib import sha256

import numpy as np
import pytest

import seewhy
from seewhy.maps.record import blocks, read_record, record_of, recorded, sha256_of, spread

SHAPES = [(7, 7), (16, 16), (1,), (17, 300), (224, 224), (1000,), (20, 30, 40), (3, 400), (3, 5, 7, 9)]


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_record_comes_back_from_json(shape):
    values = drawn(shape)
    known = read_record(json.loads(json.dumps(record_of(values))))
    assert (known.shape, known.largest) == (shape, abs(values).max())
    assert known.sha256 == sha256(values.tobytes()).hexdigest() == sha256_of(values)
    if values.size <= 256:
        assert np.array_equal(known.values, values)
    else:
        means, signed = blocks(values)
        assert np.array_equal(known.means, means.astype(np.float32))
        assert np.array_equal(known.signed, signed.astype(np.float32))


def test_it_stays_small_however_large_the_map():
    assert max(len(json.dumps(record_of(drawn(shape)))) for shape in SHAPES) < 2000


@pytest.mark.parametrize("shape", [(17, 300), (1000,), (3, 400), (3, 5, 7, 9), (10, 12, 9)])
def test_means_and_signed_sums_are_those_of_the_blocks(shape):
    values = drawn(shape).astype(np.float64)
    means, signed = blocks(values)
    own = spread(np.arange(means.size).reshape(means.shape), shape)
    assert own.shape == shape
    for block in {0, means.size // 2, means.size - 1}:
        inside = values[own == block]
        assert means.flat[block] == pytest.approx(inside.mean(), abs=1e-9)
        signs = signed_of_ones(shape, block, own)
        assert signed.flat[block] == pytest.approx((inside * signs).sum() / np.sqrt(inside.size), abs=1e-9)


def signed_of_ones(shape, block, own):
    """The signs of the values of a block, read off what single ones add."""
    signs = []
    for place in np.argwhere(own == block):
        one = np.zeros(shape)
        one[tuple(place)] = 1
        signs.append(blocks(one)[1].flat[block])
    return np.sign(signs)


def test_the_signs_of_a_large_block_are_as_often_plus_as_minus():
    _, signed = blocks(np.ones((400, 400)))
    assert abs(signed).max() < 4  # standard deviations of a sum of random signs


def test_zeros_have_no_sign():
    assert record_of(np.zeros((3, 3), np.float32)) == record_of(-np.zeros((3, 3), np.float32))


def test_the_same_values_in_another_order_of_memory_have_the_same_record():
    values = drawn((30, 40))
    assert record_of(np.asfortranarray(values)) == record_of(values)


@pytest.mark.parametrize(
    "other", [{"sha256": None, "shape": "x"}, {"numbers": "?"}, {"numbers": "AAAA"}, {"kept": "blocks"}, {"largest": "much"}]
)
def test_a_damaged_record_is_said(other):
    with pytest.raises(ValueError, match="the record of its values is damaged"):
        read_record({**record_of(drawn((7, 7))), **other})
    with pytest.raises(ValueError, match="damaged"):
        read_record({})


def test_every_way_to_a_map_records_its_values(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    model = seewhy.load("demo/honest")
    plain = seewhy.explain(model, photo, ["grad-cam", "gradient"])
    tiled = seewhy.grad_cam(model, photo, tile=96)
    fused = seewhy.fuse(seewhy.layer_cam(model, photo, layer=["body.2", "body"]))
    for found in [*plain, *tiled, *fused]:
        assert dict(found.source.values) == record_of(found.values)
        assert recorded(found).source == found.source
