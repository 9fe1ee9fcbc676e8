"""What a run is, as run.json tells it."""

import json
from dataclasses import replace

import pytest

from seewhy.dataset.info import FILE, RunInfo, chunk_for, read_info, write_info
from seewhy.errors import BadParameter, BadRecord

INFO = RunInfo(
    model="mini", weights="mini.safetensors sha256:0123", weights_sha256="ab" * 32, labels=("cat", "dog"),
    methods=({"name": "grad-cam", "params": {"signed": False}},), targets=("top", "true"), data="photos", count=3,
    digest="cd" * 32, chunk=64, recipe={"spec": "mini"}, prepare={"kind": "Fit", "size": (256, 256)}, versions={"torch": "2"},
)  # fmt: skip


def test_it_comes_back_as_it_was(tmp_path):
    write_info(tmp_path, INFO)
    assert read_info(tmp_path) == INFO
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_where_there_is_no_run_it_says_how_to_make_one(tmp_path):
    with pytest.raises(BadParameter, match=r"There is no run in .*seewhy run MODEL DATA -o"):
        read_info(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting"),
        ("[]", "does not tell of a run"),
        ('{"schema": "seewhy-map/1"}', "does not tell of a run"),
        ('{"schema": "seewhy-run/2"}', "this seewhy reads seewhy-run/1"),
        ('{"schema": "seewhy-run/1"}', "lacks 'model'"),
        (INFO.to_json().replace('"count": 3', '"count": "3"'), "'count' is a str"),
        (INFO.to_json().replace('"chunk": 64', '"chunk": 0'), "numbers of photos"),
    ],
    ids=["no JSON", "a list", "of another kind", "later", "without a field", "a text for a number", "no chunk"],
)
def test_a_damaged_one_is_told(tmp_path, text, why):
    (tmp_path / FILE).write_text(text, "utf-8")
    with pytest.raises(BadRecord, match=why):
        read_info(tmp_path)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model": "maxi"}, "the model ('mini', now 'maxi')"),
        ({"weights_sha256": "ef" * 32}, "the weights"),
        ({"labels": None}, "the names of classes"),
        ({"methods": ({"name": "layer-cam", "params": {}},)}, "the methods ('grad-cam(signed=False)', now 'layer-cam()')"),
        ({"targets": ("top",)}, "the targets ('top, true', now 'top')"),
        ({"layer": "layer3"}, "the layer ('None', now 'layer3')"),
        ({"full_maps": True}, "full-size maps ('False', now 'True')"),
        ({"count": 4, "digest": "0"}, "the number of photos ('3', now '4')"),
        ({"digest": "0"}, "the photos or their labels"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "+".join(value),
)
def test_what_would_give_other_rows_is_told(change, word):
    assert INFO.differences(replace(INFO, **change)) == [word]


def test_what_gives_the_same_rows_is_no_difference():
    beside = {"versions": {"torch": "3"}, "data": "elsewhere", "weights": "mini.pt", "chunk": 128, "recipe": {}}
    assert INFO.differences(replace(INFO, **beside)) == []
    assert INFO.differences(RunInfo.from_json(INFO.to_json())) == []


def test_parts_are_small_while_they_are_few():
    assert [chunk_for(count) for count in (0, 1, 65_536, 65_537, 1_000_000, 10**9)] == [64, 64, 64, 128, 1024, 4096]


def test_it_is_plain_json_with_the_version():
    assert json.loads(INFO.to_json())["schema"] == "seewhy-run/1"
