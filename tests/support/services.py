"""Services that give scores over HTTP, on this machine, in a thread: as strangers' services do, and as they fail."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

LABELS = ["red", "green", "blue"]


class Asked(NamedTuple):
    """What a service was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Told(NamedTuple):
    """What it answers: JSON of a value, or bytes as they are."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - of a tuple, and never written


class Service:
    """A service on this machine.  answer: what it says to each question; asked: the questions so far."""

    def __init__(self, answer: Callable[[Asked], Told | Any], certificate: tuple[Path, Path] | None = None) -> None:
        self.answer, self.asked, self.at_once, self.most_at_once = answer, list[Asked](), 0, 0
        self.lock, self.connections = threading.Lock(), list[socket.socket]()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' * (certificate is not None)}://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        self.thread.start()

    def die(self) -> None:
        """End it: its port refuses from now on."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def posts(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST"]


@contextmanager
def service(answer: Callable[[Asked], Any], certificate: tuple[Path, Path] | None = None) -> Iterator[Service]:
    """A service that lives as long as the block; certificate: its files of that and of its key, for https."""
    made = Service(answer, certificate)
    try:
        yield made
    finally:
        made.die()
        made.thread.join(2)


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            with service.lock:
                service.at_once += 1
                service.most_at_once = max(service.most_at_once, service.at_once)
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.command, self.path, dict(self.headers), body)
                with service.lock:
                    service.asked.append(asked)
                told = service.answer(asked)
            finally:
                with service.lock:
                    service.at_once -= 1
            if told is None:  # hang up without a word
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            told = told if isinstance(told, Told) else Told(told)
            content = told.value if isinstance(told.value, bytes) else json.dumps(told.value).encode()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the server's own name

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            service.connections.append(self.connection)
            with suppress(ConnectionError, ValueError):  # whoever asked hung up
                super().handle()

    return Handler


def pixels_of(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(file)).convert("RGB"))


def pixels_in(asked: Asked, key: str = "image") -> np.ndarray:
    """The photo in {"image": "<base64>"}."""
    return pixels_of(base64.b64decode(asked.json[key]))


def part_of(asked: Asked) -> tuple[str, str, bytes]:
    """The name, the file's name and the content of the one part of a form."""
    head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + asked.body).get_payload()
    return part.get_param("name", header="content-disposition"), part.get_filename(), part.get_payload(decode=True)


def colours(photos: np.ndarray) -> np.ndarray:
    """How much of the light of photos (n, h, w, 3) is red, green and blue, most of it in the left half: (n, 3)."""
    light = photos.astype(np.float64) + 1
    light[:, :, : light.shape[2] // 2] *= 3
    light = light.sum((1, 2))
    return light / light.sum(1, keepdims=True)


def photo(seed: int = 0, h: int = 24, w: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)
