"""A model behind an address, `load("http://localhost:8080/predict")`: how it is asked is told by its path or by the options."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter, NoService
from seewhy.models.hazard import NOTE, WARNING, Hazard, KnownFunction
from seewhy.models.zoo.input_shape import portions
from seewhy.models.zoo.sources import Loaded, Request, need
from seewhy.prepare.unscaled import Unscaled
from seewhy.untrained import RANDOM

from .address import KSERVE, TENSORFLOW, Address
from .answers import parsed, table
from .exchange import WITHOUT_METADATA, Exchange, PhotoExchange, TensorFlowExchange
from .kserve import KServeExchange
from .options import ServiceOptions, options_of

BLANK = 224  # side of the grey photo that is sent to learn the names of the classes, where no size is given


def service_function(request: Request) -> Loaded:
    """The function that asks a service for scores.

    What the service knows of its model is asked for where its protocol has that.  Where it does not, and nobody named the
    classes, one grey photo is sent, to learn whether scores come by label.
    """
    address = Address.of(request.spec)
    if request.weights not in (None, RANDOM):
        raise BadParameter(f"{address.shown} has its own weights: leave weights= out.")
    options = options_of(request.options, address.shown)
    http = need("httpx", "seewhy.models.zoo.service.client", "http")
    exchange, client, weights = _exchange(address, options, request.output, http.Client)
    hazards = tuple(_hazards(address, options, exchange))
    if address.exposed:
        warn(f"{address.shown}: {hazards[0].words}. {hazards[0].advice}", stacklevel=2)
    function = ServiceFunction(client, exchange, request.labels, hazards, {"httpx": http.httpx.__version__})
    if request.labels is None and isinstance(exchange, PhotoExchange) and exchange.takes == "uint8":
        function.labels = function.labels_of(_grey(options.size))
    settings = {"name": address.shown, "takes": exchange.takes}
    return Loaded(function, _prepare(options, exchange), function.labels, weights, settings, found_output=True)


class ServiceFunction(KnownFunction):
    """Images to scores (n, k), by asking a service; what order its answers come in makes no difference.

    labels: the classes in their order, where scores come by label.
    """

    def __init__(
        self, client: Any, exchange: Any, labels: list[str] | None, hazards: tuple[Hazard, ...], versions: Mapping[str, str]
    ) -> None:
        self.client, self.exchange, self.labels = client, exchange, labels
        self.hazards, self.versions = hazards, versions

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float64]:
        return table(self._rows(images), self.labels, self.client.options.missing, self.exchange.shown)

    def labels_of(self, photo: NDArray[np.uint8]) -> list[str] | None:
        """The names of the classes, in alphabetical order, where the scores of a photo (h, w, 3) come by label."""
        try:
            (row,) = self._rows(photo[None])
        except NoService:
            raise
        except BadNetwork as error:
            raise BadNetwork(
                f"{error} (It was sent a grey photo of {photo.shape[0]} x {photo.shape[1]}; the options kind=, template=, "
                "field= and size= say how it wants to be asked.)"
            ) from None
        return sorted(row) if isinstance(row, dict) else None

    def _rows(self, images: NDArray[Any]) -> list[Any]:
        takes = "uint8" if images.dtype == np.uint8 else "float"
        if takes != self.exchange.takes:
            raise BadParameter(
                f"{self.exchange.shown} is sent {self.exchange.takes}: options={{'takes': {takes!r}}} changes it."
            )
        parts = portions(images, self.exchange.together, self.exchange.only)
        bodies = self.client.ask([partial(self.exchange.post, part) for part, _count in parts])
        answers = [self._read(body, len(part))[:count] for body, (part, count) in zip(bodies, parts, strict=True)]
        return [row for rows in answers for row in rows]

    def _read(self, body: bytes, images: int) -> list[Any]:
        """The rows in an answer; where there are none, the error quotes no secret, though the service may repeat it."""
        with suppress(BadNetwork):
            return self.exchange.rows(body, images)
        self.exchange.rows(self.client.without_secrets(body), images)
        raise BadNetwork(f"{self.exchange.shown} answers with what a header or the address says, and with no scores.")


def _exchange(address: Address, options: ServiceOptions, output: Any, make: Any) -> tuple[Exchange, Any, str | None]:
    """How the service is asked, the client that asks it, and what it says of its weights."""
    kind = options.kind or address.kind
    if kind not in ("kserve", "tensorflow"):
        return PhotoExchange.of(kind, options, output, address.shown), make(address, options), None
    if options.template is not None:
        raise BadParameter(f"A template is for kind=json, and this is kind={kind}.")
    pattern, example = (KSERVE, "/v2/models/NAME") if kind == "kserve" else (TENSORFLOW, "/v1/models/NAME:predict")
    match = pattern.fullmatch(address.parts.path)
    if match is None:
        raise BadParameter(f"{address.shown}: a service of kind={kind} is asked at http://HOST:PORT{example}.")
    if kind == "kserve":
        client = make(address.at(f"{match['model']}/infer"), options)
        metadata = parsed(client.get(address.at(match["model"])), address.shown)
        return KServeExchange.of(metadata, options, output, address.shown), client, _weights_of(metadata, "name", "platform")
    client = make(address, options)
    try:
        metadata = parsed(client.get(address.at(f"{match['model']}/metadata")), address.shown)
    except BadNetwork as error:
        raise type(error)(f"{error} {WITHOUT_METADATA}") from None
    spec = metadata.get("model_spec") if isinstance(metadata, Mapping) else None
    return TensorFlowExchange.of(metadata, options, output, address.shown), client, _weights_of(spec, "name", "version")


def _weights_of(facts: Any, *names: str) -> str | None:
    said = [str(facts[name]) for name in names if isinstance(facts, Mapping) and isinstance(facts.get(name), str | int)]
    versions = facts.get("versions") if isinstance(facts, Mapping) else None
    said += [f"version {version}" for version in versions[-1:]] if isinstance(versions, list) else []
    return " ".join(said)[:200] or None


def _hazards(address: Address, options: ServiceOptions, exchange: Exchange) -> Sequence[Hazard]:
    hazards = []
    if address.exposed:
        words = f"photos are sent to {address.parts.hostname} unencrypted, for whoever listens on the way"
        hazards.append(Hazard("unencrypted", NOTE, words, (), "Use https:// where the service has it."))
    if exchange.lossy:
        words = f"photos are sent as JPEG of quality {options.quality}, and its artefacts are a part of what changes the score"
        hazards.append(Hazard("jpeg", WARNING, words, (), "PNG changes nothing: encoding=png."))
    if options.missing is not None:
        words = f"a class that an answer leaves out counts as {options.missing:g}, which is not what the model gives it"
        hazards.append(Hazard("missing-classes", WARNING, words, (), "Let the service give all classes."))
    return hazards


def _prepare(options: ServiceOptions, exchange: Exchange) -> Any:
    """How photos are prepared, as far as the service or the options say it."""
    shape = exchange.shape
    size = options.size or (shape.size if shape else None)
    if exchange.takes == "float":
        return Unscaled(size, grey=shape is not None and shape.grey)
    return {"size": size}


def _grey(size: Any) -> NDArray[np.uint8]:
    height, width = size if isinstance(size, tuple) else (size or BLANK,) * 2
    return np.full((height, width, 3), 128, np.uint8)
