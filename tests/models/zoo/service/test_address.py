"""The one address that a service is asked at: what is none, what is told from its path, and what of it is never shown."""

import pytest

from seewhy.errors import BadParameter
from seewhy.models.zoo.service.address import Address


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "json"), ("/predict", "json"), ("/v2/models/resnet", "kserve"), ("/v2/models/resnet/infer", "kserve"),
        ("/v2/models/resnet/versions/3/infer", "kserve"), ("/behind/v2/models/resnet", "kserve"), ("/v2/models", "json"),
        ("/v1/models/net:predict", "tensorflow"), ("/v1/models/net/versions/1:predict", "tensorflow"),
        ("/v1/models/net", "json"), ("/predictions/net", "torchserve"), ("/predictions/net/1.0", "torchserve"),
        ("/predictions", "json"),
    ],
)  # fmt: skip
def test_the_path_tells_how_it_is_asked(path, kind):
    assert Address.of(f"http://localhost:8080{path}").kind == kind
    assert Address.of(f"https://host{path}?key=1").kind == kind


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "file:///etc/passwd", "grpc://host:8001", "http://", "http:///x", "http://host:port/x",
            "http://host:99999/", "http://ho st/x", "http://host/a\nb", "http://[::1/x"],
)  # fmt: skip
def test_what_is_no_address_of_a_service_is_refused(url):
    with pytest.raises(BadParameter, match=r"service|asked"):
        Address.of(url)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    for url in ("http://me:geheim@host/x", "http://me:geheim@ho st/x", "ftp://me:geheim@host/x", "http://me:geheim@host:port/"):
        with pytest.raises(BadParameter) as caught:
            Address.of(url)
        assert "geheim" not in str(caught.value), url


def test_the_query_is_sent_and_never_shown():
    address = Address.of("https://host/x?key=geheim#part")
    assert (address.url, address.shown) == ("https://host/x?key=geheim", "https://host/x")
    assert "geheim" not in repr(address)
    assert {"geheim", "key=geheim"} == {*address.secrets}
    other = address.at("/y")
    assert (other.url, other.shown) == ("https://host/y?key=geheim", "https://host/y")


@pytest.mark.parametrize(
    ("url", "exposed"),
    [("http://localhost/", False), ("http://127.0.0.5:1/", False), ("http://[::1]/", False), ("http://a.localhost/", False),
     ("http://10.0.0.5/", True), ("http://example.org/", True), ("http://localhost.example.org/", True),
     ("https://example.org/", False)],
)  # fmt: skip
def test_photos_are_exposed_on_a_network_without_tls(url, exposed):
    assert Address.of(url).exposed is exposed
