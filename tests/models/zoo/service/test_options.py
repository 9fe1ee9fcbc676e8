"""How a person wants a service to be asked: what is taken, what is refused, and that no secret is repeated."""

import json

import pytest

from seewhy.errors import BadParameter
from seewhy.models.zoo.service.options import CHECKS, ServiceOptions, options_of


def options(**given) -> ServiceOptions:
    return options_of(given, "http://host/x")


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer a b", ["Authorization: Bearer a b"], {"Authorization": "Bearer a b"}, "Authorization:Bearer a b"],
)
def test_headers_are_written_in_several_ways(header):
    assert options(header=header).headers == {"Authorization": "Bearer a b"}


def test_headers_take_secrets_from_the_environment(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "geheim")
    assert options(header="X-Key: ${MY_TOKEN}!").headers == {"X-Key": "geheim!"}
    with pytest.raises(BadParameter, match="NO_SUCH_TOKEN"):
        options(header="X-Key: ${NO_SUCH_TOKEN}")


@pytest.mark.parametrize(
    "header", ["geheim", ": geheim", "a b: geheim", {"X": 1234}, {3: "geheim"}, "X: geheim\nY: z", "X: geheimé", 3, [None]]
)
def test_a_bad_header_is_not_repeated(header):
    with pytest.raises(BadParameter) as caught:
        options(header=header)
    assert "geheim" not in str(caught.value)
    assert "NAME: VALUE" in str(caught.value)


def test_secrets_are_in_no_repr():
    made = options(header="X: geheim sehr", proxy="http://me:geheim@proxy:1")
    assert "geheim" not in repr(made)
    assert {"geheim sehr", "geheim", "sehr", "http://me:geheim@proxy:1"} == {*made.secrets}


@pytest.mark.parametrize(
    ("name", "value"),
    [("kind", "grpc"), ("encoding", "gif"), ("quality", 0), ("quality", 9.5), ("timeout", 0), ("timeout", float("nan")),
     ("timeout", "10"), ("retries", -1), ("retries", True), ("concurrency", 0), ("rate", 0), ("batch", 0), ("layout", "hwc"),
     ("takes", "int"), ("binary", 1), ("missing", "0"), ("size", 0), ("size", (1, 2, 3)), ("size", "224"), ("field", ""),
     ("input", 3), ("ca", 1), ("proxy", 1)],
)  # fmt: skip
def test_what_is_no_value_of_an_option_is_refused_by_its_name(name, value):
    with pytest.raises(BadParameter, match=f"^{name}="):
        options(**{name: value})


def test_an_unknown_option_is_told_with_the_nearest():
    with pytest.raises(BadParameter, match=r"http://host/x has no option 'headr'. Is it header\? It takes: header, "):
        options(headr="X: y")
    assert set(CHECKS) == {*ServiceOptions.__dataclass_fields__}


def test_a_template_is_json_a_file_of_it_or_values(tmp_path):
    value = {"image": "<base64 png>", "deep": [1, None, True]}
    (tmp_path / "t.json").write_text(json.dumps(value))
    assert [options(template=t).template for t in (value, json.dumps(value), str(tmp_path / "t.json"))] == [value] * 3
    for bad in ("no-such-file", str(tmp_path), "{not json", "[" * 100):
        with pytest.raises(BadParameter, match="template"):
            options(template=bad)


def test_a_size_is_a_number_or_two():
    assert [options(size=s).size for s in (224, (2, 3), [2, 3], [5])] == [224, (2, 3), (2, 3), 5]
