"""Photos at addresses: in fsspec's memory and on a server of this machine; what cannot be reached is said at once."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

import pytest

from seewhy.errors import BadImage, BadParameter
from seewhy.photo_sets import addresses
from seewhy.photo_sets.addresses import in_address, is_address, opened_address, read_address, suffix_of

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket():
    system = fsspec.filesystem("memory")
    for name in ("set/b.jpg", "set/cats/1.png", "set/cats/notes.txt", "set/.cache/x.jpg", "other/c.jpg"):
        system.pipe(f"/bucket/{name}", name.encode())
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("data", "known"),
    [
        ("s3://bucket/x", True), ("memory://x", True), ("https://host/x.zip", True), ("simplecache::s3://bucket/x", True),
        ("photos/x", False), ("C:/photos", False), ("C:\\photos", False), ("a:b", False), ("/x/y://z", False),
    ],
)  # fmt: skip
def test_addresses_are_told_from_paths(data, known):
    assert is_address(data) is known


def test_suffixes_of_addresses():
    assert suffix_of("https://host/photos.ZIP?version=2.1") == ".zip"
    assert suffix_of("s3://bucket.name/photos") == ""
    assert suffix_of("labels.csv") == ".csv"


def test_photos_below_an_address_are_found_and_read(bucket):
    place, found = in_address(f"{bucket}/set")
    assert found.names == ["b.jpg", "cats/1.png"]
    assert read_address(place.path("cats/1.png"), 100) == b"set/cats/1.png"
    assert in_address(f"{bucket}/set/")[1].names == found.names


def test_patterns_and_single_photos(bucket):
    place, found = in_address(f"{bucket}/*/*.jpg")
    assert found.names == ["other/c.jpg", "set/b.jpg"]
    assert [read_address(place.path(name), 100) for name in found.names] == [b"other/c.jpg", b"set/b.jpg"]
    place, found = in_address(f"{bucket}/set/b.jpg")
    assert [place.path(name) for name in found.names] == ["memory:///bucket/set/b.jpg"]


@pytest.mark.parametrize("after", ["", "/", "/*/*.jpg"])
def test_files_of_this_machine_have_addresses_too(tmp_path, after):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.jpg").write_bytes(b"a cat")
    place, found = in_address(f"file://{tmp_path.as_posix()}{after}")
    assert found.names == ["cats/1.jpg"]
    assert read_address(place.path("cats/1.jpg"), 100) == b"a cat"


def test_errors_name_the_address(bucket):
    with pytest.raises(BadParameter, match="memory://bucket/nowhere is not there"):
        in_address(f"{bucket}/nowhere")
    with pytest.raises(BadParameter, match=r"no photos \(\.jpg.* at memory://bucket/set/\*\.gif"):
        in_address(f"{bucket}/set/*.gif")
    with pytest.raises(BadImage, match=r"memory://bucket/x\.jpg is not there"):
        read_address(f"{bucket}/x.jpg", 100)
    with pytest.raises(BadImage, match="more than 5 bytes"):
        read_address(f"{bucket}/set/b.jpg", 5)


def test_a_protocol_of_nobody_and_one_whose_package_is_missing():
    with pytest.raises(BadParameter, match=r"nosuch://x is no address that can be read: Protocol not known: nosuch"):
        in_address("nosuch://x")
    fsspec.register_implementation(
        "needy", "no_such_package.FileSystem", errtxt="Install no-such-package to access it", clobber=True
    )
    with pytest.raises(
        BadParameter, match=r"needy://x takes a package that is not installed: Install no-such-package to access it\."
    ):
        in_address("needy://x")


def test_nobody_waits_for_what_does_not_answer(monkeypatch):
    class Silent(fsspec.AbstractFileSystem):
        protocol = "silent"

        def exists(self, path, **options):
            sleep(5)

    fsspec.register_implementation("silent", Silent, clobber=True)
    monkeypatch.setattr(addresses, "ANSWER", 0.05)
    with pytest.raises(BadImage, match=r"silent://x did not answer within 0 seconds\. Is there a network"):
        in_address("silent://x")


def test_whatever_a_file_system_raises_names_the_address():
    class Refusing(fsspec.AbstractFileSystem):
        protocol = "refusing"

        def exists(self, path, **options):
            raise RuntimeError("no credentials")

        def open(self, path, *arguments, **options):
            raise RuntimeError("no credentials")

    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(BadImage, match="refusing://x cannot be read: no credentials"):
        in_address("refusing://x")
    with pytest.raises(BadImage, match=r"refusing://x\.zip cannot be read: no credentials"):
        opened_address("refusing://x.zip")


def test_a_server_of_this_machine(tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.jpg").write_bytes(b"one")
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/cats"
        place, found = in_address(address)
        assert found.names == ["1.jpg"]
        assert read_address(place.path("1.jpg"), 100) == b"one"
    finally:
        server.shutdown()
        server.server_close()
