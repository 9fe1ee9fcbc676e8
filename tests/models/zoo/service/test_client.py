"""What talks to a service: patience, order, how many at once, how fast, what is never followed or told, and how it ends."""

import gc
import json
import logging
import pickle
import random
import shutil
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest

from seewhy.errors import BadNetwork, BadParameter, NoService
from seewhy.models.zoo.service import client as talking
from seewhy.models.zoo.service.address import Address
from seewhy.models.zoo.service.client import Client, _wanted
from seewhy.models.zoo.service.options import options_of
from seewhy.models.zoo.service.post import Post
from seewhy.progress import stoppable
from support.services import Told, service


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(talking, "FIRST", 0.001)
    monkeypatch.setattr(talking, "GRACE", 0.02)
    monkeypatch.setattr(talking, "POLL", 0.005)


def client(url: str, **options) -> Client:
    return Client(Address.of(url), options_of(options, url))


def post(text: str):
    return lambda: Post(text.encode(), (("Content-Type", "text/plain"),))


def echo(asked):
    return Told(asked.body)


def test_answers_come_in_the_order_of_the_questions_however_late_they_are():
    later = threading.Event()

    def answer(asked):
        if asked.body == b"0":  # answered after others
            assert later.wait(30)
        if asked.body == b"5":
            later.set()
        return Told(asked.body)

    with service(answer) as s:
        questions = [str(i) for i in range(12)]
        assert client(s.url, concurrency=4).ask([post(q) for q in questions]) == [q.encode() for q in questions]
        assert 2 <= s.most_at_once <= 4


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_requests_run_at_once_than_asked_for(most):
    def answer(asked):
        time.sleep(0.003)
        return Told(asked.body)

    with service(answer) as s:
        client(s.url, concurrency=most).ask([post("x")] * 12)
        assert s.most_at_once <= most


def test_the_rate_is_kept_also_from_one_call_to_the_next():
    with service(echo) as s:
        asks, start = client(s.url, rate=100), time.monotonic()
        for _ in range(3):
            asks.ask([post("x")] * 4)
        assert time.monotonic() - start >= 0.11


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again(status):
    tries = []

    def answer(asked):
        tries.append(asked)
        return Told({"error": "busy"}, status) if len(tries) < 3 else Told(b"done")

    with service(answer) as s:
        assert client(s.url).ask([post("x")]) == [b"done"]
        assert [asked.body for asked in tries] == [b"x"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500])
def test_what_will_not_change_is_not_asked_again(status):
    with service(lambda _: Told({"error": "no such thing"}, status)) as s:
        with pytest.raises(BadNetwork, match=f"answers {status}: no such thing"):
            client(s.url).ask([post("x")])
        assert len(s.posts) == 1


def test_a_service_that_stays_busy_is_given_up_after_so_many_tries():
    with service(lambda _: Told({"error": "busy"}, 503)) as s:
        with pytest.raises(NoService, match=r"answered 503 each time \(busy\), in 3 tries"):
            client(s.url, retries=2).ask([post("x")])
        assert len(s.posts) == 3


def test_a_service_that_hangs_up_or_is_not_there_is_given_up():
    with service(lambda _: None) as s:
        with pytest.raises(NoService, match="cannot be reached"):
            client(s.url, retries=1).ask([post("x")])
        assert len(s.posts) == 2
    with pytest.raises(NoService, match=r"cannot be reached .*ConnectError"):
        client(s.url, retries=0).ask([post("x")])


def test_a_connection_that_was_closed_meanwhile_is_made_anew():
    with service(echo) as s:
        asks = client(s.url)
        asks.ask([post("a")])
    port = s.server.server_port
    with pytest.raises(NoService, match=f"127.0.0.1:{port}"):
        asks.ask([post("b")])


def test_a_slow_service_has_so_many_seconds_in_all():
    def answer(asked):
        time.sleep(0.1)
        return Told(b"late")

    with service(answer) as s, pytest.raises(NoService, match=r"gave no answer within 0\.02 s \(timeout=\), in 2 tries"):
        client(s.url, timeout=0.02, retries=1).ask([post("x")])


def test_the_service_says_how_long_to_wait_within_bounds():
    assert _wanted(None) == 0
    assert _wanted("2") == 2
    assert _wanted("-3") == 0
    assert _wanted("99999999") == talking.PATIENCE
    assert 50 < _wanted(format_datetime(datetime.now(UTC) + timedelta(seconds=58), usegmt=True)) <= 60
    assert _wanted(format_datetime(datetime.now(UTC) - timedelta(days=9))) == 0
    assert _wanted("soon") == _wanted("") == 0
    assert _wanted("nan") == _wanted("inf") == 0
    assert _wanted("Mon, 01 Jan 2001 00:00:00 -0000") == 0


def test_a_wait_that_is_asked_for_is_kept(monkeypatch):
    monkeypatch.setattr(talking, "PATIENCE", 0.05)
    with service(lambda _: Told({}, 503, {"Retry-After": "3600"}) if len(s.posts) < 2 else Told(b"x")) as s:
        start = time.monotonic()
        assert client(s.url).ask([post("x")]) == [b"x"]
        assert 0.05 <= time.monotonic() - start < 30


def test_a_redirect_is_not_followed():
    with service(echo) as other:
        with (
            service(lambda _: Told(b"", 307, {"Location": f"{other.url}/y?key=geheim"})) as s,
            pytest.raises(NoService, match="sends on to") as caught,
        ):
            client(s.url).ask([post("x")])
        assert other.asked == []
        assert other.url in str(caught.value)
        assert "geheim" not in str(caught.value)


def test_nothing_is_read_from_the_environment_or_kept_between_requests(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with service(lambda asked: Told(asked.body, 200, {"Set-Cookie": "a=b"})) as s:
        asks = client(s.url)
        assert asks.ask([post("x")]) + asks.ask([post("x")]) == [b"x", b"x"]
        assert not any("cookie" in name.lower() for asked in s.asked for name in asked.headers)


def test_headers_of_a_person_take_the_place_of_the_usual_ones():
    with service(
        lambda asked: Told([value for name, value in asked.headers.items() if name.lower() in ("accept", "content-type")])
    ) as s:
        (body,) = client(s.url, header={"accept": "a/b", "CONTENT-TYPE": "c/d"}).ask([post("x")])
        assert sorted(json.loads(body)) == ["a/b", "c/d"]


def test_a_proxy_that_is_named_is_asked():
    with service(lambda asked: Told(asked.path.encode())) as proxy:
        (body,) = client("http://nowhere.invalid/x", proxy=proxy.url).ask([post("x")])
        assert body == b"http://nowhere.invalid/x"
    with pytest.raises(BadParameter, match="proxy="):
        client("http://localhost/", proxy="me:geheim@nowhere").ask([post("x")])


def test_an_answer_has_a_bound_also_when_it_is_packed(monkeypatch):
    import gzip

    monkeypatch.setattr(talking, "LARGEST", 10_000)
    packed = gzip.compress(bytes(10**6))
    for told in (Told(bytes(10_001)), Told(packed, 200, {"Content-Encoding": "gzip"})):
        with service(lambda _, told=told: told) as s, pytest.raises(BadNetwork, match="answers with more than"):
            client(s.url).ask([post("x")])
    with service(lambda _: Told(gzip.compress(b"[1]"), 200, {"Content-Encoding": "gzip"})) as s:
        assert client(s.url).ask([post("x")]) == [b"[1]"]
    with service(lambda _: Told(b"[1]", 200, {"Content-Encoding": "gzip"})) as s, pytest.raises(NoService, match="Decoding"):
        client(s.url, retries=0).ask([post("x")])


SECRET = "geheim1234"


def test_secrets_are_sent_and_never_told(caplog):
    """Also where the service repeats them in its errors, and where every logger speaks."""
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(asked):
        seen.append(asked)
        return Told({"error": f"key {SECRET} and {asked.headers['X-Key']} of {asked.path} are wrong"}, 403)

    with service(answer) as s:
        asks = client(f"{s.url}/x?token={SECRET}", header={"X-Key": f"Bearer {SECRET}"})
        with pytest.raises(NoService) as caught:
            asks.ask([post("x")])
        assert (seen[0].headers["X-Key"], seen[0].path) == (f"Bearer {SECRET}", f"/x?token={SECRET}")
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)
    assert SECRET not in caplog.text
    assert SECRET not in repr(vars(asks))
    assert caught.value.__cause__ is None


def test_nothing_is_left_running_when_the_client_goes():
    with service(echo) as s:
        before = {*threading.enumerate()}
        asks = client(s.url)
        asks.ask([post("x")] * 3)
        (mine,) = [t for t in {*threading.enumerate()} - before if t.name.startswith("seewhy asks")]
        del asks
        gc.collect()
        mine.join(30)
        assert not mine.is_alive()


def test_a_client_is_copied_and_asks_from_there():
    with service(lambda asked: Told(asked.headers["X"].encode())) as s:
        first = client(s.url, header="X: 1")
        assert first.ask([post("x")]) == [b"1"]
        assert pickle.loads(pickle.dumps(first)).ask([post("x")]) == [b"1"]


def test_several_threads_share_a_client():
    with service(echo) as s:
        asks, results = client(s.url, concurrency=3), {}

        def work(i: int) -> None:
            results[i] = asks.ask([post(f"{i} {j}") for j in range(5)])

        workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert results == {i: [f"{i} {j}".encode() for j in range(5)] for i in range(4)}
        assert s.most_at_once <= 3


def test_who_wants_to_end_does_not_wait_for_the_service():
    hold = threading.Event()

    def answer(asked):
        hold.wait(60)
        return Told(b"late")

    with service(answer) as s:
        try:
            with stoppable() as stop:
                stop.set()
                start = time.monotonic()
                with pytest.raises(BadNetwork, match="when the work was interrupted"):
                    client(s.url).ask([post("x")] * 9)
                assert time.monotonic() - start < 30
        finally:
            hold.set()


def test_nobodys_random_numbers_change():
    random.seed(0)
    np.random.seed(0)
    states = random.getstate(), np.random.get_state()[1].tolist()
    with service(lambda _: Told({}, 503)) as s, pytest.raises(NoService):
        client(s.url, retries=2).ask([post("x")])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


def test_what_is_no_address_or_no_file_of_certificates_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("none")
    for ca in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(BadParameter, match="ca="):
            client("https://localhost/", ca=str(ca))
    with pytest.raises(BadParameter, match="no address"):
        client("http://exa\u2000mple.org/")


@pytest.fixture
def certificate(tmp_path):
    """A certificate for this machine that nobody but itself has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key"
    subprocess.run(["openssl", *words.split(), "-out", "cert"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert", tmp_path / "key"


def test_certificates_are_looked_at(certificate):
    with service(echo, certificate) as s:
        assert s.url.startswith("https://")
        with pytest.raises(NoService, match=r"certificate.*ca=FILE"):
            client(s.url).ask([post("x")])
        assert client(s.url, ca=str(certificate[0])).ask([post("x")]) == [b"x"]


def test_a_get_has_no_body_and_the_same_header():
    with service(lambda asked: Told(asked.path.encode())) as s:
        asks = client(f"{s.url}/a", header="X: 1")
        assert asks.get(Address.of(f"{s.url}/b")) == b"/b"
        assert (s.asked[0].method, s.asked[0].headers["X"]) == ("GET", "1")
