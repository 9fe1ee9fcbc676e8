"""The JSON that a service wants, written down once with places for photos in it."""

from collections.abc import Callable, Mapping
from typing import Any

from seewhy.errors import BadParameter
from seewhy.printable import quoted

PNG, JPEG, PIXELS = "<base64 png>", "<base64 jpeg>", "<pixels>"
REPEATED = "..."  # behind the one element of a list: it stands there once for each image of the request
ADVICE = (
    f'A template is JSON with {PNG}, {JPEG} or {PIXELS} where a photo goes, such as {{"image": "{PNG}"}}; several in one '
    f'request are written {{"instances": [{{"b64": "{PNG}"}}, "{REPEATED}"]}}.'
)


def filled(template: Any, images: list[Any], written: Callable[[str, Any], Any]) -> Any:
    """The template with the images in it.  written: what stands for an image in place of PNG, JPEG or PIXELS."""
    if isinstance(template, str):
        return _text(template, images[0], written)
    if isinstance(template, Mapping):
        return {key: filled(value, images, written) for key, value in template.items()}
    if isinstance(template, list | tuple):
        if repeats(template):
            return [filled(template[0], [image], written) for image in images]
        return [filled(value, images, written) for value in template]
    return template


def placeholders(template: Any) -> set[str]:
    """Which of PNG, JPEG and PIXELS stand in it."""
    if isinstance(template, str):
        return {each for each in (PNG, JPEG, PIXELS) if each in template}
    parts = template.values() if isinstance(template, Mapping) else template if isinstance(template, list | tuple) else ()
    return set().union(*map(placeholders, parts))


def several(template: Any) -> bool:
    """Does it take more than one image?"""
    parts = template.values() if isinstance(template, Mapping) else template if isinstance(template, list | tuple) else ()
    return repeats(template) or any(map(several, parts))


def repeats(template: Any) -> bool:
    """Is it a list whose one element stands there for each image?"""
    return isinstance(template, list | tuple) and len(template) == 2 and template[1] == REPEATED


def checked(template: Any) -> Any:
    """The template; BadParameter where no photo has a place in it, or some places are within a repetition and some without."""
    if not placeholders(template):
        raise BadParameter(f"The template {quoted(template)} has no place for a photo. {ADVICE}")
    if several(template) and placeholders(_without_repetition(template)):
        raise BadParameter(
            f"The template {quoted(template)} has places for a photo inside and outside of its repetition. {ADVICE}"
        )
    return template


def _without_repetition(template: Any) -> Any:
    if repeats(template):
        return None
    if isinstance(template, Mapping):
        return {key: _without_repetition(value) for key, value in template.items()}
    return [*map(_without_repetition, template)] if isinstance(template, list | tuple) else template


def _text(text: str, image: Any, written: Callable[[str, Any], Any]) -> Any:
    if text == PIXELS:
        return written(PIXELS, image)
    for place in (PNG, JPEG):
        if place in text:
            text = text.replace(place, written(place, image))
    return text
