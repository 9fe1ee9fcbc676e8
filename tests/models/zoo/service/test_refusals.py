"""What a service says where it gives no scores."""

import pytest

from seewhy.errors import BadNetwork, NoService
from seewhy.models.zoo.service.refusals import message, page, refusal, without_secrets
from seewhy.printable import printable


def said(status: int, body: bytes = b"", **headers):
    return refusal("http://host/x", status, headers, body, lambda text: printable(text, 200))


def test_scores_are_no_refusal():
    assert said(200) is None
    assert said(204) is None


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 404, 405, 407, 410])
def test_what_the_next_image_would_meet_too_is_the_service_and_not_the_image(status):
    assert isinstance(said(status), NoService)


@pytest.mark.parametrize("status", [400, 413, 415, 422, 500, 501])
def test_what_may_be_the_image_is_no_end_of_the_service(status):
    error = said(status, b'{"detail": "too\\u001b[31m large"}')
    assert type(error) is BadNetwork
    assert str(error) == rf"http://host/x answers {status}: too\x1b[31m large."


def test_a_redirect_is_told_and_not_followed():
    error = said(302, location="https://elsewhere/y?token=geheim")
    assert "sends on to https://elsewhere/y. Only the address that you give is asked" in str(error)
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "no model"}', "no model"), (b'{"error": {"message": "deep"}}', "deep"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"), (b"plain", "plain"), (b"", ""),
        (b"<html><head><title>502 Bad &amp; Gateway</title></head><body>long</body></html>", "a web page: 502 Bad & Gateway"),
        (b"<!DOCTYPE html><body><p>some words</p></body>", "a web page: some words"), (b'{"a": 1}', '{"a": 1}'),
        (b"\xff", "\ufffd"),
    ],
)  # fmt: skip
def test_the_message_is_found_in_json_pages_and_text(body, words):
    assert message(body) == words


def test_only_pages_are_pages():
    assert page("{}") == ""
    assert page("<svg>") == ""


def test_secrets_are_blotted_out_the_longest_first():
    assert without_secrets("Bearer abcd1234, abcd1234", ["abcd1234", "Bearer abcd1234", "a"]) == "***, ***"
