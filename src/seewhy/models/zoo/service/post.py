"""What is sent to a service."""

from typing import Any, NamedTuple


class Post(NamedTuple):
    """A body of some type, or the parts of a form."""

    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    files: Any = None
