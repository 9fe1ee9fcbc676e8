"""Clips as they are read: frames of one size, upright and RGB, in the order of time."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from seewhy.errors import BadImage
from seewhy.printable import printable

from .animation import composed, count
from .files import check_name, check_size, decoder_notes, guarded, listening
from .orientation import UPRIGHT, oriented
from .photo import Photo, read, rgb
from .tiff import open_tiff
from .tiff_tags import all_tags, is_tiff

MOST = 4  # times PIL.Image.MAX_IMAGE_PIXELS: the pixels that all frames together may have; 1 GB by default


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames of one size in the order of time.  Raises BadImage where there are no frames, or their sizes differ."""

    frames: tuple[Image.Image, ...] = field(repr=False)  # RGB, upright
    name: str = "clip"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", tuple(self.frames))
        if not self.frames:
            raise BadImage(f"{self.name} has no frames. Give at least one picture.")
        for place, frame in enumerate(self.frames):
            if frame.size != self.size:
                raise _mixed(self.name, f"frame {place}", frame.size, "frame 0", self.size)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) of every frame, in pixels."""
        return self.frames[0].size

    @property
    def photos(self) -> list[Photo]:
        """The frames as single photos, for a network that takes photos."""
        return [Photo(frame, f"{self.name}, frame {place}", self.notes) for place, frame in enumerate(self.frames)]


def read_clip(clip: Any, name: str | None = None) -> Clip:
    """Any clip that Pillow can read, its frames as `read` gives photos: upright RGB, transparency on white.

    clip: the path of an animated GIF, WebP, APNG or multi-page TIFF; a folder of pictures, in the order of their names, where
    2 comes before 10; or pictures one by one: paths, PIL images, uint8 arrays (h, w, 3), or all in one array (t, h, w, 3).
    A clip of a single frame is taken and noted.  Raises BadImage, naming the file, where there are no frames, where sizes
    differ, or where all frames together are too large.
    """
    if isinstance(clip, Clip):
        return clip
    if isinstance(clip, str | Path):
        check_name(clip)
        path = Path(clip)
        return _folder(path, name or str(clip)) if path.is_dir() else _animation(path, name or str(clip))
    if isinstance(clip, Image.Image):
        return _given(clip, name or str(getattr(clip, "filename", "")) or "clip")
    name = name or "clip"
    if isinstance(clip, bytes) or not isinstance(clip, Iterable) or (isinstance(clip, np.ndarray) and clip.ndim != 4):
        what = f"an array {clip.shape}" if isinstance(clip, np.ndarray) else type(clip).__name__
        raise BadImage(f"{name}: {what} is no clip. Give an animated file, a folder of pictures, or a list of them.")
    return _joined([(None, picture) for picture in clip], name)


def _folder(folder: Path, name: str) -> Clip:
    kinds = Image.registered_extensions()
    files = sorted((f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")), key=_in_order)
    pictures = [file for file in files if file.suffix.lower() in kinds]
    if not pictures:
        there = f", only {len(files)} other file{'s' * (len(files) > 1)}" if files else ""
        raise BadImage(f"{name} is a folder without pictures{there}. Give the frames as .png or .jpg files.")
    return _joined([(str(file), file) for file in pictures], name)


def _in_order(file: Path) -> list[tuple[int, str]]:
    """The key to sort file names by, so that frame2 comes before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name.casefold()) if part]


def _joined(pictures: list[tuple[str | None, Any]], name: str) -> Clip:
    """A clip of pictures read one by one; reading stops at the first of another size, or that makes the clip too large."""
    frames: list[Photo] = []
    for place, (called, picture) in enumerate(pictures):
        called = called or (None if isinstance(picture, str | Path | Photo) else f"{name}, frame {place}")
        frames.append(read(picture, called))
        first, last = frames[0], frames[-1]
        if last.pixels.size != first.pixels.size:
            raise _mixed(name, last.name, last.pixels.size, first.name, first.pixels.size)
        if place == 0:
            _affordable(name, len(pictures), first.pixels.size)
    notes = tuple(f"{frame.name}: {note}" for frame in frames for note in frame.notes)
    return Clip(tuple(frame.pixels for frame in frames), name, notes + _alone(len(frames)))


def _animation(path: Path, name: str) -> Clip:
    photo = read(path, name)  # a file that is no picture, or too large, gives the same error as a photo
    try:
        with listening(is_tiff(path)) as heard:
            animation = _pages(path, name) if is_tiff(path) else _moving(path, name)
    except BadImage:
        raise
    except MemoryError:
        raise BadImage(f"{name} cannot be read: there is not enough memory for its frames.") from None
    except Exception as broken:  # noqa: BLE001 - decoders raise whatever a stranger's bytes lead them to
        what = printable(broken, 300) or type(broken).__name__
        raise BadImage(f"{name} cannot be read to its end: {what}") from None
    frames, notes = animation or ([photo.pixels], photo.notes)
    remarks = () if animation is None else decoder_notes(heard)
    return Clip(tuple(frames), name, (*dict.fromkeys(notes), *remarks, *_alone(len(frames)), *_blank(frames)))


def _pages(path: Path, name: str) -> tuple[list[Image.Image], list[str]] | None:
    """The pages of a TIFF, without smaller copies of pages and masks."""
    pages = [tags for tags in all_tags(path) if not tags.beside]
    if len(pages) < 2:
        return None
    _affordable(name, len(pages), pages[0].size)
    frames, notes = [], []
    with Image.open(path) as forwards, Image.open(path) as again:
        for page, tags in enumerate(pages):
            with guarded(f"{name}, page {page}"):
                picture, remarks = open_tiff(path, tags, f"{name}, page {page}", (forwards, again))
                frames.append(rgb(picture))
            notes += [note for note in remarks if "first frame" not in note]
    return frames, notes


def _moving(path: Path, name: str) -> tuple[list[Image.Image], list[str]] | None:
    with Image.open(path) as opened:
        frames = int(getattr(opened, "n_frames", 1))
        if frames < 2:
            return None
        _affordable(name, frames, opened.size)
        if opened.format not in ("GIF", "PNG"):
            return _played(opened), []
        turn = UPRIGHT.get(oriented(opened))
    file = path.read_bytes()
    _affordable(name, count(file), opened.size)
    animation = composed(file)
    if animation is None:
        return None
    return [rgb(picture.transpose(turn) if turn is not None else picture) for picture in animation[1]], []


def _played(animation: Image.Image) -> list[Image.Image]:
    """All frames as Pillow composes them, upright; the caller's own image stays where it was."""
    place, turn = animation.tell(), UPRIGHT.get(oriented(animation))
    turn = None if animation.format == "TIFF" else turn  # Pillow turns the pages of a TIFF as it decodes them
    try:
        frames = [rgb(frame) for frame in ImageSequence.Iterator(animation)]
    finally:
        animation.seek(place)
    return [frame.transpose(turn) if turn is not None else frame for frame in frames]


def _given(animation: Image.Image, name: str) -> Clip:
    """The clip of a PIL image: from its file, if it has one, else the frames that Pillow gives."""
    file = str(getattr(animation, "filename", ""))
    if file and getattr(animation, "fp", None) and Path(file).is_file():
        return _animation(Path(file), name)
    _affordable(name, int(getattr(animation, "n_frames", 1)), animation.size)
    with guarded(name):
        frames = _played(animation)
    return Clip(tuple(frames), name, _alone(len(frames)))


def _affordable(name: str, count: int, size: tuple[int, int]) -> None:
    check_size(name, size, count, MOST)


def _alone(count: int) -> tuple[str, ...]:
    return ("a single frame: nothing moves in it",) if count == 1 else ()


def _blank(frames: list[Image.Image]) -> tuple[str, ...]:
    """Notes for a clip whose frames all have one and the same colour; single black frames among others are not noted."""
    colours = {tuple(pair) for frame in frames for pair in [frame.getextrema()]}
    if len(colours) > 1 or any(low != high for pair in colours for low, high in pair):  # type: ignore[misc]
        return ()
    return ("all its pixels are of one colour: there is nothing on it to explain",)


def _mixed(name: str, odd: str, size: tuple[int, int], first: str, right: tuple[int, int]) -> BadImage:
    return BadImage(
        f"{name}: its frames are not of one size: {odd} is {size[0]}x{size[1]}, {first} {right[0]}x{right[1]}. "
        "Bring them to one size, or explain them one by one as photos."
    )
