"""The one address that a service is asked at, which is the one that the person typed."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit

from seewhy.errors import BadParameter
from seewhy.printable import printable

KSERVE = re.compile(r"(?P<model>.*/v2/models/[^/]+(/versions/[^/]+)?)(/infer)?/?")
TENSORFLOW = re.compile(r"(?P<model>.*/v1/models/[^/:]+((/versions/|/labels/)[^/:]+)?):predict")
TORCHSERVE = re.compile(r".*/predictions/[^/]+(/[^/]+)?/?")


@dataclass(frozen=True)
class Address:
    """Where a service is asked.  Its repr, `shown`, has no query, which may hold a key."""

    url: str = field(repr=False)
    shown: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """The address in a text; BadParameter where it is none, is no HTTP, or has a password in it."""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError as error:
            raise BadParameter(f"{_without_secrets(url)} is no address of a service: {error}.") from None
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        if parts.scheme.lower() not in ("http", "https"):
            raise BadParameter(f"{printable(shown, 200)} is not asked: a service is asked by http:// or https://.")
        if not host or re.search(r"[\s\x00-\x1f\x7f]", url):
            raise BadParameter(f"{printable(shown, 200)} is no address of a service: write http://HOST:PORT/PATH.")
        if "@" in parts.netloc:
            raise BadParameter(
                f"The address {printable(shown, 200)} is given without a name and password in it. Send them as a header: "
                "options={'header': 'Authorization: Basic ...'} (--option header='Authorization: Basic ...')."
            )
        return cls(parts._replace(fragment="").geturl(), shown)

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def secrets(self) -> list[str]:
        """What of the address is never shown."""
        query = self.parts.query
        return [query, *(value for _name, value in parse_qsl(query))] if query else []

    @property
    def kind(self) -> str:
        """How a service with such a path is asked."""
        path = self.parts.path
        kinds = {"kserve": KSERVE, "tensorflow": TENSORFLOW, "torchserve": TORCHSERVE}
        return next((kind for kind, pattern in kinds.items() if pattern.fullmatch(path)), "json")

    @property
    def exposed(self) -> bool:
        """Do photos go over a network unencrypted?"""
        return self.parts.scheme.lower() == "http" and not _on_this_machine(self.parts.hostname or "")

    def at(self, path: str) -> "Address":
        """Another path of the same service, with the same query."""
        shown = urlsplit(self.shown)._replace(path=path).geturl()
        return Address(self.parts._replace(path=path).geturl(), shown)


def _on_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _without_secrets(url: str) -> str:
    return printable(re.sub(r"//[^/]*@", "//", url.partition("?")[0]), 200)
