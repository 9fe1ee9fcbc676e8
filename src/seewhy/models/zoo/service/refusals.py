"""What a service says where it gives no scores, in words of bounded length and without secrets."""

import re
from collections.abc import Callable, Iterable, Mapping
from html import unescape
from typing import Any

from seewhy.errors import BadNetwork, NoService
from seewhy.json_text import json_of

FOR_ALL = {  # answers that the next image would get, too, and what to do
    401: "it wants to know who asks: options={'header': 'Authorization: ...'} (--option header=...)",
    403: "it does not let you in: look at what the header (--option header=...) says",
    404: "there is nothing at this address",
    405: "nothing is sent to this address: is it the one that predicts?",
    407: "a proxy wants to know who asks",
    410: "it is gone",
}
SHORTEST = 4  # characters of a secret that is looked for: shorter ones are in any text
MESSAGES = ("error", "detail", "message", "reason", "title", "msg")


def refusal(shown: str, status: int, headers: Mapping[str, str], body: bytes, safe: Callable[[Any], str]) -> BadNetwork | None:
    """The error that an answer stands for; None of one that may hold scores."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        place = safe(headers.get("location", "nowhere").partition("?")[0])
        return NoService(
            f"{shown} answers {status}: it sends on to {place}. Only the address that you give is asked: give that one, if you "
            "trust it."
        )
    said = safe(message(body))
    quote = f": {said}" if said else ""
    if status in FOR_ALL:
        return NoService(f"{shown} answers {status}{quote}; {FOR_ALL[status]}.")
    return BadNetwork(f"{shown} answers {status}{quote}.")


def message(body: bytes) -> str:
    """What a body that is no score says: the message in JSON, the words of a page, or the beginning of the text."""
    text = body[:100_000].decode("utf-8", "replace").strip()
    try:
        value = json_of(text)
    except ValueError:
        return page(text) or text
    for _ in range(5):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, Mapping) and (keys := [key for key in MESSAGES if key in value]):
            value = value[keys[0]]
    return value if isinstance(value, str) else text


def page(text: str) -> str:
    """The words of a web page; "" of what is none."""
    if not re.match(r"(?is)\s*(<!doctype|<html|<\?xml|<head|<body)", text):
        return ""
    title = re.search(r"(?is)<(title|h1)[^>]{0,200}>(.{0,300}?)</", text)
    words = title[2] if title else re.sub(r"<[^>]{0,1000}>", " ", text[:2000])
    return f"a web page: {' '.join(unescape(words).split())}"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with *** in place of each secret."""
    for secret in sorted({*secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, "***")
    return text
